"""Generated digits and clothes after minutes of training, and a race: `python -m benchmarks.gan`.

Judged by the Fréchet distance on 64 features of the package's own classifiers, 10,000 generated images against the
10,000 test images: comparable here, and never with a distance on Inception's features. Beside it stand 10,000 training
images and as many of uniform noise. Ours trains on the 60,000 training images for twelve epochs, and is judged after
the last one, and after the last that ten minutes hold; its networks and rates are those of short runs on 5,000 digits,
which were judged against the same test images, and, as far as is known, of no run on clothes. The network of keras.io's
tutorial (its guide to custom training steps) trains on all 70,000, as it does there, for as many epochs as 100 minutes
hold, and is judged at its best one. Time is that of training alone: epochs, times the seconds of an epoch that
`benchmarks.gan_pace` has measured, of all networks by turns, on a machine that did nothing else; these runs take hours,
and may be paused, share a machine, or go on on another one. A killed run goes on at its last epoch. The figures are
those of

    python -m benchmarks.gan --only keras.io --seeds 1  # 3½ hours
    python -m benchmarks.gan --only "GAN, MNIST" --seeds 5
    python -m benchmarks.gan --only "GAN, Fashion-MNIST" --seeds 3
    python -m benchmarks.gan --only images --seeds 1
"""

from functools import partial
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np
import pandas as pd
from keras import layers, ops

from benchmarks.common import resume, runner
from benchmarks.common.race import SHARE, seconds_until
from dlarch_keras import GAN
from dlarch_keras.core import apply_gradients, value_and_grad
from dlarch_keras.datasets import load_fashion_mnist, load_mnist
from dlarch_keras.gan import cross_entropy
from dlarch_keras.metrics.features import IMAGES, SHAPE, generation_scores, reference
from dlarch_keras.networks import convolutional_discriminator, convolutional_generator, seed_stream

FRECHET, CLASSES = ("Fréchet distance", "1"), ("effective classes", "classes")
JUDGES = {"MNIST": "mnist", "Fashion-MNIST": "fashion_mnist"}
MINUTES, RECIPE_MINUTES = 10, 100


class Sizes(NamedTuple):
    """Of the full protocol, and of a quick run; None for as many images and epochs as a network trains with."""

    datasets: tuple = ("MNIST", "Fashion-MNIST")
    mnist: str = "full"
    images: int | None = None
    epochs: int | None = None
    drawn: int = IMAGES  # generated images; repeated where they are fewer than are judged
    runs: Path = runner.folder("gan", quick=False)


QUICK = Sizes(("MNIST",), "5k", 192, 1, 100, runner.folder("gan", quick=True))


class Setup(NamedTuple):
    """How a model is trained: `build(seed)` makes it, compiled; on so many images; None: the epochs of 100 minutes."""

    method: str
    build: callable
    batch_size: int
    images: int
    epochs: int | None


@keras.saving.register_keras_serializable("benchmarks")
class Recipe(GAN):
    """keras.io's training step: a discriminator step on real images and fakes, then the generator's on new fakes.

    The tutorial's discriminator says 1 to fakes, and noise of up to .05 is added to both targets, so that those of
    fakes lie above 1. This one says 0 to fakes, so that the noise is taken off, and theirs lie below 0.
    """

    def train_step(self, data):
        real, _, _ = keras.utils.unpack_x_y_sample_weight(data)
        count = ops.shape(real)[0]
        images = ops.concatenate([self.generator(self.sample_noise(count)), real])
        targets = ops.concatenate([ops.zeros((count, 1)), ops.ones((count, 1))])
        targets -= 0.05 * keras.random.uniform(ops.shape(targets), seed=self.seed_generator)
        discriminator_loss, gradients = value_and_grad(
            lambda: cross_entropy(targets, self.discriminator(images)), self.discriminator.trainable_variables
        )
        apply_gradients(self.optimizer["discriminator"], gradients, self.discriminator.trainable_variables)
        noise = self.sample_noise(count)
        generator_loss, gradients = value_and_grad(
            lambda: cross_entropy(1.0, self.discriminator(self.generator(noise))), self.generator.trainable_variables
        )
        apply_gradients(self.optimizer["generator"], gradients, self.generator.trainable_variables)
        return self.log(count, generator_loss=generator_loss, discriminator_loss=discriminator_loss)


