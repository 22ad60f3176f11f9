"""Photographs that come with scikit-image, some of them kept out for testing. Datasheet: `data/photographs.md`."""

import numpy as np
from skimage import color, data

from dlarch_keras.datasets.files import arrays_digest, catalog

TRAIN = ("astronaut", "brick", "coins", "gravel", "immunohistochemistry", "moon", "rocket", "stereo_motorcycle")
TEST = ("camera", "chelsea", "coffee", "grass")


def load_photographs():
    """Load twelve photographs of different sizes in shades of grey; no download.

    Returns:
        `train, test`: dictionaries from names to images, float32 in [0, 1], `(height, width, 1)`, from 300 × 451 to
        500 × 741 pixels. Eight to train on; four to test on, whole, of other scenes.

    Source: scikit-image (van der Walt et al. 2014); the datasheet names the photographers.
    """
    return tuple({name: read_photograph(name) for name in names} for names in (TRAIN, TEST))


def read_photograph(name):
    """Return one of scikit-image's photographs, of `TRAIN` or `TEST`: float32 in [0, 1], `(height, width, 1)`.

    Raises:
        ValueError: scikit-image returns other pixels than the catalog records.
    """
    pixels = getattr(data, name)()
    pixels = pixels[0] if isinstance(pixels, tuple) else pixels  # the left image of a stereo pair
    expected, found = catalog()[f"{name}.png"]["arrays_sha256"], arrays_digest({name: pixels})
    if found != expected:
        raise ValueError(
            f"scikit-image's {name} is another photograph: expected an array with SHA-256 {expected}, got {found} with "
            f"shape {pixels.shape}. Install scikit-image 0.26.0, whose photograph is the expected one."
        )
    grey = color.rgb2gray(pixels) if pixels.ndim == 3 else pixels / 255
    return grey[..., np.newaxis].astype("float32")
