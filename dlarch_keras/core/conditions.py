"""What a conditional network is given besides: a class label or a row of attributes for each example."""

import math

import keras


def condition_rows(y, condition_dim):
    """Conditions as a network takes them: labels `(n,)` become one-hot rows, attributes stay as they are.

    Args:
        y: tensor or array, integers `(n,)` or numbers `(n, condition_dim)`.
        condition_dim: number of classes or attributes; 0 for a model without a condition.

    Returns:
        Tensor `(n, condition_dim)`, float32; None without a condition.
    """
    if not condition_dim:
        return None
    rows = y[:, None] == keras.ops.arange(condition_dim, dtype=y.dtype) if is_label(y) else y
    return keras.ops.cast(rows, "float32")


def is_label(y):
    return "int" in keras.backend.standardize_dtype(y.dtype) and len(y.shape) == 1


def spoil_means(trackers, y, condition_dim):
    """Make NaN of an epoch's means where a label is no class, since nobody has looked at a stream's later batches.

    Its one-hot row of zeros would be learned as one more class.

    Args:
        trackers: `keras.metrics.Mean`s.
        y, condition_dim: as in `condition_rows`.
    """
    if condition_dim and is_label(y):
        known = keras.ops.all(keras.ops.logical_and(y >= 0, y < condition_dim))
        for tracker in trackers:
            tracker.total.assign(tracker.total + keras.ops.where(known, 0.0, math.nan))


def join(x, condition):
    """The inputs of a network: `x` alone, or beside its condition."""
    return x if condition is None else [x, condition]
