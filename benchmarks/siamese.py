"""Pairs of MNIST digits, the same or not, and a race: `python -m benchmarks.siamese`.

The protocol of keras.io's Siamese tutorial: of every image a pair with another of its digit and one with an image of
another digit; 30,000 training images, the next 30,000 for validation, pairs of the 10,000 test images to report. Ours
trains on the same 30,000 images, and its threshold comes from the validation pairs. Time is the processor's, of
training alone, over the number of cores. That of the tutorial's network is measured in the same process, before and
after ours: so many steps' time, times the 37,500 of its ten epochs. Its own figure is an accuracy of .9577;
`--only recipe` trains it in full, two and a half minutes of two cores a seed.

The second question is what a distance is worth for digits never seen: trained on 0 to 7, tested on all pairs of the
test images of 8 and 9. Recipes were chosen on the validation images.
"""

from functools import cache

import keras
import numpy as np
from keras import layers, ops
from sklearn.decomposition import PCA

from benchmarks import runner
from dlarch_keras import BalancedBatches, SiameseNetwork, load_mnist, networks
from dlarch_keras.metrics.verification import all_pairs, equal_error_rate
from dlarch_keras.siamese import euclidean

SHAPE = (28, 28, 1)
BATCH = {"classes": 10, "examples": 10}
MNIST = runner.size("full", "5k")
HALF = runner.size(30_000, 1000)  # images to train on, and as many for validation
WARMUP = runner.size(50, 2)


def recipe():
    """keras.io's two towers, and its loss: the contrastive one, of a sigmoid."""
    inputs = x = keras.Input(SHAPE)
    x = layers.BatchNormalization()(x)
    for filters in (4, 16):
        x = layers.AveragePooling2D(2)(layers.Conv2D(filters, 5, activation="tanh")(x))
    x = layers.Dense(10, activation="tanh")(layers.BatchNormalization()(layers.Flatten()(x)))
    tower = keras.Model(inputs, x)
    a, b = keras.Input(SHAPE), keras.Input(SHAPE)
    distance = layers.BatchNormalization()(ops.expand_dims(euclidean(tower(a), tower(b)), 1))
    model = keras.Model([a, b], layers.Dense(1, activation="sigmoid")(distance))

    def loss(y, outputs):
        return ops.mean((1 - y) * ops.square(outputs) + y * ops.square(ops.relu(1 - outputs)))

    model.compile(keras.optimizers.RMSprop(), loss)
    return model


def embedding(seed, dim=32):
    """Three convolutions of stride 2 with BatchNorm, and a dense layer to an embedding of length 1."""
    hidden = networks.HiddenLayers("relu", True, seed, momentum=0.9)
    inputs = x = keras.Input(SHAPE)
    for filters, size in ((32, 5), (64, 3), (128, 3)):
        x = hidden(layers.Conv2D, x, filters, size, 2, "same")
    x = layers.Dense(dim, kernel_initializer=hidden.initializer())(layers.Flatten()(x))
    return keras.Model(inputs, layers.UnitNormalization()(x), name="embedding")


def trained(x, y, seed, epochs=2, rate=3e-3, **batch):
    """Our network trained on labelled images, and its seconds."""
    model = SiameseNetwork(embedding(seed))
    batches = BalancedBatches(x, y, **{**BATCH, **batch}, seed=seed)
    steps = epochs * len(batches)
    schedule = keras.optimizers.schedules.CosineDecay(
        rate / 10, steps - WARMUP, 0.01, warmup_target=rate, warmup_steps=WARMUP
    )
    model.compile(keras.optimizers.Adam(schedule))
    return model, seconds(lambda: model.fit(batches, epochs=epochs, shuffle=False, verbose=0))


def seconds(train):
    """Processor time of a call, over the number of cores."""
    start = runner.processor_seconds()
    train()
    return runner.processor_seconds() - start


def pairs_of(y, seed):
    """Row numbers of pairs, and which are different: for each image one of its own digit and one of another.

    Returns:
        Integer arrays `a`, `b` and `different`, `(2 n,)` each.
    """
    random = np.random.default_rng(seed)
    rows = [np.flatnonzero(y == digit) for digit in range(10)]
    a, different = np.repeat(np.arange(len(y)), 2), np.tile([0, 1], len(y))
    digits = (y[a] + different * random.integers(1, 10, len(a))) % 10
    return a, np.array([random.choice(rows[digit]) for digit in digits]), different


def pair_distances(codes, pairs):
    """Distances of pairs of rows, and which pairs are different."""
    a, b, different = pairs
    return np.linalg.norm(codes[a] - codes[b], axis=1), different


def pair_accuracy(validation, test):
    """Share of test pairs on the right side of the threshold that validation pairs give.

    Args:
        validation, test: `(distances, different)`.
    """
    _, threshold = equal_error_rate(*validation)
    distances, different = test
    return float(np.mean((distances > threshold) == different))


