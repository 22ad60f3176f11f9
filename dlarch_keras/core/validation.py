"""What good input is, and the errors for the rest: `ValueError`s that name the argument."""

import math
import numbers

import keras
import numpy as np

from .inputs import to_array
from .network_validation import *  # noqa: F403, both are `validation` to whoever calls them


def array(name, value, shape, minimum=-np.inf, maximum=np.inf, hint=""):
    """Return `value` as a NumPy array, or say what is wrong with it.

    Args:
        name: the argument's name, for the message.
        value: array, tensor or data frame; or a `keras.KerasTensor`, of which only shape and dtype are looked at.
        shape: tuple of lengths, None where any length will do.
        minimum, maximum: the range that every element lies in.
        hint: what to do about values out of the range, for the message.

    Returns:
        `numpy.ndarray`; a `keras.KerasTensor` comes back as it is.

    Raises:
        ValueError: unless `value` is a non-empty array of floats of this shape, finite and within the range.
    """
    shape_text = "(" + ", ".join("any" if length is None else str(length) for length in shape) + ")"
    expected = f"`{name}` must be an array of floats of shape {shape_text}"
    if value is None:
        raise ValueError(f"{expected}, got None.")
    value = to_array(name, value)
    if "float" not in str(value.dtype):
        scale = ": divide pixels by 255" if maximum == 1 and "int" in str(value.dtype) else ""
        raise ValueError(f"{expected}, got dtype {value.dtype}{scale}.")
    matches = len(value.shape) == len(shape) and all(
        wanted is None or length is None or length == wanted for length, wanted in zip(value.shape, shape)
    )
    if not matches:
        raise ValueError(f"{expected}, got shape {tuple(value.shape)}.")
    if 0 in value.shape:
        raise ValueError(f"{expected}, got an empty one: shape {tuple(value.shape)}.")
    if not isinstance(value, keras.KerasTensor):
        _values(name, value, minimum, maximum, hint)
    return value


def data(name, value, shape, data_range):
    """`array` for a model's data: every element lies within `data_range`, or anywhere if that is None."""
    hint = ": scale the data, or pass the model its data_range, None for values without bounds"
    return array(name, value, shape, *(data_range or ()), hint=hint)


def _values(name, value, minimum, maximum, hint):
    low, high = value.min(), value.max()  # NaN if any element is
    if not (np.isfinite(low) and np.isfinite(high)):
        count = int(np.sum(~np.isfinite(value)))
        raise ValueError(f"`{name}` must be finite, got {count} elements that are NaN or infinite.")
    if low < minimum or high > maximum:
        raise ValueError(
            f"`{name}` must lie within [{minimum:g}, {maximum:g}], got values from {low:.6g} to {high:.6g}{hint}."
        )


def labels_or_attributes(name, value, width, count=None):
    """Return what a network is told beside its input as an array, or say what is wrong with it.

    Args:
        name: the argument's name, for the message.
        value: class labels, integers of shape `(n,)` from 0 to `width - 1`, or attributes, numbers of shape
            `(n, width)`; or a `keras.KerasTensor` of such a form, which comes back as it is.
        width: number of classes or attributes; 0 for a model that takes no condition.
        count: the n expected; None for any.

    Returns:
        NumPy array, integers `(n,)` or floats `(n, width)`; None for width 0.

    Raises:
        ValueError: for anything else.
    """
    if not width:
        if value is not None:
            raise ValueError(f"`{name}` must be left out: these networks take no condition.")
        return None
    expected = f"`{name}` must hold a class label or a row of attributes for each example"
    if value is None:
        raise ValueError(f"{expected}, got None.")
    value = to_array(name, value)
    if "int" not in str(value.dtype):
        return array(name, value, (count, width))
    if len(value.shape) == 2 and value.shape[1] == width:  # attributes that are whole numbers, or one-hot rows
        is_form = isinstance(value, keras.KerasTensor)
        return array(name, keras.KerasTensor(value.shape) if is_form else value.astype("float32"), (count, width))
    if len(value.shape) != 1 or 0 in value.shape or value.shape[0] != (count or value.shape[0]):
        raise ValueError(f"`{name}` must hold one label for each example, got shape {tuple(value.shape)}.")
    if not isinstance(value, keras.KerasTensor) and (value.min() < 0 or value.max() >= width):
        raise ValueError(f"`{name}` must hold labels from 0 to {width - 1}, got {value.min()} to {value.max()}.")
    return value


