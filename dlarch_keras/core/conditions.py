"""What a conditional network is given besides: a class label or a row of attributes for each example."""

import math

import keras


def condition_rows(y, condition_dim):
    """Conditions as a network takes them: labels `(n,)` become one-hot rows, attributes stay as they are.

    Args:
        y: tensor or array, integers `(n,)` or numbers `(n, condition_dim)`.
        condition_dim: number of classes or attributes; 0 for a model without a condition.

    Returns:
        Tensor `(n, condition_dim)`, float32; None without a condition. A label that is no class gives a row of NaN,
        where a row of zeros would be learned as a class of its own: a stream's labels cannot all be looked at before.
    """
    if not condition_dim:
        return None
    if "int" in keras.backend.standardize_dtype(y.dtype) and len(y.shape) == 1:
        is_class = keras.ops.logical_and(y >= 0, y < condition_dim)
        return keras.ops.where(is_class[:, None], keras.ops.one_hot(y, condition_dim, dtype="float32"), math.nan)
    return keras.ops.cast(y, "float32")


def join(x, condition):
    """The inputs of a network: `x` alone, or beside its condition."""
    return x if condition is None else [x, condition]