@cache
def data(seed):
    """Training, validation and test images with their digits, and pairs of the last two."""
    (x, y), (x_test, y_test) = load_mnist(MNIST)
    parts = (x[:HALF], y[:HALF]), (x[HALF : 2 * HALF], y[HALF : 2 * HALF]), (x_test, y_test)
    return parts, pairs_of(parts[1][1], seed + 1), pairs_of(y_test, seed + 2)


def recipe_data(seed):
    """Training pairs as keras.io's network takes them: `[a, b]`, pixels from 0 to 255, and which are different."""
    ((x, y), _, _), _, _ = data(seed)
    a, b, different = pairs_of(y, seed)
    return [255 * x[a], 255 * x[b]], different.astype("float32")


def recipe_race(seed):
    """Accuracy, seconds and parameters of keras.io's recipe, trained in full."""
    model, (inputs, kind) = recipe(), recipe_data(seed)
    time_ = seconds(lambda: model.fit(inputs, kind, batch_size=16, epochs=runner.size(10, 1), verbose=0))
    (_, _, (x_test, _)), _, (a, b, different) = data(seed)
    outputs = model.predict([255 * x_test[a], 255 * x_test[b]], batch_size=1000, verbose=0)[:, 0]
    return float(np.mean((outputs > 0.5) == different)), time_, model.count_params()


def recipe_seconds(model, inputs, kind, steps=500):
    """What ten epochs of keras.io's recipe would take, by the time of so many steps."""
    steps = runner.size(steps, 5)
    rows = 16 * steps
    part = [each[:rows] for each in inputs]
    spent = seconds(lambda: model.fit(part, kind[:rows], batch_size=16, verbose=0))
    return spent / steps * 10 * len(kind) / 16


@cache
def our_race(seed):
    """Accuracy, seconds and parameters of ours, and the recipe's seconds before and after."""
    ((x, y), (x_val, _), (x_test, _)), validation, test = data(seed)
    theirs, pairs = recipe(), recipe_data(seed)
    recipe_seconds(theirs, *pairs, steps=50)  # compiles
    before = recipe_seconds(theirs, *pairs)
    model, time_ = trained(x, y, seed)
    after = recipe_seconds(theirs, *pairs)
    pairs = [pair_distances(model.embed(images), p) for images, p in ((x_val, validation), (x_test, test))]
    return pair_accuracy(*pairs), time_, model.count_params(), (before + after) / 2


def accuracy_task(run):
    def task(seed):
        accuracy, time_, parameters, *_ = run(seed)
        return runner.row("MNIST, keras.io's pairs", "test pair accuracy", accuracy, time_, parameters)

    return task


def share(seed):
    _, ours, parameters, theirs = our_race(seed)
    return runner.row("MNIST, keras.io's pairs", "share of the recipe's seconds", ours / theirs, ours, parameters)


def pixels(seed):
    ((_, (x_val, _), (x_test, _)), validation, test) = data(seed)
    pairs = [pair_distances(images.reshape(-1, 784), p) for images, p in ((x_val, validation), (x_test, test))]
    return runner.row("MNIST, keras.io's pairs", "test pair accuracy", pair_accuracy(*pairs), 0.0, 0)


@cache
def without_8_and_9(seed):
    """Ours, trained on the digits 0 to 7 of the 60,000, and its seconds."""
    (x, y), _ = load_mnist(MNIST)
    return trained(x[y < 8], y[y < 8], seed, epochs=1, classes=8, examples=12)


def unseen_task(embed):
    """EER of all pairs of the test images of 8 and 9; `embed(images, seed)` gives codes, seconds and parameters."""

    def task(seed):
        _, (x_test, y_test) = load_mnist(MNIST)
        codes, time_, parameters = embed(x_test[y_test > 7], seed)
        rate, _ = equal_error_rate(*all_pairs(codes, y_test[y_test > 7]))
        return runner.row("MNIST, 8 and 9 never seen", "EER of their pairs", rate, time_, parameters)

    return task


def our_codes(images, seed):
    model, time_ = without_8_and_9(seed)
    return model.embed(images), time_, model.count_params()


def principal_components(images, seed):
    (x, y), _ = load_mnist(MNIST)
    pca = PCA(32, random_state=seed)
    time_ = seconds(lambda: pca.fit(x[y < 8].reshape(-1, 784)))
    return pca.transform(images.reshape(-1, 784)), time_, pca.components_.size


TASKS = {
    "keras.io's recipe": accuracy_task(recipe_race),
    "SiameseNetwork": accuracy_task(our_race),
    "SiameseNetwork, time": share,
    "pixel distance": pixels,
    "unseen digits, ours": unseen_task(our_codes),
    "unseen digits, PCA": unseen_task(principal_components),
    "unseen digits, pixel distance": unseen_task(lambda images, seed: (images.reshape(-1, 784), 0.0, 0)),
}

if __name__ == "__main__":
    runner.main("siamese", TASKS)
