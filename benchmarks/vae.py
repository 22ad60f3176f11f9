"""Likelihoods of VAEs on MNIST and Fashion-MNIST, and a race: `python -m benchmarks.vae`.

Dynamic binarisation: training pixels are drawn anew at every step, the 10,000 test images once, with seed 0. −ELBO with
one code an image; NLL is the importance-weighted bound (Burda et al. 2016) with 5,000 codes an image for the dense
networks, 500 for the residual ones. Recipes were chosen on the last 5,000 training images; the runs train on all
60,000. A killed run goes on at its last epoch.

The race is on grey pixels, with a code of two numbers, against the network of keras.io's tutorial: its own figure, a
training total of 146.95 after 30 epochs over 70,000 images, is to be reached on the test images. Its time is its median
step in the same process, times the steps of those epochs.
"""

from functools import partial
from pathlib import Path
from typing import NamedTuple

import keras
from keras import layers

from benchmarks.common import resume, runner
from benchmarks.common.race import SHARE, beside
from benchmarks.common.timing import seconds_a_step, timed
from benchmarks.common.training import several_steps, warmed_cosine
from dlarch_keras import VAE, networks
from dlarch_keras.datasets import load_fashion_mnist, load_mnist
from dlarch_keras.metrics.likelihood import binarize
from dlarch_keras.networks import variational

SHAPE = (28, 28, 1)
STYLE = {"activation": "silu", "batch_normalization": False}
ELBO, NLL = ("test −ELBO", "nats"), ("test NLL", "nats")


class Sizes(NamedTuple):
    """Of the full protocol, and of a quick run; None for all images, and for a recipe's own numbers."""

    mnist: str = "full"
    images: int | None = None
    tested: int | None = None
    epochs: int | None = None
    codes: int | None = None
    timed_steps: int = 100
    runs: Path = runner.folder("vae", quick=False)


QUICK = Sizes("5k", 512, 20, 1, 3, 1, runner.folder("vae", quick=True))


def dense(seed, latent_dim=32, hidden_units=(512, 512)):
    """Encoder and decoder of dense layers."""
    seeds = networks.seed_stream(seed)
    encoder = variational.dense_encoder(SHAPE, latent_dim, hidden_units, **STYLE, seed=seeds)
    units = hidden_units[::-1]
    return encoder, networks.dense_decoder(SHAPE, latent_dim, units, **STYLE, output_activation=None, seed=seeds)


def residual(seed):
    """Encoder and decoder of convolutions, residual blocks and a wide dense layer, with a code of 32 numbers."""
    seeds = networks.seed_stream(seed)
    encoder = variational.residual_encoder(SHAPE, 32, (32, 64), **STYLE, blocks=1, seed=seeds)
    return encoder, variational.residual_decoder(SHAPE, 32, (64, 32), **STYLE, blocks=1, seed=seeds)


class Recipe(NamedTuple):
    """How networks are trained, and with how many codes an image their likelihood is estimated; 0: not at all."""

    networks: callable
    epochs: int
    codes: int
    batch_size: int = 128


RECIPES = {
    "VAE, dense, short": Recipe(dense, 30, 0),
    "VAE, dense": Recipe(dense, 60, 5000),
    "VAE, residual": Recipe(residual, 90, 500, 64),
}
TRAINED = [(name, "MNIST") for name in RECIPES] + [("VAE, dense", "Fashion-MNIST")]


def load(dataset, sizes):
    """In a quick run digits stand in for clothes."""
    is_clothes = dataset == "Fashion-MNIST" and sizes.mnist == "full"
    return load_fashion_mnist() if is_clothes else load_mnist(sizes.mnist)


def compiled(pair, examples, epochs, batch_size, learning_rate, seed, **arguments):
    """A VAE of two networks, ready to be trained."""
    model = VAE(*pair, seed=seed, **arguments)
    rate = warmed_cosine(learning_rate, epochs * -(-examples // batch_size), 400)
    model.compile(keras.optimizers.Adam(rate), steps_per_execution=several_steps())
    return model


def likelihoods(name, dataset, sizes, seed):
    """Rows of one of `RECIPES`."""
    recipe = RECIPES[name]
    (x, _), (x_test, _) = load(dataset, sizes)
    x, epochs = x[: sizes.images], sizes.epochs or recipe.epochs
    model = compiled(recipe.networks(seed), len(x), epochs, recipe.batch_size, 2e-3, seed)
    seconds = resume.fit(model, x, sizes.runs / f"{name}_{dataset}_{seed}", epochs, batch_size=recipe.batch_size)
    x_test = binarize(x_test[: sizes.tested], 0)
    figures = {ELBO: -model.elbo(x_test).mean()}
    if recipe.codes:
        figures[NLL] = -model.log_likelihood(x_test, sizes.codes or recipe.codes).mean()
    return runner.rows(name, f"{dataset}, dynamically binarised", figures, seconds, model.count_params())


def recipe():
    """keras.io's networks, on the package's model class."""
    inputs = x = keras.Input(SHAPE)
    for filters in (32, 64):
        x = layers.Conv2D(filters, 3, 2, "same", activation="relu")(x)
    x = layers.Dense(16, "relu")(layers.Flatten()(x))
    encoder = keras.Model(inputs, [layers.Dense(2)(x), layers.Dense(2)(x)])
    code = keras.Input((2,))
    x = layers.Reshape((7, 7, 64))(layers.Dense(7 * 7 * 64, "relu")(code))
    for filters in (64, 32):
        x = layers.Conv2DTranspose(filters, 3, 2, "same", activation="relu")(x)
    decoder = keras.Model(code, layers.Conv2DTranspose(1, 3, padding="same")(x))
    model = VAE(encoder, decoder, likelihood="soft_bernoulli")
    model.compile("adam")
    return model


def race(sizes, seed):
    """Ours beside the tutorial's network."""
    (x, _), (x_test, _) = load_mnist(sizes.mnist)
    x, epochs, theirs = x[: sizes.images], sizes.epochs or 11, recipe()

    def recipe_seconds():
        return 30 * -(-70_000 // 128) * seconds_a_step(lambda: theirs.train_on_batch(x[:128]), sizes.timed_steps)

    def train():
        pair = dense(seed, 2, (512, 256, 128))
        model = compiled(pair, len(x), epochs, 256, 3e-3, seed, likelihood="soft_bernoulli")
        _, seconds = timed(lambda: model.fit(x, batch_size=256, epochs=epochs, verbose=0))
        return model, seconds

    model, seconds, share = beside(recipe_seconds, train)
    total = model.evaluate(x_test, batch_size=1000, verbose=0, return_dict=True)["loss"]
    figures = {("test total", "nats"): total, SHARE: share}
    return runner.rows("VAE, dense, code of 2", "MNIST, grey", figures, seconds, model.count_params())


def tasks(quick):
    sizes = QUICK if quick else Sizes()
    found = {f"{name}, {dataset}": partial(likelihoods, name, dataset, sizes) for name, dataset in TRAINED}
    return found | {"race": partial(race, sizes)}


if __name__ == "__main__":
    runner.main("vae", tasks)
