"""Patches of large images, to train on."""

import numpy as np

from ..core import validation
from .resampling import downscale


def patch_pairs(images, scale, size, count, seed=0, shrink=downscale):
    """Random patches to train on: each image is shrunk as a whole, and patches are cut at the same places of both.

    Patches are turned by right angles and mirrored at random. A generator undoes the way of shrinking that it was
    trained on, and no other: name the one by which the images to be enlarged were made.

    Args:
        images: `(height, width, c)` in [0, 1], a list of any sizes.
        scale: whole number from 2 on.
        size: height and width of the small patches, pixels.
        count: number of pairs.
        seed: integer; the same one gives the same patches.
        shrink: function of images `(n, height, width, c)` and `scale`, as `downscale`.

    Returns:
        `(small, large)`: `(count, size, size, c)` and `(count, scale size, scale size, c)`, float32 in [0, 1].

    Raises:
        ValueError: for numbers out of range, no images, one smaller than a patch, or one shrunk to another size.
    """
    scale, size = validation.positive_int("scale", scale, 2), validation.positive_int("size", size)
    rng = validation.random("seed", seed)
    count = validation.positive_int("count", count)
    if not len(images):
        raise ValueError("`images` must hold an image or more, got none.")
    pairs = []
    for number, image in enumerate(images):
        image = validation.array(f"images[{number}]", image, (None, None, np.shape(images[0])[-1]), 0, 1)
        if min(image.shape[:2]) < scale * size:
            side = scale * size
            raise ValueError(f"`images[{number}]` must be {side} × {side} pixels or larger, got shape {image.shape}.")
        large = image[None, : len(image) // scale * scale, : image.shape[1] // scale * scale]
        sides = (side // scale for side in large.shape[1:3])
        small = validation.array("shrink(x, scale)", shrink(large, scale), (1, *sides, large.shape[-1]), 0, 1)
        pairs.append((small[0], large[0]))
    patches = []
    for _ in range(count):
        small, large = pairs[rng.integers(len(pairs))]
        top, left = (rng.integers(side - size + 1) for side in small.shape[:2])
        small = small[top : top + size, left : left + size]
        large = large[top * scale : (top + size) * scale, left * scale : (left + size) * scale]
        turns, mirrored = rng.integers(4), rng.integers(2)
        patches.append([np.rot90(part[:, ::-1] if mirrored else part, turns) for part in (small, large)])
    return tuple(np.stack(parts).astype("float32") for parts in zip(*patches))
