"""Slant, thickness and width on shapes whose measurements are known."""

import numpy as np
import pytest

from dlarch_keras.metrics.likelihood import active_units
from dlarch_keras.metrics.morphometry import measure_strokes


def bar(thickness=3, lean=0.0, height=40):
    """An upright bar whose rows move `lean` pixels to the right for each row upwards."""
    image = np.zeros((1, 60, 60, 1), "float32")
    for row in range(height):
        left = round(20 + lean * (height - row))
        image[0, 10 + row, left : left + thickness] = 1
    return image


@pytest.mark.parametrize("lean", [-0.5, 0.0, 0.25, 0.5])
def test_slant(lean):
    assert abs(measure_strokes(bar(lean=lean))["slant"][0] - np.degrees(np.arctan(lean))) < 1


@pytest.mark.parametrize("thickness", [1, 3, 5])
def test_thickness(thickness):
    # A little more than the thickness, since the skeleton stops short of both ends.
    assert thickness <= measure_strokes(bar(thickness))["thickness"][0] < thickness + 0.4


@pytest.mark.parametrize("lean", [0.0, 0.5, 1.0])
def test_thickness_is_measured_across_the_stroke(lean):
    expected = 4 * np.cos(np.arctan(lean))
    assert abs(measure_strokes(bar(4, lean, height=30))["thickness"][0] / expected - 1) < 0.13


@pytest.mark.parametrize("lean", [0.0, 0.5])
def test_width_without_the_slant(lean):
    assert abs(measure_strokes(bar(9, lean))["width"][0] - 9) < 0.5


def test_measurements_do_not_depend_on_the_place_and_mirror():
    image = bar(lean=0.25)
    moved, mirrored = np.roll(image, (3, -4), (1, 2)), image[:, :, ::-1]
    first, second, third = (measure_strokes(x).iloc[0] for x in (image, moved, mirrored))
    np.testing.assert_allclose(first, second, rtol=1e-6)
    np.testing.assert_allclose(third["slant"], -first["slant"], rtol=1e-6)


def test_a_blank_drawing_has_none():
    assert measure_strokes(np.zeros((2, 9, 9, 1), "float32")).isna().all(axis=None)


def test_active_units():
    z_mean = np.random.default_rng(0).normal(size=(2000, 3)).astype("float32") * [1, 0.2, 0.05]
    assert active_units(z_mean) == 2
    assert active_units(z_mean, 0.5) == 1
