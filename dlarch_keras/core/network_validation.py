"""What networks a model can be made of, and the errors for the rest: `ValueError`s that name the argument."""

import keras


def network(name, value, inputs=1, outputs=1):
    """Raise a `ValueError` unless `value` is a built Keras model with so many inputs and outputs."""
    if not isinstance(value, keras.Model):
        raise ValueError(f"`{name}` must be a keras.Model, got {type(value).__name__}.")
    if not value.built or not hasattr(value, "input_shape"):
        raise ValueError(f"`{name}` must be built, got a network without a keras.Input at its start.")
    for kind, wanted, shape in (("input", inputs, value.input_shape), ("output", outputs, value.output_shape)):
        if (len(shape) if isinstance(shape, list) else 1) != wanted:
            raise ValueError(f"`{name}` must have {wanted} {kind}{'s' * (wanted > 1)}, got {kind} shapes {shape}.")


def shapes(name, what, shape, wanted):
    """Raise a `ValueError` unless a shape, or a list of them, is the wanted one; None stands for any length in either.

    Args:
        name, what: the network's argument, and what it must do, for the message.
    """
    got, expected = (each if isinstance(each, list) else [each] for each in (shape, wanted))
    same_ranks = [len(each) for each in got] == [len(each) for each in expected]
    if not same_ranks or any(
        None not in (own, length) and own != length
        for one, other in zip(got, expected)
        for own, length in zip(one, other)
    ):
        raise ValueError(f"`{name}` must {what}, of shape {wanted}, got {shape}.")


def connected(first_name, first, second_name, second):
    """Raise a `ValueError` unless the output of network `first` fits the input of `second`, and they share no layer."""
    if first.output_shape[1:] != second.input_shape[1:]:
        raise ValueError(
            f"`{second_name}` must take what `{first_name}` returns, of shape {first.output_shape[1:]}, "
            f"got an input of shape {second.input_shape[1:]}."
        )
    no_shared_layers(first_name, first, second_name, second)


def no_shared_layers(first_name, first, second_name, second):
    """Raise a `ValueError` if two networks share a layer."""
    if {id(variable) for variable in first.variables} & {id(variable) for variable in second.variables}:
        # Keras saves such a model, and cannot load it.
        raise ValueError(f"`{second_name}` must have variables of its own, got some of `{first_name}`'s.")


def upscaling_factor(name, value):
    """Return how many times as large the images are that a network returns, or raise a `ValueError`."""
    network(name, value)
    if value.input_shape[1:-1] != (None, None):
        raise ValueError(f"`{name}` must take any height and width, got inputs of shape {value.input_shape}.")
    shape = value.compute_output_shape((None, 8, 8, value.input_shape[-1]))
    scale = shape[1] // 8 if len(shape) == 4 else 0
    if scale < 2 or shape[1:] != (8 * scale, 8 * scale, value.input_shape[-1]):
        raise ValueError(f"`{name}` must enlarge images by a whole number, got (8, 8) → {shape[1:]}.")
    return scale


def output_range(name, network, data_range, must_be_bounded=False):
    """Raise a `ValueError` if the activation that `network` ends in cannot return what the data has, or more.

    Args:
        data_range: (low, high), or None for data without bounds.
        must_be_bounded: whether a linear end is refused where the data has bounds.
    """
    activation = last_activation(network)
    returned = {"sigmoid": (0, 1), "hard_sigmoid": (0, 1), "softmax": (0, 1), "tanh": (-1, 1)}.get(activation)
    unbounded = must_be_bounded and data_range is not None and activation in ("linear", "relu", "softplus")
    never_negative = activation in ("relu", "relu6", "softplus") and (data_range is None or data_range[0] < 0)
    if unbounded or never_negative or (returned is not None and returned != data_range):
        raise ValueError(
            f"`{name}` must return values of the data's range, {data_range}, got one that ends in {activation}: "
            "end it in a sigmoid for data_range=(0, 1), in a tanh for (-1, 1), in no activation for None, "
            "or say data_range=(0, math.inf) if no value is negative."
        )


def logits(name, network):
    """Raise a `ValueError` if `network` ends in a sigmoid, for a loss that applies one itself."""
    if last_activation(network) == "sigmoid":
        raise ValueError(f"`{name}` must end in logits, got a network that ends in a sigmoid.")


def normalizes_batches(network):
    """Whether a layer's output in training depends on the other examples of the batch."""
    layers = network._flatten_layers()
    return any(isinstance(layer, keras.layers.BatchNormalization) and layer.trainable for layer in layers)


def last_activation(network):
    """The name of the activation that a network ends in; None where a layer of another kind comes last."""
    for operation in reversed(getattr(network, "operations", network.layers)):
        if isinstance(operation, keras.Model):
            return last_activation(operation)
        if hasattr(operation, "activation"):
            return getattr(operation.activation, "__name__", None)
        kind = type(operation).__name__
        if kind in ("Sigmoid", "Tanh", "Softmax", "ReLU", "Relu", "Softplus"):  # keras.ops.sigmoid, or a layer
            return kind.lower()
        if kind not in ("Reshape", "Flatten", "Cropping2D", "GetItem"):  # these change the shape only
            return None
    return None
