"""Surfaces: crops of four photographs of textures, whole and with generated defects. Datasheet: `data/textures.md`."""

import itertools
import numbers

import numpy as np
from scipy import ndimage
from skimage import draw

from dlarch_keras.datasets.photographs import read_photograph

from ..core import validation

TEXTURE_CLASSES = ("normal", "scratches", "thread", "stain", "hole", "grain")
PHOTOGRAPHS = ("brick", "grass", "gravel", "immunohistochemistry")
# Rows of the 512. The test band lies between the training bands, because the brick wall is seen in perspective, and
# no test pixel is within 16 pixels of a training one.
TRAIN_BANDS = (slice(0, 160), slice(352, 512))
TEST_BAND = slice(176, 336)
TEST_IMAGES = 200
SMALLEST = 32
CONTRAST = 0.9  # frozen before any detector was trained: see the datasheet
VISIBLE = 0.08  # mean change, at full contrast, under which a defect is drawn again


def load_textures(name="brick", size=64, contrast=CONTRAST, seed=0):
    """Load one surface: normal images to train on, and normal and defective ones to test on.

    Args:
        name: `"brick"`, `"grass"`, `"gravel"` or `"immunohistochemistry"`, a stained tissue: photographs that come with
            scikit-image. Nothing was ever tuned on the last.
        size: height and width of the images in pixels, one number or two; at least 32, at most 160 by 512.
        contrast: how far the pixels of a defect go towards what is drawn there, in (0, 1]. The same seed gives the same
            images and defects at every contrast.
        seed: of the places of the test images and of their defects.

    Returns:
        `(x_train, y_train), (x_test, y_test), masks`: images, float32 in [0, 1], `(n, height, width, 1)`; their
        classes, int32, `(n,)`, indices into `TEXTURE_CLASSES`: 0 is normal, and all of `y_train`; the pixels of the
        defects of `x_test`, bool, `(n, height, width)`. Training images overlap by half and run from the left of the
        photograph to the right, so the last of them make a validation set of its own. Every other one of the 200 test
        images is defective. No pixel is in both parts.

    Raises:
        ValueError: a scikit-image with other photographs.

    Source: photographs from scikit-image (van der Walt et al., 2014), in the public domain.
    """
    validation.choice("name", name, PHOTOGRAPHS)
    height, width = _size(size)
    photograph = read_photograph(name)
    x_train = np.concatenate([_tiles(photograph[band], height, width) for band in TRAIN_BANDS], axis=1)
    x_train = x_train.reshape(-1, height, width, 1)
    validation.non_negative_int("seed", seed)
    rng = np.random.default_rng(seed)
    band = photograph[TEST_BAND]
    rows = rng.integers(0, band.shape[0] - height + 1, TEST_IMAGES)
    columns = rng.integers(0, band.shape[1] - width + 1, TEST_IMAGES)
    x_test = np.stack([band[row : row + height, column : column + width] for row, column in zip(rows, columns)])
    y_test, masks = np.zeros(TEST_IMAGES, "int32"), np.zeros(x_test.shape[:3], bool)
    x_test[1::2], y_test[1::2], masks[1::2] = add_defects(x_test[1::2], contrast, rng)
    return (x_train, np.zeros(len(x_train), "int32")), (x_test, y_test), masks


def add_defects(images, contrast=CONTRAST, seed=0):
    """Draw one defect into each image: scratches, a thread, a stain, a hole, or grain.

    Kind, place, size and shade are random. A defect that would hardly show (a dark thread on a dark place, say) is
    drawn again.

    Args:
        images: floats in [0, 1], `(n, height, width, channels)`, at least 32 x 32 pixels.
        contrast: as in `load_textures`.
        seed: integer or `numpy.random.Generator`.

    Returns:
        `images, classes, masks`: float32, `(n, height, width, channels)`; int32, `(n,)`, indices into
        `TEXTURE_CLASSES`; bool, `(n, height, width)`. Outside its mask an image is unchanged, to the bit.
    """
    if not isinstance(contrast, numbers.Real) or not 0 < contrast <= 1:
        raise ValueError(f"`contrast` must lie within (0, 1], got {contrast!r}.")
    images = np.array(validation.array("images", images, (None, None, None, None), 0, 1), "float32")
    if min(images.shape[1:3]) < SMALLEST:
        raise ValueError(f"`images` must be at least {SMALLEST} x {SMALLEST} pixels, got shape {images.shape}.")
    rng = np.random.default_rng(seed)
    classes, masks = np.empty(len(images), "int32"), np.empty(images.shape[:3], bool)
    for number, image in enumerate(images):
        classes[number], opacity, target = _visible_defect(image, rng)
        masks[number] = opacity > 0
        image += contrast * opacity[..., np.newaxis] * (target - image)
    return images, classes, masks


