"""What a small classifier sees in 28×28 images: 64 features, for the distances of `metrics.generation`.

The networks were trained by `python -m scripts.train_features` on all of MNIST and of Fashion-MNIST and come with the
package, together with the statistics of the 10,000 test images, so that generated images can be compared with as many
real ones without the full set at hand.
"""

from functools import cache
from importlib.resources import files
from typing import NamedTuple

import keras
import numpy as np
from keras import layers

from dlarch_keras import checks
from dlarch_keras.metrics.generation import effective_classes, frechet_distance
from dlarch_keras.training import forward

SHAPE = (28, 28, 1)
DATASETS = ("mnist", "fashion_mnist")


class Reference(NamedTuple):
    """What a dataset's real images score, on the features of its network; `n` = 10,000 everywhere.

    Attributes:
        accuracy: of the classifier on the test images.
        mean, covariance: of the test images' features, `(64,)` and `(64, 64)`.
        floor: Fréchet distance of 10,000 training images to the test images.
        ceiling: Fréchet distance of uniform noise to the test images.
    """

    accuracy: float
    mean: np.ndarray
    covariance: np.ndarray
    floor: float
    ceiling: float


def feature_network(seed=None):
    """Three convolutions, 64 features, ten logits: `(n, 28, 28, 1)` → `[(n, 64), (n, 10)]`."""
    seeds = [None if seed is None else seed + step for step in range(6)]
    inputs = x = keras.Input(SHAPE)
    for (filters, kernel, stride), kernel_seed in zip([(32, 5, 2), (64, 3, 1), (64, 3, 2)], seeds):
        initializer = keras.initializers.GlorotUniform(kernel_seed)
        x = layers.Conv2D(filters, kernel, stride, "same", use_bias=False, kernel_initializer=initializer)(x)
        x = layers.Activation("relu")(layers.BatchNormalization(momentum=0.9)(x))
    x = layers.Dropout(0.4, seed=seeds[3])(layers.Flatten()(x))
    features = layers.Dense(64, "relu", kernel_initializer=keras.initializers.GlorotUniform(seeds[4]))(x)
    logits = layers.Dense(10, kernel_initializer=keras.initializers.GlorotUniform(seeds[5]))(features)
    return keras.Model(inputs, [features, logits], name="features")


def _stored(dataset):
    if dataset not in DATASETS:
        raise ValueError(f"`dataset` must be one of {DATASETS}, got {dataset!r}.")
    with (files("dlarch_keras") / "metrics" / f"{dataset}_features.npz").open("rb") as file, np.load(file) as stored:
        return dict(stored)


@cache
def _trained(dataset):
    stored, policy = _stored(dataset), keras.config.dtype_policy()
    keras.config.set_dtype_policy("float32")  # scores do not depend on how the judged model computes
    try:
        network = feature_network()
    finally:
        keras.config.set_dtype_policy(policy)
    network.set_weights([stored[f"weight_{number}"] for number in range(len(network.weights))])
    return network


@cache
def reference(dataset="mnist"):
    """The `Reference` of a dataset, "mnist" or "fashion_mnist"."""
    stored = _stored(dataset)
    return Reference(*(stored[name] if stored[name].ndim else stored[name].item() for name in Reference._fields))


def image_features(x, dataset="mnist"):
    """Features of images, by the network of "mnist" or "fashion_mnist": `(n, 28, 28, 1)` → `(n, 64)`, NumPy."""
    return _outputs(x, dataset)[0]


def class_probabilities(x, dataset="mnist"):
    """What class the same network takes images for: `(n, 28, 28, 1)` → `(n, 10)`, NumPy."""
    logits = _outputs(x, dataset)[1].astype("float64")
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    return (odds / odds.sum(axis=1, keepdims=True)).astype("float32")


def _outputs(x, dataset):
    return forward(_trained(dataset), checks.array("x", x, (None, *SHAPE), 0, 1))


def generation_scores(x, dataset="mnist"):
    """How good generated images are: `{"Fréchet distance": ..., "effective classes": ...}`.

    Args:
        x: `(10_000, 28, 28, 1)` in [0, 1]: the distance to the 10,000 test images depends on their number.
        dataset: "mnist" or "fashion_mnist", which they should be like.
    """
    real = reference(dataset)
    return {
        "Fréchet distance": frechet_distance(image_features(x, dataset), (real.mean, real.covariance)),
        "effective classes": effective_classes(class_probabilities(x, dataset).argmax(axis=1), 10),
    }
