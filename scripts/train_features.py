"""Train the networks of `metrics/features.py` and store them: `python -m scripts.train_features [DATASET ...]`.

Each learns its full training set, all but the last 5,000 images, which choose nothing and only show how it goes; the
test images are looked at once, at the end. Weights are stored in half precision.
"""

import sys
from functools import partial
from pathlib import Path

import keras
import numpy as np

from dlarch_keras.datasets import load_fashion_mnist, load_mnist
from dlarch_keras.metrics import features
from dlarch_keras.metrics.generation import frechet_distance, gaussian_fit
from dlarch_keras.training import forward

LOADERS = {"mnist": partial(load_mnist, "full"), "fashion_mnist": load_fashion_mnist}
FOLDER = Path(features.__file__).parent


def train(dataset, epochs=15, batch_size=128):
    (x, y), (x_test, y_test) = LOADERS[dataset]()
    keras.utils.set_random_seed(0)
    network = features.feature_network(seed=0)
    shift = keras.layers.RandomTranslation(0.08, 0.08, fill_mode="constant", seed=1)
    inputs = keras.Input(features.SHAPE)
    classifier = keras.Model(inputs, network(shift(inputs))[1])
    rate = keras.optimizers.schedules.CosineDecay(2e-3, epochs * (len(x) - 5000) // batch_size, alpha=0.01)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    classifier.compile(keras.optimizers.Adam(rate), loss, metrics=["accuracy"], jit_compile=False)
    held_back = x[-5000:], y[-5000:]
    classifier.fit(x[:-5000], y[:-5000], batch_size, epochs, validation_data=held_back, verbose=2)
    weights = [weight.astype("float16") for weight in network.get_weights()]
    network.set_weights(weights)

    test_features, logits = forward(network, x_test)
    noise = np.random.default_rng(0).random(x_test.shape, "float32")
    mean, covariance = gaussian_fit(test_features)
    values = {
        "accuracy": np.mean(logits.argmax(axis=1) == y_test),
        "mean": mean.astype("float32"),
        "covariance": covariance.astype("float32"),
        "floor": frechet_distance(forward(network, x[:10_000])[0], test_features),
        "ceiling": frechet_distance(forward(network, noise)[0], test_features),
    }
    arrays = {f"weight_{number}": weight for number, weight in enumerate(weights)}
    np.savez_compressed(FOLDER / f"{dataset}_features.npz", **values, **arrays)
    print(dataset, {name: float(values[name]) for name in ("accuracy", "floor", "ceiling")})


if __name__ == "__main__":
    for name in sys.argv[1:] or features.DATASETS:
        train(name)
