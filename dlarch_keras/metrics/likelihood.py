"""What a latent-variable model makes of its code."""

from dlarch_keras.core import validation


def active_units(z_mean, threshold=0.01):
    """Number of code units whose posterior mean depends on the image: its variance exceeds `threshold`.

    Args:
        z_mean: `(n, latent_dim)`, posterior means of held-out images, two or more.
        threshold: 0.01 in Burda et al. 2016, section 5.2.

    Returns:
        Integer from 0 to `latent_dim`.

    Raises:
        ValueError: for anything but such an array.
    """
    z_mean = validation.array("z_mean", z_mean, (None, None))
    if len(z_mean) < 2:
        raise ValueError(f"`z_mean` must have at least 2 rows to vary, got {len(z_mean)}.")
    return int((z_mean.var(axis=0) > validation.number("threshold", threshold)).sum())