def _size(size):
    largest = (TEST_BAND.stop - TEST_BAND.start, 512)
    pair = (size, size) if isinstance(size, numbers.Integral) else size
    lengths = validation.positive_ints("size", pair, 2)
    if any(not SMALLEST <= length <= most for length, most in zip(lengths, largest)):
        raise ValueError(f"`size` must be from {SMALLEST} to {largest}, height and width, got {size!r}.")
    return lengths


def _tiles(band, height, width):
    """Images that overlap by half, `(columns, rows, height, width, 1)`."""
    tiles = np.lib.stride_tricks.sliding_window_view(band[..., 0], (height, width))
    return tiles[:: height // 2, :: width // 2].swapaxes(0, 1)[..., np.newaxis]


def _place(image, rng):
    return rng.uniform(0.15, 0.85, 2) * image.shape[:2]


def _shade(rng):
    return rng.choice([rng.uniform(0, 0.15), rng.uniform(0.85, 1)])


def _line(image, points, width):
    """Pixels of a line through `points`, `(k, 2)`: rows and columns, which may lie outside."""
    shape = np.zeros(image.shape[:2], bool)
    points = points.round().astype(int)
    for start, end in itertools.pairwise(points):
        rows, columns = draw.line(*start, *end)
        inside = (rows >= 0) & (rows < shape.shape[0]) & (columns >= 0) & (columns < shape.shape[1])
        shape[rows[inside], columns[inside]] = True
    return ndimage.binary_dilation(shape, np.ones((width, width)))


def _blob(image, rng):
    """Pixels of a round patch with a wavy border."""
    angles = np.linspace(0, 2 * np.pi, 64, endpoint=False)
    radii = rng.uniform(8, 14) * np.ones(64)
    for waves in (2, 3, 4):
        radii *= 1 + rng.uniform(0, 0.25) * np.cos(waves * angles + rng.uniform(0, 2 * np.pi))
    row, column = _place(image, rng)
    border = np.stack([row + radii * np.sin(angles), column + radii * np.cos(angles)], axis=1)
    return draw.polygon2mask(image.shape[:2], border)


def _opacity(shape, ramp):
    """1 inside, 0 outside, rising over `ramp` pixels from the border inwards."""
    return np.minimum(ndimage.distance_transform_edt(shape) / ramp, 1).astype("float32")


def _visible_defect(image, rng):
    """Class, opacity `(height, width)` in [0, 1] and drawn pixels of a defect that shows."""
    for kind in itertools.cycle(rng.permutation(np.arange(1, len(TEXTURE_CLASSES)))):
        for _ in range(20):
            opacity, target = _DRAW[TEXTURE_CLASSES[kind]](image, rng)
            mask = opacity > 0
            if mask.any() and np.abs(target - image)[mask].mean() >= VISIBLE:
                return kind, opacity, target


def _scratches(image, rng):
    """Parallel straight lines, one pixel wide, dark or bright."""
    angle, length = rng.uniform(0, np.pi), rng.uniform(20, 40)
    along = np.array([np.sin(angle), np.cos(angle)])
    shape = np.zeros(image.shape[:2], bool)
    centre = _place(image, rng)
    for shift in 3 * np.arange(rng.integers(3, 7)):
        middle = centre + shift * along[::-1] * (1, -1) + along * rng.uniform(-4, 4)
        shape |= _line(image, middle + np.array([[-length / 2], [length / 2]]) * along, 1)
    return _opacity(shape, 1), _shade(rng)


def _thread(image, rng):
    """A bent line, two or three pixels wide, dark or bright."""
    start, step = _place(image, rng), rng.normal(size=2)
    turns = np.cumsum(rng.normal(0, 0.35, 8)) + np.arctan2(*step)
    points = start + np.cumsum(np.stack([np.sin(turns), np.cos(turns)], axis=1) * rng.uniform(4, 8), axis=0)
    return _opacity(_line(image, points, rng.integers(2, 4)), 1), _shade(rng)


def _stain(image, rng):
    """A patch that is darker or brighter than it was, softly bounded, its texture still there."""
    return _opacity(_blob(image, rng), 4), np.clip(image + rng.choice([-1, 1]) * rng.uniform(0.3, 0.6), 0, 1)


def _hole(image, rng):
    """A flat patch of one dark or bright shade, sharply bounded."""
    return _opacity(_blob(image, rng), 1), _shade(rng)


def _grain(image, rng):
    """A patch of dark and bright specks."""
    return _opacity(_blob(image, rng), 2), rng.choice([0.0, 1.0], image.shape[:2])[..., np.newaxis]


_DRAW = {"scratches": _scratches, "thread": _thread, "stain": _stain, "hole": _hole, "grain": _grain}
