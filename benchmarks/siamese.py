"""Pairs of MNIST digits, the same or not, and a race: `python -m benchmarks.siamese`.

The protocol of keras.io's Siamese tutorial: of every image a pair with another of its digit and one with an image of
another digit; 30,000 training images, the next 30,000 for validation, pairs of the 10,000 test images to report. Ours
trains on the same 30,000 images, and its threshold comes from the validation pairs. Time is the processor's, of
training alone, over the number of cores. That of the tutorial's network is measured in the same process, before and
after ours: so many steps' time, times the 37,500 of its ten epochs. Its own figure is an accuracy of .9577;
`--only keras.io` trains it in full, two and a half minutes of two cores a seed.

The second question is what a distance is worth for digits never seen: trained on 0 to 7, tested on all pairs of the
test images of 8 and 9. Recipes were chosen on the validation images.
"""

from functools import partial
from typing import NamedTuple

import keras
import numpy as np
from keras import layers, ops
from sklearn.decomposition import PCA

from benchmarks.common import runner
from benchmarks.common.race import SHARE, beside
from benchmarks.common.timing import processor_seconds, timed
from benchmarks.common.training import warmed_cosine
from dlarch_keras import BalancedBatches, SiameseNetwork, load_mnist, networks
from dlarch_keras.metrics.verification import all_pairs, equal_error_rate
from dlarch_keras.siamese import euclidean

SHAPE = (28, 28, 1)
PAIRS, UNSEEN = "MNIST, keras.io's pairs", "MNIST, 8 and 9 never seen"
ACCURACY, EER = ("test pair accuracy", "share"), ("EER", "share")


class Sizes(NamedTuple):
    """Of the full protocol, and of a quick run: images to train on, and as many for validation; the recipe's epochs."""

    mnist: str = "full"
    half: int = 30_000
    recipe_epochs: int = 10
    timed_steps: int = 500


QUICK = Sizes("5k", 1000, 1, 5)


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
    seeds = networks.seed_stream(seed)
    inputs = x = keras.Input(SHAPE)
    for filters, size in ((32, 5), (64, 3), (128, 3)):
        x = networks.conv_block(x, filters, size, 2, batch_normalization=True, momentum=0.9, seeds=seeds)
    x = layers.Dense(dim, kernel_initializer=networks.glorot(seeds))(layers.Flatten()(x))
    return keras.Model(inputs, layers.UnitNormalization()(x), name="embedding")


def trained(x, y, seed, epochs=2, classes=10, examples=10):
    """Our network trained on labelled images, and its seconds."""
    model = SiameseNetwork(embedding(seed))
    batches = BalancedBatches(x, y, classes=classes, examples=examples, seed=seed)
    model.compile(keras.optimizers.Adam(warmed_cosine(3e-3, epochs * len(batches), 50)))
    _, seconds = timed(lambda: model.fit(batches, epochs=epochs, shuffle=False, verbose=0), processor_seconds)
    return model, seconds


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


def pair_accuracy(validation, test):
    """Share of test pairs on the right side of the threshold that validation pairs give.

    Args:
        validation, test: `(distances, different)`.
    """
    _, threshold = equal_error_rate(*validation)
    distances, different = test
    return float(np.mean((distances > threshold) == different))


def data(sizes):
    """Images and digits to train on, for validation, and to test on."""
    (x, y), test = load_mnist(sizes.mnist)
    return (x[: sizes.half], y[: sizes.half]), (x[sizes.half :][: sizes.half], y[sizes.half :][: sizes.half]), test


def accuracy(embed, sizes, seed):
    """Accuracy on test pairs of the distances between the vectors that `embed` makes of images."""
    _, *held_out = data(sizes)
    pairs = []
    for number, (x, y) in enumerate(held_out, 1):
        codes, (a, b, different) = embed(x), pairs_of(y, seed + number)
        pairs.append((np.linalg.norm(codes[a] - codes[b], axis=1), different))
    return pair_accuracy(*pairs)


def recipe_pairs(x, y, seed):
    """As keras.io's network takes them: `[a, b]`, pixels from 0 to 255, and which are different."""
    a, b, different = pairs_of(y, seed)
    return [255 * x[a], 255 * x[b]], different.astype("float32")


def keras_io(sizes, seed):
    """keras.io's recipe, trained in full."""
    train, _, (x_test, y_test) = data(sizes)
    model, (inputs, kind) = recipe(), recipe_pairs(*train, seed)
    fit = partial(model.fit, inputs, kind, batch_size=16, epochs=sizes.recipe_epochs, verbose=0)
    _, seconds = timed(fit, processor_seconds)
    inputs, different = recipe_pairs(x_test, y_test, seed + 2)
    right = np.mean((model.predict(inputs, batch_size=1000, verbose=0)[:, 0] > 0.5) == different)
    return runner.rows("keras.io's network", PAIRS, {ACCURACY: right}, seconds, model.count_params())


def race(sizes, seed):
    """Ours beside keras.io's recipe."""
    train, *_ = data(sizes)
    theirs, (inputs, kind) = recipe(), recipe_pairs(*train, seed)

    def recipe_seconds(steps=sizes.timed_steps):
        part = [each[: 16 * steps] for each in (*inputs, kind)]
        _, seconds = timed(lambda: theirs.fit(part[:2], part[2], batch_size=16, verbose=0), processor_seconds)
        return seconds / steps * 10 * len(kind) / 16

    recipe_seconds(50)  # compiles
    model, seconds, share = beside(recipe_seconds, lambda: trained(*train, seed))
    figures = {ACCURACY: accuracy(model.embed, sizes, seed), SHARE: share}
    return runner.rows("Siamese network", PAIRS, figures, seconds, model.count_params())


def flat(x):
    return x.reshape(len(x), -1)


def pixels(sizes, seed):
    return runner.rows("pixel distance", PAIRS, {ACCURACY: accuracy(flat, sizes, seed)})


def unseen_digits(method, sizes, seed):
    """Equal error rate of all pairs of the test images of 8 and 9."""
    (x, y), (x_test, y_test) = load_mnist(sizes.mnist)
    known, new = y < 8, y_test > 7
    embed, seconds, parameters = flat, 0.0, 0
    if method == "PCA":
        pca, seconds = timed(lambda: PCA(32, random_state=seed).fit(flat(x[known])), processor_seconds)
        embed, parameters = lambda images: pca.transform(flat(images)), pca.components_.size
    elif method == "Siamese network":
        model, seconds = trained(x[known], y[known], seed, epochs=1, classes=8, examples=12)
        embed, parameters = model.embed, model.count_params()
    rate, _ = equal_error_rate(*all_pairs(embed(x_test[new]), y_test[new]))
    return runner.rows(method, UNSEEN, {EER: rate}, seconds, parameters)


def tasks(quick):
    sizes = QUICK if quick else Sizes()
    pairs = {"keras.io's network": keras_io, "Siamese network": race, "pixel distance": pixels}
    found = {f"{name}, pairs": partial(run, sizes) for name, run in pairs.items()}
    methods = ("Siamese network", "PCA", "pixel distance")
    return found | {f"{name}, unseen digits": partial(unseen_digits, name, sizes) for name in methods}


if __name__ == "__main__":
    runner.main("siamese", tasks)