def condition(name, value, width, count=None):
    """`labels_or_attributes` as the rows of numbers that a network takes, `(n, width)`, NumPy; None for width 0."""
    value = labels_or_attributes(name, value, width, count)
    return np.eye(width, dtype="float32")[value] if value is not None and value.ndim == 1 else value


def pair(name, value):
    """Return examples and condition, which a conditional model's `call` takes; or raise a `ValueError`."""
    if not isinstance(value, (list, tuple)) or len(value) != 2:
        raise ValueError(f"`{name}` must be [examples, condition], got {type(value).__name__}.")
    return value


def labels(name, value, count=None):
    """Return class labels as a NumPy array, or say what is wrong with them.

    Args:
        name: the argument's name, for the message.
        value: integers, one for each example; or a `keras.KerasTensor` of such a form, which comes back as it is.
        count: how many are expected; None for any number.

    Raises:
        ValueError: unless `value` is an array of integers of shape `(count,)`, not empty.
    """
    expected = f"`{name}` must hold an integer label for each {'example' if count is None else f'of {count} examples'}"
    value = to_array(name, value)
    if "int" not in str(value.dtype):
        raise ValueError(f"{expected}, got dtype {value.dtype}: np.unique(y, return_inverse=True)[1] numbers classes.")
    if len(value.shape) != 1 or value.shape[0] == 0 or (count is not None and value.shape[0] not in (None, count)):
        one_hot = ": the argmax of one-hot rows is their label" if len(value.shape) == 2 else ""
        raise ValueError(f"{expected}, got shape {tuple(value.shape)}{one_hot}.")
    return value


def groups(name, value, y):
    """Return the group of each class of `y`, in the classes' order, as numbers from 0 on, or raise a `ValueError`.

    Args:
        name: the argument's name, for the message.
        value: the group of each example, integers or strings; None if all are one.
        y: NumPy array of class labels, `(n,)`.
    """
    _, first, classes = np.unique(y, return_index=True, return_inverse=True)
    if value is None:
        return np.zeros(len(first), int)
    value = to_array(name, value)
    value = np.asarray(value.tolist()) if value.dtype == object else value  # pandas has text as objects
    if value.shape != y.shape or value.dtype.kind not in "iuU":
        raise ValueError(
            f"`{name}` must name the group of each of {len(y)} examples by an integer or a string, "
            f"got {value.dtype} of shape {value.shape}."
        )
    if (odd := value != value[first][classes]).any():
        raise ValueError(f"`{name}` must keep each class within one group, got class {y[odd][0]} in several.")
    return np.unique(value[first], return_inverse=True)[1]


def binary_labels(name, value, count, meaning):
    """Return labels of two kinds as a NumPy array of the type they came in, or raise a `ValueError`.

    Args:
        name: the argument's name, for the message.
        value: `(count,)`, numbers or booleans, 0 and 1; or a `keras.KerasTensor` of such a form, which comes back as
            it is.
        count: number of labels.
        meaning: of both, such as "0 (similar) or 1 (dissimilar)", for the message.
    """
    expected = f"`{name}` must hold {meaning} for each of {count}"
    value = to_array(name, value)
    if tuple(value.shape) not in ((count,), (None,)):
        raise ValueError(f"{expected}, got shape {tuple(value.shape)}.")
    if not isinstance(value, keras.KerasTensor) and not (value.dtype.kind in "biuf" and np.isin(value, (0, 1)).all()):
        raise ValueError(f"{expected}, got {value.dtype} such as {value[:5]}.")
    return value


