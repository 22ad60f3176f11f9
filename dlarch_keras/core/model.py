"""`Model`: a `keras.Model` whose `train_step`, written once, runs on TensorFlow, JAX and torch.

Subclass it, write `train_step(self, data)` in ordinary Keras code, and call `value_and_grad` and `apply_gradients`
where the backends differ:

    class Regressor(Model):
        def __init__(self, network, **kwargs):
            super().__init__(**kwargs)
            self.network = network
            self.track("loss")

        def train_step(self, data):
            x, y, _ = keras.utils.unpack_x_y_sample_weight(data)
            variables = self.network.trainable_variables
            loss, gradients = value_and_grad(
                lambda: keras.ops.mean((self.network(x, training=True) - y) ** 2), variables
            )
            apply_gradients(self.optimizer, gradients, variables)
            return self.log(keras.ops.shape(x)[0], loss=loss)

A model of several networks, each with an optimizer of its own, is compiled by
`compile(generator_optimizer=..., discriminator_optimizer=...)`, where `generator` and `discriminator` are the
attributes that hold the networks; `self.optimizer["generator"]` is the first of them.
"""

import math

import keras
import numpy as np

from . import distribution, validation
from .inputs import first_batch, is_stream
from .optimizers import CompositeOptimizer, composite
from .saving import Saving
from .steps import for_trainer


