"""Reconstruction of MNIST's test images against PCA: `python -m benchmarks.autoencoder`.

Full MNIST, mean squared error per pixel on the 10,000 test images, for codes of 2, 30 and 32 numbers. The recipes were
chosen on the last 5,000 training images; the runs train on all 60,000.
"""

from functools import partial
from typing import NamedTuple

import keras
import numpy as np
from sklearn.decomposition import PCA

from benchmarks.common import runner
from benchmarks.common.timing import timed
from benchmarks.common.training import several_steps, warmed_cosine
from dlarch_keras import Autoencoder
from dlarch_keras.datasets import load_mnist
from dlarch_keras.networks import dense_decoder, dense_encoder, seed_stream

MSE = ("test MSE per pixel", "1")
BATCH_SIZE = 128


class Sizes(NamedTuple):
    """Of the full protocol, and of a quick run; None for all images, and for a recipe's own number of epochs."""

    mnist: str = "full"
    images: int | None = None
    epochs: int | None = None


QUICK = Sizes("5k", 512, 1)


class Recipe(NamedTuple):
    """Widths of the encoder's layers, mirrored in the decoder; peak of the learning rate; epochs; whether `shifted`."""

    hidden_units: tuple
    learning_rate: float
    epochs: int
    shifts: bool


RECIPES = {  # by the length of the code
    2: Recipe((512, 256, 128, 64, 32), 5e-3, 20, False),
    32: Recipe((512, 512), 3e-3, 12, True),
    30: Recipe((1000, 500, 250), 3e-3, 20, True),
}


def network(latent_dim, sizes, seed):
    """Train on full MNIST and measure the test error.

    With `shifts` half the images move by up to one pixel each way, except in the last tenth of the epochs.
    """
    recipe = RECIPES[latent_dim]
    (x_train, _), (x_test, _) = load_mnist(sizes.mnist)
    x_train, epochs = x_train[: sizes.images], sizes.epochs or recipe.epochs
    style, seeds = {"activation": "silu", "batch_normalization": True}, seed_stream(seed)
    model = Autoencoder(
        dense_encoder(x_train.shape[1:], latent_dim, recipe.hidden_units, **style, seed=seeds),
        dense_decoder(x_train.shape[1:], latent_dim, recipe.hidden_units[::-1], **style, seed=seeds),
    )
    steps = -(-len(x_train) // BATCH_SIZE)
    rate = warmed_cosine(recipe.learning_rate, epochs * steps, steps // 2, start=0.01, end=1e-3)
    model.compile(keras.optimizers.Adam(rate), steps_per_execution=several_steps(50))
    rng = np.random.default_rng(seed)

    def fit():
        for epoch in range(epochs):
            x = shifted(x_train, rng) if recipe.shifts and epoch < 0.9 * epochs else x_train
            model.fit(x, batch_size=BATCH_SIZE, initial_epoch=epoch, epochs=epoch + 1, verbose=0)

    _, seconds = timed(fit)
    error = model.reconstruction_error(x_test).mean()
    return runner.rows("autoencoder", dataset(latent_dim), {MSE: error}, seconds, model.count_params())


def shifted(images, rng):
    """Move each image, with probability one half, by -1, 0 or 1 pixel down and across: `(n, height, width, 1)`."""
    moves = rng.integers(-1, 2, (len(images), 2)) * rng.integers(0, 2, (len(images), 1))
    images = images.copy()
    for move in {tuple(move) for move in moves}:
        chosen = (moves == move).all(axis=1)
        images[chosen] = np.roll(images[chosen], move, axis=(1, 2))
    return images


def pca(components, sizes, seed):
    """The baseline: the best linear code."""
    (x_train, _), (x_test, _) = load_mnist(sizes.mnist)
    x_train, x_test = (x.reshape(len(x), -1) for x in (x_train, x_test))
    model, seconds = timed(lambda: PCA(components, svd_solver="covariance_eigh").fit(x_train))
    error = np.mean((x_test - model.inverse_transform(model.transform(x_test))) ** 2)
    weights = model.components_.size + model.mean_.size
    return runner.rows("PCA", dataset(components), {MSE: error}, seconds, weights)


def dataset(latent_dim):
    return f"MNIST in {latent_dim} numbers"


def tasks(quick):
    sizes = QUICK if quick else Sizes()
    methods = {"PCA": pca, "autoencoder": network}
    return {f"{name}, {dataset(k)}": partial(method, k, sizes) for k in RECIPES for name, method in methods.items()}


if __name__ == "__main__":
    runner.main("autoencoder", tasks)
