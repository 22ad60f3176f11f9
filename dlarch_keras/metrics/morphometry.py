"""What strokes look like: slant, thickness and width of a drawing, measured from its pixels.

In the spirit of Castro et al., "Morpho-MNIST: quantitative assessment and diagnostics for representation learning",
JMLR 2019; the slant is theirs, thickness and width are measured in another way.
"""

import numpy as np
import pandas as pd
from skimage.morphology import skeletonize

from dlarch_keras.core import validation


def measure_strokes(images):
    """Slant, thickness and width of each drawing.

    Slant and width come from the second moments of the ink around its centre of mass, thickness from the pixels above
    one half and the length of their skeleton.

    Args:
        images: `(n, height, width, 1)` in [0, 1], light ink on dark paper.

    Returns:
        Data frame of n rows: `slant`, degrees, positive to the right; `thickness`, pixels: area by length;
        `width`, pixels, of the box that has the drawing's spread across its lines without the slant. NaN where
        there is none: without ink, and for the slant and width of a horizontal line.
    """
    images = validation.array("images", images, (None, None, None, 1), 0, 1)[..., 0].astype("float64")
    rows, columns = np.mgrid[: images.shape[1], : images.shape[2]]
    ink = images.sum(axis=(1, 2))
    with np.errstate(divide="ignore", invalid="ignore"):
        row, column = (
            (images * place).sum(axis=(1, 2), keepdims=True) / ink[:, None, None] for place in (rows, columns)
        )
        up, right = row - rows, columns - column
        up_up, up_right, right_right = (
            (images * product).sum(axis=(1, 2)) / ink for product in (up * up, up * right, right * right)
        )
        shear = up_right / up_up
        drawn = images > 0.5
        thickness = drawn.sum(axis=(1, 2)) / _length(np.array([skeletonize(image) for image in drawn]))
    slant, width = np.degrees(np.arctan(shear)), np.sqrt(12 * np.maximum(right_right - shear * up_right, 0))
    return pd.DataFrame({"slant": slant, "thickness": thickness, "width": width})


def _length(skeletons):
    """Pixels along each skeleton, a diagonal step counting √2: `(n, height, width)` → `(n,)`; NaN without any."""
    s = skeletons
    straight = (s[:, :, :-1] & s[:, :, 1:]).sum(axis=(1, 2)) + (s[:, :-1] & s[:, 1:]).sum(axis=(1, 2))
    upper_left, upper_right, lower_left, lower_right = s[:, :-1, :-1], s[:, :-1, 1:], s[:, 1:, :-1], s[:, 1:, 1:]
    falling = upper_left & lower_right & ~upper_right & ~lower_left
    rising = upper_right & lower_left & ~upper_left & ~lower_right
    length = 1 + straight + np.sqrt(2) * (falling | rising).sum(axis=(1, 2))
    return np.where(s.any(axis=(1, 2)), length, np.nan)
