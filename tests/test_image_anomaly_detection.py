"""The detector of defects in surfaces, on the backend of this process."""

from copy import copy

import keras
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from skimage.metrics import structural_similarity
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.metrics import roc_auc_score

from dlarch_keras import ImageAnomalyDetector
from dlarch_keras.anomaly_detection.surface import RandomRectangles, surface_decoder, surface_encoder
from dlarch_keras.datasets import add_defects
from tests.support.bad_input import bad_arrays

SMALL = {"filters": (4, 4), "latent_channels": 4, "patch_size": 16, "batch_size": 4, "random_state": 0}


def surfaces(n=10, size=(32, 32), channels=1, seed=0):
    """Stripes with a little noise, at random phases."""
    rng = np.random.default_rng(seed)
    rows = np.arange(size[0])[:, None, None] + 0.3 * np.arange(size[1])[:, None]
    stripes = 0.5 + 0.3 * np.sin(rows + rng.uniform(0, 6, (n, 1, 1, channels)))
    return (stripes + rng.normal(0, 0.02, stripes.shape)).astype("float32")


def small(**parameters):
    return ImageAnomalyDetector(**{**SMALL, "steps": 2, **parameters})


@pytest.fixture(scope="module")
def fitted():
    return small().fit(surfaces())


@pytest.fixture(scope="module")
def fitted_to_colour():
    return small().fit(surfaces(channels=3))


@pytest.fixture(scope="module")
def trained():
    """One that has learned the stripes."""
    return ImageAnomalyDetector((8, 16), 8, patch_size=32, steps=150, batch_size=8, random_state=0).fit(surfaces(20))


def test_defects_are_found(trained):
    normal = surfaces(20, seed=1)
    defective, _, masks = add_defects(normal, 0.9, seed=1)
    maps = trained.error_map(defective)
    assert roc_auc_score(masks.ravel(), maps.ravel()) > 0.9
    scores = trained.score_samples(np.concatenate([normal, defective]))
    assert roc_auc_score(np.arange(40) < 20, scores) > 0.95
    assert np.mean(trained.predict(defective) == -1) > 0.8
    assert np.mean(trained.predict(normal) == 1) > 0.6


def test_more_contrast_more_error(trained):
    errors = [-trained.score_samples(add_defects(surfaces(20, seed=1), c, seed=1)[0]).mean() for c in (0.2, 0.5, 1)]
    assert errors[0] < errors[1] < errors[2]


def test_error_map_by_hand(fitted_to_colour):
    """One pixel off by .5 in one of three channels, a squared error of .25 / 3; every code at a distance of 4."""
    x = np.full((1, 15, 15, 3), 0.5, "float32")
    other = x.copy()
    other[0, 7, 7, 1] = 1.0
    detector = copy(fitted_to_colour).set_params(smoothing=0.0)
    detector._repainted = lambda X: (other, np.zeros((1, 8, 8, 4), "float32"))
    detector.references_ = np.array([[0, 4, 0, 0], [0, 5, 0, 12]], "float32")
    expected = np.zeros((15, 15))
    expected[7, 7] = np.sqrt(0.25 / 3 * 4)
    np.testing.assert_allclose(detector.error_map(x)[0], expected, atol=1e-7)
    # The mean of the top fifth, 45 of the 225 pixels, one of them √(1 / 3) and the others 0.
    detector.top_fraction = 0.2
    np.testing.assert_allclose(detector.score_samples(x), [-np.sqrt(1 / 3) / 45], rtol=1e-6)
    detector.smoothing = 1.0
    squared = np.square(detector.error_map(x)[0])
    np.testing.assert_allclose(squared.sum(), 1 / 3, rtol=1e-5)
    # A Gaussian's centre, once down and once across: 1 / sum(exp(-k² / 2)) for k from -4 to 4, as truncated.
    np.testing.assert_allclose(squared[7, 7], 1 / 3 / np.exp(-(np.arange(-4, 5) ** 2) / 2).sum() ** 2, rtol=1e-4)


def test_distances_by_hand(fitted):
    """The nearest of two references, for each of four places; a place is two pixels wide."""
    detector = copy(fitted)
    detector.references_ = np.array([[0, 0], [3, 4]], "float32")
    codes = np.array([[[[0, 0], [3, 4]], [[3, 0], [6, 8]]]], "float32")
    expected = np.repeat(np.repeat([[0, 0], [3, 5]], 2, axis=0), 2, axis=1)
    np.testing.assert_allclose(detector._distances(codes)[0], expected, atol=1e-6)


