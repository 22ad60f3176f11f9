"""Metrics for generation against hand-worked values; what collapsed, noisy and perfect generators score."""

import numpy as np
import pytest
from scipy.linalg import sqrtm

from dlarch_keras.metrics.generation import (
    effective_classes,
    frechet_distance,
    gaussian_fit,
    kernel_distance,
    mode_coverage,
    precision_recall,
)


def normal(n=500, width=4, seed=0, mean=0.0, scale=1.0):
    return (np.random.default_rng(seed).standard_normal((n, width)) * scale + mean).astype("float32")


def test_frechet_distance_by_hand():
    """In one dimension (m₁ - m₂)² + (s₁ - s₂)²: a shift by 3 costs 9, doubling the spread of s costs s²."""
    x = normal(width=1)
    assert frechet_distance(x, x) == pytest.approx(0, abs=1e-9)
    assert frechet_distance(x + 3, x) == pytest.approx(9, rel=1e-5)
    centred = x - x.mean(axis=0)
    assert frechet_distance(2 * centred, centred) == pytest.approx(x.std(ddof=1) ** 2, rel=1e-4)


def test_frechet_distance_equals_the_formula_with_a_matrix_root():
    a, b = normal(seed=1) @ np.random.default_rng(2).normal(size=(4, 4)).astype("float32"), normal(seed=3, mean=0.5)
    covariances = [np.cov(x.astype("float64"), rowvar=False) for x in (a, b)]
    expected = np.sum((a.astype("float64").mean(0) - b.astype("float64").mean(0)) ** 2)
    expected += np.trace(sum(covariances) - 2 * np.real(sqrtm(covariances[0] @ covariances[1])))
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-6)
    assert frechet_distance(a, b) == pytest.approx(frechet_distance(b, a), rel=1e-6)
    assert frechet_distance(a, gaussian_fit(b)) == pytest.approx(expected, rel=1e-6)


def test_features_that_never_vary_are_no_trouble():
    x = np.zeros((10, 3), "float32")
    assert frechet_distance(x, x) == 0
    assert frechet_distance(x, x + 1) == pytest.approx(3)


def test_kernel_distance_by_hand():
    """Two points each, one dimension: a = 0, 1 and b = 0, 2. k(0, x) = 1, k(1, 2) = 27, k(1, 0) = 1."""
    a, b = np.array([[0.0], [1.0]], "float32"), np.array([[0.0], [2.0]], "float32")
    mean, sd = kernel_distance(a, b, subsets=3)
    assert mean == pytest.approx(1 + 1 - 2 * (1 + 1 + 1 + 27) / 4)
    assert sd == pytest.approx(0, abs=1e-12)


def test_kernel_distance_is_unbiased():
    """Between samples of one distribution: around 0, at 100 points as at 2,000; the Fréchet distance is not."""
    small = [kernel_distance(normal(100, seed=s), normal(100, seed=s + 50), subsets=1)[0] for s in range(50)]
    assert abs(np.mean(small)) < 3 * np.std(small) / np.sqrt(len(small))
    few, many = (frechet_distance(normal(n, seed=1), normal(n, seed=2)) for n in (100, 10_000))
    assert few > 20 * many


def test_kernel_distance_repeats_and_sees_a_shift():
    real, shifted = normal(2000, seed=1), normal(2000, seed=2, mean=0.5)
    assert kernel_distance(real, shifted) == kernel_distance(real, shifted)
    mean, sd = kernel_distance(real, shifted, subsets=20)
    floor, floor_sd = kernel_distance(real, normal(2000, seed=3), subsets=20)
    assert mean > 10 * sd > 0 and abs(floor) < 3 * floor_sd


@pytest.mark.parametrize("distance", [frechet_distance, lambda a, b: kernel_distance(a, b, 20, 500)[0]])
def test_distances_rise_with_noise_and_with_dropped_modes(distance):
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(10, 8)) * 3
    real, fake = ((centres[rng.integers(0, 10, 2000)] + rng.normal(size=(2000, 8))).astype("float32") for _ in "ab")
    noisy = [distance(fake + normal(2000, 8, seed=5, scale=scale), real) for scale in (0, 2, 4)]
    assert (np.diff(noisy) > 0).all()
    label = ((fake[:, None] - centres) ** 2).sum(axis=2).argmin(axis=1)
    dropped = [distance(fake[label < kept], real) for kept in (10, 7, 4)]
    assert (np.diff(dropped) > 0).all()


def test_precision_and_recall_of_known_generators():
    real, perfect = normal(1000, 2, seed=1), normal(1000, 2, seed=2)
    precision, recall = precision_recall(perfect, real)
    assert min(precision, recall) > 0.85
    precision, recall = precision_recall(normal(1000, 2, scale=0.05), real)  # one good example, over and over
    assert precision > 0.95 and recall < 0.1
    precision, recall = precision_recall(normal(1000, 2, scale=100.0), real)  # noise
    assert precision < 0.05
    assert precision_recall(normal(1000, 2, mean=50.0), real) == (0.0, 0.0)


def test_precision_and_recall_by_hand():
    """Real 0, 1, 2 with reach 1; fakes 2.5 and 9 with reach 6.5: one fake of two is real-like, real 2, 1, 0 all are."""
    real, fake = (np.array(values, "float32")[:, None] for values in ([0, 1, 2], [2.5, 9]))
    assert precision_recall(fake, real, neighbours=1) == (0.5, 1.0)


def test_a_set_with_repeated_rows_lies_within_itself():
    rows = np.repeat(normal(40, 64), 4, axis=0)
    assert precision_recall(rows, rows) == (1.0, 1.0)


def test_effective_classes_by_hand():
    assert effective_classes(np.arange(100) % 10, 10) == pytest.approx(10)
    assert effective_classes(np.full(100, 3), 10) == pytest.approx(1)
    assert effective_classes(np.arange(100) % 2, 10) == pytest.approx(2)
    assert effective_classes(np.array([0, 0, 0, 1]), 10) == pytest.approx(4 / 27**0.25, rel=1e-6)
    assert effective_classes(np.full((5, 4), 0.25, "float32"), 4) == pytest.approx(4)


def test_mode_coverage_by_hand():
    centres = np.array([[0, 0], [5, 0], [0, 5]], "float32")
    points = np.array([[0.1, 0], [0, 0.2], [5, 0.9], [2.5, 2.5]], "float32")
    assert mode_coverage(points, centres, 0.5) == (1, 0.5)
    assert mode_coverage(points, centres, 1.0) == (2, 0.75)


@pytest.mark.parametrize("metric", [frechet_distance, kernel_distance, precision_recall])
def test_features_that_do_not_match_are_refused(metric):
    with pytest.raises(ValueError, match="`reference` must"):
        metric(normal(), normal(width=5))
    with pytest.raises(ValueError, match="`features` must have 2 rows or more"):
        metric(normal(1), normal())


def test_moments_that_are_none_are_refused():
    for moments in (
        gaussian_fit(normal(width=5)),
        (*gaussian_fit(normal()), 0),
        (np.zeros(4), -np.eye(4)),
        (np.zeros(4), np.triu(np.ones((4, 4)))),
    ):
        with pytest.raises(ValueError, match="`reference` must"):
            frechet_distance(normal(), moments)
