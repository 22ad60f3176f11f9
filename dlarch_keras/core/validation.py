"""What good input is, and the errors for the rest: `ValueError`s that name the argument."""

import numbers

import keras
import numpy as np


def is_stream(data):
    """Whether `data` delivers batches (a dataset, a generator) rather than being an array that can be looked at."""
    if data is None or isinstance(data, (list, tuple, str, int, float, dict)):
        return False
    return not hasattr(data, "__array__") and not keras.ops.is_tensor(data)


def array(name, value, shape, minimum=-np.inf, maximum=np.inf):
    """Return `value` as a NumPy array, or say what is wrong with it.

    Args:
        name: the argument's name, for the message.
        value: array, tensor or data frame; or a `keras.KerasTensor`, of which only shape and dtype are looked at.
        shape: tuple of lengths, None where any length will do.
        minimum, maximum: the range that every element lies in.

    Returns:
        `numpy.ndarray`; a `keras.KerasTensor` comes back as it is.

    Raises:
        ValueError: unless `value` is a non-empty array of floats of this shape, finite and within the range.
    """
    shape_text = "(" + ", ".join("any" if length is None else str(length) for length in shape) + ")"
    expected = f"`{name}` must be an array of floats of shape {shape_text}"
    if value is None:
        raise ValueError(f"{expected}, got None.")
    if not isinstance(value, keras.KerasTensor):
        try:
            value = keras.ops.convert_to_numpy(value) if keras.ops.is_tensor(value) else np.asarray(value)
        except ValueError as error:  # rows of unequal length
            raise ValueError(f"{expected}, got a {type(value).__name__} that is not one: {error}") from error
    if "float" not in str(value.dtype):
        hint = ": divide pixels by 255" if maximum == 1 and "int" in str(value.dtype) else ""
        raise ValueError(f"{expected}, got dtype {value.dtype}{hint}.")
    matches = len(value.shape) == len(shape) and all(
        wanted is None or length is None or length == wanted for length, wanted in zip(value.shape, shape)
    )
    if not matches:
        raise ValueError(f"{expected}, got shape {tuple(value.shape)}.")
    if 0 in value.shape:
        raise ValueError(f"{expected}, got an empty one: shape {tuple(value.shape)}.")
    if not isinstance(value, keras.KerasTensor):
        _values(name, value, minimum, maximum)
    return value


def _values(name, value, minimum, maximum):
    low, high = value.min(), value.max()  # NaN if any element is
    if not (np.isfinite(low) and np.isfinite(high)):
        count = int(np.sum(~np.isfinite(value)))
        raise ValueError(f"`{name}` must be finite, got {count} elements that are NaN or infinite.")
    if low < minimum or high > maximum:
        raise ValueError(f"`{name}` must lie within [{minimum}, {maximum}], got values from {low:.6g} to {high:.6g}.")


def condition(name, value, width, count=None):
    """Return what a network is told beside its input as rows of numbers, or say what is wrong with it.

    Args:
        name: the argument's name, for the message.
        value: class labels, integers of shape `(n,)` from 0 to `width - 1`, or attributes, floats of shape
            `(n, width)`; or a `keras.KerasTensor` of such a form.
        width: number of classes or attributes.
        count: the n expected; None for any.

    Returns:
        `(n, width)`, NumPy; labels become one-hot rows. A `keras.KerasTensor` comes back as it is.

    Raises:
        ValueError: for anything else.
    """
    if value is None:
        raise ValueError(f"`{name}` must hold a class label or a row of attributes for each example, got None.")
    if not isinstance(value, keras.KerasTensor):
        value = np.asarray(value)
    if "int" not in str(value.dtype):
        return array(name, value, (count, width))
    if len(value.shape) != 1 or 0 in value.shape or value.shape[0] != (count or value.shape[0]):
        raise ValueError(f"`{name}` must hold one label for each example, got shape {tuple(value.shape)}.")
    if isinstance(value, keras.KerasTensor):
        return value
    if value.min() < 0 or value.max() >= width:
        raise ValueError(f"`{name}` must hold labels from 0 to {width - 1}, got {value.min()} to {value.max()}.")
    return np.eye(width, dtype="float32")[value]


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
    value = _as_array(value, expected)
    if "int" not in str(value.dtype):
        raise ValueError(f"{expected}, got dtype {value.dtype}.")
    if len(value.shape) != 1 or value.shape[0] == 0 or (count is not None and value.shape[0] not in (None, count)):
        raise ValueError(f"{expected}, got shape {tuple(value.shape)}.")
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
    value = np.asarray(value)
    if value.shape != y.shape or value.dtype.kind not in "iuU":
        raise ValueError(
            f"`{name}` must name the group of each of {len(y)} examples by an integer or a string, "
            f"got {value.dtype} of shape {value.shape}."
        )
    if (odd := value != value[first][classes]).any():
        raise ValueError(f"`{name}` must keep each class within one group, got class {y[odd][0]} in several.")
    return np.unique(value[first], return_inverse=True)[1]


