"""More to tell apart from the same images: turned ones as further classes, and each drawn again by another hand."""

import numpy as np
from scipy import ndimage

from ..core import validation


def with_rotations(x, y):
    """Images and, as further classes, the same ones turned by 90°, 180° and 270°: four times as much to tell apart.

    Args:
        x: floats in [0, 1], `(n, side, side, channels)`.
        y: integer classes, `(n,)`, from 0 on.

    Returns:
        `(x, y)`: `(4n, side, side, channels)`, `(4n,)`; those turned by k · 90° have the class y + k (largest y + 1).

    Raises:
        ValueError: for bad arrays, or images that are not square.
    """
    x = validation.array("x", x, (None, None, None, None), 0, 1)
    y = validation.labels("y", y, len(x))
    if x.shape[1] != x.shape[2]:
        raise ValueError(f"`x` must hold square images, got shape {x.shape}.")
    if y.min() < 0:
        raise ValueError(f"`y` must be classes from 0 on, got {y.min()}.")
    turned = [np.rot90(x, turns, axes=(1, 2)) for turns in range(4)]
    return np.concatenate(turned), np.concatenate([y + turns * (y.max() + 1) for turns in range(4)])


def jitter(x, random, size=1.0):
    """Draw each image again a little turned, slanted, stretched and moved, as another hand might.

    Args:
        x: floats, `(n, height, width, channels)`, with an empty ground of 0.
        random: `numpy.random.Generator`.
        size: how much, from 0 on.

    Returns:
        `(n, height, width, channels)`, float32.
    """
    size = validation.number("size", size)
    count, middle = len(x), (np.array(x.shape[1:3]) - 1) / 2
    turn, slant = size * np.array([[0.12], [0.12]]) * random.standard_normal((2, count))
    height, width = np.exp(0.1 * size * random.standard_normal((2, count)))
    shift = 0.04 * size * np.array(x.shape[1:3]) * random.standard_normal((count, 2))
    cos, sin = np.cos(turn), np.sin(turn)
    maps = np.array([[cos * height, cos * slant - sin * width], [sin * height, sin * slant + cos * width]])
    drawn = np.empty(x.shape, "float32")
    for number, (image, affine) in enumerate(zip(x, maps.transpose(2, 0, 1))):
        offset = middle - affine @ middle + shift[number]
        for channel in range(x.shape[3]):
            ndimage.affine_transform(image[..., channel], affine, offset, order=1, output=drawn[number, ..., channel])
    return drawn