def test_references_are_codes_of_the_training_images(fitted):
    codes = fitted._repainted(surfaces()[:8])[1].reshape(-1, 4)
    assert fitted.references_.shape == (500, 4)
    assert (np.abs(fitted.references_[:, None] - codes).max(axis=2).min(axis=1) < 1e-5).all()


@pytest.mark.parametrize("channels", [1, 3])
def test_ssim_map_is_scikit_images(channels, fitted, fitted_to_colour):
    x = surfaces(3, (21, 34), channels, seed=2)
    detector = copy(fitted if channels == 1 else fitted_to_colour).set_params(error="ssim", smoothing=1.5)
    detector._distances = lambda codes: np.ones((len(codes), 22, 34))
    for image, other, found in zip(x, detector.reconstruct(x), detector.error_map(x)):
        maps = [
            structural_similarity(image[..., c], other[..., c], win_size=11, data_range=1, full=True)[1]
            for c in range(channels)
        ]
        np.testing.assert_allclose(found**2, gaussian_filter(1 - np.mean(maps, axis=0), 1.5), atol=1e-5)
        assert found.min() >= 0


@pytest.mark.parametrize("size", [(11, 11), (11, 40), (33, 27), (64, 50), (30, 31)])
@pytest.mark.parametrize("channels", [1, 3])
def test_any_size_is_scored(size, channels, fitted, fitted_to_colour):
    detector = fitted if channels == 1 else fitted_to_colour
    x = surfaces(2, size, channels)
    reconstructions = detector.reconstruct(x)
    assert reconstructions.shape == x.shape
    assert reconstructions.min() >= 0
    assert reconstructions.max() <= 1
    maps = detector.error_map(x)
    assert maps.shape == (2, *size)
    assert maps.min() >= 0
    scores = detector.score_samples(x)
    assert scores.shape == (2,)
    assert (scores <= 0).all()
    np.testing.assert_allclose(detector.decision_function(x), scores - detector.offset_)
    assert set(detector.predict(x)) <= {-1, 1}


@pytest.mark.parametrize("size", [(11, 11), (13, 50)])
def test_any_size_is_learned(size):
    assert np.isfinite(small().fit(surfaces(4, size)).score_samples(surfaces(1, size))).all()


def test_an_image_scores_the_same_in_any_company(fitted):
    x = surfaces(5, (37, 29))
    together = fitted.error_map(x)
    np.testing.assert_allclose(np.concatenate([fitted.error_map(x[i : i + 1]) for i in range(5)]), together, atol=1e-6)
    np.testing.assert_array_equal(fitted.error_map(x), together)
    np.testing.assert_array_equal(fitted.score_samples(x), fitted.score_samples(x))


def test_the_seed_decides_and_the_last_images_set_the_threshold(fitted):
    """Of 10 images 2 are held back: at a contamination of one half, one of them is below the threshold."""
    x = surfaces()
    changed = np.concatenate([x[:-2], surfaces(2, seed=9)])
    same, other = small(contamination=0.5).fit(changed), small(random_state=1).fit(x)
    np.testing.assert_array_equal(same.reconstruct(x), fitted.reconstruct(x))
    np.testing.assert_allclose(same.offset_, fitted.score_samples(changed[-2:]).mean(), rtol=1e-3)
    assert not np.allclose(other.score_samples(x), fitted.score_samples(x))


def test_an_estimator_of_scikit_learn(fitted):
    assert clone(fitted).get_params() == fitted.get_params()
    assert small().set_params(steps=3, error="ssim").get_params()["steps"] == 3
    for method in ("reconstruct", "error_map", "score_samples", "decision_function", "predict"):
        with pytest.raises(NotFittedError):
            getattr(small(), method)(surfaces())
    with pytest.raises(NotFittedError):
        small().save("nowhere")


