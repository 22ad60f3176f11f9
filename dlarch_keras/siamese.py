"""Siamese networks: two inputs, one network for both, and a distance between what it makes of them.

    contrastive loss of a pair at distance d:  ½ (1 - y) d² + ½ y max(0, margin - d)²,  y = 0 similar, 1 dissimilar

Bromley et al., "Signature verification using a Siamese time delay neural network", NIPS 1993; Hadsell, Chopra & LeCun,
"Dimensionality reduction by learning an invariant mapping", CVPR 2006.
"""

import keras
import numpy as np
from keras import ops

from .core import Model, apply_gradients, forward, validation, value_and_grad


@keras.saving.register_keras_serializable("dlarch_keras")
class SiameseNetwork(Model):
    """One network embeds all inputs; the distance between two embeddings says how different the inputs are.

    Trained on a batch `(x, y)` with class labels y it embeds each example once and compares all pairs of the batch:
    n (n - 1) / 2 comparisons for the price of n. `BalancedBatches` makes batches in which every class has its like.
    Trained on plain pairs `((a, b), y)`, y = 0 similar, 1 dissimilar, both towers are one pass of the same network.
    It logs `loss`, the mean over the examples that have another to be compared with: NaN where no batch had any.
    `predict(x)` gives embeddings, `predict((a, b))` distances.

    Args:
        embedding: built `keras.Model`, `(n, *shape)` → `(n, d)`.
        loss: `ContrastiveLoss` (the default), `TripletLoss`, `NTXentLoss`, or another `PairLoss`.
        data_range: (low, high) of the data; None for table rows and other values without bounds.

    Raises:
        ValueError: for a network that makes no vectors, or something else for a loss.
    """

    needs_target = True
    takes_sample_weight = False

    def __init__(self, embedding, loss=None, data_range=(0, 1), **kwargs):
        super().__init__(**kwargs)
        self.embedding = embedding
        self.loss = ContrastiveLoss() if loss is None else loss
        self.data_range = validation.data_range(data_range)
        self.track("loss")
        validation.network("embedding", embedding)
        validation.shapes("embedding", "return a vector an example", embedding.output_shape, (None, None))
        if not isinstance(self.loss, PairLoss):
            raise ValueError(f"`loss` must be a PairLoss such as ContrastiveLoss(), got {loss!r}.")

    def train_step(self, data):
        x, y, _ = keras.utils.unpack_x_y_sample_weight(data)
        loss, gradients = value_and_grad(lambda: self.compute_batch_loss(x, y, training=True), self.trainable_variables)
        apply_gradients(self.optimizer, gradients, self.trainable_variables)
        return self.log(self.count_compared(x, y), loss=loss)

    def compute_batch_loss(self, x, y, training=False):
        """Loss of a batch, a scalar: of all its pairs, or of plain ones; plus the layers' own losses."""
        outputs = self(x, training=training)
        distances = outputs if self._is_pair(x) else all_to_all(outputs)
        return self.loss(distances, self.is_different(x, y)) + sum(self.losses)

    def is_different(self, x, y):
        """Which pairs are dissimilar: the `y` of plain pairs, or `(n, n)`, all labels of a batch compared."""
        return y if self._is_pair(x) else y[:, None] != y[None]

    def count_compared(self, x, y):
        """How many examples of a batch the loss says something about: its weight in the epoch's mean."""
        return ops.shape(y)[0] if self._is_pair(x) else ops.sum(self.loss.compared(self.is_different(x, y)))

    def call(self, x, training=False):
        """Embeddings of a batch, `(n, d)`; of pairs `(a, b)` their distances, `(n,)`."""
        if not self._is_pair(x):
            return ops.cast(self.embedding(x, training=training), "float32")
        count = ops.shape(x[0])[0]
        both = self.embedding(ops.concatenate(x), training=training)
        return euclidean(both[:count], both[count:])

    def test_step(self, data):
        x, y, _ = keras.utils.unpack_x_y_sample_weight(data)
        return self.log(self.count_compared(x, y), loss=self.compute_batch_loss(x, y))

    def embed(self, x, batch_size=1024):
        """Embeddings of `x`: `(n, *shape)` → `(n, d)`, NumPy, float32; `batch_size` examples in memory at a time."""
        return forward(self.embedding, self._checked_x("x", x), validation.positive_int("batch_size", batch_size))

    def distance(self, a, b):
        """Euclidean distance between the embeddings of `a` and `b`, row by row: twice `(n, *shape)` → `(n,)`, NumPy."""
        a, b = self._checked_x("a", a), self._checked_x("b", b)
        if len(a) != len(b):
            raise ValueError(f"`b` must have as many rows as `a`, {len(a)}, got {len(b)}.")
        return np.linalg.norm(self.embed(a) - self.embed(b), axis=1)

    def check_data(self, x, y=None):
        if not self._is_pair(x):
            x = self._checked_x("x", x)
            return x, None if y is None else validation.labels("y", y, x.shape[0])
        if not self.loss.takes_pairs:
            raise ValueError(
                f"`x` must be one array with class labels `y`, got a pair: {type(self.loss).__name__} compares a batch."
            )
        a, b = (self._checked_x(f"x[{number}]", part) for number, part in enumerate(x))
        if a.shape != b.shape:
            raise ValueError(f"`x` must hold two arrays of one shape, got {tuple(a.shape)} and {tuple(b.shape)}.")
        different = "0 (similar) or 1 (dissimilar)"
        return (a, b), None if y is None else validation.binary_labels("y", y, a.shape[0], different)

    def _is_pair(self, x):
        """Whether `x` is two batches, and not one of two examples."""
        rank = len(self.embedding.input_shape)
        is_two = isinstance(x, (list, tuple)) and len(x) == 2
        return is_two and not all(getattr(part, "ndim", rank) == rank - 1 for part in x)

    def _checked_x(self, name, x):
        return validation.data(name, x, (None, *self.embedding.input_shape[1:]), self.data_range)