def recipe(seed):
    """keras.io's networks and optimizers."""
    code = x = keras.Input((128,))
    x = layers.Reshape((7, 7, 128))(layers.LeakyReLU(0.2)(layers.Dense(7 * 7 * 128)(x)))
    for _ in range(2):
        x = layers.LeakyReLU(0.2)(layers.Conv2DTranspose(128, 4, 2, "same")(x))
    generator = keras.Model(code, layers.Conv2D(1, 7, padding="same", activation="sigmoid")(x))
    images = x = keras.Input(SHAPE)
    for filters in (64, 128):
        x = layers.LeakyReLU(0.2)(layers.Conv2D(filters, 3, 2, "same")(x))
    discriminator = keras.Model(images, layers.Dense(1)(layers.GlobalMaxPooling2D()(x)))
    return compiled(Recipe(generator, discriminator, ema_decay=0.0, seed=seed), 3e-4)


def convolutional(seed):
    """Our networks and optimizers."""
    seeds = seed_stream(seed)
    model = GAN(convolutional_generator(SHAPE, seed=seeds), convolutional_discriminator(SHAPE, seed=seeds))
    return compiled(model, 1e-3, beta_1=0.5)


def compiled(model, rate, **settings):
    """A GAN whose two networks learn at the same rate."""
    model.compile(
        generator_optimizer=keras.optimizers.Adam(rate, **settings),
        discriminator_optimizer=keras.optimizers.Adam(rate, **settings),
    )
    return model


OURS, RECIPE = Setup("GAN", convolutional, 64, 60_000, 12), Setup("keras.io's GAN", recipe, 64, 70_000, None)


def weights(model):
    """Number of those of both networks, without the moving average."""
    return model.generator.count_params() + model.discriminator.count_params()


class Curve(keras.callbacks.Callback):
    """Keeps in a file, after every epoch, what is generated scores.

    Args:
        path: of the CSV file; an interrupted run's is continued.
        drawn: number of images to generate.
        run: `method`, `dataset` and `seed`, which stand in each row.
    """

    def __init__(self, path, drawn, **run):
        super().__init__()
        self.path, self.drawn, self.run = path, drawn, run

    def on_epoch_end(self, epoch, logs=None):
        rows = pd.read_csv(self.path).to_dict("records") if self.path.exists() else []
        rows = [row for row in rows if row["epoch"] <= epoch]  # one more, if killed before the model was saved
        images = np.resize(self.model.generate(self.drawn, seed=0), (IMAGES, *SHAPE))
        scores = generation_scores(images, JUDGES[self.run["dataset"]])
        pd.DataFrame([*rows, {**self.run, "epoch": epoch + 1, **scores}]).to_csv(self.path, index=False)


def curve(setup, dataset, sizes, seed):
    """Train, or go on where a killed run was, or take a finished one.

    Returns:
        A data frame with seconds and scores of each epoch, and the number of weights.
    """
    load = load_fashion_mnist if dataset == "Fashion-MNIST" else partial(load_mnist, sizes.mnist)
    x = np.concatenate([images for images, _ in load()])[: sizes.images or setup.images]  # those of the training first
    epochs = sizes.epochs or setup.epochs or int(60 * RECIPE_MINUTES / paces()[setup.method])
    path, model = sizes.runs / "curves" / f"{setup.method}_{dataset}_{seed}", setup.build(seed)
    scores = Curve(path.with_name(f"{path.name}.csv"), sizes.drawn, method=setup.method, dataset=dataset, seed=seed)
    resume.fit(model, x, path, epochs, [scores], batch_size=setup.batch_size)
    return timed(pd.read_csv(scores.path)), weights(model)