def test_save_and_load(fitted, tmp_path):
    path = tmp_path / "detector.zip"
    fitted.save(path)
    loaded = ImageAnomalyDetector.load(path)
    x = surfaces(3, (35, 30), seed=4)
    np.testing.assert_array_equal(loaded.error_map(x), fitted.error_map(x))
    np.testing.assert_array_equal(loaded.decision_function(x), fitted.decision_function(x))
    assert loaded.get_params() == fitted.get_params()
    copy(fitted).set_params(steps=np.int64(2), random_state=np.random.RandomState(0)).save(path)
    assert ImageAnomalyDetector.load(path).get_params()["random_state"] is None


def test_other_files_are_refused(tmp_path):
    """`test_archive.py` has every kind of damage."""
    path = tmp_path / "detector.zip"
    with pytest.raises(FileNotFoundError):
        ImageAnomalyDetector.load(path)
    path.write_text("no archive")
    for bad in (path, tmp_path):
        with pytest.raises(ValueError, match=r"`path` must be a file written by ImageAnomalyDetector.save"):
            ImageAnomalyDetector.load(bad)


def test_rectangles_by_what_they_change():
    x = np.full((40, 30, 20, 2), 0.5, "float32")
    layer = RandomRectangles(1, 9, seed=0)
    np.testing.assert_array_equal(layer(x), x)  # not in training
    corrupted = keras.ops.convert_to_numpy(layer(x, training=True))
    assert corrupted.shape == x.shape
    assert corrupted.min() >= 0
    assert corrupted.max() <= 1
    for changed in (corrupted != 0.5).any(axis=-1):
        rows, columns = np.nonzero(changed)
        if len(rows):
            assert changed[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1].all()  # a rectangle
            assert max(np.ptp(rows), np.ptp(columns)) < 9
    again = keras.ops.convert_to_numpy(RandomRectangles(1, 9, seed=0)(x, training=True))
    np.testing.assert_array_equal(corrupted, again)
    assert not np.array_equal(corrupted[0], corrupted[1])
    restored = RandomRectangles.from_config(layer.get_config())
    assert (restored.count, restored.largest, restored.seed) == (1, 9, 0)


def test_networks_fit_each_other_at_any_size():
    encoder, decoder = surface_encoder(3, (4, 8), 5, seed=0), surface_decoder(3, 5, seed=1)
    code = encoder(np.zeros((1, 12, 20, 3), "float32"))
    assert tuple(code.shape) == (1, 6, 10, 5)
    assert tuple(decoder(code).shape) == (1, 12, 20, 3)


BAD = bad_arrays(surfaces())
MAY_BE_TALLER = {"shape"}  # images of twice the height are images


@pytest.mark.parametrize("kind", sorted(set(BAD) - MAY_BE_TALLER))
@pytest.mark.parametrize("method", ["fit", "reconstruct", "error_map", "score_samples", "decision_function", "predict"])
def test_bad_images_are_refused(method, kind, fitted):
    with pytest.raises(ValueError, match="`X` must"):
        getattr(small() if method == "fit" else fitted, method)(BAD[kind])


def test_other_channels_small_and_single_images_are_refused(fitted):
    with pytest.raises(ValueError, match=r"`X` must .* shape \(any, any, any, 1\), got shape \(10, 32, 32, 3\)"):
        fitted.predict(surfaces(channels=3))
    for size in ((10, 32), (32, 10)):
        for method in (small().fit, fitted.predict):
            with pytest.raises(ValueError, match="`X` must be images of at least 11 x 11"):
                method(surfaces(size=size))
    with pytest.raises(ValueError, match="`X` must hold at least 2 images"):
        small().fit(surfaces(1))


@pytest.mark.parametrize("x", [np.zeros((6, 16, 16, 1)), np.repeat(surfaces(1), 6, axis=0)], ids=["constant", "equal"])
def test_constant_or_equal_images_are_learned_as_normal(x):
    """Nothing varies: the threshold is their own score, they are normal, and anything more wrong is not."""
    detector = small(steps=30).fit(x)
    assert (detector.predict(x) == 1).all()
    assert (detector.predict(1 - x.round()) == -1).all()


