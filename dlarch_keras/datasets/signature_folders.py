"""Scans of signatures from a folder of the reader's own, in the layouts that the known collections have.

The preprocessing is the usual one (Hafemann, Sabourin & Oliveira, "Learning features for offline handwritten signature
verification using deep convolutional neural networks", Pattern Recognition 2017): Otsu's threshold, paper to white,
crop, centre. Shadows are taken out first. Nothing of the paper is left, so that no network can learn it.
"""

import re
from typing import NamedTuple

import numpy as np
from PIL import Image
from scipy import ndimage
from skimage import filters

from dlarch_keras.datasets.folders import SUFFIXES, check_folder, read_image

from ..core import validation

SIZE = (64, 128)
MARGIN = 2  # pixels left free around the ink
BINS = 256  # of the histogram that Otsu looks at
SMALLEST = 16  # pixels, height and width of a scan
FAINTEST = 0.1  # ink may differ by so little from its paper, as a share of the paper's brightness
LARGEST_SHARE = 0.4  # of the scan that may be ink
LETTER = 9  # forty-eighths of the scan's shorter side: a letter or stroke is narrower than that
SPECK = 0.003  # a connected part with less than this share of the ink is dirt
FAR, FEW = 11, 0.02  # as are marks so many forty-eighths from all others with less than this share of the ink
LINE = 0.8  # of a scan's width that something straight must span to be a printed line

# What a file's path below the folder looks like; the first layout that fits any file has to fit all.
LAYOUTS = {
    "CEDAR": r"full_(org/original|forg/(?P<forged>forgeries))_(?P<writer>\d+)_\d+",
    "BHSig260": r"(?P<writer>[^/]+)/[BH]-S-\d+-(G|(?P<forged>F))-\d+",
    "genuine and forged": r"(?P<writer>[^/]+)/(genuine|(?P<forged>forged|forgeries))/[^/]+",
    "paired folders": r"(?P<writer>[^/]+?)(?P<forged>_forg)?/[^/]+",
}


class Signatures(NamedTuple):
    """Signatures, and what is known of them: of whom each claims to be, and whether it is forged."""

    images: np.ndarray  # (n, height, width, 1), float32 in [0, 1]: ink up to 1, background exactly 0
    writers: np.ndarray  # (n,) labels
    forged: np.ndarray  # (n,) booleans


def load_signatures(folder, size=SIZE):
    """Load a folder of scanned signatures, each through `preprocess_signature`.

    The layout is recognised:

    - CEDAR: `full_org/original_1_1.png`, `full_forg/forgeries_1_1.png` (writer, number).
    - BHSig260, its Bengali or its Hindi folder: `001/B-S-1-G-01.tif`, `001/B-S-1-F-01.tif` (genuine, forged).
    - `<writer>/genuine/*`, `<writer>/forged/*`; the second may be missing, or be called `forgeries`.
    - Paired folders: `001/*` genuine, `001_forg/*` forged; some writers may be without the second.

    Capital letters or small ones are the same to it. Look at what is left of your scans before you train on them.

    Args:
        folder: path. Files that are no pictures are passed over.
        size: height and width of the images.

    Returns:
        `Signatures(images, writers, forged)`, in the order of the paths: `(n, height, width, 1)` float32, ink up to 1
        on a background of exactly 0; `(n,)` names, digits or folders; `(n,)` booleans.

    Raises:
        ValueError: naming the files that cannot be read or show no signature, or one that fits no layout; for a folder
            that is none or holds no pictures, or a writer without genuine signatures.
    """
    _check_size(size)
    folder = check_folder("folder", folder)
    paths = [path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.name[0] != "."]
    matches = _matches({path.relative_to(folder).as_posix(): path for path in sorted(paths)}, folder)
    writers = np.array([match["writer"] for match in matches.values()])
    forged = np.array([match["forged"] is not None for match in matches.values()])
    if lonely := sorted(set(writers.tolist()) - set(writers[~forged].tolist())):
        raise ValueError(f"`folder` must hold genuine signatures of every writer, got none of {lonely}.")
    images, bad = [], []
    for path in matches:
        try:
            images.append(preprocess_signature(read_image(path), size))
        except ValueError as error:
            bad.append(str(error) if str(path) in str(error) else f"{path}: {error}")
    if bad:
        some = "\n".join(bad[:20])
        raise ValueError(f"`folder` must hold scans of signatures, got {len(bad)} bad ones of {len(matches)}:\n{some}")
    return Signatures(np.stack(images), writers, forged)


