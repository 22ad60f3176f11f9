"""What it does, in a line; here, a network that estimates numbers from rows of numbers.

The paper it comes from: authors, "title", venue, year.
"""

import keras
from keras import ops

from .core import Model, apply_gradients, forward, validation, value_and_grad


@keras.saving.register_keras_serializable("dlarch_keras")
class MyArchitecture(Model):
    """Learns `network(x) ≈ y` by minimising the squared error, a mean over elements, which it logs as `loss`.

    Args:
        network: built `keras.Model`, `(n, columns)` → `(n, outputs)`.

    Raises:
        ValueError: for a network that takes or returns something else.
    """

    needs_target = True

    def __init__(self, network, **kwargs):
        super().__init__(**kwargs)
        self.network = network
        self.track("loss")
        validation.network("network", network)
        shapes = [network.input_shape, network.output_shape]
        validation.shapes("network", "turn rows into rows", shapes, [(None, None)] * 2)

    def train_step(self, data):
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        loss, gradients = value_and_grad(
            lambda: self.compute_batch_loss(x, y, sample_weight, training=True), self.trainable_variables
        )
        apply_gradients(self.optimizer, gradients, self.trainable_variables)
        return self.log(ops.shape(x)[0], loss=loss)

    def compute_batch_loss(self, x, y, sample_weight=None, training=False):
        """Squared error of a batch, a mean over elements, plus the layers' own losses: a scalar."""
        outputs = ops.cast(self(x, training=training), "float32")
        losses = ops.mean(ops.square(ops.cast(y, "float32") - outputs), axis=1)
        if sample_weight is not None:
            losses = losses * ops.reshape(ops.cast(sample_weight, "float32"), (-1,))
        return ops.mean(losses) + sum(self.losses)

    def call(self, x, training=False):
        return self.network(x, training=training)

    def test_step(self, data):
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        return self.log(ops.shape(x)[0], loss=self.compute_batch_loss(x, y, sample_weight))

    def estimate(self, x):
        """What the network makes of rows: `(n, columns)` → `(n, outputs)`, NumPy."""
        return forward(self.network, validation.array("x", x, self.network.input_shape))

    def check_data(self, x, y=None):
        x = validation.array("x", x, self.network.input_shape)
        if y is not None:
            y = validation.array("y", y, (x.shape[0], self.network.output_shape[1]))
        return x, y
