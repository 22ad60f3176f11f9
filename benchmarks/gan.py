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

    python -m benchmarks.gan --only "recipe's best" --seeds 1  # 3½ hours
    python -m benchmarks.gan --only "GAN, MNIST" --seeds 5
    python -m benchmarks.gan --only "GAN, Fashion-MNIST" --seeds 3
    python -m benchmarks.gan --only images --seeds 1
"""

from functools import cache, partial
from importlib.resources import files
from typing import NamedTuple

import keras
import numpy as np
import pandas as pd
from keras import layers

from benchmarks import runner
from dlarch_keras import GAN, gan
from dlarch_keras.adversarial import cross_entropy
from dlarch_keras.datasets import load_fashion_mnist, load_mnist
from dlarch_keras.metrics.features import IMAGES, SHAPE, generation_scores, reference
from dlarch_keras.core import value_and_grad

DATASETS = {"MNIST": ("mnist", partial(load_mnist, runner.size("full", "5k")))}
DATASETS |= runner.size({"Fashion-MNIST": ("fashion_mnist", load_fashion_mnist)}, {})
EPOCHS = 12
DRAWN = runner.size(IMAGES, 100)  # generated images; repeated where they are fewer than are judged
METRICS = ("Fréchet distance", "effective classes")
TIME = "share of the recipe's time to its best"
MINUTES, RECIPE_MINUTES = 10, 100


class Setup(NamedTuple):
    """How a model is trained: `build(seed)` makes it, compiled; on so many images."""

    build: callable
    batch_size: int
    images: int


class Curve(keras.callbacks.Callback):
    """Keeps in a file, after every epoch, what is generated scores.

    Args:
        path: of the CSV file; an interrupted run's is continued.
        dataset: of `generation_scores`.
    """

    def __init__(self, path, dataset):
        super().__init__()
        self.path, self.dataset = path, dataset

    def on_epoch_end(self, epoch, logs=None):
        rows = pd.read_csv(self.path).to_dict("records") if self.path.exists() else []
        rows = [row for row in rows if row["epoch"] <= epoch]  # one more, if killed before the model was saved
        images = np.resize(self.model.generate(DRAWN, seed=0), (IMAGES, *SHAPE))
        scores = generation_scores(images, self.dataset)
        pd.DataFrame([*rows, {"epoch": epoch + 1, **scores}]).to_csv(self.path, index=False)


def curve(model, x, name, dataset, epochs, batch_size):
    """Train a compiled model, or go on where it was; its `Curve`, a data frame.

    Args:
        name: of the file without its ending; a finished run is not repeated.
    """
    x, epochs = runner.size((x, epochs), (x[:192], 1))
    path = runner.RUNS / "gan" / f"{name}.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = pd.read_csv(path) if path.exists() else None
    if rows is None or rows["epoch"].iloc[-1] < epochs:
        callbacks = [Curve(path, dataset), keras.callbacks.BackupAndRestore(path.with_suffix(".backup"))]
        model.fit(x, batch_size=batch_size, epochs=epochs, verbose=0, callbacks=callbacks)
    return pd.read_csv(path)


@keras.saving.register_keras_serializable("benchmarks")
class Recipe(gan.GenerativeModel):
    """keras.io's training step: a discriminator step on real images and fakes, then the generator's on new fakes.

    The tutorial's discriminator says 1 to fakes, and noise of up to .05 is added to both targets, so that those of
    fakes lie above 1. This one says 0 to fakes, so that the noise is taken off, and theirs lie below 0.
    """

    def __init__(self, generator, discriminator, seed=None, **kwargs):
        super().__init__(**kwargs)
        self._set_networks(generator, discriminator, 0.0, seed)
        self._track("generator_loss", "discriminator_loss")

    def compile(self, generator_optimizer=None, discriminator_optimizer=None, **kwargs):
        self._compile_pair(generator_optimizer, discriminator_optimizer, **kwargs)

    def train_step(self, data):
        real, _, _ = keras.utils.unpack_x_y_sample_weight(data)
        count = keras.ops.shape(real)[0]
        images = keras.ops.concatenate([self.generator(self.noise(count)), real])
        targets = keras.ops.concatenate([keras.ops.zeros((count, 1)), keras.ops.ones((count, 1))])
        targets -= 0.05 * keras.random.uniform(keras.ops.shape(targets), seed=self.seed_generator)
        discriminator_loss = self._step("discriminator", lambda: cross_entropy(targets, self.discriminator(images)))
        noise = self.noise(count)
        loss = self._step("generator", lambda: cross_entropy(1.0, self.discriminator(self.generator(noise))))
        self._update_average()
        return self._logged((loss, discriminator_loss), count)

    def _step(self, name, loss):
        variables = getattr(self, name).trainable_variables
        value, gradients = value_and_grad(loss, variables)
        self._descend(name, gradients)
        return value


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
    model = Recipe(generator, keras.Model(images, layers.Dense(1)(layers.GlobalMaxPooling2D()(x))), seed=seed)
    model.compile(keras.optimizers.Adam(3e-4), keras.optimizers.Adam(3e-4))
    return model


def convolutional(seed):
    """Our networks and optimizers."""
    model = GAN(gan.convolutional_generator(SHAPE, seed=seed), gan.convolutional_discriminator(SHAPE, seed=seed + 1000))
    model.compile(keras.optimizers.Adam(1e-3, 0.5), keras.optimizers.Adam(1e-3, 0.5))
    return model


def weights(model):
    """Number of those of both networks, without the moving average."""
    return model.generator.count_params() + model.judge.count_params()


OURS, RECIPE = Setup(convolutional, 64, 60_000), Setup(recipe, 64, 70_000)


def timed(rows, run):
    """A curve with the seconds of training until each epoch, for the function that builds the model, by its name."""
    pace = pd.read_csv(files("dlarch_keras") / "results" / "gan_pace.csv").set_index("task")["value"]
    return rows.assign(seconds=rows["epoch"] * pace[run])


@cache
def trained(setup, epochs, dataset, seed):
    """The curve of a model on the first images of a dataset, those of the training first, and its number of weights."""
    judge, load = DATASETS[dataset]
    x = np.concatenate([images for images, _ in load()])[: setup.images]
    model, run = setup.build(seed), setup.build.__name__
    rows = curve(model, x, f"{run}_{dataset}_{seed}", judge, epochs, setup.batch_size)
    return timed(rows, run), weights(model)


ours = partial(trained, OURS, EPOCHS)


def theirs(dataset, seed=0):
    """The curve of keras.io's model, and its number of weights."""
    (first,) = timed(pd.DataFrame({"epoch": [1]}), "recipe")["seconds"]
    return trained(RECIPE, int(60 * RECIPE_MINUTES / first), dataset, seed)


