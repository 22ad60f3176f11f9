"""Large images worked on piece by piece, without seams."""

import itertools

import numpy as np


def in_tiles(enlarge, x, scale, tile, margin):
    """What `enlarge` makes of whole images, made of overlapping tiles.

    Args:
        enlarge: function of `(n, height, width, channels)` → `(n, scale height, scale width, channels)`, any size.
        x: `(n, height, width, channels)`, NumPy.
        scale: by which `enlarge` enlarges.
        tile: pixels of `x` on each side of a tile, without its overlap.
        margin: pixels of the overlap: as far as a pixel of the result can depend on those of `x`.

    Returns:
        `(n, scale height, scale width, channels)`, NumPy, float32.
    """
    height, width = x.shape[1:3]
    large = np.empty((len(x), height * scale, width * scale, x.shape[-1]), "float32")
    for top, left in itertools.product(range(0, height, tile), range(0, width, tile)):
        above, before = max(top - margin, 0), max(left - margin, 0)
        part = enlarge(x[:, above : top + tile + margin, before : left + tile + margin])
        rows, columns = min(tile, height - top) * scale, min(tile, width - left) * scale
        part = part[:, (top - above) * scale :, (left - before) * scale :]
        large[:, top * scale :, left * scale :][:, :rows, :columns] = part[:, :rows, :columns]
    return large
