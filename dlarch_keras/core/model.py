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

from . import validation
from .door import Door
from .optimizers import CompositeOptimizer, composite
from .saving import Saving
from .steps import for_trainer


class Model(Door, Saving, keras.Model):
    """A `keras.Model` whose `train_step(self, data)` and `test_step(self, data)` run on every backend.

    A subclass takes built networks (functional models, or others that begin with a `keras.Input`), keeps every
    argument of its constructor as an attribute of the same name, and can then be saved and loaded, optimizers and
    random state included. `check_data` is the door: override it to say what good data is, and to make arrays of it.
    """

    networks_with_optimizers = ()  # attributes that hold networks which have an optimizer each

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
