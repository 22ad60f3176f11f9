"""What strokes look like: slant, thickness and width of a drawing, measured from its pixels.

After Castro et al., "Morpho-MNIST: quantitative assessment and diagnostics for representation learning", JMLR 2019.
"""

import numpy as np
import pandas as pd
from skimage.morphology import skeletonize

from dlarch_keras import checks


def measure_strokes(images):
    """Slant, thickness and width of each drawing.

    Slant and width come from the second moments of the ink around its centre of mass, thickness from the pixels above
    one half and the length of their skeleton.

    Args:
        images: `(n, height, width, 1)` in [0, 1], light ink on dark paper.

    Returns:
        Data frame of n rows: `slant`, degrees, positive to the right; `thickness`, pixels per pixel of skeleton;
        `width`, pixels, of the box that has the drawing's spread across its lines once the slant is taken out. NaN for
        a drawing without ink.

    Raises:
        ValueError: for anything but such an array.
    """
    images = checks.array("images", images, (None, None, None, 1), 0, 1)[..., 0].astype("float64")
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
        thickness = drawn.sum(axis=(1, 2)) / np.array([skeletonize(image).sum() for image in drawn])
    return pd.DataFrame(
        {
            "slant": np.degrees(np.arctan(shear)),
            "thickness": thickness,
            "width": np.sqrt(12 * (right_right - shear * up_right)),
        }
    )
