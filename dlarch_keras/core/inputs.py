"""The ways that data comes in: arrays, lists, pandas's tables and columns, tensors; and streams of batches."""

import types

import keras
import numpy as np


def is_stream(data):
    """Whether `data` delivers batches (a dataset, a generator) rather than being an array that can be looked at."""
    if data is None or isinstance(data, (list, tuple, str, int, float, dict)):
        return False
    return not (hasattr(data, "__array__") or keras.ops.is_tensor(data) or hasattr(data, "toarray"))


def first_batch(stream):
    """The first batch of a stream, to look at, and the stream with that batch still to come.

    Returns:
        `(batch, stream)`: NumPy arrays in the stream's own structure, None if it is empty.
    """
    if isinstance(stream, types.GeneratorType):
        batch = next(stream, None)
        stream = _joined(batch, stream)
    elif isinstance(stream, keras.utils.PyDataset):
        batch = stream[0]
    else:
        batch = next(iter(stream), None)
    return keras.tree.map_structure(lambda part: part if part is None else to_array("x", part), batch), stream


def _joined(batch, rest):
    if batch is not None:
        yield batch
        yield from rest


def to_array(name, value):
    """Return `value` as a NumPy array, or say why it is none.

    Args:
        name: the argument's name, for the message.
        value: array, tensor, list of equally shaped arrays or of numbers, data frame or column of pandas (a categorical
            one becomes the numbers of its categories); or a `keras.KerasTensor`, which comes back as it is.

    Raises:
        ValueError: for anything else.
    """
    if isinstance(value, keras.KerasTensor):
        return value
    if isinstance(value, dict):
        raise ValueError(f"`{name}` must be an array, got a dictionary of {list(value)}: take what you need out of it.")
    if hasattr(value, "toarray"):
        raise ValueError(f"`{name}` must be a dense array, got a sparse {type(value).__name__}: call its toarray().")
    if str(getattr(value, "dtype", "")) == "category":
        value = value.cat.codes if hasattr(value, "cat") else value.codes
        if (value < 0).any():
            raise ValueError(f"`{name}` must have a category for each example, got {(value < 0).sum()} without one.")
    try:
        return keras.ops.convert_to_numpy(value) if keras.ops.is_tensor(value) else np.asarray(value)
    except ValueError as error:  # rows of unequal length
        raise ValueError(f"`{name}` must be an array, got a {type(value).__name__} that is none: {error}") from error
