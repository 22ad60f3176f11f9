"""The conditional VAE: both networks are told the class or the attributes, so that the code holds only the rest.

Sohn, Lee & Yan, "Learning structured output representation using deep conditional generative models", NeurIPS 2015;
Kingma et al., "Semi-supervised learning with deep generative models", NeurIPS 2014 (the separation of class and style).
"""

import keras
from keras import layers

from . import networks
from .core import validation
from .vae import VAE, gaussian_encoder


@keras.saving.register_keras_serializable("dlarch_keras")
class ConditionalVAE(VAE):
    """A VAE of images given a condition: `fit(x, condition)`.

    A condition is either one class label an image, integers of shape `(n,)` from 0 to `condition_dim - 1`, or a row of
    attributes an image, floats of shape `(n, condition_dim)`. Every method of `VAE` that takes images or codes takes
    their `condition` as well.

    Args:
        encoder: built `keras.Model`, `[(n, *shape), (n, condition_dim)]` → `[z_mean, z_log_var]`.
        decoder: built `keras.Model`, `[(n, latent_dim), (n, condition_dim)]` → `(n, *shape)`.
        beta, likelihood, stddev, warmup_steps, seed: as in `VAE`.

    Raises:
        ValueError: for networks that do not fit each other, settings out of range.
    """

    target_is_input = False
    inputs_a_network = 2

    def _check_networks(self, encoder, decoder):
        super()._check_networks(encoder, decoder)
        first, second = encoder.inputs[1].shape, decoder.inputs[1].shape
        if first != second or len(first) != 2:
            raise ValueError(f"`decoder` must take conditions of `encoder`'s shape {first}, got {second}.")

    @property
    def condition_dim(self):
        return self.encoder.inputs[1].shape[-1]

    def build(self, input_shape=None):
        """Nothing to create: the networks come with their variables."""

    def call(self, inputs, training=False):
        x, condition = inputs
        z_mean, _ = self.encoder([x, condition], training=training)
        return self.decoder([z_mean, condition], training=training)

    def condition(self, y):
        return networks.condition_rows(y, self.condition_dim)

    def check_data(self, x, y=None):
        x = self._checked_images("x", x)
        validation.condition("y", y, self.condition_dim, x.shape[0])

    def _checked_condition(self, condition, count):
        return validation.condition("condition", condition, self.condition_dim, count)

    def generate(self, condition, seed=None):
        """Mean images of codes drawn from the prior, one for each row of `condition`: → `(n, *shape)`, NumPy."""
        condition = self._checked_condition(condition, None)
        return self.decode(self._prior(len(condition), seed), condition)

    def change(self, x, condition, new_condition):
        """The images as they would be under `new_condition`, with their own style: the same code, decoded anew.

        Args:
            x: `(n, *shape)`.
            condition: of these images.
            new_condition: the condition wanted, of the same form.

        Returns:
            `(n, *shape)`, NumPy.
        """
        new_condition = validation.condition("new_condition", new_condition, self.condition_dim, len(x))
        return self.decode(self.encode(x, condition), new_condition)


def conditional_encoder(trunk, latent_dim, condition_dim, units=256, seed=None):
    """An encoder that sees a condition beside the image.

    Args:
        trunk: network `(n, *shape)` → `(n, features)`, for instance `networks.convolutional_encoder(shape, 256)`.
        latent_dim: length of the code.
        condition_dim: number of classes, or of attributes.
        units: width of the hidden layer in which features and condition meet.
        seed: integer, or None for different weights each time.

    Returns:
        `keras.Model`: `[(n, *shape), (n, condition_dim)]` → `[z_mean, z_log_var]`, each `(n, latent_dim)`.
    """
    first, second = (keras.initializers.GlorotUniform(None if seed is None else seed + k) for k in (500, 501))
    condition = keras.Input((condition_dim,), name="condition")
    x = layers.Concatenate()([layers.Activation("relu")(trunk.output), condition])
    x = layers.Dense(units, "relu", kernel_initializer=first)(x)
    code = layers.Dense(2 * latent_dim, dtype="float32", kernel_initializer=second)(x)
    return gaussian_encoder(keras.Model([*trunk.inputs, condition], code))
