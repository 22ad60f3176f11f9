"""Pictures from folders of the reader's own: by themselves, in classes, or in pairs for translation into each other."""

import os
import unicodedata
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from ..core.validation import positive_ints

SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
MODES = {1: "L", 3: "RGB"}
MOST_LABELS = 20  # a picture with nothing above it would be black to the eye


def read_image(path, channels=3):
    """Read a picture file of 8 bits a channel, turned upright as its camera noted.

    A mask is read as it is meant, whether black and white, of 1 bit, or of the values 0 and 1. A map of labels is not
    a picture: `numpy.asarray(PIL.Image.open(path))` reads its numbers.

    Args:
        path: of a file in a format that Pillow reads.
        channels: 3 for colour, 1 for shades of grey (ITU-R 601 luma).

    Returns:
        `(height, width, channels)`, float32 in [0, 1].

    Raises:
        ValueError: naming the file, where it is none, is truncated, animated, transparent in part, has 16 bits, or
            seems to hold labels: nothing above 20, the highest value from 2 on.
    """
    pixels = _pixels(path, channels)
    return pixels.astype("float32") / _white(path, pixels.max())


def read_images(folder, channels=3):
    """Read all pictures of a folder, of whatever sizes: a dictionary from their names without ending, in their order.

    Whether they are masks of 0 and 1, or labels, the brightest of them tells: see `read_image`.

    Raises:
        ValueError: for a folder that is none or holds no picture, two of one name, or a file as in `read_image`.
    """
    images = {name: _pixels(path, channels) for name, path in _files("folder", folder).items()}
    white = _white("`folder`", max(pixels.max() for pixels in images.values()))
    return {name: pixels.astype("float32") / white for name, pixels in images.items()}


def load_images(folder, size=None, channels=3):
    """Load a folder of pictures as one array. Each is shrunk before the next is read.

    Args:
        folder: path.
        size: height and width, or one number for both, to which the largest part of each picture that has this aspect
            ratio, its middle, is shrunk or enlarged; None if all are of one size.
        channels: 3 for colour, 1 for shades of grey.

    Returns:
        `(n, height, width, channels)`, float32 in [0, 1], in the order of their names.

    Raises:
        ValueError: as `read_images`, and for pictures of different sizes without `size`.
    """
    size, files = _check_size(size), _files("folder", folder)
    return _loaded(["`folder`"], ((path, [_pixels(path, channels)]) for path in files.values()), size)[0]


def load_labelled_images(folder, size=None, channels=3):
    """Load pictures in classes: each sub-folder is one, and its name is the class's.

        x, y, names = load_labelled_images("pets", size=64)
        batches = BalancedBatches(x, y, classes=2, examples=8)

    Args:
        folder: path. What is no picture, or hidden, is passed over.
        size, channels: as in `load_images`.

    Returns:
        `(x, y, names)`: `(n, height, width, channels)`, float32 in [0, 1]; `(n,)`, integers from 0 on; a list of the
        classes' names in sorted order, as of `keras.utils.image_dataset_from_directory`, so that `names[y[0]]` is the
        class of `x[0]`.

    Raises:
        ValueError: as `load_images`; for a folder without sub-folders, pictures beside them, or a class without any.
    """
    size, folder = _check_size(size), check_folder("folder", folder)
    classes = sorted((path for path in folder.iterdir() if path.is_dir() and path.name[0] != "."), key=lambda p: p.name)
    if not classes:
        raise ValueError(f"`folder` must hold a sub-folder for each class, got none in {folder}.")
    if beside := _pictures(folder):
        raise ValueError(f"`folder` must hold pictures in its sub-folders only, got {beside[0].name} beside them.")
    files = [list(_files("folder", path).values()) for path in classes]
    rows = ((path, [_pixels(path, channels)]) for paths in files for path in paths)
    y = np.repeat(np.arange(len(classes)), [len(paths) for paths in files])
    return *_loaded(["`folder`"], rows, size), y, [path.name for path in classes]


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
    size = _check_size(size)
    if not isinstance(channels, (list, tuple)) or len(channels) != 2:
        raise ValueError(f"`channels` must be a pair, of sources and of targets, got {channels!r}.")
    if target is None:
        rows = ((path, _halves(path, channels)) for path in _files("source", source).values())
        return tuple(_loaded(["`source`, left,", "`source`, right,"], rows, size))
    files = _files("source", source), _files("target", target)
    if lonely := sorted(files[0].keys() ^ files[1].keys()):
        raise ValueError(f"`target` must hold a partner for each source, got {len(lonely)} names without: {lonely}")
    rows = ((name, [_pixels(each[name], c) for each, c in zip(files, channels)]) for name in files[0])
    return tuple(_loaded(["`source`", "`target`"], rows, size))


