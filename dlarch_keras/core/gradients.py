"""Gradients and their optimizers, the same on TensorFlow, JAX and torch.

Under `tf.distribute`, `value_and_grad` divides the loss by the number of replicas, since optimizers add gradients
up over them. Write losses with `keras.ops` or the loss functions of `keras.losses`, therefore: a `keras.losses.Loss`
object divides as well. A loss that is not a mean over examples (batch statistics, pairs within a batch) sees one
replica's share of the batch only.
`steps_per_execution` > 1 under `MirroredStrategy` on CPUs fails for any Keras 3.15 model, a plain one included.
"""

import contextlib
import contextvars

import keras

# The model whose step is running in this thread: it knows which optimizer scales the loss of which variables.
current_model = contextvars.ContextVar("current_model", default=None)
_differentiating = contextvars.ContextVar("differentiating", default=False)


def value_and_grad(loss, variables):
    """Value of `loss()` and its gradients with respect to `variables`.

    Args:
        loss: function of no arguments that returns a scalar tensor, or a tuple whose first entry is that scalar.
            Returned tensors stand outside the gradient. It may update metrics and other non-trainable variables.
        variables: list of `keras.Variable`.

    Returns:
        `(value, gradients)`: what `loss()` returned, unscaled, and one gradient for each variable, zeros for one that
        the loss does not depend on. Inside a `Model`'s
        step the gradients belong to the loss as the variables' optimizer scales it (float16) and to this replica's
        share of it (`tf.distribute`): hand them to `apply_gradients`.
    """
    variables = list(variables)
    if not variables:
        return loss(), []
    if _differentiating.get():
        raise ValueError("`loss` must not call value_and_grad itself, got one within another.")
    model = current_model.get()
    optimizer = model.optimizer_of(variables) if model is not None else None

    def objective(result):
        value = result[0] if isinstance(result, tuple) else result
        return value if optimizer is None else optimizer.scale_loss(value)

    token = _differentiating.set(True)
    try:
        return _VALUE_AND_GRAD[keras.backend.backend()](loss, objective, variables)
    finally:
        _differentiating.reset(token)


def _tensorflow_value_and_grad(loss, objective, variables):
    import tensorflow as tf

    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch([variable.value for variable in variables])
        result = loss()
        share = objective(result) / tf.distribute.get_strategy().num_replicas_in_sync
    values = [variable.value for variable in variables]
    return result, tape.gradient(share, values, unconnected_gradients=tf.UnconnectedGradients.ZERO)


def _torch_value_and_grad(loss, objective, variables):
    import torch

    model = current_model.get()
    assigns = model is not None and model.assigns_kernels
    with torch.autograd.graph.allow_mutation_on_saved_tensors() if assigns else contextlib.nullcontext():
        result = loss()
        tensors = [variable.value for variable in variables]
        gradients = torch.autograd.grad(objective(result), tensors, allow_unused=True)
    gradients = [torch.zeros_like(v) if g is None else g for g, v in zip(gradients, tensors)]
    return keras.tree.map_structure(lambda v: v.detach() if torch.is_tensor(v) else v, result), gradients


def _jax_value_and_grad(loss, objective, variables):
    import jax

    updated = {}

    def differentiable(values):
        with RecordingScope() as scope:
            scope.state_mapping.update(zip(map(id, variables), values))
            result = loss()
            value = objective(result)
        updated.update(scope.updated)
        return value, (result, {key: scope.state_mapping[key] for key in scope.updated})

    values = [variable.value for variable in variables]
    gradients, (result, state) = jax.grad(differentiable, has_aux=True)(values)
    for key, value in state.items():
        updated[key].assign(value)
    return result, gradients


_VALUE_AND_GRAD = {
    "tensorflow": _tensorflow_value_and_grad,
    "torch": _torch_value_and_grad,
    "jax": _jax_value_and_grad,
}


def is_differentiating():
    """Whether the code that asks runs within the loss of `value_and_grad`."""
    return _differentiating.get()


def input_gradient(function, x):
    """Gradient of `function(x)`, summed, with respect to `x`, for a loss that contains it (a gradient penalty).

    Args:
        function: of a tensor. What it assigns to variables may be lost: use no BatchNormalization in it.
        x: array or tensor.

    Returns:
        Tensor of the shape of `x`, which `value_and_grad` can differentiate again.
    """
    x = keras.ops.convert_to_tensor(x)
    return _INPUT_GRADIENT[keras.backend.backend()](lambda x: keras.ops.sum(function(x)), x)


def _tensorflow_input_gradient(function, x):
    import tensorflow as tf

    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(x)
        value = function(x)
    return tape.gradient(value, x)


def _torch_input_gradient(function, x):
    import torch

    with torch.enable_grad():  # Keras evaluates without gradients
        x = x.detach().requires_grad_()
        return torch.autograd.grad(function(x), x, create_graph=True)[0]


def _jax_input_gradient(function, x):
    import jax

    def contained(x):
        with RecordingScope():
            return function(x)

    return jax.grad(contained)(x)


_INPUT_GRADIENT = {
    "tensorflow": _tensorflow_input_gradient,
    "torch": _torch_input_gradient,
    "jax": _jax_input_gradient,
}


def apply_gradients(optimizer, gradients, variables):
    """Let `optimizer` update `variables` by `gradients`, as `value_and_grad` returned them.

    Args:
        optimizer: `keras.optimizers.Optimizer`, or a member of a model's several: `self.optimizer["generator"]`.
        gradients: list of tensors, one for each variable.
        variables: list of `keras.Variable`.

    Raises:
        ValueError: if `variables` are unknown to the optimizer; on JAX, with a loss-scaling one, if they are not all it
            was built for; for a loss-scaling optimizer outside a `Model`'s step, where no loss was scaled.
    """
    variables = list(variables)
    if not variables:
        return
    backend = keras.backend.backend()
    scales = isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
    if scales and current_model.get() is None:
        raise ValueError("`optimizer` must not scale the loss outside a Model's train_step, got a LossScaleOptimizer.")
    if backend == "torch":
        import torch

        with torch.no_grad():
            optimizer.apply(gradients, variables)
    elif backend == "jax" and scales:
        _apply_scaled_on_jax(optimizer, gradients, variables)
    else:
        optimizer.apply(gradients, variables)


def _apply_scaled_on_jax(optimizer, gradients, variables):
    # Whether the gradients are finite is known only while the compiled step runs; `apply` would assign variables
    # inside one branch of a `cond` and leak a tracer, `stateless_apply` returns both branches' values.
    if [*map(id, variables)] != [*map(id, optimizer._trainable_variables)]:
        raise ValueError(
            "`variables` must be the variables that the loss-scaling optimizer was built for, in their order: got "
            f"{[variable.path for variable in variables]}, "
            f"expected {[variable.path for variable in optimizer._trainable_variables]}."
        )
    slots = optimizer.variables
    new_values = optimizer.stateless_apply([v.value for v in slots], gradients, [v.value for v in variables])
    for variable, value in zip(variables + slots, [*new_values[0], *new_values[1]]):
        variable.assign(value)


class RecordingScope(keras.StatelessScope):
    """A stateless scope that begins with the values of the one around it, and remembers what is assigned in it."""

    def __init__(self, state_mapping=None):
        super().__init__(state_mapping, collect_losses=True)
        self.updated = {}

    def __enter__(self):
        super().__enter__()
        if self.original_scope is not None:
            self.state_mapping = {**self.original_scope.state_mapping, **self.state_mapping}
        return self

    def add_update(self, update):
        self.updated[id(update[0])] = update[0]
        super().add_update(update)