def _matches(paths, folder):
    """`{path: match of the layout}` for the files of a folder."""
    for name, pattern in LAYOUTS.items():
        matches = {path: re.fullmatch(pattern + r"\.\w+", relative, re.IGNORECASE) for relative, path in paths.items()}
        found = [match for match in matches.values() if match]
        if not found or (name == "paired folders" and not any(match["forged"] for match in found)):
            continue
        if odd := next((path for path, match in matches.items() if not match), None):
            raise ValueError(f"{odd} must have its place in the layout of the others ({name}), got none.")
        return matches
    layouts = f"{', '.join(LAYOUTS)} (see load_signatures)"
    raise ValueError(
        f"`folder` must hold scans in one of the layouts {layouts}, got {len(paths)} pictures in {folder}."
    )


def preprocess_signature(image, size=SIZE):
    """One scan or photograph of a signature as networks take it: the ink alone, cropped, centred, its aspect kept.

    Args:
        image: `(h, w)`, `(h, w, 1)` or `(h, w, 3)`, floats in [0, 1]: dark ink on lighter paper, upright. Shadows
            wider than strokes and letters are taken out; so are dirt, ruled lines and the scanner's edge. Stamps and
            printed text are ink: cut them off first.
        size: height and width of the result; the ink is scaled to fit.

    Returns:
        `(height, width, 1)`, float32 in [0, 1]: ink up to 1, background exactly 0.

    Raises:
        ValueError: for anything else: NaN, other shapes; a scan less than 16 pixels high or wide, an empty one, light
            ink on dark paper, or so much ink that it cannot be a signature.
    """
    height, width = _check_size(size)
    grey = _grey(image)
    if _light_on_dark(grey):
        raise ValueError("`image` must be dark ink on light paper, got the reverse: invert it.")
    share = (grey / np.maximum(_paper(grey), 1e-3)).clip(0, 1)
    ink = share < _threshold(share)
    if not ink.any() or np.subtract(*_means(share, ink)) > -FAINTEST:
        raise ValueError("`image` must show ink on paper, got an empty one, or ink too faint to tell from the paper.")
    if ink.mean() > LARGEST_SHARE:
        raise ValueError(f"`image` must be mostly paper, got {ink.mean():.0%} of it dark.")
    ink = _without_dirt(_without_lines(ink))
    if not ink.any():
        raise ValueError("`image` must show a signature, got specks of dirt or printed lines.")
    (_, paper), dark = _means(share, ink), np.percentile(share[ink], 5)
    box = tuple(slice(places[0], places[-1] + 1) for places in map(np.flatnonzero, (ink.any(axis=1), ink.any(axis=0))))
    shade = np.where(ink[box], ((paper - share[box]) / (paper - dark)).clip(0, 1), 0).astype("float32")
    return _centred(shade, height, width)[..., None]


def _check_size(size):
    return [validation.positive_int("size", length, SMALLEST) for length in validation.positive_ints("size", size, 2)]


def _grey(image):
    shape = getattr(image, "shape", ())
    known = len(shape) == 2 or (len(shape) == 3 and shape[2] in (1, 3))
    image = validation.array("image", image, (None,) * len(shape) if known else (None, None, 3), 0, 1)
    if min(image.shape[:2]) < SMALLEST:
        raise ValueError(f"`image` must be {SMALLEST} or more pixels high and wide, got shape {image.shape}.")
    if image.ndim == 2:
        return image
    if image.shape[2] == 1:
        return image[..., 0]
    return sum(weight * image[..., k] for k, weight in enumerate(np.array([0.299, 0.587, 0.114])))  # ITU-R 601 luma


def _means(share, ink):
    """Of the ink, and of all the rest."""
    dark = share[ink]
    return dark.mean(), (share.sum() - dark.sum()) / (share.size - dark.size)


def _threshold(share):
    """Half-way between the means of Otsu's two classes; his own may lie anywhere in the gap between them."""
    low, high = share.min(), share.max()
    if low == high:
        return low
    # numpy.histogram looks for the bin of each pixel twice; pixels at the edges of bins may be off by one here.
    width = (high - low) / BINS
    counts = np.bincount(((share - low) / width).astype(np.intp).ravel(), minlength=BINS)[:BINS]
    counts[-1] += np.count_nonzero(share == high)
    otsu = filters.threshold_otsu(hist=(counts, low + width * (np.arange(BINS) + 0.5)))
    return np.mean(_means(share, share <= otsu))


