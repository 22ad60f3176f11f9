"""Reconstruction of MNIST's test images against PCA: `python -m benchmarks.autoencoder`.

Full MNIST, mean squared error per pixel on the 10,000 test images, for codes of 2, 30 and 32 numbers. The recipes were
chosen on the last 5,000 training images; the runs train on all 60,000.
"""

import time

import keras
import numpy as np
from sklearn.decomposition import PCA

from benchmarks import runner
from dlarch_keras import Autoencoder
from dlarch_keras.datasets import load_mnist
from dlarch_keras.networks import dense_decoder, dense_encoder

MNIST = runner.size("full", "5k")
BATCH_SIZE = 128


def train(latent_dim, hidden_units, learning_rate, epochs, shifts, seed):
    """Train on full MNIST and measure the test error.

    Args:
        latent_dim: length of the code.
        hidden_units: widths of the encoder's layers; the decoder mirrors them.
        learning_rate: peak of the schedule: half an epoch of warm-up, then a cosine to nearly zero.
        epochs: passes over the 60,000 training images.
        shifts: whether half the images move by up to one pixel each way, except in the last tenth of the epochs.
        seed: of weights, order and shifts.
    """
    (x_train, _), (x_test, _) = load_mnist(MNIST)
    x_train, epochs = runner.size((x_train, epochs), (x_train[:512], 1))
    style = {"activation": "silu", "batch_normalization": True}
    model = Autoencoder(
        dense_encoder(x_train.shape[1:], latent_dim, hidden_units, **style, seed=seed),
        dense_decoder(x_train.shape[1:], latent_dim, hidden_units[::-1], **style, seed=seed + 1000),
    )
    steps = -(-len(x_train) // BATCH_SIZE)
    schedule = keras.optimizers.schedules.CosineDecay(
        learning_rate / 100,
        epochs * steps - steps // 2,
        alpha=1e-3,
        warmup_target=learning_rate,
        warmup_steps=steps // 2,
    )
    model.compile(keras.optimizers.Adam(schedule), steps_per_execution=runner.several_steps(50))
    rng = np.random.default_rng(seed)
    start = time.perf_counter()
    for epoch in range(epochs):
        x = shifted(x_train, rng) if shifts and epoch < 0.9 * epochs else x_train
        model.fit(x, batch_size=BATCH_SIZE, initial_epoch=epoch, epochs=epoch + 1, verbose=0)
    return {
        "dataset": "MNIST",
        "metric": "test MSE per pixel",
        "value": float(model.reconstruction_error(x_test).mean()),
        "seconds": time.perf_counter() - start,
        "parameters": model.count_params(),
    }


def shifted(images, rng):
    """Move each image, with probability one half, by -1, 0 or 1 pixel down and across: `(n, height, width, 1)`."""
    moves = rng.integers(-1, 2, (len(images), 2)) * rng.integers(0, 2, (len(images), 1))
    images = images.copy()
    for move in {tuple(move) for move in moves}:
        chosen = (moves == move).all(axis=1)
        images[chosen] = np.roll(images[chosen], move, axis=(1, 2))
    return images


def pca(components):
    """The baseline: the best linear code."""
    (x_train, _), (x_test, _) = load_mnist(MNIST)
    rows, test_rows = x_train.reshape(len(x_train), -1), x_test.reshape(len(x_test), -1)
    start = time.perf_counter()
    model = PCA(components, svd_solver="covariance_eigh").fit(rows)
    errors = (test_rows - model.inverse_transform(model.transform(test_rows))) ** 2
    return {
        "dataset": "MNIST",
        "metric": "test MSE per pixel",
        "value": float(errors.mean()),
        "seconds": time.perf_counter() - start,
        "parameters": model.components_.size + model.mean_.size,
    }


TASKS = {
    "PCA, k=2": lambda seed: pca(2),
    "autoencoder, k=2": lambda seed: train(2, (512, 256, 128, 64, 32), 5e-3, 20, False, seed),
    "PCA, k=32": lambda seed: pca(32),
    "autoencoder, k=32": lambda seed: train(32, (512, 512), 3e-3, 12, True, seed),
    "PCA, k=30": lambda seed: pca(30),
    "autoencoder, k=30": lambda seed: train(30, (1000, 500, 250), 3e-3, 20, True, seed),
}

if __name__ == "__main__":
    runner.main("autoencoder", TASKS)