class PairLoss:
    """A loss that sees nothing but distances, the same ones that `SiameseNetwork.distance` returns.

    `loss(distances, different)` is a scalar. Both are `(n, n)`, a batch compared with itself, of which the diagonal
    does not count; or, for a loss that takes them, `(n,)`: plain pairs. `different` is 0 (or False) for a similar
    pair, 1 for a dissimilar one, as in Hadsell et al. 2006.
    """

    takes_pairs = False  # whether plain pairs will do, or the loss compares the pairs of a batch with each other

    def compared(self, different):
        """1 for the examples of a batch that the loss says something about, 0 for others: `(n, n)` → `(n,)`."""
        return ops.max(similar_pairs(ops.cast(different, "float32")), axis=-1)  # those that have their like

    def get_config(self):
        return dict(vars(self))

    @classmethod
    def from_config(cls, config):
        return cls(**config)


@keras.saving.register_keras_serializable("dlarch_keras")
class ContrastiveLoss(PairLoss):
    """Similar pairs are pulled together, dissimilar ones pushed apart until their distance reaches the margin.

    (1 - y) d² / 2 + y max(0, margin - d)² / 2, on the distance itself: equation 4 of Hadsell et al. 2006; a mean over
    all pairs. In a batch compared with itself few pairs are similar (of 10 classes × 10 examples one in eleven), but
    those pull always, while dissimilar ones push only within the margin: giving both kinds the same weight was worse.

    Args:
        margin: the distance at which dissimilar pairs are left alone, greater than 0. It must suit the distances that
            an untrained network makes: 1 does where embeddings have length 1 (`keras.layers.UnitNormalization`).
    """

    takes_pairs = True

    def __init__(self, margin=1.0):
        self.margin = validation.number("margin", margin, above=0)

    def __call__(self, distances, different):
        different = ops.cast(different, "float32")
        pull = ops.square(distances) / 2
        push = ops.square(ops.relu(self.margin - distances)) / 2
        losses = (1 - different) * pull + different * push
        if len(losses.shape) == 1:
            return ops.mean(losses)
        return weighted_mean(losses, different + similar_pairs(different))

    def compared(self, different):
        different = ops.cast(different, "float32")
        return ops.max(different + similar_pairs(different), axis=-1)  # all, of two examples or more


def similar_pairs(different):
    """1 for the similar pairs of a batch, an example with itself left out: `(n, n)`."""
    return 1 - different - ops.eye(ops.shape(different)[0], dtype="float32")


def weighted_mean(values, weights):
    """Mean of the values whose weight is 1; 0 if there is none."""
    return ops.sum(values * weights) / ops.maximum(ops.sum(weights), 1.0)


def euclidean(a, b):
    """Distances along the last axis, float32; of equal rows 1e-6, with a gradient of 0 where the root has none."""
    difference = ops.cast(a, "float32") - ops.cast(b, "float32")
    return ops.sqrt(ops.maximum(ops.sum(ops.square(difference), axis=-1), 1e-12))


def all_to_all(vectors):
    """Euclidean distances of all rows to all, `(n, d)` → `(n, n)`, by `|a|² + |b|² - 2 a·b`: no array of n² d numbers.

    Rounding limits it: distances below a thousandth of the rows' lengths are noise.
    """
    vectors = ops.cast(vectors, "float32")
    squares = ops.sum(ops.square(vectors), axis=-1)
    squared = squares[:, None] + squares[None] - 2 * ops.matmul(vectors, ops.transpose(vectors))
    return ops.sqrt(ops.maximum(squared, 1e-12))