def positive_int(name, value, minimum=1):
    """Return `value`, a whole number of at least `minimum`, or raise a `ValueError`."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < minimum:
        raise ValueError(f"`{name}` must be a whole number of at least {minimum}, got {value!r}.")
    return int(value)


def non_negative_int(name, value):
    """Return `value`, a whole number from 0 on, or raise a `ValueError`."""
    return positive_int(name, value, minimum=0)


def image_shape(name, value):
    """The tuple of an image's height, width and channels; or raise a `ValueError`."""
    channels_last()
    return positive_ints(name, value, 3)


def channels_last():
    """Raise a `ValueError` where Keras is set to images of shape (channels, height, width)."""
    if keras.config.image_data_format() != "channels_last":
        raise ValueError(
            "`keras.config.image_data_format()` must be 'channels_last', got 'channels_first': call "
            "keras.config.set_image_data_format('channels_last'), and images are (height, width, channels)."
        )


def positive_ints(name, values, length=None):
    """The tuple of `values`, whole numbers of at least 1, `length` of them or one or more; or raise a `ValueError`."""
    try:
        sizes = tuple(positive_int(name, value) for value in values)
    except (TypeError, ValueError):  # no sequence, or not of such numbers
        sizes = ()
    if not sizes or length not in (None, len(sizes)):
        many = "one or more" if length is None else length
        raise ValueError(f"`{name}` must be {many} whole numbers of at least 1, got {values!r}.")
    return sizes


def number(name, value, above=None, below=np.inf, at_most=np.inf):
    """Return `value`, a finite number from 0 on (or above `above`) within the upper bounds, or raise a `ValueError`."""
    good = isinstance(value, numbers.Real) and not isinstance(value, bool) and np.isfinite(value)
    if not good or (value < 0 if above is None else value <= above) or value >= below or value > at_most:
        expected = "from 0 on" if above is None else f"greater than {above}"
        expected += f", less than {below}" if below < np.inf else f", at most {at_most}" if at_most < np.inf else ""
        raise ValueError(f"`{name}` must be a number {expected}, got {value!r}.")
    return float(value)


def data_range(value):
    """Return the lowest and the highest value that data may have, or None for any; or raise a `ValueError`."""
    if value is None:
        return None
    try:
        low, high = (float(bound) for bound in value)
    except (TypeError, ValueError):
        low, high = np.nan, np.nan
    if not low < high:
        raise ValueError(f"`data_range` must be a pair (low, high), or None for values without bounds, got {value!r}.")
    return low, high


def probabilities(name, value, data_range):
    """Raise a `ValueError` for a loss or likelihood of probabilities where the data has another range than [0, 1]."""
    if data_range != (0, 1):
        raise ValueError(f"`{name}` must be another one for data in {data_range}, got {value!r}, for data in [0, 1].")


def choice(name, value, choices):
    """Raise a `ValueError` unless `value` is one of `choices`."""
    if value not in choices:
        raise ValueError(f"`{name}` must be one of {choices}, got {value!r}.")


def batch(count, minimum):
    """Raise a `ValueError` for a batch of fewer than `minimum` examples; None is an unknown number."""
    if count is not None and count < minimum:
        raise ValueError(
            f"`batch_size` must leave {minimum} or more examples to each batch, the last one included, "
            f"got one of {count}."
        )


def weights(name, value, count):
    """Return `value`, one number for each of `count` examples, as a NumPy array, or raise a `ValueError`."""
    value = to_array(name, value)
    if math.prod(value.shape) != count:
        raise ValueError(f"`{name}` must hold one weight for each of {count} examples, got shape {value.shape}.")
    return value


def random(name, seed):
    """The `numpy` generator of a seed: an integer from 0 on, None or a generator; or raise a `ValueError`."""
    try:
        return np.random.default_rng(seed)
    except (TypeError, ValueError) as error:
        raise ValueError(f"`{name}` must be an integer from 0 on, or None, got {seed!r}.") from error