def _pixels(path, channels):
    """A picture's pixels, uint8, `(height, width, channels)`; or a `ValueError` that names its file."""
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
    except (
        UnidentifiedImageError,
        Image.DecompressionBombError,
        OSError,
        SyntaxError,
        TypeError,
        AttributeError,
    ) as error:
        # SyntaxError and TypeError are Pillow's words for some broken files, AttributeError for what is no path.
        raise ValueError(f"{path} must be a picture file, got one that cannot be read: {error}") from error
    return pixels.reshape(*pixels.shape[:2], channels)


def _white(what, brightest):
    """The value that stands for white where `brightest` is the highest; or a `ValueError` that begins with `what`."""
    if 1 < brightest <= MOST_LABELS:
        raise ValueError(
            f"{what} must hold shades from 0 to 255, or masks of 0 and 1, got nothing above {brightest}. Read labels "
            f"by numpy.asarray(PIL.Image.open(path)); scale dark pictures to 0..255."
        )
    return 255 if brightest > 1 else 1


def check_folder(name, folder):
    """The path of a folder, or a `ValueError` that names the argument."""
    if not isinstance(folder, (str, os.PathLike)) or not os.path.isdir(folder):
        raise ValueError(f"`{name}` must be an existing folder, got {str(folder)!r}.")
    return Path(folder)


def _check_size(size):
    """Height and width, of one number for both or of two; None stays None."""
    if size is None:
        return None
    try:
        return positive_ints("size", size if np.ndim(size) else (size, size), 2)
    except ValueError as error:
        raise ValueError(f"`size` must be a whole number of at least 1, or two of them, got {size!r}.") from error


def _pictures(folder):
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and path.name[0] != ".")


def _files(name, folder):
    """The picture files of a folder by their names without ending, in order."""
    paths = _pictures(check_folder(name, folder))
    if not paths:
        raise ValueError(f"`{name}` must hold pictures ({', '.join(SUFFIXES)}), got none in {folder}.")
    files = {}
    for path in paths:
        other = files.setdefault(unicodedata.normalize("NFC", path.stem), path)  # some systems write é as two signs
        if other != path:
            raise ValueError(f"`{name}` must hold one picture of each name, got {other.name} and {path.name}.")
    return files


def _halves(path, channels):
    """Both halves of a picture, with the channels of each."""
    left, right = (_pixels(path, count) for count in channels)
    middle, odd = divmod(left.shape[1], 2)
    if odd:
        raise ValueError(f"{path} must show two pictures side by side, got an odd width, {left.shape[1]}.")
    return [left[:, :middle], right[:, middle:]]


def _loaded(columns, rows, size):
    """An array of pictures for each column of `rows`, pairs of a name and a list of pixels, one for each column.

    A row becomes small before the next is read: photographs of full size would not all fit into the memory.
    """
    names, images, brightest = [], [], []
    for name, row in rows:
        sizes = [pixels.shape[:2] for pixels in row]
        if sizes[0] != sizes[-1]:
            raise ValueError(f"{name} must have the same size in both, got {sizes[0]} and {sizes[-1]}.")
        names.append(name)
        images.append([pixels if size is None else _fitted(pixels, size) for pixels in row])
        brightest.append([pixels.max() for pixels in row])
    return [_stacked(names, *column) for column in zip(zip(*images), map(_white, columns, np.max(brightest, axis=0)))]


def _fitted(pixels, size):
    """The middle of a picture at another size, each pixel a mean of those it stands for; float32."""
    scale = min(length / wanted for length, wanted in zip(pixels.shape, size))
    rows, columns = (max(1, round(scale * wanted)) for wanted in size)
    top, left = (pixels.shape[0] - rows) // 2, (pixels.shape[1] - columns) // 2
    channels = [
        Image.fromarray(channel.astype("float32")).resize(size[::-1], Image.Resampling.BICUBIC)
        for channel in np.moveaxis(pixels[top : top + rows, left : left + columns], 2, 0)
    ]
    return np.stack(channels, axis=2)


def _stacked(names, images, white):
    shapes = {image.shape: str(name) for name, image in zip(names, images)}
    if len(shapes) > 1:
        raise ValueError(f"`size` must be given for pictures of different sizes, got {shapes}.")
    x = np.stack(images, dtype="float32", casting="unsafe")
    x /= white
    return x.clip(0, 1, out=x)
