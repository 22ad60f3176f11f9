"""Train the networks of `metrics/features.py` and store them: `python -m scripts.train_features [DATASET ...]`.

Each learns its full training set, all but the last images, which choose nothing and only show how it goes; the test
images are looked at once, at the end. Weights are stored in half precision.
"""

import sys
from functools import partial
from pathlib import Path

import keras
import numpy as np
from scipy.ndimage import gaussian_filter

from dlarch_keras.core import forward
from dlarch_keras.datasets import SOLIDS, generate_scenes, load_fashion_mnist, load_mnist
from dlarch_keras.metrics import features
from dlarch_keras.metrics.generation import frechet_distance, gaussian_fit

FOLDER = Path(features.__file__).parent


def train_classifier(load, network, epochs=15, batch_size=128):
    """Train on labels, shifting the images; the loaded arrays, and whether each answer on test images is right."""
    (x, y), (x_test, y_test) = load()
    shift = keras.layers.RandomTranslation(0.08, 0.08, fill_mode="constant", seed=1)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    fit(network, shift, loss, x, y, epochs, batch_size)
    return x, x_test, lambda logits: logits.argmax(axis=1) == y_test


def train_counter(network, epochs=15, batch_size=128):
    """Train on how many solids of each kind stand in a scene, and how blurred and how noisy its picture is; likewise.

    What only counted would hardly notice a blur: it must see what the generators to be judged are bad at.
    """
    x, _, counts = generate_scenes(20_000, seed=100)
    x_test, _, test_counts = generate_scenes(10_000, seed=101)
    spoilt, harm = spoil(x, np.random.default_rng(102))
    answers = np.concatenate([counts, harm], axis=1).astype("float32")
    fit(network, keras.layers.Identity(), "mse", spoilt, answers, epochs, batch_size)
    return x, x_test, lambda answers: (answers[:, : len(SOLIDS)].round() == test_counts).all(axis=1)


def spoil(x, rng):
    """A third of the pictures blurred, a third noisy; and by how much, from 0 to 1: `(n, 2)`."""
    spoilt, harm = x.copy(), np.zeros((len(x), 2))
    for number, kind in enumerate(rng.integers(0, 3, len(x))):
        if kind == 2:
            continue
        harm[number, kind] = much = rng.uniform()
        if kind == 0:
            spoilt[number] = gaussian_filter(x[number], (2 * much, 2 * much, 0))
        else:
            spoilt[number] = (x[number] + 0.1 * much * rng.standard_normal(x.shape[1:])).clip(0, 1)
    return spoilt, harm


def fit(network, augment, loss, x, y, epochs, batch_size):
    held_back = len(x) // 12
    inputs = keras.Input(x.shape[1:])
    model = keras.Model(inputs, network(augment(inputs))[1])
    rate = keras.optimizers.schedules.CosineDecay(2e-3, epochs * (len(x) - held_back) // batch_size, alpha=0.01)
    model.compile(keras.optimizers.Adam(rate), loss)
    validation = x[-held_back:], y[-held_back:]
    model.fit(x[:-held_back], y[:-held_back], batch_size, epochs, validation_data=validation, verbose=2)
    network.set_weights([weight.astype("float16") for weight in network.get_weights()])


TRAINING = {
    "mnist": partial(train_classifier, partial(load_mnist, "full")),
    "fashion_mnist": partial(train_classifier, load_fashion_mnist),
    "scenes": train_counter,
}


def train(dataset):
    keras.utils.set_random_seed(0)
    network = features.feature_network(dataset, seed=0)
    x, x_test, right = TRAINING[dataset](network)
    test_features, answers = forward(network, x_test)
    noise = np.random.default_rng(0).random(x_test.shape, "float32")
    mean, covariance = gaussian_fit(test_features)
    values = {
        "accuracy": np.mean(right(answers)),
        "mean": mean.astype("float32"),
        "covariance": covariance.astype("float32"),
        "floor": frechet_distance(forward(network, x[:10_000])[0], test_features),
        "ceiling": frechet_distance(forward(network, noise)[0], test_features),
    }
    weights = {f"weight_{number}": weight.astype("float16") for number, weight in enumerate(network.get_weights())}
    np.savez_compressed(FOLDER / f"{dataset}_features.npz", **values, **weights)
    print(dataset, {name: float(values[name]) for name in ("accuracy", "floor", "ceiling")})


if __name__ == "__main__":
    for name in sys.argv[1:] or TRAINING:
        train(name)
