"""Likelihoods of VAEs on MNIST and Fashion-MNIST, and a race: `python -m benchmarks.vae`.

Dynamic binarisation: training pixels are drawn anew at every step, the 10,000 test images once, with seed 0. −ELBO with
one code an image; NLL is the importance-weighted bound (Burda et al. 2016) with 5,000 codes an image for the dense
networks, 500 for the residual ones. Recipes were chosen on the last 5,000 training images; the runs train on all
60,000. A killed run goes on at its last epoch.

The race is on grey pixels, with a code of two numbers, against the network of keras.io's tutorial: its own figure, a
training total of 146.95 after 30 epochs over 70,000 images, is to be reached on the test images. Its time is its median
step in the same process, times the steps of those epochs.
"""

import json
import time
from functools import cache, partial

import keras
import numpy as np

from benchmarks import runner
from dlarch_keras import VAE, networks, vae
from dlarch_keras.datasets import load_fashion_mnist, load_mnist
from dlarch_keras.vae import binarize

SHAPE = (28, 28, 1)
STYLE = {"activation": "silu", "batch_normalization": False}
MNIST = runner.size("full", "5k")
LOADERS = {"MNIST": partial(load_mnist, MNIST), "Fashion-MNIST": runner.size(load_fashion_mnist, load_mnist)}
TESTED = runner.size(None, 20)  # images whose likelihood is measured, all by default
WARMUP = runner.size(400, 1)  # steps


def dense(latent_dim, hidden_units, seed):
    """Encoder and decoder of dense layers."""
    decoder = networks.dense_decoder(
        SHAPE, latent_dim, hidden_units[::-1], **STYLE, output_activation=None, seed=seed + 1000
    )
    return vae.dense_encoder(SHAPE, latent_dim, hidden_units, **STYLE, seed=seed), decoder


def residual(latent_dim, filters, blocks, seed):
    """Encoder and decoder of convolutions, residual blocks and a wide dense layer."""
    style = {**STYLE, "blocks": blocks}
    encoder = vae.residual_encoder(SHAPE, latent_dim, filters, **style, seed=seed)
    return encoder, vae.residual_decoder(SHAPE, latent_dim, filters[::-1], **style, seed=seed + 1000)


class Clock(keras.callbacks.Callback):
    """Keeps the seconds of training in a file, so that an interrupted run adds up."""

    def __init__(self, path):
        super().__init__()
        self.path = path
        self.before = json.loads(path.read_text()) if path.exists() else 0.0

    def on_train_begin(self, logs=None):
        self.start = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        self.path.write_text(json.dumps(self.seconds()))

    def seconds(self):
        return self.before + time.perf_counter() - self.start


