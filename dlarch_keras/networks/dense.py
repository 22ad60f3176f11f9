"""Encoders and decoders of dense layers."""

import math

import keras
from keras import layers

from ..core import validation
from ..core.seeds import seed_stream
from .blocks import dense_block, glorot


def dense_encoder(
    image_shape,
    latent_dim,
    hidden_units=(512, 512),
    activation="relu",
    batch_normalization=False,
    seed=None,
    name="encoder",
):
    """Dense layers from pixels to code; without hidden units, one linear map.

    Args:
        image_shape: shape of one example.
        latent_dim: length of the code.
        hidden_units: width of each hidden layer.
        activation: of the hidden layers; the code is linear.
        batch_normalization: whether each hidden layer is normalised before its activation.
        seed: integer; None for different weights each time; or a `seed_stream`.
        name: the network's name.

    Returns:
        `keras.Model`: `(n, *image_shape)` → `(n, latent_dim)`.
    """
    seeds = seed_stream(seed)
    latent_dim = validation.positive_int("latent_dim", latent_dim)
    inputs = keras.Input(validation.positive_ints("image_shape", image_shape))
    x = layers.Flatten()(inputs)
    for units in hidden_units:
        x = dense_block(x, units, activation, batch_normalization, seeds=seeds)
    code = layers.Dense(latent_dim, kernel_initializer=glorot(seeds), dtype="float32", name="code")(x)
    return keras.Model(inputs, code, name=name)


def dense_decoder(
    image_shape,
    latent_dim,
    hidden_units=(512, 512),
    activation="relu",
    batch_normalization=False,
    output_activation="sigmoid",
    seed=None,
    name="decoder",
):
    """Dense layers from code to pixels, the hidden ones in the order given.

    Args:
        image_shape, latent_dim, hidden_units, activation, batch_normalization, seed, name: as in `dense_encoder`.
        output_activation: "sigmoid" for pixels, None for logits or unbounded features.

    Returns:
        `keras.Model`: `(n, latent_dim)` → `(n, *image_shape)`.
    """
    seeds = seed_stream(seed)
    image_shape = validation.positive_ints("image_shape", image_shape)
    code = keras.Input((validation.positive_int("latent_dim", latent_dim),))
    x = code
    for units in hidden_units:
        x = dense_block(x, units, activation, batch_normalization, seeds=seeds)
    pixels = math.prod(image_shape)
    x = layers.Dense(pixels, output_activation, kernel_initializer=glorot(seeds), dtype="float32")(x)
    return keras.Model(code, layers.Reshape(image_shape, dtype="float32")(x), name=name)
