"""Encoders for a VAE, which return the mean and the log variance of a code, and what goes with them.

encoder = variational.dense_encoder((28, 28, 1), latent_dim=20)
decoder = networks.dense_decoder((28, 28, 1), latent_dim=20, output_activation=None)
"""

import keras
from keras import layers

from ..core.seeds import seed_stream
from . import convolutional, dense, residual
from .blocks import dense_block, glorot


def gaussian_encoder(network, name="encoder"):
    """An encoder for a VAE from any network `(n, *shape)` → `(n, 2 latent_dim)`: its output's halves are the two.

    Returns:
        `keras.Model`: `(n, *shape)` → `[z_mean, z_log_var]`, each `(n, latent_dim)`.
    """
    inputs = network.inputs if len(network.inputs) > 1 else network.inputs[0]
    return keras.Model(inputs, list(keras.ops.split(network.outputs[0], 2, axis=-1)), name=name)


def dense_encoder(image_shape, latent_dim, hidden_units=(512, 512), **style):
    """`networks.dense_encoder` with the two outputs of a VAE; `style` is what that one takes besides."""
    return gaussian_encoder(dense.dense_encoder(image_shape, 2 * latent_dim, hidden_units, **style))


def convolutional_encoder(image_shape, latent_dim, filters=(32, 64), **style):
    """`networks.convolutional_encoder` with the two outputs of a VAE; `style` is what that one takes besides."""
    return gaussian_encoder(convolutional.convolutional_encoder(image_shape, 2 * latent_dim, filters, **style))


def residual_encoder(
    image_shape, latent_dim, filters=(32, 64), hidden_units=(512,), activation="silu", seed=None, **style
):
    """`networks.residual_encoder` and dense layers to the two outputs of a VAE; `style` is what that one takes."""
    seeds = seed_stream(seed)
    trunk = residual.residual_encoder(image_shape[-1], filters, activation=activation, seed=seeds, **style)
    return gaussian_encoder(
        residual.image_to_code(trunk, image_shape, 2 * latent_dim, hidden_units, activation, seed=seeds)
    )


def residual_decoder(
    image_shape, latent_dim, filters=(64, 32), hidden_units=(512,), activation="silu", seed=None, **style
):
    """Dense layers from the code to a small image, then `networks.residual_decoder`, to logits; the same arguments."""
    seeds = seed_stream(seed)
    style = {"output_activation": None, **style}
    trunk = residual.residual_decoder(image_shape[-1], filters, activation=activation, seed=seeds, **style)
    return residual.code_to_image(trunk, image_shape, latent_dim, hidden_units, activation, seed=seeds)


def conditional_encoder(trunk, latent_dim, condition_dim, units=256, seed=None):
    """An encoder that is given a condition beside the image.

    Args:
        trunk: network `(n, *shape)` → `(n, features)`, for instance `networks.convolutional_encoder(shape, 256)`.
        latent_dim: length of the code.
        condition_dim: number of classes, or of attributes.
        units: width of the hidden layer in which features and condition meet.
        seed: integer; None for different weights each time; or the `seed_stream` that the trunk was built with.

    Returns:
        `keras.Model`: `[(n, *shape), (n, condition_dim)]` → `[z_mean, z_log_var]`, each `(n, latent_dim)`.
    """
    seeds = seed_stream(seed)
    condition = keras.Input((condition_dim,), name="condition")
    x = layers.Concatenate()([layers.Activation("relu")(trunk.output), condition])
    x = dense_block(x, units, seeds=seeds)
    code = layers.Dense(2 * latent_dim, dtype="float32", kernel_initializer=glorot(seeds))(x)
    return gaussian_encoder(keras.Model([*trunk.inputs, condition], code))