def fit(pair, x, epochs, seed, batch_size=128, learning_rate=2e-3, path=None, **arguments):
    """Train a VAE of two networks on `x`; the model and its seconds.

    Args:
        pair: encoder and decoder.
        path: file name, without an ending, under which an interrupted or finished run is found again; None: not kept.
        arguments: of `VAE`.
    """
    x, epochs = runner.size((x, epochs), (x[:512], 1))
    model = VAE(*pair, seed=seed, **arguments)
    steps = epochs * -(-len(x) // batch_size)
    rate = keras.optimizers.schedules.CosineDecay(
        learning_rate / 10, steps - WARMUP, alpha=1e-2, warmup_target=learning_rate, warmup_steps=WARMUP
    )
    model.compile(keras.optimizers.Adam(rate), steps_per_execution=runner.several_steps())
    if path is None:
        start = time.perf_counter()
        model.fit(x, batch_size=batch_size, epochs=epochs, verbose=0)
        return model, time.perf_counter() - start
    path.parent.mkdir(parents=True, exist_ok=True)
    clock, finished = Clock(path.with_suffix(".seconds")), path.with_suffix(".keras")
    if finished.exists():
        return keras.saving.load_model(finished), clock.before
    backup = keras.callbacks.BackupAndRestore(path.with_suffix(".backup"))
    model.fit(x, batch_size=batch_size, epochs=epochs, verbose=0, callbacks=[backup, clock])
    model.save(finished)
    return model, clock.seconds()


RECIPES = {
    "dense, short": {"pair": lambda seed: dense(32, (512, 512), seed), "epochs": 30, "samples": 5000},
    "dense": {"pair": lambda seed: dense(32, (512, 512), seed), "epochs": 60, "samples": 5000},
    "residual": {"pair": lambda seed: residual(32, (32, 64), 1, seed), "epochs": 90, "samples": 500, "batch_size": 64},
}


@cache
def trained(name, dataset, seed):
    recipe = RECIPES[name]
    (x, _), _ = LOADERS[dataset]()
    path = runner.RUNS / "vae" / f"{name}_{dataset}_{seed}".replace(", ", "_")
    return fit(recipe["pair"](seed), x, recipe["epochs"], seed, recipe.get("batch_size", 128), path=path)


def likelihood_task(name, dataset, metric):
    def task(seed):
        model, seconds = trained(name, dataset, seed)
        x = binarize(LOADERS[dataset]()[1][0][:TESTED], 0)
        samples = runner.size(RECIPES[name]["samples"], 3)
        scores = model.elbo(x) if metric == "test −ELBO" else model.log_likelihood(x, samples)
        return row(f"{dataset}, dynamically binarised", f"{metric}, nats", -scores.mean(), seconds, model)

    return task


def recipe():
    """keras.io's networks, on the package's model class."""
    layers = keras.layers
    inputs = x = keras.Input(SHAPE)
    for filters in (32, 64):
        x = layers.Conv2D(filters, 3, 2, "same", activation="relu")(x)
    x = layers.Dense(16, "relu")(layers.Flatten()(x))
    encoder = keras.Model(inputs, [layers.Dense(2)(x), layers.Dense(2)(x)])
    code = keras.Input((2,))
    x = layers.Reshape((7, 7, 64))(layers.Dense(7 * 7 * 64, "relu")(code))
    for filters in (64, 32):
        x = layers.Conv2DTranspose(filters, 3, 2, "same", activation="relu")(x)
    model = VAE(encoder, keras.Model(code, layers.Conv2DTranspose(1, 3, padding="same")(x)), likelihood="grey")
    model.compile("adam")
    return model


def seconds_a_step(model, x, steps=100):
    """Median over single steps on one batch, after three to warm up."""
    times = []
    for _ in range(runner.size(steps, 1) + 3):
        start = time.perf_counter()
        model.train_on_batch(x)
        times.append(time.perf_counter() - start)
    return float(np.median(times[3:]))


@cache
def race(seed):
    (x_train, _), (x_test, _) = load_mnist(MNIST)
    theirs = recipe()
    before = seconds_a_step(theirs, x_train[:128])
    pair = dense(2, (512, 256, 128), seed)
    model, seconds = fit(pair, x_train, 11, seed, batch_size=256, learning_rate=3e-3, likelihood="grey")
    after = seconds_a_step(theirs, x_train[:128])
    total = model.evaluate(x_test, batch_size=1000, verbose=0, return_dict=True)["loss"]
    return model, total, seconds, seconds / (30 * -(-70_000 // 128) * (before + after) / 2)


def race_task(metric):
    def task(seed):
        model, total, seconds, ratio = race(seed)
        value = ratio if metric == "share of the recipe's seconds" else total
        return row("MNIST, grey", metric, value, seconds, model)

    return task


def row(dataset, metric, value, seconds, model):
    return {
        "dataset": dataset,
        "metric": metric,
        "value": float(value),
        "seconds": seconds,
        "parameters": model.count_params(),
    }


RUNS = {
    "dense, short, MNIST": ("test −ELBO",),
    "dense, MNIST": ("test −ELBO", "test NLL"),
    "residual, MNIST": ("test −ELBO", "test NLL"),
    "dense, Fashion-MNIST": ("test −ELBO", "test NLL"),
}
TASKS = {
    f"{run}, {metric}": likelihood_task(*run.rsplit(", ", 1), metric)
    for run, metrics in RUNS.items()
    for metric in metrics
}
TASKS |= {f"race, {metric}": race_task(metric) for metric in ("test total", "share of the recipe's seconds")}

if __name__ == "__main__":
    runner.main("vae", TASKS)
