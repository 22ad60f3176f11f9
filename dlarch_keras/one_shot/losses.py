"""Losses that compare a whole batch: triplets, and the choice of one among many."""

import keras
import numpy as np
from keras import ops

from ..core import validation
from ..siamese import PairLoss, similar_pairs, weighted_mean


@keras.saving.register_keras_serializable("dlarch_keras")
class TripletLoss(PairLoss):
    """An example shall be closer to its like than to any other, by a margin on squared distances.

    max(0, d(a, p)² - d(a, n)² + margin), a mean over all similar pairs (a, p) of the batch. The negative n is
    semi-hard: the nearest of those farther from a than p is, or, if there is none, the farthest of all. Schroff,
    Kalenichenko & Philbin, "FaceNet", CVPR 2015, where embeddings have length 1 (`keras.layers.UnitNormalization`).
    Memory grows with the cube of the batch: 64 MB for 256 examples.

    Args:
        margin: greater than 0.
    """

    def __init__(self, margin=0.2):
        self.margin = validation.number("margin", margin, above=0)

    def __call__(self, distances, different):
        different = ops.cast(different, "float32")
        squared = ops.square(distances)
        positive, negative = squared[:, :, None], squared[:, None, :]
        is_farther = ops.logical_and(different[:, None, :] > 0, negative > positive)
        nearest_farther = ops.min(ops.where(is_farther, negative, np.inf), axis=-1)
        farthest = ops.max(different * squared, axis=-1, keepdims=True)
        chosen = ops.where(ops.any(is_farther, axis=-1), nearest_farther, farthest)
        has_negative = ops.max(different, axis=-1, keepdims=True)
        return weighted_mean(ops.relu(squared - chosen + self.margin), similar_pairs(different) * has_negative)

    def compared(self, different):
        return super().compared(different) * ops.max(ops.cast(different, "float32"), axis=-1)


@keras.saving.register_keras_serializable("dlarch_keras")
class NTXentLoss(PairLoss):
    """Among all others in the batch, an example shall pick out its like: a cross-entropy over -d² / (2 temperature).

    For embeddings of length 1 (`keras.layers.UnitNormalization`) these logits are the cosine over the temperature, up
    to a constant, and the loss is L_out of Khosla et al., "Supervised contrastive learning", NeurIPS 2020: the mean
    over an example's likes, then over the examples that have any. With two examples a class it is NT-Xent (Chen et al.,
    "A simple framework for contrastive learning of visual representations", ICML 2020).

    Args:
        temperature: greater than 0; the smaller, the more the nearest others count.
    """

    def __init__(self, temperature=0.1):
        self.temperature = validation.number("temperature", temperature, above=0)

    def __call__(self, distances, different):
        similar = similar_pairs(ops.cast(different, "float32"))
        itself = ops.eye(ops.shape(distances)[0], dtype="bool")
        logits = ops.where(itself, -1e9, -ops.square(distances) / (2 * self.temperature))
        likes = ops.sum(similar, axis=-1)
        losses = -ops.sum(similar * ops.log_softmax(logits, axis=-1), axis=-1) / ops.maximum(likes, 1.0)
        return weighted_mean(losses, ops.cast(likes > 0, "float32"))
