"""Metrics against hand-worked values."""

import numpy as np
import pytest

from dlarch_keras.metrics.reconstruction import psnr, ssim

IMAGES = np.random.default_rng(0).random((3, 16, 13, 2)).astype("float32")


def test_psnr_by_hand():
    """An error of .1 everywhere: MSE .01, so 20 dB. Of .5 in half the pixels: MSE .125, so 10 log10 8 dB."""
    black = np.zeros((2, 4, 4, 1), "float32")
    other = np.full_like(black, 0.1)
    other[1, :2], other[1, 2:] = 0.5, 0
    np.testing.assert_allclose(psnr(other, black), [20, 10 * np.log10(8)], rtol=1e-6)
    assert np.isinf(psnr(black, black)).all()


def test_ssim_of_constant_images_by_hand():
    """Without contrast only luminance is left: (2ab + C1) / (a² + b² + C1), C1 = .01² (Wang et al. 2004, eq. 6)."""
    a, b = np.full((1, 12, 12, 1), 0.2, "float32"), np.full((1, 12, 12, 1), 0.6, "float32")
    np.testing.assert_allclose(ssim(a, b), [(2 * 0.12 + 1e-4) / (0.04 + 0.36 + 1e-4)], rtol=1e-5)


def test_ssim_of_equal_and_of_inverted_images():
    np.testing.assert_allclose(ssim(IMAGES, IMAGES), 1)
    assert (ssim(1 - IMAGES, IMAGES) < 0).all()


def test_ssim_sees_structure_where_psnr_sees_none():
    """A shift of the brightness and noise of the same squared error."""
    smooth = np.tile(np.linspace(0.2, 0.7, 32, dtype="float32")[None, :, None, None], (1, 1, 32, 1))
    noise = np.where(np.random.default_rng(0).random(smooth.shape) < 0.5, -0.1, 0.1).astype("float32")
    np.testing.assert_allclose(psnr(smooth + 0.1, smooth), psnr(smooth + noise, smooth), rtol=1e-5)
    assert ssim(smooth + 0.1, smooth) > ssim(smooth + noise, smooth) + 0.3


def test_ssim_needs_room_for_its_window():
    with pytest.raises(ValueError, match="`images` must be at least 11 × 11"):
        ssim(IMAGES[:, :10], IMAGES[:, :10])