def pair_labels(name, value, count):
    """Return what says of each pair whether it is a similar one as a NumPy array, or raise a `ValueError`.

    Args:
        name: the argument's name, for the message.
        value: `(count,)`, numbers or booleans, 0 = similar, 1 = dissimilar; or a `keras.KerasTensor` of such a form,
            which comes back as it is.
        count: number of pairs.
    """
    expected = f"`{name}` must hold 0 (similar) or 1 (dissimilar) for each of {count} pairs"
    value = _as_array(value, expected)
    if tuple(value.shape) not in ((count,), (None,)):
        raise ValueError(f"{expected}, got shape {tuple(value.shape)}.")
    if not isinstance(value, keras.KerasTensor) and not (value.dtype.kind in "biuf" and np.isin(value, (0, 1)).all()):
        raise ValueError(f"{expected}, got {value.dtype} such as {value[:5]}.")
    return value


def _as_array(value, expected):
    """`value` as a NumPy array, or a `ValueError` that begins with `expected`; a `keras.KerasTensor` as it is."""
    if isinstance(value, keras.KerasTensor):
        return value
    try:
        return keras.ops.convert_to_numpy(value) if keras.ops.is_tensor(value) else np.asarray(value)
    except ValueError as error:  # rows of unequal length
        raise ValueError(f"{expected}, got a {type(value).__name__} that is no array: {error}") from error


def whole(name, value, minimum):
    """Return `value`, a whole number of at least `minimum`, or raise a `ValueError`."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < minimum:
        raise ValueError(f"`{name}` must be a whole number of at least {minimum}, got {value!r}.")
    return int(value)


def wholes(name, values, length=None):
    """The tuple of `values`, whole numbers of at least 1, `length` of them or one or more; or raise a `ValueError`."""
    try:
        sizes = tuple(whole(name, value, 1) for value in values)
    except (TypeError, ValueError):  # no sequence, or not of such numbers
        sizes = ()
    if not sizes or length not in (None, len(sizes)):
        many = "one or more" if length is None else length
        raise ValueError(f"`{name}` must be {many} whole numbers of at least 1, got {values!r}.")
    return sizes


def number(name, value, above=None):
    """Return `value`, a finite number from 0 on, or greater than `above`, or raise a `ValueError`."""
    good = isinstance(value, numbers.Real) and not isinstance(value, bool) and np.isfinite(value)
    if not good or (value < 0 if above is None else value <= above):
        expected = "from 0 on" if above is None else f"greater than {above}"
        raise ValueError(f"`{name}` must be a number {expected}, got {value!r}.")
    return float(value)


def random(name, seed):
    """The `numpy` generator of a seed: an integer from 0 on, None or a generator; or raise a `ValueError`."""
    try:
        return np.random.default_rng(seed)
    except (TypeError, ValueError) as error:
        raise ValueError(f"`{name}` must be an integer from 0 on, or None, got {seed!r}.") from error


def network(name, value, inputs=1, outputs=1):
    """Raise a `ValueError` unless `value` is a built Keras model with so many inputs and outputs."""
    if not isinstance(value, keras.Model):
        raise ValueError(f"`{name}` must be a keras.Model, got {type(value).__name__}.")
    if not value.built or not hasattr(value, "input_shape"):
        raise ValueError(f"`{name}` must be built, got a network without a keras.Input at its start.")
    for kind, wanted, shape in (("input", inputs, value.input_shape), ("output", outputs, value.output_shape)):
        if (len(shape) if isinstance(shape, list) else 1) != wanted:
            raise ValueError(f"`{name}` must have {wanted} {kind}{'s' * (wanted > 1)}, got {kind} shapes {shape}.")


def connected(first_name, first, second_name, second):
    """Raise a `ValueError` unless the output of network `first` fits the input of `second`, and they share no layer."""
    if first.output_shape[1:] != second.input_shape[1:]:
        raise ValueError(
            f"`{second_name}` must take what `{first_name}` returns, of shape {first.output_shape[1:]}, "
            f"got an input of shape {second.input_shape[1:]}."
        )
    apart(first_name, first, second_name, second)


def apart(first_name, first, second_name, second):
    """Raise a `ValueError` if two networks share a layer."""
    if {id(variable) for variable in first.variables} & {id(variable) for variable in second.variables}:
        # Keras saves such a model, and cannot load it.
        raise ValueError(f"`{second_name}` must have variables of its own, got some of `{first_name}`'s.")


def pixels(name, network):
    """Raise a `ValueError` if what `network` makes of numbers from -2 to 2 leaves [0, 1]."""
    rng = np.random.default_rng(0)
    inputs = [rng.uniform(-2, 2, (2, *(64 if n is None else n for n in each.shape[1:]))) for each in network.inputs]
    inputs = [x.astype("float32") for x in inputs]
    made = keras.ops.convert_to_numpy(network(inputs if len(inputs) > 1 else inputs[0], training=False))
    if made.min() < 0 or made.max() > 1:
        raise ValueError(
            f"`{name}` must return pixels in [0, 1], by a sigmoid at its end for instance, "
            f"got values from {made.min():.3g} to {made.max():.3g}."
        )


def logits(name, network):
    """Raise a `ValueError` if `network` ends in a sigmoid, for a loss that applies one itself."""
    if _ends_in_sigmoid(network):
        raise ValueError(f"`{name}` must end in logits, got a network that ends in a sigmoid.")


def _ends_in_sigmoid(network):
    for operation in reversed(getattr(network, "operations", network.layers)):
        if isinstance(operation, keras.Model):
            return _ends_in_sigmoid(operation)
        if hasattr(operation, "activation"):
            return operation.activation is keras.activations.sigmoid
        if type(operation).__name__ == "Sigmoid":  # keras.ops.sigmoid
            return True
    return False
