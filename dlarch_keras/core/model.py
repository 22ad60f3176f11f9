"""One stateful `train_step` for TensorFlow, JAX and torch.

Subclass `Model`, write `train_step(self, data)` once in ordinary Keras code, and call `value_and_grad` and
`apply_gradients` where the backends differ:

    class Regressor(Model):
        def __init__(self, network, **kwargs):
            super().__init__(**kwargs)
            self.network = network
            self.loss_tracker = keras.metrics.Mean(name="loss")

        def train_step(self, data):
            x, y, _ = keras.utils.unpack_x_y_sample_weight(data)
            variables = self.network.trainable_variables
            value, gradients = value_and_grad(
                lambda: keras.ops.mean((self.network(x, training=True) - y) ** 2), variables
            )
            apply_gradients(self.optimizer, gradients, variables)
            self.loss_tracker.update_state(value, sample_weight=keras.ops.shape(x)[0])
            return {"loss": self.loss_tracker.result()}

A model with several optimizers compiles with a dictionary, keyed by the attribute that holds the network each one
trains: `super().compile({"generator": ..., "discriminator": ...})`; `self.optimizer["generator"]` is the member.
"""

import contextlib
import functools
import inspect
import math
from pathlib import Path

import keras
import numpy as np

from . import distribution, validation
from .gradients import (
    CompositeOptimizer,
    RecordingScope,
    apply_gradients,
    current_model,
    input_gradient,
    value_and_grad,
)
from .archive import replacing

__all__ = ["Model", "apply_gradients", "forward", "input_gradient", "value_and_grad"]


def forward(network, x, batch_size=1024):
    """Outputs of `network` for a whole array, in inference mode and batch by batch.

    Unlike `predict` it compiles nothing, so that it is cheap for the many small calls of a notebook.

    Args:
        network: model.
        x: `(n, ...)`, NumPy, or a list of them for a network with several inputs.
        batch_size: examples in memory at a time.

    Returns:
        `(n, ...)`, NumPy, float32, or a list of them from a network with several outputs.
    """
    arrays = x if isinstance(x, list) else [x]
    batches = []
    for start in range(0, len(arrays[0]), batch_size):
        batch = [array[start : start + batch_size] for array in arrays]
        outputs = network(batch if isinstance(x, list) else batch[0], training=False)
        batches.append(keras.tree.map_structure(_float32_numpy, outputs))
    return keras.tree.map_structure(lambda *parts: np.concatenate(parts), *batches)


def _float32_numpy(tensor):
    return keras.ops.convert_to_numpy(keras.ops.cast(tensor, "float32"))  # NumPy has no bfloat16 of its own


def _step(method):
    """The stateful `train_step` or `test_step`, in the form that the backend's trainer calls."""

    @functools.wraps(method)
    def step(self, *args):
        *state, data = args
        if state:
            return _stateless_step(self, step, state[0], data)
        if current_model.get() is self:  # reached through super() from a subclass's step
            return method(self, data)
        data = keras.tree.map_structure(lambda v: v if v is None else keras.ops.convert_to_tensor(v), data)
        x, y, _ = keras.utils.unpack_x_y_sample_weight(data)
        self.check_data(*keras.tree.map_structure(_spec, (x, y)))
        token = current_model.set(self)
        try:
            with distribution.own_seeds(self):
                return method(self, data)
        finally:
            current_model.reset(token)

    return step


def _stateless_step(model, step, state, data):
    """Run a stateful step for JAX: `state` in, `(logs, state)` out."""
    groups = [model.trainable_variables, model.non_trainable_variables, model.metrics_variables]
    if len(state) == 4:  # only training passes the optimizer's variables
        groups.insert(2, model.optimizer.variables)
    mapping = [pair for variables, values in zip(groups, state) for pair in zip(variables, values)]
    with RecordingScope(mapping) as scope:
        logs = step(model, data)
    return logs, tuple([scope.get_current_value(variable) for variable in variables] for variables in groups)


def _spec(tensor):
    if tensor is None:
        return None
    return keras.KerasTensor(tuple(tensor.shape), keras.backend.standardize_dtype(tensor.dtype))


