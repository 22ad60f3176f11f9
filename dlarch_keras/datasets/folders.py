"""Pictures from folders of the reader's own: each by itself, or in pairs for translation from one to the other."""

import unicodedata
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from dlarch_keras.core.validation import positive_int

SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
MODES = {1: "L", 3: "RGB"}


def read_image(path, channels=3):
    """Read a picture file of 8 bits a channel, turned upright as its camera noted.

    Args:
        path: of a file in a format that Pillow reads.
        channels: 3 for colour, 1 for shades of grey (ITU-R 601 luma).

    Returns:
        `(height, width, channels)`, float32 in [0, 1].

    Raises:
        ValueError: naming the file, where it is none, is truncated, animated, transparent in part, or has 16 bits.
    """
    if channels not in MODES:
        raise ValueError(f"`channels` must be 1 or 3, got {channels!r}.")
    try:
        with Image.open(path) as image:
            if getattr(image, "n_frames", 1) > 1 and image.format != "MPO":  # a phone's photograph with extras
                raise ValueError(f"{path} must be a single picture, got {image.n_frames} frames: save one of them.")
            if image.mode[0] in "IF" or any(";16" in str(arguments) for *_, arguments in image.tile):
                raise ValueError(f"{path} must have 8 bits a channel, got mode {image.mode}: scale it to 0..255 first.")
            if image.has_transparency_data and image.convert("RGBA").getchannel("A").getextrema()[0] < 255:
                raise ValueError(f"{path} must be opaque, got mode {image.mode} with alpha: put it on a background.")
            pixels = np.asarray(ImageOps.exif_transpose(image).convert(MODES[channels]))
    except FileNotFoundError as error:
        raise ValueError(f"{path} must be a picture file, got nothing there.") from error
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, SyntaxError, TypeError) as error:
        # SyntaxError and TypeError are Pillow's words for some broken files.
        raise ValueError(f"{path} must be a picture file, got one that cannot be read: {error}") from error
    return pixels.reshape(*pixels.shape[:2], channels).astype("float32") / 255


def read_images(folder, channels=3):
    """Read all pictures of a folder, of whatever sizes: a dictionary from their names without ending, in their order.

    Raises:
        ValueError: for a folder that is none or holds no picture, two of one name, or a file as in `read_image`.
    """
    return {name: read_image(path, channels) for name, path in _files("folder", folder).items()}


def load_images(folder, size=None, channels=3):
    """Load a folder of pictures as one array.

    Args:
        folder: path.
        size: height and width, to which the middle square of each is shrunk or enlarged; None if all are of one size.
        channels: 3 for colour, 1 for shades of grey.

    Returns:
        `(n, height, width, channels)`, float32 in [0, 1], in the order of their names.

    Raises:
        ValueError: as `read_images`, and for pictures of different sizes without `size`.
    """
    images = read_images(folder, channels)
    return _stacked(images if size is None else {name: _square(image, size) for name, image in images.items()})


def load_image_pairs(source, target=None, size=None, channels=(3, 3)):
    """Load pairs of pictures, to learn the way from one to the other.

    Args:
        source: folder of sources; or, without `target`, of pictures that show source and target side by side.
        target: folder of targets, each with the name of its source, its ending apart.
        size: as in `load_images`.
        channels: of the sources and of the targets, 1 or 3 each.

    Returns:
        `(sources, targets)`: `(n, height, width, channels)` each, float32 in [0, 1], in the order of their names.

    Raises:
        ValueError: as `load_images`; for names without a partner, pairs of different sizes, odd widths side by side.
    """
    if not isinstance(channels, (list, tuple)) or len(channels) != 2:
        raise ValueError(f"`channels` must be a pair, of sources and of targets, got {channels!r}.")
    if target is None:
        sources, targets = _halves(_files("source", source), *channels)
    else:
        paths = _files("source", source), _files("target", target)
        if lonely := sorted(paths[0].keys() ^ paths[1].keys()):
            raise ValueError(f"`target` must hold a partner for each source, got {len(lonely)} names without: {lonely}")
        sources, targets = ({n: read_image(path, c) for n, path in each.items()} for each, c in zip(paths, channels))
    for name, image in sources.items():
        sizes = [image.shape[:2], targets[name].shape[:2]]
        if sizes[0] != sizes[1]:
            raise ValueError(f"{name} must have the same size in both, got {sizes[0]} and {sizes[1]}.")
    if size is not None:
        sources, targets = ({name: _square(image, size) for name, image in each.items()} for each in (sources, targets))
    return _stacked(sources), _stacked({name: targets[name] for name in sources})


def _files(name, folder):
    """The picture files of a folder by their names without ending, in order."""
    folder = Path(folder)
    if not folder.is_dir():
        raise ValueError(f"`{name}` must be an existing folder, got {str(folder)!r}.")
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and path.name[0] != ".")
    if not paths:
        raise ValueError(f"`{name}` must hold pictures ({', '.join(SUFFIXES)}), got none in {folder}.")
    files = {}
    for path in paths:
        other = files.setdefault(unicodedata.normalize("NFC", path.stem), path)  # some systems write é as two signs
        if other != path:
            raise ValueError(f"`{name}` must hold one picture of each name, got {other.name} and {path.name}.")
    return files


def _halves(files, *channels):
    halves = {}, {}
    for name, path in files.items():
        for number, count in enumerate(channels):
            image = read_image(path, count)
            if image.shape[1] % 2:
                raise ValueError(f"{path} must show two pictures side by side, got an odd width, {image.shape[1]}.")
            halves[number][name] = np.split(image, 2, axis=1)[number]
    return halves


def _square(image, size):
    """The middle square of a picture at another size, each pixel a mean of those it stands for."""
    positive_int("size", size)
    height, width, _ = image.shape
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    channels = [
        Image.fromarray(channel).resize((size, size), Image.Resampling.BICUBIC)
        for channel in np.moveaxis(image[top : top + side, left : left + side], 2, 0)
    ]
    return np.stack(channels, axis=2).clip(0, 1)


def _stacked(images):
    shapes = {image.shape: name for name, image in images.items()}
    if len(shapes) > 1:
        raise ValueError(f"`size` must be given for pictures of different sizes, got {shapes}.")
    return np.stack(list(images.values()))
