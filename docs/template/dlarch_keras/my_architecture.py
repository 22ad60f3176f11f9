"""What it does, in a line; here, a network that estimates numbers from rows of numbers.

The paper it comes from: authors, "title", venue, year.
"""

import keras

from .core import validation
from .core import Model, apply_gradients, forward, value_and_grad


@keras.saving.register_keras_serializable("dlarch_keras")
class MyArchitecture(Model):
    """Learns `network(x) ≈ y` by minimising the squared error, a mean over elements, which it logs as `loss`.

    Args:
        network: built `keras.Model`, `(n, columns)` → `(n, outputs)`.

    Raises:
        ValueError: for a network that takes or returns something else.
    """

    def __init__(self, network, **kwargs):
        super().__init__(**kwargs)
        validation.network("network", network)
        if [len(network.input_shape), len(network.output_shape)] != [2, 2]:
            raise ValueError(
                f"`network` must turn rows into rows, got shapes {network.input_shape} → {network.output_shape}."
            )
        self.network = network
        self.loss_tracker = keras.metrics.Mean(name="loss")

    def call(self, x, training=False):
        return self.network(x, training=training)

    def loss_of(self, x, y, sample_weight=None, training=False):
        """Squared error of a batch, a mean over elements, plus the layers' own losses: a scalar."""
        outputs = keras.ops.cast(self(x, training=training), "float32")
        losses = keras.ops.mean(keras.ops.square(keras.ops.cast(y, "float32") - outputs), axis=1)
        if sample_weight is not None:
            losses = losses * keras.ops.reshape(keras.ops.cast(sample_weight, "float32"), (-1,))
        return keras.ops.mean(losses) + sum(self.losses)

    def train_step(self, data):
        x, y, sample_weight = self._unpacked(data)
        loss, gradients = value_and_grad(
            lambda: self.loss_of(x, y, sample_weight, training=True), self.trainable_variables
        )
        apply_gradients(self.optimizer, gradients, self.trainable_variables)
        return self._logged(loss, x)

    def test_step(self, data):
        x, y, sample_weight = self._unpacked(data)
        return self._logged(self.loss_of(x, y, sample_weight), x)

    def _unpacked(self, data):
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        if y is None:
            raise ValueError("`y` must hold the numbers to estimate, got None.")
        return x, y, sample_weight

    def _logged(self, loss, x):
        self.loss_tracker.update_state(loss, sample_weight=keras.ops.shape(x)[0])
        return {"loss": self.loss_tracker.result()}

    def check_data(self, x, y=None):
        x = validation.array("x", x, self.network.input_shape)
        if y is not None:
            validation.array("y", y, (x.shape[0], self.network.output_shape[1]))

    def estimate(self, x):
        """What the network makes of rows: `(n, columns)` → `(n, outputs)`, NumPy."""
        return forward(self.network, validation.array("x", x, self.network.input_shape))
