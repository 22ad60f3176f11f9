"""Pictures made smaller and larger, their luminance, patches of them: the protocol of super-resolution."""

import os
from pathlib import Path

import numpy as np
import pytest
from skimage.data import astronaut
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from dlarch_keras import psnr, ssim
from dlarch_keras.datasets import read_images
from dlarch_keras.images.patches import patch_pairs
from dlarch_keras.images.resampling import bicubic, downscale, luminance, with_luminance
from tests.support.architectures import large, small


def test_a_slope_survives_shrinking_and_enlarging():
    slope = np.tile(np.linspace(0, 1, 48, dtype="float32")[None, None, :, None], (1, 24, 1, 1))
    there_and_back = bicubic(downscale(slope, 3), 3)
    np.testing.assert_allclose(there_and_back[:, :, 9:-9], slope[:, :, 9:-9], atol=1e-4)


def test_luminance_by_hand():
    """ITU-R BT.601: black 16, white 235; red 81.48, green 144.55, blue 40.97 of 255."""
    colors = np.array([[0, 0, 0], [1, 1, 1], [1, 0, 0], [0, 1, 0], [0, 0, 1]], "float32").reshape(1, 1, 5, 3)
    np.testing.assert_allclose(luminance(colors).ravel() * 255, [16, 235, 81.481, 144.553, 40.966], atol=1e-2)


def test_another_luminance_and_the_same_colours():
    picture = astronaut()[None, :32, :32].astype("float32") / 255
    np.testing.assert_allclose(with_luminance(picture, luminance(picture)), picture, atol=1e-5)


def test_the_scores_are_scikit_images():
    """Of pictures in 8 bits with a border shaved, one figure for each."""
    real = (luminance(astronaut()[None, :60, :48].astype("float32") / 255) * 255).round() / 255
    made = (bicubic(downscale(real, 3), 3) * 255).round() / 255
    real, made = (np.concatenate([each, each[:, ::-1] ** 2])[:, 3:-3, 3:-3].astype("float32") for each in (real, made))
    window = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    for number, pair in enumerate(zip(real[..., 0].astype("float64"), made[..., 0].astype("float64"))):
        assert psnr(made, real)[number] == pytest.approx(peak_signal_noise_ratio(*pair, data_range=1))
        assert ssim(made, real)[number] == pytest.approx(structural_similarity(*pair, data_range=1, **window))


SET5 = Path(os.environ.get("DLARCH_DATA_DIR") or "data") / "set5"


@pytest.mark.skipif(not SET5.is_dir(), reason="needs Set5 under DLARCH_DATA_DIR")
def test_bicubic_scores_30_39_on_set5():
    """The protocol is the field's: luminance in 8 bits, border of 3 shaved, mean of five figures in decibels."""
    figures = []
    for picture in read_images(SET5).values():
        rows, columns = (side // 3 * 3 for side in picture.shape[:2])
        real = (luminance(picture[None, :rows, :columns]) * 255).round() / 255
        small = (downscale(real, 3) * 255).round() / 255
        made = (bicubic(small, 3) * 255).round() / 255
        figures.append(psnr(made[:, 3:-3, 3:-3].astype("float32"), real[:, 3:-3, 3:-3].astype("float32"))[0])
    assert np.mean(figures) == pytest.approx(30.39, abs=0.005)


def test_patches_lie_at_the_same_places():
    """Where both are smooth, a small patch is its large one shrunk."""
    picture = astronaut()[:120, :90].astype("float32") / 255
    low, high = patch_pairs([picture, picture[:60]], 3, 12, 20, seed=0)
    assert low.shape == (20, 12, 12, 3) and high.shape == (20, 36, 36, 3)
    shrunk = downscale(high, 3)
    np.testing.assert_allclose(low[:, 2:-2, 2:-2], shrunk[:, 2:-2, 2:-2], atol=1e-5)
    again = patch_pairs([picture, picture[:60]], 3, 12, 20, seed=0)
    np.testing.assert_array_equal(low, again[0])
    assert not np.array_equal(low, patch_pairs([picture, picture[:60]], 3, 12, 20, seed=1)[0])


def test_patches_are_shrunk_as_asked():
    """By every second pixel: each small one stands in its large one, at the corner that turning and mirroring left."""
    picture = astronaut()[:60, :44].astype("float32") / 255
    low, high = patch_pairs([picture], 2, 8, 20, seed=0, shrink=lambda x, scale: x[:, ::scale, ::scale])
    corners = [high[:, row::2, column::2] for row in (0, 1) for column in (0, 1)]
    assert all(any(np.array_equal(small, corner[n]) for corner in corners) for n, small in enumerate(low))
    with pytest.raises(ValueError, match=r"`shrink\(x, scale\)` must"):
        patch_pairs([picture], 2, 8, 1, shrink=lambda x, scale: x)


def test_patches_are_turned_and_mirrored():
    """All eight forms of a picture without symmetry come."""
    picture = np.arange(36, dtype="float32").reshape(6, 6, 1) / 36
    _, high = patch_pairs([picture], 2, 3, 100, seed=0)
    assert len({patch.tobytes() for patch in high}) == 8


def test_a_luminance_that_does_not_fit_is_refused():
    picture = large(1, 3)
    for y in (255 * large(1), large(2), large(1)[:, :-1]):
        with pytest.raises(ValueError, match="`y` must"):
            with_luminance(picture, y)


def test_bad_patches_are_refused():
    with pytest.raises(ValueError, match="`images` must hold"):
        patch_pairs([], 2, 4, 1)
    with pytest.raises(ValueError, match=r"`images\[1\]` must"):
        patch_pairs([large(1)[0], large(1, 3)[0]], 2, 4, 1)
    with pytest.raises(ValueError, match=r"`images\[1\]` must be 12 × 12 pixels or larger"):
        patch_pairs([np.ones((12, 12, 1)), large(1)[0]], 3, 4, 1)


def test_only_whole_small_pixels_are_made():
    with pytest.raises(ValueError, match="a height and a width that 4 divides"):
        downscale(small(), 4)
