"""The rendered scenes: geometry against hand-worked places, light and shadow, drawings, doors."""

import numpy as np
import pytest
from matplotlib.colors import rgb_to_hsv

from dlarch_keras.datasets import SOLIDS, generate_scenes, scenes


def one(kind, n=3, **arguments):
    return generate_scenes(n, kinds=(kind,), solids=(1, 1), **arguments)


def solid(kind, place=(0.0, 0.0), seed=0):
    return scenes._solid(np.random.default_rng(seed), kind, np.array(place))


def test_shapes_ranges_and_counts():
    pictures, drawings, counts = generate_scenes(6, size=32, solids=(2, 4))
    assert pictures.shape == (6, 32, 32, 3) and drawings.shape == (6, 32, 32, 1) and counts.shape == (6, len(SOLIDS))
    assert pictures.dtype == drawings.dtype == "float32"
    assert 0 <= pictures.min() < pictures.max() <= 1 and drawings.min() == 0 and drawings.max() == 1
    assert set(counts.sum(axis=1)) <= {2, 3, 4}


def test_the_seed_decides():
    for first, second in zip(generate_scenes(3, seed=1), generate_scenes(3, seed=1)):
        np.testing.assert_array_equal(first, second)
    assert not np.array_equal(generate_scenes(3, seed=1)[0], generate_scenes(3, seed=2)[0])
    np.testing.assert_array_equal(generate_scenes(5, seed=1)[0][:3], generate_scenes(3, seed=1)[0])


@pytest.mark.parametrize("kind", SOLIDS)
def test_only_the_kinds_asked_for(kind):
    counts = one(kind)[2]
    assert (counts[:, SOLIDS.index(kind)] == 1).all() and counts.sum() == 3


def test_a_ray_through_a_ball_by_hand():
    """From 5 to the left, through the middle of a ball of radius r: in at 5 - r, out at 5 + r, normal to the left."""
    ball = solid("ball")
    enter, leave, normals = scenes._crossing(
        ball, np.array([-5.0, 0, ball["radius"]], "float32"), np.array([[1.0, 0, 0], [0, 1.0, 0]], "float32")
    )
    assert enter[0] == pytest.approx(5 - ball["radius"], rel=1e-5)
    assert leave[0] == pytest.approx(5 + ball["radius"], rel=1e-5)
    np.testing.assert_allclose(normals[0], [-1, 0, 0], atol=1e-5)
    assert not enter[1] < leave[1]


@pytest.mark.parametrize("kind", ["box", "cylinder"])
def test_a_ray_from_above_meets_the_top(kind):
    each = solid(kind)
    height = each["offsets"][-2 if kind == "box" else 0]
    enter, leave, normals = scenes._crossing(each, np.array([0, 0, 5.0]), np.array([[0, 0, -1.0]]))
    assert enter[0] == pytest.approx(5 - height, rel=1e-5) and leave[0] == pytest.approx(5, rel=1e-5)
    np.testing.assert_allclose(normals[0], [0, 0, 1], atol=1e-6)


@pytest.mark.parametrize("kind", ["pyramid", "roof"])
def test_slanted_walls_meet_above_the_middle(kind):
    each = solid(kind)
    enter, leave, _ = scenes._crossing(each, np.array([0, 0, 5.0]), np.array([[0, 0, -1.0]]))
    height = 5 - enter[0]
    assert 0.7 < height < 1.2 and leave[0] == pytest.approx(5, rel=1e-5)
    beside = scenes._crossing(each, np.array([0.2, 0.1, 5.0]), np.array([[0, 0, -1.0]]))[0][0]
    assert 5 - beside < height


@pytest.mark.parametrize("kind", SOLIDS)
def test_no_point_of_a_solid_is_out_of_reach(kind):
    """Rays that pass it at a greater distance than `REACH` are never looked at closely."""
    rng = np.random.default_rng(0)
    for seed in range(20):
        each = solid(kind, seed=seed)
        origins = rng.normal(size=(500, 3)) * 3
        rays = rng.normal(size=(500, 3))
        rays /= np.linalg.norm(rays, axis=1, keepdims=True)
        enter, leave, _ = scenes._crossing(each, origins, rays)
        assert not ((enter < leave) & ~scenes._passes_near(each, origins, rays)).any()


def brightness_around(kind):
    """Mean brightness of the ground to the left and to the right of the solid, and of the solid's two halves."""
    picture, drawing, _ = (part[0] for part in one(kind, n=1, size=64))
    columns = np.flatnonzero(drawing[..., 0].min(axis=0) < 0.5)
    rows = np.flatnonzero(drawing[..., 0].min(axis=1) < 0.5)
    low, left, right = rows[-1], columns[0], columns[-1]
    grey = picture.mean(axis=2)
    middle = (left + right) // 2
    return (
        grey[low - 6 : low, max(left - 6, 0) : left - 1].min(),
        grey[low - 6 : low, right + 2 : right + 7].min(),
        grey[rows[0] : low, left + 2 : middle].mean(),
        grey[rows[0] : low, middle : right - 1].mean(),
    )


@pytest.mark.parametrize("kind", ["ball", "cylinder"])
def test_the_light_comes_from_the_left_and_the_shadow_falls_to_the_right(kind):
    ground_left, ground_right, lit, dark = brightness_around(kind)
    assert ground_right < 0.7 * ground_left
    assert lit > dark


def test_a_drawing_shows_outlines_and_no_shadow():
    ink = one("ball", n=1)[1][0, ..., 0] < 0.5
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    height, width = np.ptp(rows) + 1, np.ptp(columns) + 1
    assert abs(height - width) <= 2  # a circle; its shadow would add to the width
    assert not ink[(rows[0] + rows[-1]) // 2, columns[0] + 3 : columns[-1] - 2].any()  # and nothing inside
    assert ink.sum() < 2 * np.pi * max(height, width)


def test_kinds_have_colours_of_their_own():
    """Hues of the saturated pixels: far apart between kinds, close within one."""
    hues = []
    for kind in SOLIDS:
        pixels = one(kind, n=4)[0].reshape(4, -1, 3)
        solids = [p[np.ptp(p, axis=1) > 0.3].mean(axis=0) for p in pixels]
        hues.append(np.exp(2j * np.pi * rgb_to_hsv(solids)[:, 0]))  # on a circle
        assert np.ptp(np.angle(hues[-1] / hues[-1][0])) < 0.1 * 2 * np.pi
    middles = np.angle(np.mean(hues, axis=1))
    apart = np.abs(np.angle(np.exp(1j * (middles[:, None] - middles))))[np.triu_indices(len(SOLIDS), 1)]
    assert apart.min() > 0.08 * 2 * np.pi
