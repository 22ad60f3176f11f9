"""The conditional VAE: both networks are told the class or the attributes, so that the code holds only the rest.

Sohn, Lee & Yan, "Learning structured output representation using deep conditional generative models", NeurIPS 2015;
Kingma et al., "Semi-supervised learning with deep generative models", NeurIPS 2014 (the separation of class and style).
"""

import keras
import numpy as np
from keras import layers

from . import checks
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
        if "int" in keras.backend.standardize_dtype(y.dtype):
            return keras.ops.one_hot(y, self.condition_dim)
        return keras.ops.cast(y, "float32")

    def check_data(self, x, y=None):
        x = self._checked_images("x", x)
        self._checked_condition(y, x.shape[0], "y")

    def _checked_condition(self, condition, count, name="condition"):
        """`condition` as rows of numbers, one for each of `count` images (None: any); labels become one-hot rows."""
        if condition is None:
            raise ValueError(f"`{name}` must hold a class label or a row of attributes for each image, got None.")
        if not isinstance(condition, keras.KerasTensor):
            condition = np.asarray(condition)
        if "int" not in str(condition.dtype):
            return checks.array(name, condition, (count, self.condition_dim))
        if len(condition.shape) != 1 or 0 in condition.shape or condition.shape[0] != (count or condition.shape[0]):
            raise ValueError(f"`{name}` must hold one label for each image, got shape {tuple(condition.shape)}.")
        if isinstance(condition, keras.KerasTensor):
            return condition
        if condition.min() < 0 or condition.max() >= self.condition_dim:
            raise ValueError(
                f"`{name}` must hold labels from 0 to {self.condition_dim - 1}, "
                f"got {condition.min()} to {condition.max()}."
            )
        return np.eye(self.condition_dim, dtype="float32")[condition]

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
        new_condition = self._checked_condition(new_condition, len(x), "new_condition")
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


def conditional_decoder(trunk, condition_dim):
    """A decoder that is told a condition beside the code.

    Args:
        trunk: network `(n, latent_dim + condition_dim)` → `(n, *shape)`.
        condition_dim: number of classes, or of attributes.

    Returns:
        `keras.Model`: `[(n, latent_dim), (n, condition_dim)]` → `(n, *shape)`.
    """
    if trunk.input_shape[-1] <= condition_dim:
        raise ValueError(
            f"`trunk` must take a code beside {condition_dim} conditions, got {trunk.input_shape[-1]} in all."
        )
    code = keras.Input((trunk.input_shape[-1] - condition_dim,), name="code")
    condition = keras.Input((condition_dim,), name="condition")
    return keras.Model([code, condition], trunk(layers.Concatenate()([code, condition])), name="decoder")