def _coarse(grey, statistic):
    """Blocks of a scan, 48 or fewer along its shorter side, and their length in pixels."""
    block = int(np.ceil(min(grey.shape) / 48))
    whole = np.pad(grey, [(0, -length % block) for length in grey.shape], "edge")
    rows = statistic(whole.reshape(-1, block, whole.shape[1]), axis=1)
    return statistic(rows.reshape(len(rows), -1, block), axis=2), block


def _light_on_dark(grey):
    """Whether what is bright is the smaller part and narrow; the lit part of a page in the shadow is broad."""
    coarse, _ = _coarse(grey, np.mean)
    bright = coarse > np.mean([coarse.min(), coarse.max()])
    if bright.mean() >= 0.5:
        return False
    broad = ndimage.binary_opening(bright, np.ones((LETTER, LETTER)))
    return broad.sum() < bright.sum() / 2


def _paper(grey):
    """Brightness of the paper at each pixel: what is left when everything narrower than a letter is closed."""
    coarse, block = _coarse(grey, np.max)
    coarse = ndimage.gaussian_filter(ndimage.grey_closing(coarse, LETTER, mode="nearest"), 1, mode="nearest")
    coarse = ndimage.grey_erosion(coarse, 5, mode="nearest")  # the edge of a shadow is not to pass for ink
    whole = [length * block for length in reversed(coarse.shape)]
    fine = Image.fromarray(coarse.astype("float32")).resize(whole, Image.Resampling.BILINEAR)
    return np.asarray(fine)[: grey.shape[0], : grey.shape[1]]


def _without_lines(ink):
    """Leave out what is straight and spans the scan: lines across it, and from top to bottom at its sides."""
    kept = ink.copy()
    for rows, kept_rows, share in ((ink, kept, LINE), (ink.T, kept.T, 0.95)):  # a letter may well be as high as a scan
        count, length = len(rows), int(share * rows.shape[1])  # that was cut closely
        thick = rows.copy()
        for shift in range(1, max(1, count // 200) + 1):  # nearly straight will do
            thick[shift:] |= rows[:-shift]
            thick[:-shift] |= rows[shift:]
        long = np.flatnonzero(np.count_nonzero(thick, axis=1) >= length)
        if rows is not ink:
            long = long[(long < count // 10) | (long >= count - count // 10)]
        if len(long):
            line = ndimage.minimum_filter1d(thick[long].astype("uint8"), length, axis=1, mode="constant")
            kept_rows[long] &= ndimage.maximum_filter1d(line, length, axis=1, mode="constant") == 0
    return kept


def _without_dirt(ink):
    """Leave out specks, and marks that are few and far from all others: dust, the number of a page."""
    parts, _ = ndimage.label(ink, np.ones((3, 3)))
    ink = ink & np.take(np.bincount(parts.ravel()) > max(3, int(SPECK * np.count_nonzero(ink))), parts)
    coarse, block = _coarse(ink.astype("float32"), np.sum)
    groups, count = ndimage.label(ndimage.maximum_filter(coarse > 0, FAR, mode="constant"))
    large = ndimage.sum_labels(coarse, groups, np.arange(count + 1)) >= FEW * ink.sum()
    return ink & large[groups].repeat(block, axis=0).repeat(block, axis=1)[: ink.shape[0], : ink.shape[1]]


def _centred(shade, height, width):
    """Scale to fit, each pixel a mean of those it stands for; the darkest ink becomes 1 again."""
    scale = min((height - 2 * MARGIN) / shade.shape[0], (width - 2 * MARGIN) / shade.shape[1])
    rows, columns = (max(1, round(length * scale)) for length in shade.shape)
    small = np.asarray(Image.fromarray(shade).resize((columns, rows), Image.Resampling.BILINEAR))
    small = (small / np.percentile(small[small > 0], 95)).clip(0, 1)
    canvas = np.zeros((height, width), "float32")
    top, left = (height - rows) // 2, (width - columns) // 2
    canvas[top : top + rows, left : left + columns] = small
    return canvas
