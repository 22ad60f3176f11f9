"""Defects in surfaces and digits of another class: `python -m benchmarks.image_anomaly_detection`.

Surfaces: scikit-image's brick, grass and gravel, whole regions held out, with generated defects whose difficulty was
frozen beforehand (`data/textures.md`); AUROC over pixels and over images, for several contrasts. The detector's setting
was chosen on other regions and other defects: training on the upper training band of each photograph, testing on the
lower.

MNIST, one class: trained on all training images of one digit, tested on the 10,000 test images; AUROC of that digit
against the others, mean over the ten digits. One setting for all, chosen on training images alone: 1,000 of each digit
were held back, the other digits' for anomalies.
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
from dlarch_keras.datasets import load_mnist, load_textures
from dlarch_keras.image_anomaly_detection import ImageAnomalyDetector

TEXTURES = ("brick", "grass", "gravel")
FROZEN, CONTRASTS = 0.9, (0.3, 0.5, 0.7)
PATCH = 8


def autoencoder(x_train, seed):
    """The detector: a function from images to error maps and image errors, and its number of parameters."""
    detector = ImageAnomalyDetector(steps=1200, random_state=seed).fit(x_train)
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
    return of_patches(lambda rows: ((rows - model.inverse_transform(model.transform(rows))) ** 2).sum(axis=1)), (
        model.components_.size + model.mean_.size
    )


def isolation_forest(x_train, seed):
    """Scores of 8 x 8 patches."""
    model = IsolationForest(random_state=seed).fit(patches(x_train).reshape(-1, PATCH**2))
    return of_patches(lambda rows: -model.score_samples(rows)), sum(tree.tree_.node_count for tree in model.estimators_)


def nearest_neighbours(x_train, seed):
    """Mean distance of 8 x 8 patches to their 5 nearest among 5,000 of training."""
    rows = np.random.default_rng(seed).permutation(patches(x_train).reshape(-1, PATCH**2))[:5000]
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

    return score, 0


METHODS = {
    "autoencoder": autoencoder,
    "blurred self": blurred_self,
    "PCA of patches": pca,
    "isolation forest": isolation_forest,
    "nearest neighbours": nearest_neighbours,
}
