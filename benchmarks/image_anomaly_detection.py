"""Defects in surfaces and digits of another class: `python -m benchmarks.image_anomaly_detection`.

Surfaces: scikit-image's brick, grass and gravel, whole regions held out, with generated defects whose difficulty was
frozen beforehand (`data/textures.md`); AUROC over pixels and over images, for several contrasts. The detector's setting
was chosen on other regions and other defects: training on the upper training band of each photograph, testing on the
lower.

MNIST, one class: trained on all training images of one digit, tested on the 10,000 test images; AUROC of that digit
against the others, mean over the ten digits. One setting for all, a code of 16 numbers rather than 32, chosen on
training images alone: of 8 and of 2 the last 1,000 were held back for normal ones, with 200 of each other digit.
"""

import functools
import time

import keras
import numpy as np
from scipy.ndimage import gaussian_filter
from skimage.metrics import structural_similarity
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import NearestNeighbors

from benchmarks import runner
from dlarch_keras import Autoencoder
from dlarch_keras.datasets import load_mnist, load_textures
from dlarch_keras.anomaly_detection.image import ImageAnomalyDetector
from dlarch_keras.networks import dense_decoder, dense_encoder

TEXTURES = runner.size(("brick", "grass", "gravel"), ("brick",))
FROZEN, CONTRASTS = 0.9, runner.size((0.3, 0.5, 0.7), (0.5,))
TESTED = runner.size(None, 10)  # images of a surface, all by default
SETTING = runner.size({}, {"steps": 4})
PATCH = 8
DIGITS = runner.size(range(10), range(1))
BATCH_SIZE, EPOCHS = 128, runner.size(15, 1)  # of the digits


def autoencoder(x_train, seed):
    """The detector: a function from images to error maps and image errors, and its number of parameters."""
    detector = ImageAnomalyDetector(**SETTING, random_state=seed).fit(x_train)
    return lambda x: (detector.error_map(x), -detector.score_samples(x)), detector.autoencoder_.count_params()


def blurred_self(x_train, seed):
    """The baseline that set the difficulty: 1 - SSIM between an image and its blurred self, the largest of an image."""

    def errors(image):
        return 1 - structural_similarity(image, gaussian_filter(image, 1), win_size=11, data_range=1, full=True)[1]

    def score(x):
        maps = np.stack([errors(image) for image in x[..., 0]])
        return maps, maps.max(axis=(1, 2))

    return score, 0


def pca(x_train, seed):
    """Squared residual of 8 x 8 patches, after the components that hold nine tenths of the variance."""
    model = PCA(0.9).fit(patches(x_train).reshape(-1, PATCH**2))

    def residual(rows):
        return ((rows - model.inverse_transform(model.transform(rows))) ** 2).sum(axis=1)

    return of_patches(residual), model.components_.size + model.mean_.size


def isolation_forest(x_train, seed):
    """Scores of 8 x 8 patches."""
    model = IsolationForest(random_state=seed).fit(patches(x_train).reshape(-1, PATCH**2))
    return of_patches(lambda rows: -model.score_samples(rows)), model.n_estimators * model.max_samples_


def nearest_neighbours(x_train, seed):
    """Mean distance of 8 x 8 patches to their 5 nearest among 2,000 of training."""
    rows = np.random.default_rng(seed).permutation(patches(x_train).reshape(-1, PATCH**2))[:2000]
    model = NearestNeighbors(n_neighbors=5, algorithm="brute").fit(rows)
    return of_patches(lambda rows: model.kneighbors(rows)[0].mean(axis=1)), rows.size


def patches(x):
    """Patches at every other pixel: `(n, rows, columns, 64)`."""
    windows = np.lib.stride_tricks.sliding_window_view(x[..., 0], (PATCH, PATCH), (1, 2))[:, ::2, ::2]
    return windows.reshape(*windows.shape[:3], PATCH**2)


