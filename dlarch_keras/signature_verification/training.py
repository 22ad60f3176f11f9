"""Training on the signatures of many writers, stopped by others: those who are held back."""

import math

import keras
import numpy as np
from PIL import Image

from ..core import forward, validation
from ..one_shot.losses import NTXentLoss
from ..siamese import SiameseNetwork
from .network import signature_embedding
from .trials import check_signatures, check_writers, development_error

RATE = 3e-3  # of AdamW, at its peak
LOSS = NTXentLoss(0.1)


def train_signature_network(
    images, writers, forged=None, development=0.2, epochs=24, steps=20, network=None, seed=0, verbose=0, callbacks=()
):
    """Train a writer-independent network, and stop before it knows its writers by heart.

        network, held_back = train_signature_network(*load_signatures("folder"))

    After each epoch the weights are averaged with those of the epochs before, and the average is judged by the equal
    error rates of writers that are held back, skilled and random forgeries each half. The best average is kept.

    Args:
        images: `(n, height, width, 1)`, as `datasets.preprocess_signature` makes them.
        writers: `(n,)` labels, integers or text: 4 or more writers, 2 genuine signatures or more of each; 3 are better.
        forged: `(n,)` booleans; None if all are genuine. Where there are forgeries, they are classes of their own.
        development: share of the writers to hold back.
        epochs: number of epochs; the learning rate falls to 0 along them.
        steps: batches an epoch, each of up to 16 writers with 6 signatures.
        network: `SiameseNetwork` to train further; None for a new one.
        seed: integer, for the split, the weights and the batches.
        verbose: as in `fit`.
        callbacks: Keras callbacks; each epoch's logs hold the average's error as `development_error`.

    Returns:
        `(network, held_back)`: a compiled `SiameseNetwork`, and the rows of the development writers, `(n,)` booleans:
        calibrate a `SignatureVerifier` on those.

    Raises:
        ValueError: for bad arrays or numbers, or too few writers or signatures.
    """
    images, writers, forged = check_signatures(images, writers, forged)
    validation.positive_int("epochs", epochs)
    validation.positive_int("steps", steps)
    validation.non_negative_int("seed", seed)
    held_back = split_writers(writers, development, seed)
    if network is None:
        network = SiameseNetwork(signature_embedding(images.shape[1:], seed=seed), LOSS)
    if not isinstance(network, SiameseNetwork) or network.embedding.input_shape[1:] != images.shape[1:]:
        raise ValueError(f"`network` must be a SiameseNetwork on images {images.shape[1:]}, got {network!r}.")
    falling = max(1, (epochs - 1) * steps)  # after one epoch in which it rises
    rate = keras.optimizers.schedules.CosineDecay(RATE / 3, falling, warmup_target=RATE, warmup_steps=steps)
    network.compile(keras.optimizers.AdamW(rate, weight_decay=1e-4))
    training = (part[~held_back] for part in (images, writers, forged))
    judge = BestAverage(network, *(part[held_back] for part in (images, writers, forged)))
    batches = WriterBatches(*training, steps=steps, seed=seed)
    network.fit(batches, epochs=epochs, shuffle=False, verbose=verbose, callbacks=[judge, *callbacks])
    return network, held_back


class BestAverage(keras.callbacks.Callback):
    """Averages the weights after each epoch, judges the average on development writers, and leaves the best one.

    Args:
        network: `SiameseNetwork`.
        images, writers, forged: of the development writers.
        decay: weight of the earlier epochs' average, in [0, 1).
    """

    def __init__(self, network, images, writers, forged, decay=0.7):
        super().__init__()
        self.images, self.writers, self.forged, self.decay = images, writers, forged, decay
        self.averaged = keras.models.clone_model(network.embedding)
        self.average, self.best, self.best_error, self.history = None, None, math.inf, []

    def on_epoch_end(self, epoch, logs=None):
        weights = self.model.embedding.get_weights()
        share = max(1 - self.decay, 1 / (len(self.history) + 1))
        average = self.average or weights
        self.average = [mean + share * (weight - mean) for mean, weight in zip(average, weights)]
        self.averaged.set_weights(self.average)
        embeddings = forward(self.averaged, self.images, 256)
        self.history.append(np.mean([development_error(embeddings, self.writers, self.forged, k) for k in range(3)]))
        if self.history[-1] < self.best_error:
            self.best, self.best_error = self.average, self.history[-1]
        logs["development_error"] = self.history[-1]

    def on_train_end(self, logs=None):
        self.model.embedding.set_weights(self.best)


