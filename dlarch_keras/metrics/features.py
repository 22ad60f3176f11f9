"""What a small network sees in images: 64 features, for the distances of `metrics.generation`.

The networks were trained by `python -m scripts.train_features` and come with the package: two to tell the classes of
MNIST and of Fashion-MNIST apart, on their training images; one to count the solids in rendered scenes, and to
say how blurred and how noisy a picture is. With them come the statistics of 10,000 test images, so that generated
images can be compared with as many real ones without the full set at hand.
"""

import itertools
from functools import cache
from importlib.resources import files
from typing import NamedTuple

import keras
import numpy as np
from keras import layers
from scipy.special import softmax

from dlarch_keras.datasets.scenes import SOLIDS
from dlarch_keras.metrics.generation import effective_classes, frechet_distance

from ..core import forward, validation

SHAPE = (28, 28, 1)
IMAGES = 10_000  # on each side of a Fréchet distance
DATASETS = ("mnist", "fashion_mnist")
DIGITS_AND_CLOTHES = SHAPE, ((32, 5, 2), (64, 3, 1), (64, 3, 2)), 10
NETWORKS = {  # shape of an image; filters, kernel and stride of each convolution; number of outputs
    **dict.fromkeys(DATASETS, DIGITS_AND_CLOTHES),
    "scenes": ((64, 64, 3), ((16, 4, 2), (32, 4, 2), (64, 4, 2), (64, 3, 2)), len(SOLIDS) + 2),
}


class Reference(NamedTuple):
    """What a dataset's real images score, on the features of its network; `n` = 10,000 everywhere."""

    accuracy: float  # of the classifier on the test images; for scenes the share in which all five counts are right
    mean: np.ndarray  # of the test images' features, (64,)
    covariance: np.ndarray  # of the same, (64, 64)
    floor: float  # Fréchet distance of 10,000 training images, on which the network was trained, to the test images
    ceiling: float  # Fréchet distance of uniform noise to the test images


def feature_network(dataset="mnist", seed=None):
    """Convolutions, 64 features, then logits or counts, blur and noise: `(n, *shape)` → `[(n, 64), (n, k)]`."""
    shape, convolutions, outputs = NETWORKS[dataset]
    seeds = itertools.repeat(None) if seed is None else itertools.count(seed)
    inputs = x = keras.Input(shape)
    for filters, kernel, stride in convolutions:
        initializer = keras.initializers.GlorotUniform(next(seeds))
        x = layers.Conv2D(filters, kernel, stride, "same", use_bias=False, kernel_initializer=initializer)(x)
        x = layers.Activation("relu")(layers.BatchNormalization(momentum=0.9)(x))
    x = layers.Dropout(0.4, seed=next(seeds))(layers.Flatten()(x))
    features = layers.Dense(64, "relu", kernel_initializer=keras.initializers.GlorotUniform(next(seeds)))(x)
    answers = layers.Dense(outputs, kernel_initializer=keras.initializers.GlorotUniform(next(seeds)))(features)
    return keras.Model(inputs, [features, answers], name="features")


def _stored(dataset):
    validation.choice("dataset", dataset, tuple(NETWORKS))
    with (files("dlarch_keras") / "metrics" / f"{dataset}_features.npz").open("rb") as file, np.load(file) as stored:
        return dict(stored)


@cache
def _trained(dataset):
    stored, policy = _stored(dataset), keras.config.dtype_policy()
    keras.config.set_dtype_policy("float32")  # scores do not depend on how the judged model computes
    try:
        network = feature_network(dataset)
    finally:
        keras.config.set_dtype_policy(policy)
    network.set_weights([stored[f"weight_{number}"] for number in range(len(network.weights))])
    return network


@cache
def reference(dataset="mnist"):
    """The `Reference` of a dataset: "mnist", "fashion_mnist" or "scenes"."""
    stored = _stored(dataset)
    return Reference(*(stored[name] if stored[name].ndim else stored[name].item() for name in Reference._fields))


def image_features(x, dataset="mnist"):
    """Features of images, by the network of a dataset as in `reference`: `(n, *shape)` → `(n, 64)`, NumPy.

    Digits and clothes are of shape `(28, 28, 1)`, scenes of shape `(64, 64, 3)`.
    """
    return _outputs(x, dataset)[0]


def class_probabilities(x, dataset="mnist"):
    """What class the network of "mnist" or "fashion_mnist" takes images for: `(n, 28, 28, 1)` → `(n, 10)`, NumPy."""
    validation.choice("dataset", dataset, DATASETS)
    return softmax(_outputs(x, dataset)[1].astype("float64"), axis=1).astype("float32")


def _outputs(x, dataset):
    network = _trained(dataset)
    return forward(network, validation.array("x", x, network.input_shape, 0, 1))


def generation_scores(x, dataset="mnist"):
    """How good generated images are: `{"Fréchet distance": ..., "effective classes": ...}`.

    Args:
        x: `(10_000, 28, 28, 1)` in [0, 1]: the distance to the 10,000 test images depends on their number.
        dataset: "mnist" or "fashion_mnist", which they should be like.
    """
    real = reference(dataset)
    features, logits = _outputs(validation.array("x", x, (IMAGES, *SHAPE), 0, 1), dataset)
    return {
        "Fréchet distance": frechet_distance(features, (real.mean, real.covariance)),
        "effective classes": effective_classes(logits.argmax(axis=1), 10),
    }