def of_patches(distance):
    """A function from images to maps and image errors, smoothed and pooled as the detector's are."""

    def score(x):
        rows = patches(x)
        coarse = distance(rows.reshape(-1, PATCH**2)).reshape(rows.shape[:3]).repeat(2, axis=1).repeat(2, axis=2)
        margins = [(PATCH // 2 - 1, x.shape[axis] - coarse.shape[axis] - PATCH // 2 + 1) for axis in (1, 2)]
        maps = gaussian_filter(np.pad(coarse, [(0, 0), *margins], mode="edge"), (0, 2, 2))
        pixels = np.sort(maps.reshape(len(maps), -1), axis=1)
        return maps, pixels[:, -round(0.05 * pixels.shape[1]) :].mean(axis=1)

    return score


@functools.lru_cache(maxsize=len(TEXTURES))
def fitted(method, name, seed):
    """A method's score function for a texture, its number of parameters, and the seconds of training."""
    (x_train, _), _, _ = load_textures(name)
    start = time.perf_counter()
    score, parameters = METHODS[method](x_train, seed)
    return score, parameters, time.perf_counter() - start


@functools.lru_cache(maxsize=len(TEXTURES))
def measured(method, name, contrast, seed):
    """AUROC over pixels and over images, parameters and seconds."""
    score, parameters, seconds = fitted(method, name, seed)
    _, (x, y), masks = load_textures(name, contrast=contrast, seed=seed)
    x, y, masks = x[:TESTED], y[:TESTED], masks[:TESTED]
    maps, errors = score(x)
    return {
        "pixel AUROC": roc_auc_score(masks.ravel(), maps.ravel()),
        "image AUROC": roc_auc_score(y > 0, errors),
        "parameters": parameters,
        "seconds": seconds,
    }


def surfaces(method, metric, names, contrast, seed):
    """One row: the mean over textures, with other defects for each seed."""
    rows = [measured(method, name, contrast, seed) for name in names]
    return {
        "dataset": f"{names[0] if len(names) == 1 else 'brick, grass, gravel'}, contrast {contrast:g}",
        "metric": metric,
        "value": float(np.mean([row[metric] for row in rows])),
        "seconds": float(np.mean([row["seconds"] for row in rows])),
        "parameters": round(np.mean([row["parameters"] for row in rows])),
    }


def narrow_autoencoder(x_train, seed):
    """Errors of whole images by an autoencoder with a code of 16 numbers.

    Not the detector for surfaces: its wide code copies any stroke, so other digits too (held-out training images of 8
    against other digits: .65, this one .91).
    """
    style = {"activation": "silu", "batch_normalization": True}
    shape = x_train.shape[1:]
    model = Autoencoder(
        dense_encoder(shape, 16, (256, 64), **style, seed=seed),
        dense_decoder(shape, 16, (64, 256), **style, seed=seed + 1000),
    )
    steps = EPOCHS * -(-len(x_train) // BATCH_SIZE)
    rate = keras.optimizers.schedules.CosineDecay(3e-3, steps)
    model.compile(keras.optimizers.Adam(rate), steps_per_execution=runner.several_steps(20))
    model.fit(x_train, batch_size=BATCH_SIZE, epochs=EPOCHS, verbose=0)
    return model.reconstruction_error, model.count_params()


def pca_of_images(x_train, seed):
    """Errors of whole images by the best linear code of 16 numbers."""
    model = PCA(16).fit(x_train.reshape(len(x_train), -1))

    def errors(x):
        rows = x.reshape(len(x), -1)
        return ((rows - model.inverse_transform(model.transform(rows))) ** 2).mean(axis=1)

    return errors, model.components_.size + model.mean_.size


def one_class(method, seed):
    """Each digit in turn is the normal one."""
    (x_train, y_train), (x_test, y_test) = load_mnist(runner.size("full", "5k"))
    areas, seconds = [], 0.0
    for digit in DIGITS:
        start = time.perf_counter()
        errors, parameters = method(x_train[y_train == digit], seed)
        seconds += time.perf_counter() - start
        areas.append(roc_auc_score(y_test != digit, errors(x_test)))
    return {
        "dataset": "MNIST, one class",
        "metric": "image AUROC",
        "value": float(np.mean(areas)),
        "seconds": seconds / len(DIGITS),
        "parameters": parameters,
    }


METHODS = {
    "autoencoder": autoencoder,
    "blurred self": blurred_self,
    "PCA of patches": pca,
    "isolation forest": isolation_forest,
    "nearest neighbours": nearest_neighbours,
}
TASKS = {
    "PCA, one digit": functools.partial(one_class, pca_of_images),
    "autoencoder, one digit": functools.partial(one_class, narrow_autoencoder),
}
TASKS |= {
    f"{method}, {subject}, {metric}": functools.partial(surfaces, method, metric, names, contrast)
    for method in METHODS
    for subject, names, contrast in [
        *((name, (name,), FROZEN) for name in TEXTURES),
        *((f"contrast {contrast:g}", TEXTURES, contrast) for contrast in (FROZEN, *CONTRASTS)),
    ]
    for metric in ("pixel AUROC", "image AUROC")
}

if __name__ == "__main__":
    runner.main("image_anomaly_detection", TASKS)