class WriterBatches(keras.utils.PyDataset):
    """Batches of some writers, each with genuine signatures and forgeries, as classes of their own.

    The forgeries of writer k are class 2 k + 1, next to class 2 k: what is hard to tell apart is always in one batch.
    """

    def __init__(self, images, writers, forged, classes=16, genuine=3, skilled=3, steps=20, seed=0, **kwargs):
        super().__init__(**kwargs)
        self.images, self.steps, self.seed, self.epoch = images, steps, seed, 0
        names = np.unique(writers)
        self.rows = [[np.flatnonzero((writers == n) & (forged == f)) for f in (False, True)] for n in names]
        self.classes = min(classes, len(names))
        self.genuine, self.skilled = genuine, skilled

    def __len__(self):
        return self.steps

    def __getitem__(self, index):
        rng = np.random.default_rng([self.seed, self.epoch, index])
        rows, labels = [], []
        for name in rng.choice(len(self.rows), self.classes, replace=False):
            genuine, forged = self.rows[name]
            skilled = min(self.skilled, len(forged))
            count = self.genuine + self.skilled - skilled
            own = rng.choice(genuine, count, replace=len(genuine) < count)
            rows += [own, rng.choice(forged, skilled, replace=False)]
            labels += [2 * name] * len(own) + [2 * name + 1] * skilled
        return augment_signatures(self.images[np.concatenate(rows)], rng), np.array(labels)

    def on_epoch_end(self):
        self.epoch += 1


def split_writers(writers, share=0.2, seed=0):
    """Hold back some writers with all their signatures and forgeries: no writer is on both sides.

    Args:
        writers: `(n,)` labels, of 4 or more writers.
        share: of the writers to hold back, between 0 and 1; at least two are, and two remain.
        seed: integer.

    Returns:
        `(n,)` booleans, True for the rows held back.
    """
    names = np.unique(check_writers(writers))
    share = validation.number("share", share, above=0, below=1)
    if len(names) < 4:
        raise ValueError(f"`writers` must be 4 or more to be split, got {len(names)}.")
    count = min(max(2, round(share * len(names))), len(names) - 2)
    return np.isin(writers, validation.random("seed", seed).choice(names, count, replace=False))


def augment_signatures(images, rng):
    """Each image turned, sheared, scaled and moved a little, its strokes paler or darker, thinner or thicker."""
    height, width = images.shape[1:3]
    out = np.empty_like(images)
    for number, image in enumerate(images[..., 0]):
        turn, shear = rng.normal(0, 0.05, 2)
        wide, high = rng.lognormal(0, 0.06, 2)
        matrix = np.array([[math.cos(turn), math.sin(turn) + shear], [-math.sin(turn), math.cos(turn)]])
        matrix /= [[wide], [high]]
        middle = np.array([width, height]) / 2
        shift = middle - matrix @ middle + rng.normal(0, 2, 2)
        coefficients = (*matrix[0], shift[0], *matrix[1], shift[1])
        moved = Image.fromarray(image).transform((width, height), Image.Transform.AFFINE, coefficients, 2)
        out[number, ..., 0] = moved
    power = np.exp(rng.uniform(-0.5, 0.5, (len(images), 1, 1, 1))).astype("float32")
    return out.clip(0, 1) ** power