def paces():
    """Seconds of an epoch of each method, as `benchmarks.gan_pace` has measured them."""
    return pd.read_csv(runner.RESULTS / "gan_pace.csv").set_index("method")["value"]


def timed(curves):
    """Curves with the seconds of training until each epoch."""
    return curves.assign(seconds=curves["epoch"] * curves["method"].map(paces()))


def rows_at(epoch, method, dataset, parameters, *metrics):
    """Rows of one epoch of a curve."""
    return runner.rows(method, dataset, {name: epoch[name[0]] for name in metrics}, epoch["seconds"], parameters)


def last_scores(setup, dataset, sizes, seed):
    """Scores after the last epoch."""
    rows, parameters = curve(setup, dataset, sizes, seed)
    return rows_at(rows.iloc[-1], setup.method, dataset, parameters, FRECHET, CLASSES)


def our_scores(dataset, sizes, seed):
    """Scores after the last epoch; and at ten minutes, after the last epoch that ends within them."""
    rows, parameters = curve(OURS, dataset, sizes, seed)
    early = rows[rows["seconds"] <= 60 * MINUTES].iloc[-1]
    last = rows_at(rows.iloc[-1], OURS.method, dataset, parameters, FRECHET, CLASSES)
    return last + rows_at(early, f"GAN, at {MINUTES} minutes", dataset, parameters, FRECHET)


def best(rows):
    """The epoch with the smallest Fréchet distance."""
    return rows.loc[rows["Fréchet distance"].idxmin()]


def recipe_scores(dataset, sizes, seed):
    """Scores of the recipe at its best epoch."""
    rows, parameters = curve(RECIPE, dataset, sizes, seed)
    return rows_at(best(rows), "keras.io's GAN, at its best", dataset, parameters, FRECHET, CLASSES)


def race(dataset, sizes, seed):
    """Our time until the recipe's best Fréchet distance is reached, over the time that the recipe takes to it."""
    (rows, parameters), goal = curve(OURS, dataset, sizes, seed), best(curve(RECIPE, dataset, sizes, 0)[0])
    seconds = seconds_until(rows["seconds"], rows["Fréchet distance"] <= goal["Fréchet distance"])
    figures = {SHARE: seconds / goal["seconds"]}
    return runner.rows("GAN, at the recipe's best", dataset, figures, seconds, parameters)


def real_and_noise(dataset, seed):
    """Fréchet distances of real training images and of noise."""
    ends = reference(JUDGES[dataset])
    found = runner.rows("training images", dataset, {FRECHET: ends.floor})
    return found + runner.rows("uniform noise", dataset, {FRECHET: ends.ceiling})


def write_curves(runs, results):
    """The curves of all runs in one file, `gan_curves.csv`; what others stand there stay."""
    path, kinds = results / "gan_curves.csv", ["method", "dataset", "seed"]
    curves = [pd.read_csv(path)] if path.exists() else []
    curves += [timed(pd.read_csv(each)) for each in (runs / "curves").glob("*.csv")]
    if curves:
        table = pd.concat(curves).drop_duplicates([*kinds, "epoch"], keep="last").sort_values([*kinds, "epoch"])
        table[[*kinds, "epoch", "seconds", FRECHET[0], CLASSES[0]]].round(3).to_csv(path, index=False)


def tasks(quick):
    sizes, found = QUICK if quick else Sizes(), {}
    for dataset in sizes.datasets:
        found[f"GAN, {dataset}"] = partial(our_scores, dataset, sizes)
        found[f"keras.io's network, {dataset}"] = partial(recipe_scores, dataset, sizes)
        found[f"race of the GAN, {dataset}"] = partial(race, dataset, sizes)
        found[f"images of {dataset} and of noise"] = partial(real_and_noise, dataset)
    return found


if __name__ == "__main__":
    runner.main("gan", tasks, finish=write_curves)