def _recorded(compile):
    """`compile`, which also remembers the arguments of its outermost call for saving."""
    signature = inspect.signature(compile)

    @functools.wraps(compile)
    def wrapper(self, *args, **kwargs):
        outermost, self._compiling = not self._compiling, True
        try:
            compile(self, *args, **kwargs)
        finally:
            self._compiling = not outermost
        if outermost:
            bound = signature.bind(self, *args, **kwargs)
            bound.apply_defaults()
            arguments = {**dict(zip(signature.parameters, bound.args)), **bound.kwargs}
            del arguments["self"]
            # A function, not a dictionary: Keras would look for weights in the optimizers of a dictionary.
            self._serialize_compile_arguments = functools.partial(keras.saving.serialize_keras_object, arguments)

    return wrapper


class FiniteLosses(keras.callbacks.Callback):
    """Ends training with a `FloatingPointError` after the first batch with a logged value that is no finite number.

    Unlike `keras.callbacks.TerminateOnNaN` it looks at every logged value, not at one named `loss`. Every `fit` of a
    `Model` has it.
    """

    async_safe = True  # Keras may call it from another thread, so that no step waits for the one before

    def on_epoch_begin(self, epoch, logs=None):
        self._epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        for name, value in (logs or {}).items():
            if not np.all(np.isfinite(value)):
                raise FloatingPointError(
                    f"`{name}` is {value} after batch {batch + 1} of epoch {self._epoch + 1}, so training has ended "
                    "there, and the weights are of no use. A lower learning rate, or an optimizer with `clipnorm`, is "
                    "the usual cure; keras.callbacks.BackupAndRestore keeps the weights of the last epoch before."
                )


