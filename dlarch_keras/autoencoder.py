"""The autoencoder: two networks that learn to copy their input through a narrow code.

    minimise  mean (x - decoder(encoder(x)))²

Hinton & Salakhutdinov, "Reducing the dimensionality of data with neural networks", Science 313, 2006.
"""

import keras
from keras import ops

from .core import Model, apply_gradients, forward, validation, value_and_grad


@keras.saving.register_keras_serializable(package="dlarch_keras")
class Autoencoder(Model):
    """Learns `decoder(encoder(x)) ≈ x` by minimising the reconstruction loss, a mean over elements.

    `fit(x)`; or `fit(x, y)` to learn another target of the shape of `x`.

    Args:
        encoder: built `keras.Model`, `(n, *shape)` → `(n, latent_dim)`.
        decoder: built `keras.Model`, `(n, latent_dim)` → `(n, *shape)`: pixels under "mse", logits under
            "binary_crossentropy".
        reconstruction_loss: "mse", or "binary_crossentropy" for data within [0, 1].
        data_range: (low, high) of the data; None for table rows and other values without bounds.

    Raises:
        ValueError: for networks that do not fit each other, the loss or the data's range.
    """

    target_is_input = True

    def __init__(self, encoder, decoder, reconstruction_loss="mse", data_range=(0, 1), **kwargs):
        super().__init__(**kwargs)
        self.encoder = encoder
        self.decoder = decoder
        self.reconstruction_loss = reconstruction_loss
        self.data_range = validation.data_range(data_range)
        self.track("loss")
        _check_networks(self)

    def train_step(self, data):
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        loss, gradients = value_and_grad(
            lambda: self.compute_batch_loss(x, y, sample_weight, training=True), self.trainable_variables
        )
        apply_gradients(self.optimizer, gradients, self.trainable_variables)
        return self.log(ops.shape(x)[0], loss=loss)

    def compute_batch_loss(self, x, y=None, sample_weight=None, training=False):
        """Loss of a batch, a scalar: mean over elements and examples, plus the layers' own losses. `y` None: `x`."""
        outputs = ops.cast(self(x, training=training), "float32")
        target = ops.cast(x if y is None else y, "float32")
        target = ops.reshape(target, ops.shape(outputs))  # of one pixel, it would be stretched to fit
        if self.reconstruction_loss == "mse":
            losses = ops.square(target - outputs)
        else:
            losses = ops.binary_crossentropy(target, outputs, from_logits=True)
        losses = ops.mean(ops.reshape(losses, (ops.shape(target)[0], -1)), axis=1)
        if sample_weight is not None:
            losses = losses * ops.reshape(ops.cast(sample_weight, "float32"), (-1,))
        return ops.mean(losses) + sum(self.losses)

    def call(self, x, training=False):
        outputs = self.decoder(self.encoder(x, training=training), training=training)
        # Networks of any image size return whole multiples of their stride.
        return _cropped(outputs, ops.shape(x)) if None in self.encoder.input_shape[1:] else outputs

    def test_step(self, data):
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        return self.log(ops.shape(x)[0], loss=self.compute_batch_loss(x, y, sample_weight))

    def encode(self, x):
        """Codes of `x`: `(n, *shape)` → `(n, latent_dim)`, NumPy."""
        return forward(self.encoder, self._checked_x(x))

    def decode(self, z):
        """Reconstructions for codes `z`: `(n, latent_dim)` → `(n, *shape)`, NumPy, within `data_range`."""
        outputs = forward(self.decoder, validation.array("z", z, (None, *self.decoder.input_shape[1:])))
        if self.reconstruction_loss == "binary_crossentropy":
            outputs = ops.convert_to_numpy(ops.sigmoid(outputs))
        return outputs.clip(*self.data_range) if self.data_range else outputs

    def reconstruct(self, x):
        """`decode(encode(x))`: `(n, *shape)` → the same shape, NumPy."""
        x = self._checked_x(x)
        return _cropped(self.decode(self.encode(x)), x.shape)

    def reconstruction_error(self, x):
        """Squared error of each reconstruction, mean over its elements: `(n, *shape)` → `(n,)`, NumPy."""
        x = self._checked_x(x)
        return ((x - self.reconstruct(x)) ** 2).reshape(len(x), -1).mean(axis=1)

    def check_data(self, x, y=None):
        x = self._checked_x(x)
        return x, None if y is None else validation.data("y", y, x.shape, self.data_range)

    def _checked_x(self, x):
        return validation.data("x", x, (None, *self.encoder.input_shape[1:]), self.data_range)


def _cropped(images, shape):
    return images[tuple(slice(length) for length in shape)]


def _check_networks(model):
    validation.choice("reconstruction_loss", model.reconstruction_loss, ("mse", "binary_crossentropy"))
    validation.network("encoder", model.encoder)
    validation.network("decoder", model.decoder)
    validation.connected("encoder", model.encoder, "decoder", model.decoder)
    validation.connected("decoder", model.decoder, "encoder", model.encoder)
    if model.reconstruction_loss == "binary_crossentropy":
        validation.probabilities("reconstruction_loss", model.reconstruction_loss, model.data_range)
        validation.logits("decoder", model.decoder)
    else:
        validation.output_range("decoder", model.decoder, model.data_range)
