"""Images enlarged, shrunk, and taken apart into luminance and colour."""

import numpy as np
from PIL import Image
from skimage import color

from ..core import validation


def bicubic(x, scale):
    """Enlarge images by bicubic interpolation: `(n, height, width, c)` → `(n, scale height, scale width, c)`."""
    x = validation.array("x", x, (None,) * 4, 0, 1)
    return _resized(x, [side * validation.positive_int("scale", scale) for side in x.shape[1:3]])


def downscale(x, scale):
    """Shrink images by bicubic interpolation with antialiasing, as the benchmarks of the field do.

    The kernel is widened by `scale`, so that every pixel of the large image has its share in the small one.

    Args:
        x: `(n, height, width, c)` in [0, 1], height and width multiples of `scale`.
        scale: whole number from 1 on.

    Returns:
        `(n, height / scale, width / scale, c)`, float32 in [0, 1].
    """
    x = validation.array("x", x, (None,) * 4, 0, 1)
    scale = validation.positive_int("scale", scale)
    if x.shape[1] % scale or x.shape[2] % scale:
        raise ValueError(f"`x` must have a height and a width that {scale} divides, got shape {x.shape}.")
    return _resized(x, [side // scale for side in x.shape[1:3]])


def _resized(x, shape):
    resized = np.empty((len(x), *shape, x.shape[-1]), "float32")
    for number, channel in np.ndindex(len(x), x.shape[-1]):
        image = Image.fromarray(x[number, :, :, channel].astype("float32"))
        resized[number, :, :, channel] = image.resize(shape[::-1], Image.Resampling.BICUBIC)
    return resized.clip(0, 1)


def luminance(x):
    """The luminance Y of colour images, on which super-resolution is judged (ITU-R BT.601, from 16/255 to 235/255).

    `(n, height, width, 3)` in [0, 1] → `(n, height, width, 1)`, float32.
    """
    x = validation.array("x", x, (None, None, None, 3), 0, 1)
    return (color.rgb2ycbcr(x)[..., :1] / 255).astype("float32")


def with_luminance(x, y):
    """Colour images with another luminance: `(n, height, width, 3)` and `(n, height, width, 1)` → the first shape."""
    x = validation.array("x", x, (None, None, None, 3), 0, 1)
    y = validation.array("y", y, (*x.shape[:3], 1), 0, 1)
    return color.ycbcr2rgb(np.concatenate([255 * y, color.rgb2ycbcr(x)[..., 1:]], axis=-1)).clip(0, 1).astype("float32")
