"""Offline signature verification: whether a scanned signature is by the person whose name it bears.

One network embeds the signatures of all writers (writer-independent: those of people it has never met, too); a
signature is accepted if it lies close to a person's enrolled references. Bromley et al., "Signature verification using
a Siamese time delay neural network", NIPS 1993; Dey et al., "SigNet: convolutional Siamese network for writer
independent offline signature verification", 2017; the roles of skilled and random forgeries as in Hafemann, Sabourin &
Oliveira, "Offline handwritten signature verification - literature review", 2017.
"""

import math
from typing import NamedTuple

import keras
import numpy as np
from keras import layers
from PIL import Image

from . import checks
from .metrics.verification import equal_error_rate
from .siamese import NTXentLoss, SiameseNetwork
from .training import forward

REFERENCES = 5


def signature_embedding(image_shape=(64, 128, 1), filters=(32, 48, 64, 96, 128), embedding_dim=128, dropout=0.3, seed=None):
    """3×3 convolutions, all but the first followed by max pooling, then one dense layer to a code of length 1.

    Args:
        image_shape: of one image.
        filters: channels of each convolution. The first has 5×5 weights and a stride of 2.
        embedding_dim: length of the code.
        dropout: share of the last features left out in training.
        seed: integer, or None for different weights each time.

    Returns:
        `keras.Model`: `(n, *image_shape)` → `(n, embedding_dim)`.
    """
    seeds = iter(np.random.SeedSequence(seed).generate_state(len(filters) + 2).tolist())
    inputs = x = keras.Input(image_shape)
    for number, channels in enumerate(filters):
        kernel, stride = (3, 1) if number else (5, 2)
        initializer = keras.initializers.HeNormal(next(seeds))
        x = layers.Conv2D(channels, kernel, stride, "same", use_bias=False, kernel_initializer=initializer)(x)
        x = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))
        if number:
            x = layers.MaxPooling2D(2, padding="same")(x)
    x = layers.Dropout(dropout, seed=next(seeds))(layers.Flatten()(x))
    x = layers.Dense(embedding_dim, kernel_initializer=keras.initializers.GlorotUniform(next(seeds)))(x)
    return keras.Model(inputs, layers.UnitNormalization(dtype="float32")(x), name="embedding")


class Trials(NamedTuple):
    """Comparisons of a signature with a writer's references, as `verification_trials` makes them."""

    distances: np.ndarray  # (n,) floats
    kinds: np.ndarray  # (n,) "genuine", "skilled" or "random"
    writers: np.ndarray  # (n,) the writer that the signature claims to be of

    def pairs(self, kind):
        """`(distances, different, writers)` of the genuine trials and the forged ones of a kind, for error rates."""
        rows = np.isin(self.kinds, ("genuine", kind))
        return self.distances[rows], (self.kinds[rows] == kind).astype(int), self.writers[rows]


def reference_distance(embeddings, references):
    """How far signatures are from a writer's references: the mean of the distances to each, `(n,)`."""
    return np.linalg.norm(embeddings[:, None] - references[None], axis=-1).mean(axis=1)


def verification_trials(embeddings, writers, forged, references=REFERENCES, seed=0, distance=reference_distance):
    """Compare signatures with references of each writer, as a bank would.

    Some genuine signatures of each writer, drawn at random, are references. The others are genuine trials, the writer's
    forgeries skilled ones, and one genuine signature of each other writer a random forgery.

    Args:
        embeddings: `(n, d)`.
        writers: `(n,)` labels.
        forged: `(n,)` booleans.
        references: how many a writer has; those with no more genuine signatures than that have one less than they have.
        seed: integer.
        distance: function of `(m, d)` embeddings and `(k, d)` references, → `(m,)`.

    Returns:
        `Trials`.
    """
    rng = np.random.default_rng(seed)
    names = np.unique(writers)
    genuine = {name: rng.permutation(np.flatnonzero((writers == name) & ~forged)) for name in names}
    rows = []
    for name in names:
        count = min(references, len(genuine[name]) - 1)
        known, own = embeddings[genuine[name][:count]], genuine[name][count:]
        others = [genuine[other][-1] for other in names if other != name]
        for kind, queries in (
            ("genuine", own),
            ("skilled", np.flatnonzero((writers == name) & forged)),
            ("random", others),
        ):
            if len(queries):
                rows += [(value, kind, name) for value in distance(embeddings[queries], known)]
    distances, kinds, claimed = zip(*rows)
    return Trials(np.array(distances), np.array(kinds), np.array(claimed))


class WriterBatches(keras.utils.PyDataset):
    """Batches of some writers, each with genuine signatures and forgeries, as classes of their own.

    The forgeries of writer k are class 2 k + 1, next to class 2 k: what is hardest to tell apart is always in one batch.
    """

    def __init__(self, images, writers, forged, classes=16, genuine=4, skilled=2, steps=20, seed=0, **kwargs):
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
            own = rng.choice(genuine, self.genuine + self.skilled - skilled, replace=False)
            rows += [own, rng.choice(forged, skilled, replace=False)]
            labels += [2 * name] * len(own) + [2 * name + 1] * skilled
        return augment_signatures(self.images[np.concatenate(rows)], rng), np.array(labels)

    def on_epoch_end(self):
        self.epoch += 1


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