@pytest.mark.parametrize(
    ("name", "values"),
    {
        "filters": [(4,), (4, 4, 4), 4, (4, 0), (4.0, 4), None],
        "latent_channels": [0, 2.5, "8"],
        "error": ["mae", None],
        "smoothing": [-1, np.nan, np.inf, "2", None],
        "top_fraction": [0, 1.5, None],
        "patch_size": [7, 0, 16.0, None],
        "steps": [0, -1, 2.5, None],
        "batch_size": [0, None],
        "learning_rate": [0, -1, None],
        "contamination": [0, 0.6, "auto", np.nan],
        "validation_fraction": [0, 1, None],
        "random_state": ["seed", -1],
    }.items(),
)
def test_bad_parameters_are_refused_by_fit(name, values):
    for value in values:
        with pytest.raises(ValueError, match=f"[`']{name}[`'].* must be"):
            small(**{name: value}).fit(surfaces())


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16", "float16"])
def test_rectangles_keep_the_policys_dtype(policy):
    x = keras.ops.cast(surfaces(), "float16" if "float16" in policy else "bfloat16")
    layer = RandomRectangles(seed=0, dtype=policy)
    assert keras.backend.standardize_dtype(layer(x, training=True).dtype) == layer.compute_dtype


def test_parameters_changed_after_the_fit_are_checked():
    fitted = small().fit(surfaces()).set_params(error="mae")
    with pytest.raises(ValueError, match=r"'error' parameter .* must be"):
        fitted.score_samples(surfaces())


@pytest.fixture
def floatx():
    """What Keras computes in by default, restored after the test."""
    yield keras.config.set_floatx
    keras.config.set_floatx("float32")


PRECISIONS = [
    "float16",
    "bfloat16",
    "mixed_float16",
    "mixed_bfloat16",
    "float64",
    "set_floatx float16",
    "set_floatx float64",
]


@pytest.mark.parametrize("precision", PRECISIONS)
def test_scores_are_those_of_single_precision_under_any_policy(precision, floatx, fitted, tmp_path):
    kind, _, dtype = precision.rpartition(" ")
    (floatx if kind else keras.config.set_dtype_policy)(dtype)
    policy = keras.config.dtype_policy().name
    detector, x = small().fit(surfaces()), surfaces(3, seed=1)
    detector.save(tmp_path / "detector.zip")
    for other in (detector, fitted, ImageAnomalyDetector.load(tmp_path / "detector.zip")):
        np.testing.assert_allclose(other.score_samples(x), fitted.score_samples(x), rtol=1e-4)
    assert keras.config.dtype_policy().name == policy
    assert not kind or keras.config.floatx() == dtype


def test_scores_that_are_not_numbers_are_no_decision():
    detector = small().fit(surfaces())
    detector.autoencoder_.decoder.set_weights([w * np.nan for w in detector.autoencoder_.decoder.get_weights()])
    with pytest.raises(ValueError, match="`X` must have scores to decide by, got NaN for 10 of 10"):
        detector.predict(surfaces())


def test_training_that_diverges_is_an_error_and_leaves_no_detector_behind(fitted, monkeypatch):
    detector = copy(fitted)
    with monkeypatch.context() as patch:
        patch.setattr(ImageAnomalyDetector, "score_samples", lambda self, x: np.full(len(x), np.nan))
        with pytest.raises(ValueError, match="`learning_rate` must be small enough"):
            detector.fit(surfaces())
    with pytest.raises(NotFittedError):
        detector.predict(surfaces())


@pytest.mark.parametrize(
    ("x", "message"),
    [
        ((surfaces() * 255).astype("uint8"), "got dtype uint8: divide pixels by 255"),
        (list((surfaces() * 255).astype("uint8")), "got dtype uint8: divide pixels by 255"),
        (surfaces() * 255, "got values from .*: divide pixels from 0 to 255 by 255"),
        (list(surfaces()[:2]) + list(surfaces(size=(20, 20))), "got a list that is none"),
        (surfaces()[..., 0], r"got shape \(10, 32, 32\)"),
        (np.ma.masked_less(surfaces(), 0.3), "must be whole images, got a masked array"),
    ],
    ids=["bytes", "a list of bytes", "not divided", "of different sizes", "without channels", "masked"],
)
def test_other_images_are_refused(x, message, fitted):
    for method in (small().fit, fitted.predict):
        with pytest.raises(ValueError, match=message):
            method(x)


def test_a_list_of_images_is_an_array_of_them(fitted):
    x = surfaces(3, seed=1)
    for same in (list(x), x.tolist(), keras.ops.convert_to_tensor(x)):
        np.testing.assert_array_equal(fitted.score_samples(same), fitted.score_samples(x))
