"""How one `train_step(self, data)`, written once in ordinary Keras code, serves three backends.

The trainers of TensorFlow and torch call a step with a batch. That of JAX calls `step(state, data)` inside a compiled
function, and wants the logs and the new state back. `for_trainer` makes either form of a model's own step.
"""

import functools

import keras

from . import distribution
from .conditions import spoil_means
from .gradients import RecordingScope, current_model


def for_trainer(model, name):
    """The `train_step` or `test_step` that a model's class defines, in the form that the backend's trainer calls."""
    step = getattr(type(model), name)

    @functools.wraps(step)
    def stateful(data):
        data = keras.tree.map_structure(lambda v: v if v is None else keras.ops.convert_to_tensor(v), data)
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        model.check_batch(*keras.tree.map_structure(_spec, (x, y, sample_weight)), training=name == "train_step")
        spoil_means(model.trackers.values(), y, model.condition_dim)
        token = current_model.set(model)
        try:
            with distribution.own_seeds(model):
                return step(model, data)
        finally:
            current_model.reset(token)

    @functools.wraps(step)
    def stateless(state, data):
        variables = [model.trainable_variables, model.non_trainable_variables, model.metrics_variables]
        if len(state) == 4:  # only training passes the optimizer's variables
            variables.insert(2, model.optimizer.variables)
        values = [pair for group, new in zip(variables, state) for pair in zip(group, new)]
        with RecordingScope(values) as scope:
            logs = stateful(data)
        return logs, tuple([scope.get_current_value(variable) for variable in group] for group in variables)

    return stateless if keras.backend.backend() == "jax" else stateful


def _spec(tensor):
    """Shape and dtype of a tensor: all that is known of a batch while its step is compiled."""
    if tensor is None:
        return None
    if getattr(tensor.shape, "rank", 0) is None:  # TensorFlow's, of a generator without a signature
        raise ValueError("`x` and `y` must have a known rank: say it with dataset.map and tf.ensure_shape.")
    return keras.KerasTensor(tuple(tensor.shape), keras.backend.standardize_dtype(tensor.dtype))
