"""The feature networks that come with the package, and what known generators score on them."""

import os
from functools import partial
from pathlib import Path

import keras
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from dlarch_keras.datasets import generate_scenes, load_fashion_mnist, load_mnist
from dlarch_keras.metrics import features
from dlarch_keras.metrics.features import NETWORKS, class_probabilities, generation_scores, image_features, reference
from dlarch_keras.metrics.generation import frechet_distance


@pytest.fixture(scope="module")
def digits():
    (x, y), _ = load_mnist()
    return x[:2000], y[:2000]


def distances(images):
    """Of fewer images than `generation_scores` takes, and so longer, all of them."""
    real = reference("mnist")
    return np.array([frechet_distance(image_features(each), (real.mean, real.covariance)) for each in images])


@pytest.mark.parametrize("dataset", NETWORKS)
def test_what_is_stored_is_small_and_as_promised(dataset):
    assert (Path(features.__file__).parent / f"{dataset}_features.npz").stat().st_size < 1e6
    real = reference(dataset)
    assert real.mean.shape == (64,) and real.covariance.shape == (64, 64)
    assert real.accuracy >= {"mnist": 0.993, "fashion_mnist": 0.90, "scenes": 0.95}[dataset]
    assert 0 < 20 * real.floor < real.ceiling


@pytest.mark.skipif("DLARCH_DATA_DIR" not in os.environ, reason="no local copy of the full sets")
@pytest.mark.parametrize(
    ("dataset", "load"), [("mnist", partial(load_mnist, "full")), ("fashion_mnist", load_fashion_mnist)]
)
def test_the_stored_figures_are_those_of_the_full_set(dataset, load):
    (x, _), (x_test, y_test) = load()
    real = reference(dataset)
    assert np.mean(class_probabilities(x_test, dataset).argmax(axis=1) == y_test) == pytest.approx(
        real.accuracy, abs=3e-4
    )
    assert generation_scores(x_test, dataset)["Fréchet distance"] == pytest.approx(0, abs=1e-2 * real.floor + 1e-3)
    assert generation_scores(x[:10_000], dataset)["Fréchet distance"] == pytest.approx(real.floor, rel=0.05)


def test_it_tells_digits_apart(digits):
    x, y = digits
    probabilities = class_probabilities(x)
    assert np.allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    assert np.mean(probabilities.argmax(axis=1) == y) > 0.99
    assert image_features(x).shape == (2000, 64)


def test_the_stored_figures_of_scenes_are_those_of_scenes():
    """The first 1,000 of the 10,000 test scenes: as near as so few can be."""
    features, real = image_features(generate_scenes(1000, seed=101)[0], "scenes"), reference("scenes")
    assert frechet_distance(features, (real.mean, real.covariance)) < 20 * real.floor < real.ceiling / 20


def test_features_of_scenes_tell_pictures_from_blurred_ones():
    real, others = (generate_scenes(300, seed=seed)[0] for seed in (7, 8))
    blurred = gaussian_filter(others, (0, 1, 1, 0))
    assert image_features(real, "scenes").shape == (300, 64)
    floor, distance = (frechet_distance(*(image_features(x, "scenes") for x in (real, y))) for y in (others, blurred))
    assert distance > 2 * floor


def test_the_distance_rises_with_blur_noise_and_dropped_digits(digits):
    x, y = digits
    noise = np.random.default_rng(0).standard_normal(x.shape).astype("float32")
    for worse in (
        [gaussian_filter(x, (0, sigma, sigma, 0)) for sigma in (0, 0.7, 1, 1.5, 2.5)],
        [(x + sd * noise).clip(0, 1) for sd in (0, 0.1, 0.2, 0.4, 0.8)],
        [x[y < kept] for kept in (10, 8, 5, 2, 1)],
    ):
        assert (np.diff(distances(worse)) > 0).all()


def test_known_generators_score_as_they_must(digits):
    x = np.tile(digits[0], (5, 1, 1, 1))  # as many as it takes, each five times
    perfect, collapsed = generation_scores(x), generation_scores(np.repeat(x[:1], len(x), axis=0))
    noise = generation_scores(np.random.default_rng(1).random(x.shape, "float32"))
    assert perfect["effective classes"] > 9.9 and collapsed["effective classes"] == pytest.approx(1)
    assert noise["Fréchet distance"] == pytest.approx(reference("mnist").ceiling, rel=0.2)
    assert 20 * perfect["Fréchet distance"] < min(collapsed["Fréchet distance"], noise["Fréchet distance"])


def test_scores_are_of_as_many_images_as_the_reference(digits):
    with pytest.raises(ValueError, match=r"`x` must be an array of floats of shape \(10000, 28, 28, 1\), got shape"):
        generation_scores(digits[0])


@pytest.mark.parametrize("dataset", ["cifar", None, 3])
def test_unknown_datasets_are_refused(dataset):
    with pytest.raises(ValueError, match="`dataset` must be one of"):
        reference(dataset)
    with pytest.raises(ValueError, match="`dataset` must be one of"):
        class_probabilities(np.zeros((1, 28, 28, 1), "float32"), "scenes")


def test_scores_do_not_depend_on_the_dtype_policy(digits):
    x = digits[0][:100]
    expected = image_features(x)
    features._trained.cache_clear()
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        np.testing.assert_array_equal(image_features(x), expected)
    finally:
        keras.config.set_dtype_policy(policy)
        features._trained.cache_clear()
