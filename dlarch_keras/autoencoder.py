"""The autoencoder: two networks that learn to copy their input through a narrow code.

Hinton & Salakhutdinov, "Reducing the dimensionality of data with neural networks", Science 313, 2006.
"""

import keras

from .core import validation
from .core import Model, apply_gradients, forward, value_and_grad


@keras.saving.register_keras_serializable(package="dlarch_keras")
class Autoencoder(Model):
    """Learns `decoder(encoder(x)) ≈ x` by minimising the reconstruction loss, a mean over elements.

    Args:
        encoder: built `keras.Model`, `(n, *shape)` → `(n, latent_dim)`.
        decoder: built `keras.Model`, `(n, latent_dim)` → `(n, *shape)`: pixels under "mse", logits under
            "binary_crossentropy".
        reconstruction_loss: "mse", or "binary_crossentropy" for data within [0, 1].

    Raises:
        ValueError: for networks that do not fit each other or the loss.
    """

    target_is_input = True

    def __init__(self, encoder, decoder, reconstruction_loss="mse", **kwargs):
        super().__init__(**kwargs)
        validation.network("encoder", encoder)
        validation.network("decoder", decoder)
        validation.connected("encoder", encoder, "decoder", decoder)
        validation.connected("decoder", decoder, "encoder", encoder)
        if reconstruction_loss not in ("mse", "binary_crossentropy"):
            raise ValueError(
                f'`reconstruction_loss` must be "mse" or "binary_crossentropy", got {reconstruction_loss!r}.'
            )
        if reconstruction_loss == "binary_crossentropy":
            validation.logits("decoder", decoder)
        self.encoder = encoder
        self.decoder = decoder
        self.reconstruction_loss = reconstruction_loss
        self.loss_tracker = keras.metrics.Mean(name="loss")

    def call(self, x, training=False):
        outputs = self.decoder(self.encoder(x, training=training), training=training)
        # Networks of any image size return whole multiples of their stride.
        return _cropped(outputs, keras.ops.shape(x)) if None in self.encoder.input_shape[1:] else outputs

    def loss_of(self, x, y=None, sample_weight=None, training=False):
        """Loss of a batch, a scalar: mean over elements and examples, plus the layers' own losses. `y` None: `x`."""
        outputs = keras.ops.cast(self(x, training=training), "float32")
        target = keras.ops.cast(x if y is None else y, "float32")
        target = keras.ops.reshape(target, keras.ops.shape(outputs))  # of one pixel, it would be stretched to fit
        if self.reconstruction_loss == "mse":
            losses = keras.ops.square(target - outputs)
        else:
            losses = keras.ops.binary_crossentropy(target, outputs, from_logits=True)
        losses = keras.ops.mean(keras.ops.reshape(losses, (keras.ops.shape(target)[0], -1)), axis=1)
        if sample_weight is not None:
            losses = losses * keras.ops.reshape(keras.ops.cast(sample_weight, "float32"), (-1,))
        return keras.ops.mean(losses) + sum(self.losses)

    def train_step(self, data):
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        loss, gradients = value_and_grad(
            lambda: self.loss_of(x, y, sample_weight, training=True), self.trainable_variables
        )
        apply_gradients(self.optimizer, gradients, self.trainable_variables)
        self.loss_tracker.update_state(loss, sample_weight=keras.ops.shape(x)[0])
        return {"loss": self.loss_tracker.result()}

    def test_step(self, data):
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        self.loss_tracker.update_state(self.loss_of(x, y, sample_weight), sample_weight=keras.ops.shape(x)[0])
        return {"loss": self.loss_tracker.result()}

    @property
    def _range(self):
        # Pixels lie within [0, 1], and so must whatever a cross-entropy is taken of; table rows may be anything.
        bounded = len(self.encoder.input_shape) == 4 or self.reconstruction_loss == "binary_crossentropy"
        return (0, 1) if bounded else ()

    def check_data(self, x, y=None):
        self._checked_x(x)
        alike = isinstance(y, keras.KerasTensor) and y.shape == x.shape  # within a step there is no telling more
        if y is not None and y is not x and not alike:
            raise ValueError("`y` must be left out: an autoencoder's target is its input `x`.")

    def _checked_x(self, x):
        return validation.array("x", x, (None, *self.encoder.input_shape[1:]), *self._range)

    def encode(self, x):
        """Codes of `x`: `(n, *shape)` in [0, 1] → `(n, latent_dim)`, NumPy."""
        return forward(self.encoder, self._checked_x(x))

    def decode(self, z):
        """Reconstructions for codes `z`: `(n, latent_dim)` → `(n, *shape)`, NumPy; pixels within [0, 1]."""
        outputs = forward(self.decoder, validation.array("z", z, (None, *self.decoder.input_shape[1:])))
        if self.reconstruction_loss == "binary_crossentropy":
            outputs = keras.ops.convert_to_numpy(keras.ops.sigmoid(outputs))
        return outputs.clip(*self._range) if self._range else outputs

    def reconstruct(self, x):
        """`decode(encode(x))`: `(n, *shape)` → the same shape, NumPy."""
        x = self._checked_x(x)
        return _cropped(self.decode(self.encode(x)), x.shape)

    def reconstruction_error(self, x):
        """Squared error of each reconstruction, mean over its elements: `(n, *shape)` → `(n,)`, NumPy."""
        x = self._checked_x(x)
        return ((x - self.reconstruct(x)) ** 2).reshape(len(x), -1).mean(axis=1)


def _cropped(images, shape):
    return images[tuple(slice(length) for length in shape)]