class Model(Saving, keras.Model):
    """A `keras.Model` whose `train_step(self, data)` and `test_step(self, data)` run on every backend.

    A subclass takes built networks (functional models, or others that begin with a `keras.Input`), keeps every
    argument of its constructor as an attribute of the same name, and can then be saved and loaded, optimizers and
    random state included. `check_data` is the door: override it to say what good data is, and to make arrays of it.
    """

    networks_with_optimizers = ()  # attributes that hold networks which have an optimizer each
    needs_target = False  # fit(x, y), never fit(x)
    takes_sample_weight = True  # sample_weight and class_weight
    target_is_input = False  # whether fit(x, sample_weight=w) may stand for fit(x, x, sample_weight=w)
    min_batch_size = 1  # examples
    condition_dim = 0  # classes or attributes that the networks are told besides

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        validation.channels_last()
        self.trackers = {}
        self.built = True  # the networks come with their variables

    def track(self, *names):
        """Keep the epoch mean of values of these names, for `log`."""
        self.trackers |= {name: keras.metrics.Mean(name=name) for name in names if name not in self.trackers}

    def log(self, count, **values):
        """Add a step's values, each a mean over `count` examples, to the epoch's: what `train_step` returns."""
        for name, value in values.items():
            self.trackers[name].update_state(value, sample_weight=count)
        return {name: self.trackers[name].result() for name in values}

    def get_metrics_result(self):
        """The epoch's means, NaN for what no batch had any examples of: Keras's 0 would win early stopping."""
        return {
            name: value if name not in self.trackers or self.trackers[name].count > 0 else math.nan
            for name, value in super().get_metrics_result().items()
        }

    def compile(self, optimizer="adam", loss=None, **kwargs):
        """Choose the optimizer, or one for each network.

        Args:
            optimizer: optimizer or its name, for all trainable variables.
            loss: None; `train_step` computes it.
            **kwargs: `<network>_optimizer` for each network that has its own, in place of `optimizer`; and
                `run_eagerly`, `steps_per_execution`, `jit_compile`, `auto_scale_loss`, as Keras has them.

        Raises:
            ValueError: for a loss or metrics, which `train_step` computes itself; networks without variables yet;
                one optimizer given twice; trainable variables that no optimizer, or more than one, would train.
        """
        names = [name for name in kwargs if name.endswith("_optimizer")]
        optimizers = dict.fromkeys(self.networks_with_optimizers)
        optimizers |= {name.removesuffix("_optimizer"): kwargs.pop(name) for name in names}
        self._check_compile(loss=loss, **kwargs)
        if optimizers:
            scale_loss = kwargs.pop("auto_scale_loss", True) and self.dtype_policy.name == "mixed_float16"
            # Each member scales its own loss; Keras's wrapper around all of them would hide the members.
            super().compile(composite(self, optimizers, scale_loss), auto_scale_loss=False, **kwargs)
        else:
            super().compile(optimizer, **kwargs)
            if not self.optimizer.built:
                self.optimizer.build(self.trainable_variables)
        if self.inputs is not None:
            self.build(
                keras.tree.map_structure(lambda tensor: tensor.shape, self.inputs)
            )  # what tf.saved_model asks for
        self.train_step, self.test_step = for_trainer(self, "train_step"), for_trainer(self, "test_step")
        # Such a layer may be called several times within a loss; torch must be told that it assigns its kernel.
        normalizing = keras.layers.SpectralNormalization
        self.assigns_kernels = any(isinstance(layer, normalizing) for layer in self._flatten_layers())
        # Keras's own epoch mean of `loss` would stand beside the one that train_step keeps.
        self._loss_tracker = None

    def build(self, input_shape):
        """Nothing to create: the networks come with their variables."""

    def optimizer_of(self, variables):
        """The optimizer that trains these variables."""
        return self.optimizer.of(variables) if isinstance(self.optimizer, CompositeOptimizer) else self.optimizer

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
        **kwargs,
    ):
        """Train, as `keras.Model.fit` does, after `check_data`.

        Raises:
            ValueError: of `check_data`; for batches that are too small, or that the replicas of `tf.distribute`
                cannot share.
            FloatingPointError: a logged value became NaN or infinite; it names the batch.
        """
        if kwargs.get("class_weight") is not None:
            self._check_class_weight(x, y)
        x, y = self._checked(x, y, kwargs.get("sample_weight"))
        if not is_stream(x):
            self._check_batch_size(x, batch_size, 1 - validation_split)
        if validation_data is not None:
            parts = (validation_data,) if is_stream(validation_data) else validation_data
            val_x, val_y, val_weight = keras.utils.unpack_x_y_sample_weight(parts)
            val_x, val_y = self._checked(val_x, val_y, val_weight)
            is_data = is_stream(val_x)  # which Keras takes by itself only
            validation_data = val_x if is_data else keras.utils.pack_x_y_sample_weight(val_x, val_y, val_weight)
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
            **kwargs,
        )

    def evaluate(self, x=None, y=None, batch_size=None, verbose="auto", sample_weight=None, **kwargs):
        """Epoch means on held-out data, as `keras.Model.evaluate` gives them, after `check_data`."""
        if not kwargs.get("_use_cached_eval_dataset"):  # fit has checked its validation data already
            x, y = self._checked(x, y, sample_weight)
        if not is_stream(x):
            distribution.check_batches(self, x, batch_size)
        return super().evaluate(x, y, batch_size=batch_size, verbose=verbose, sample_weight=sample_weight, **kwargs)

    def predict(self, x, *args, **kwargs):
        """The model's output for `x`, as `keras.Model.predict` gives it, after `check_inputs`."""
        if is_stream(x):
            batch, x = first_batch(x)
            if batch is not None:
                self.check_inputs(self._inputs_of(batch))
        else:
            x = self.check_inputs(x)
        return super().predict(x, *args, **kwargs)

    def predict_step(self, *state_and_data):  # on JAX there is a state
        *state, data = state_and_data
        return super().predict_step(*state, (self._inputs_of(data),))

    def _inputs_of(self, data):
        """What `call` takes, of a batch that may hold the rest of what `fit` takes, too."""
        x, y, _ = keras.utils.unpack_x_y_sample_weight(data)
        return x if y is None or not self.condition_dim else [x, y]

    def train_on_batch(self, x, y=None, sample_weight=None, **kwargs):
        """One step on one batch of arrays, after `check_data`."""
        x, y = self._checked(x, y, sample_weight)
        return super().train_on_batch(x, y, sample_weight, **kwargs)

    def test_on_batch(self, x, y=None, sample_weight=None, **kwargs):
        """The values that are logged, of one batch of arrays, after `check_data`."""
        x, y = self._checked(x, y, sample_weight)
        return super().test_on_batch(x, y, sample_weight, **kwargs)

    def predict_on_batch(self, x):
        """The model's output for one batch of arrays, after `check_inputs`."""
        return super().predict_on_batch(self.check_inputs(x))

    def check_data(self, x, y=None):
        """Return `x` and `y` as arrays that can be trained on, or raise a `ValueError` that names the argument.

        Override it. It is called with whole arrays by `fit` and its like, with the first batch of a stream, and, inside
        a step, with `keras.KerasTensor`s, which have a shape and a dtype only, for the form of every batch.
        """
        return x, y

    def check_inputs(self, inputs):
        """Return `inputs` as arrays that `call` takes, or raise a `ValueError`."""
        if not self.condition_dim:
            return self.check_data(inputs)[0]
        return list(self.check_data(*validation.pair("x", inputs)))

    def check_batch(self, x, y, sample_weight, training):
        """Raise a `ValueError` unless a batch of this form will do. Called within a step, with `keras.KerasTensor`s."""
        self._check_target_and_weights(y, sample_weight)
        self.check_data(x, y)
        if training:
            validation.batch(keras.tree.flatten(x)[0].shape[0], self.min_batch_size)

    def _checked(self, x, y, sample_weight):
        """`x` and `y` for Keras, after a look at all of them or at a stream's first batch."""
        if is_stream(x):
            batch, x = first_batch(x)
            if batch is not None:
                batch_x, batch_y, batch_weight = keras.utils.unpack_x_y_sample_weight(batch)
                self._check_target_and_weights(batch_y, batch_weight)
                self.check_data(batch_x, batch_y)
            return x, y
        self._check_target_and_weights(y, sample_weight)
        x, y = self.check_data(x, y)
        if sample_weight is not None:
            validation.weights("sample_weight", sample_weight, len(keras.tree.flatten(x)[0]))
        if y is None and sample_weight is not None:
            if not self.target_is_input:
                raise ValueError("`sample_weight` must come with `y`: Keras drops the weights of data without targets.")
            y = x
        return x, y

    def _check_target_and_weights(self, y, sample_weight):
        if y is None and self.needs_target:
            raise ValueError(f"`y` must be given: {type(self).__name__} learns from pairs of x and y, got None.")
        if sample_weight is not None and not self.takes_sample_weight:
            raise ValueError(
                "`sample_weight` and `class_weight` must be left out, got weights: "
                "draw the examples that matter more often instead."
            )

    def _check_class_weight(self, x, y):
        self._check_target_and_weights(1, 1)
        if (y is None or y is x) and not is_stream(x):
            raise ValueError("`class_weight` must come with class labels `y`.")

    def _check_batch_size(self, x, batch_size, share):
        rows = math.floor(len(keras.tree.flatten(x)[0]) * share)
        size = 32 if batch_size is None else validation.positive_int("batch_size", batch_size)
        validation.batch(rows % size or size, self.min_batch_size)
        distribution.check_batches(self, x, batch_size, share)

    def _check_compile(self, **arguments):
        for name in ("loss", "loss_weights", "metrics", "weighted_metrics"):
            if arguments.get(name) is not None:
                raise ValueError(
                    f"`{name}` must be left out of compile(), got {arguments[name]!r}: "
                    f"{type(self).__name__} computes its own in train_step."
                )
        unbuilt = [layer.name for layer in self.layers if not layer.built]
        if unbuilt:
            raise ValueError(f"`{unbuilt[0]}` must be built before compile(): begin the network with keras.Input.")
        if keras.backend.backend() == "torch" and arguments.get("steps_per_execution", 1) != 1:
            raise ValueError(
                f"`steps_per_execution` must be 1 on torch, got {arguments['steps_per_execution']}: "
                "Keras has no multi-step function there."
            )


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
                    "the usual cure, unless a stream held labels that are no class; keras.callbacks.BackupAndRestore "
                    "keeps the weights of the last epoch before."
                )


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
