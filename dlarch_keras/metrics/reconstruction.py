"""How close one image is to another: peak signal-to-noise ratio and structural similarity, image by image."""

import numpy as np
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from dlarch_keras.core import validation

SSIM_WINDOW = 11  # pixels: what scikit-image takes for a Gaussian of 1.5


def psnr(images, references):
    """Peak signal-to-noise ratio: 10 log10(1 / MSE) for pixels in [0, 1]; infinite for equal images.

    Args:
        images: `(n, height, width, channels)`, float in [0, 1].
        references: what each image should be, of the same shape.

    Returns:
        `(n,)`, decibels. Average these, not the errors: that is what published figures do.
    """
    images, references = _pair(images, references)
    with np.errstate(divide="ignore"):
        return np.array([peak_signal_noise_ratio(b, a, data_range=1) for a, b in zip(images, references)])


def ssim(images, references):
    """Structural similarity (Wang et al. 2004), from -1 to 1; 1 for equal images.

    The constants and the Gaussian window (sigma 1.5, 11 pixels) are the paper's; channels are averaged.

    Args:
        images, references: as in `psnr`, at least 11 × 11 pixels.

    Returns:
        `(n,)`
    """
    images, references = _pair(images, references)
    if min(images.shape[1:3]) < SSIM_WINDOW:
        raise ValueError(f"`images` must be at least 11 × 11 pixels, got {images.shape[1]} × {images.shape[2]}.")
    as_published = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    return np.array(
        [structural_similarity(b, a, data_range=1, channel_axis=-1, **as_published) for a, b in zip(images, references)]
    )


def _pair(images, references):
    images = validation.array("images", images, (None,) * 4, 0, 1).astype("float64")
    references = validation.array("references", references, images.shape, 0, 1).astype("float64")
    return images, references