class Model(keras.Model):
    """A `keras.Model` whose `train_step(self, data)` and `test_step(self, data)` run on every backend.

    A subclass takes built networks (functional models, or others that begin with a `keras.Input`), keeps every
    argument of its constructor as an attribute of the same name, and can then be saved and loaded, optimizers and
    random state included. `check_data` is the door: override it to say what good data is.
    """

    target_is_input = False  # whether fit(x, sample_weight=w) may stand for fit(x, x, sample_weight=w)
    _compiling = False
    _assigns_kernels = False

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        for name, wrap in {"train_step": _step, "test_step": _step, "compile": _recorded}.items():
            owner = next(base for base in cls.__mro__ if name in base.__dict__)
            is_mixin = not issubclass(owner, Model) and owner not in Model.__mro__
            if owner is cls or is_mixin:
                setattr(cls, name, wrap(owner.__dict__[name]))

    @_recorded
    def compile(self, optimizer="adam", loss=None, **kwargs):
        """Choose the optimizer, or a dictionary of them keyed by the attribute that holds each one's network.

        Args:
            optimizer: optimizer, its name, or a dictionary of either.
            loss: None; `train_step` computes it.
            **kwargs: `run_eagerly`, `steps_per_execution`, `jit_compile`, `auto_scale_loss`, as Keras has them.

        Raises:
            ValueError: for a loss or metrics, which `train_step` computes itself; networks without variables yet;
                one optimizer given twice; trainable variables that no optimizer, or more than one, would train.
        """
        for name, value in {"loss": loss, **kwargs}.items():
            if name in ("loss", "loss_weights", "metrics", "weighted_metrics") and value is not None:
                raise ValueError(
                    f"`{name}` must be left out of compile(), got {value!r}: "
                    f"{type(self).__name__} computes its own in train_step."
                )
        unbuilt = [layer.name for layer in self.layers if not layer.built]
        if unbuilt:
            raise ValueError(f"`{unbuilt[0]}` must be built before compile(): begin the network with keras.Input.")
        if keras.backend.backend() == "torch" and kwargs.get("steps_per_execution", 1) != 1:
            raise ValueError(
                f"`steps_per_execution` must be 1 on torch, got {kwargs['steps_per_execution']}: "
                "Keras has no multi-step function there."
            )
        if isinstance(optimizer, dict):
            scale = kwargs.pop("auto_scale_loss", True) and self.dtype_policy.name == "mixed_float16"
            # Each member scales its own loss; Keras's wrapper around all of them would hide the members.
            super().compile(self._composite(optimizer, scale), auto_scale_loss=False, **kwargs)
        else:
            super().compile(optimizer, **kwargs)
            if not self.optimizer.built:
                self.optimizer.build(self.trainable_variables)
        if not self.built:
            self.build()
        # Such a layer may be called several times within a loss; torch must be told that it assigns its kernel.
        normalizing = keras.layers.SpectralNormalization
        self._assigns_kernels = any(isinstance(layer, normalizing) for layer in self._flatten_layers())
        # Keras's own epoch mean of `loss` would stand beside the one that train_step keeps.
        self._loss_tracker = None

    def _composite(self, optimizers, scale):
        members = {name: keras.optimizers.get(optimizer) for name, optimizer in optimizers.items()}
        if len({id(member) for member in members.values()}) < len(members):
            raise ValueError(f"`optimizer` must hold one optimizer for each of {list(members)}, got one of them twice.")
        if scale:
            wrap = keras.optimizers.LossScaleOptimizer
            members = {name: member if isinstance(member, wrap) else wrap(member) for name, member in members.items()}
        groups = {name: getattr(self, name).trainable_variables for name in members}
        trained = sorted(id(variable) for group in groups.values() for variable in group)
        if trained != sorted(id(variable) for variable in self.trainable_variables):
            raise ValueError(
                f"`optimizer` must train every trainable variable of {type(self).__name__} exactly once, "
                f"got optimizers for {list(members)}: name the missing network, or set its `trainable` to False."
            )
        return CompositeOptimizer(members, groups)

    def _optimizer_of(self, variables):
        if isinstance(self.optimizer, CompositeOptimizer):
            return self.optimizer.of(variables)
        return self.optimizer

    def build(self, input_shape=None):
        """Nothing to create: the networks come with their variables."""

    def check_data(self, x, y=None):
        """Raise a `ValueError` that names the argument unless `x` (and `y`) can be used. Override it.

        Called with whole arrays by `fit`, `evaluate` and `predict`, and with `keras.KerasTensor`s, which have a shape
        and a dtype only, for every batch's form inside a step: this is how streams are checked.
        """

    def _checked(self, x, y, sample_weight):
        if validation.is_stream(x):
            return x, y
        self.check_data(x, y)
        if sample_weight is not None and math.prod(np.shape(sample_weight)) != np.shape(x)[0]:
            raise ValueError(
                f"`sample_weight` must hold one weight for each of {np.shape(x)[0]} examples, "
                f"got shape {tuple(np.shape(sample_weight))}."
            )
        if y is None and sample_weight is not None:
            if not self.target_is_input:
                raise ValueError("`sample_weight` must come with `y`: Keras drops the weights of data without targets.")
            y = x
        return x, y

    def fit(
        self,
        x=None,
        y=None,
        batch_size=None,
        epochs=1,
        verbose="auto",
        callbacks=None,
        validation_split=0.0,
        validation_data=None,
        shuffle=True,
        class_weight=None,
        sample_weight=None,
        **kwargs,
    ):
        """Train, as `keras.Model.fit` does, after `check_data`.

        Raises:
            ValueError: of `check_data`; for batches that the replicas of `tf.distribute` cannot share.
            FloatingPointError: a logged value became NaN or infinite; it names the batch.
        """
        if class_weight is not None and (y is None or y is x) and not validation.is_stream(x):
            raise ValueError("`class_weight` must come with class labels `y`.")
        x, y = self._checked(x, y, sample_weight)
        if not validation.is_stream(x):
            distribution.check_batches(self, x, batch_size, 1 - validation_split)
        if validation_data is not None and not validation.is_stream(validation_data):
            val_x, val_y, val_weight = keras.utils.unpack_x_y_sample_weight(validation_data)
            val_x, val_y = self._checked(val_x, val_y, val_weight)
            validation_data = keras.utils.pack_x_y_sample_weight(val_x, val_y, val_weight)
        if not isinstance(callbacks, keras.callbacks.CallbackList):
            callbacks = [*keras.tree.flatten(callbacks or []), FiniteLosses()]
        return super().fit(
            x,
            y,
            batch_size=batch_size,
            epochs=epochs,
            verbose=verbose,
            callbacks=callbacks,
            validation_split=validation_split,
            validation_data=validation_data,
            shuffle=shuffle,
            class_weight=class_weight,
            sample_weight=sample_weight,
            **kwargs,
        )

    def evaluate(self, x=None, y=None, batch_size=None, verbose="auto", sample_weight=None, **kwargs):
        """Epoch means on held-out data, as `keras.Model.evaluate` gives them, after `check_data`."""
        if not kwargs.get("_use_cached_eval_dataset"):  # fit has checked its validation data already
            x, y = self._checked(x, y, sample_weight)
        if not validation.is_stream(x):
            distribution.check_batches(self, x, batch_size)
        return super().evaluate(x, y, batch_size=batch_size, verbose=verbose, sample_weight=sample_weight, **kwargs)

    def predict(self, x, *args, **kwargs):
        """The model's output for `x`, as `keras.Model.predict` gives it, after `check_data`."""
        if not validation.is_stream(x):
            self.check_data(x)
        return super().predict(x, *args, **kwargs)

    def save(self, filepath, overwrite=True, **kwargs):
        """Save the whole model, as `keras.Model.save` does; a failure leaves the old file as it was."""
        self._write(super().save, filepath, overwrite, **kwargs)

    def save_weights(self, filepath, overwrite=True, **kwargs):
        """Save the weights, as `keras.Model.save_weights` does; a failure leaves the old file as it was."""
        self._write(super().save_weights, filepath, overwrite, **kwargs)

    @staticmethod
    def _write(save, filepath, overwrite, **kwargs):
        # Left to Keras: addresses, folders, shards, and asking before it overwrites.
        one_file = str(filepath).endswith((".keras", ".weights.h5")) and Path(filepath).absolute().parent.is_dir()
        if one_file and overwrite and not kwargs:
            with replacing(filepath) as part:
                save(part)
        else:
            save(filepath, overwrite=overwrite, **kwargs)

    def export(self, filepath, format="tf_saved_model", verbose=None, input_signature=None, **kwargs):
        """Export what `call` computes, as `keras.Model.export` does, to be used without this package.

        An `input_signature` is needed only where `call` takes what none of the networks takes.
        """
        if input_signature is None:
            input_signature = [self._call_inputs()]
        super().export(filepath, format=format, verbose=verbose, input_signature=input_signature, **kwargs)

    def _call_inputs(self):
        for network in self.layers:
            with contextlib.suppress(AttributeError, ValueError):  # no network, or one that comes later in `call`
                inputs = network.inputs[0] if len(network.inputs) == 1 else network.inputs
                self.compute_output_spec(inputs)
                return inputs
        raise ValueError(f"`input_signature` must say what {type(self).__name__}.call takes, got None.")

    def get_config(self):
        config = super().get_config()
        for owner in type(self).__mro__[: type(self).__mro__.index(Model)]:
            parameters = inspect.signature(owner.__init__).parameters.values() if "__init__" in owner.__dict__ else ()
            for parameter in list(parameters)[1:]:
                if parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
                    value = getattr(self, parameter.name)
                    config.setdefault(parameter.name, keras.saving.serialize_keras_object(value))
        return config

    @classmethod
    def from_config(cls, config, custom_objects=None):
        return cls(**keras.saving.deserialize_keras_object(config, custom_objects=custom_objects))

    def get_compile_config(self):
        return self._serialize_compile_arguments() if self.compiled else {}

    def compile_from_config(self, config):
        self.compile(**keras.saving.deserialize_keras_object(config))

    def _seed_states(self):
        weights = {id(variable) for variable in self.weights}
        return {
            f"seed_state_{number}": variable
            for number, variable in enumerate(v for v in self.variables if id(v) not in weights)
        }

    def save_own_variables(self, store):
        """Save this model's own variables, and the random state of every layer, which Keras leaves out."""
        super().save_own_variables(store)
        for name, variable in self._seed_states().items():
            store[name] = keras.ops.convert_to_numpy(variable)

    def load_own_variables(self, store):
        seed_states = self._seed_states()
        names = [name for name in store.keys() if name not in seed_states]  # noqa: SIM118, an HDF5 group's keys
        super().load_own_variables({name: store[name] for name in names})
        for name, variable in seed_states.items():
            variable.assign(store[name])