def best(rows):
    return rows.loc[rows["Fréchet distance"].idxmin()]


def last_task(dataset, metric, run):
    """A score after the last epoch."""

    def task(seed):
        rows, parameters = run(dataset, seed)
        return result(dataset, metric, rows.iloc[-1], parameters)

    return task


def early_task(dataset):
    """Our Fréchet distance at ten minutes: after the last epoch that ends within them."""

    def task(seed):
        rows, parameters = ours(dataset, seed)
        return result(dataset, METRICS[0], rows[rows["seconds"] <= 60 * MINUTES].iloc[-1], parameters)

    return task


def best_task(dataset, metric):
    """A score of the recipe at the epoch with its best Fréchet distance."""
    return lambda seed: result(dataset, metric, best(theirs(dataset, seed)[0]), theirs(dataset, seed)[1])


def time_task(dataset):
    """Our time until the recipe's best Fréchet distance is reached, over the time that the recipe takes to it."""

    def task(seed):
        (rows, parameters), goal = ours(dataset, seed), best(theirs(dataset)[0])
        seconds = rows[rows["Fréchet distance"] <= goal["Fréchet distance"]]["seconds"]
        reached = seconds.min() if len(seconds) else np.inf  # which a mean over seeds keeps
        row = {TIME: reached / goal["seconds"], "seconds": reached}
        return result(dataset, TIME, row, parameters)

    return task


def reference_task(dataset, kind):
    """The Fréchet distance of real training images, the "floor", or of noise, the "ceiling"."""
    judge, _ = DATASETS[dataset]
    return lambda seed: runner.row(dataset, METRICS[0], getattr(reference(judge), kind), 0, 0)


def result(dataset, metric, row, parameters):
    return runner.row(dataset, metric, row[metric], row["seconds"], parameters)


def tasks_of(name, run):
    """Scores of a model on both datasets."""
    return {f"{name}, {each}, {metric}": last_task(each, metric, run) for each in DATASETS for metric in METRICS}


def write_curves(folder=runner.RUNS / "gan", results=runner.RESULTS):
    """The curves of all runs in one file, `gan_curves.csv`; what others stand there stay."""
    path, kinds = results / "gan_curves.csv", ["run", "dataset", "seed"]
    curves = dict(iter(pd.read_csv(path).groupby(kinds))) if path.exists() else {}
    for each in folder.glob("*.csv"):
        run, dataset, seed = each.stem.rsplit("_", 2)
        curves[run, dataset, int(seed)] = pd.read_csv(each).assign(run=run, dataset=dataset, seed=int(seed))
    pd.concat(timed(curves[kind], kind[0]) for kind in sorted(curves)).round(3).to_csv(path, index=False)


TASKS = tasks_of("GAN", ours)
TASKS |= {f"recipe's best, {each}, {metric}": best_task(each, metric) for each in DATASETS for metric in METRICS}
TASKS |= {f"GAN at {MINUTES} minutes, {each}, {METRICS[0]}": early_task(each) for each in DATASETS}
TASKS |= {f"GAN, {each}, {TIME}": time_task(each) for each in DATASETS}
TASKS |= {
    f"{images} images, {each}, {METRICS[0]}": reference_task(each, kind)
    for images, kind in {"training": "floor", "noise": "ceiling"}.items()
    for each in DATASETS
}

if __name__ == "__main__":
    runner.main("gan", TASKS)
    write_curves()
