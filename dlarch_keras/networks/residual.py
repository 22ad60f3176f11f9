"""Encoders and decoders of convolutions and residual blocks: no dense layer, so images of any size go through them.

Their code is a small image. `image_to_code` and `code_to_image` put dense layers between it and a code of numbers.
"""

import math

import keras
from keras import layers

from ..core import validation
from ..core.seeds import seed_stream
from .blocks import conv_block, dense_block, glorot, residual_block

MOMENTUM = 0.9  # of BatchNorm's averages


def residual_encoder(
    channels, filters=(32, 128), blocks=1, activation="silu", batch_normalization=True, seed=None, name="encoder"
):
    """4×4 convolutions of stride 2, then residual blocks (He et al. 2016).

    Args:
        channels: of the image.
        filters: channels of each convolution; height and width halve (rounded up) with each.
        blocks: number of residual blocks after them.
        activation, batch_normalization, seed, name: as in `dense_encoder`.

    Returns:
        `keras.Model`: `(n, height, width, channels)` → `(n, height / 2^k, width / 2^k, filters[-1])`, k convolutions.
    """
    seeds = seed_stream(seed)
    inputs = keras.Input((None, None, channels))
    x = inputs
    for count in filters:
        x = conv_block(x, count, 4, 2, activation, batch_normalization, MOMENTUM, seeds)
    for _ in range(blocks):
        x = residual_block(x, activation, batch_normalization, MOMENTUM, seeds)
    return keras.Model(inputs, x, name=name)


def residual_decoder(
    channels,
    filters=(128, 32),
    blocks=1,
    activation="silu",
    batch_normalization=True,
    output_activation="sigmoid",
    seed=None,
    name="decoder",
):
    """The mirror of `residual_encoder`: residual blocks, then 4×4 transposed convolutions that each double the size.

    Args:
        channels, blocks, activation, batch_normalization, seed, name: as in `residual_encoder`.
        filters: channels before each doubling, the first those of the code.
        output_activation: "sigmoid" for pixels, None for logits or unbounded values.

    Returns:
        `keras.Model`: `(n, height, width, filters[0])` → `(n, 2^k height, 2^k width, channels)`, k doublings.
    """
    seeds = seed_stream(seed)
    code = keras.Input((None, None, filters[0]))
    x = code
    for _ in range(blocks):
        x = residual_block(x, activation, batch_normalization, MOMENTUM, seeds)
    for count in filters[1:]:
        x = conv_block(x, count, 4, 2, activation, batch_normalization, MOMENTUM, seeds, transpose=True)
    last = layers.Conv2DTranspose(
        channels, 4, 2, "same", activation=output_activation, kernel_initializer=glorot(seeds), dtype="float32"
    )
    return keras.Model(code, last(x), name=name)


def image_to_code(trunk, image_shape, latent_dim, hidden_units=(), activation="relu", name="encoder", seed=None):
    """An encoder from a network without dense layers, `residual_encoder` for instance, and dense layers to the code.

    Args:
        trunk: `keras.Model`, `(n, height, width, channels)` → `(n, rows, columns, features)`.
        image_shape, latent_dim, hidden_units, activation, name, seed: as in `dense_encoder`.

    Returns:
        `keras.Model`: `(n, *image_shape)` → `(n, latent_dim)`.
    """
    seeds = seed_stream(seed)
    inputs = keras.Input(validation.image_shape("image_shape", image_shape))
    x = layers.Flatten()(layers.Activation(activation)(trunk(inputs)))
    for units in hidden_units:
        x = dense_block(x, units, activation, seeds=seeds)
    code = layers.Dense(latent_dim, kernel_initializer=glorot(seeds), dtype="float32", name="code")(x)
    return keras.Model(inputs, code, name=name)


def code_to_image(trunk, image_shape, latent_dim, hidden_units=(), activation="relu", name="decoder", seed=None):
    """A decoder from dense layers to a small image and a network without any, `residual_decoder` for instance.

    Args:
        trunk: `keras.Model`, `(n, height, width, features)` → an image larger by a whole number.
        image_shape: `(height, width, channels)`; what `trunk` makes beyond it is cropped.
        latent_dim, hidden_units, activation, name, seed: as in `dense_encoder`.

    Returns:
        `keras.Model`: `(n, latent_dim)` → `(n, *image_shape)`.
    """
    seeds = seed_stream(seed)
    height, width, _ = validation.image_shape("image_shape", image_shape)
    features = trunk.input_shape[-1]
    scale = trunk.compute_output_shape((None, 1, 1, features))[1]
    small = (math.ceil(height / scale), math.ceil(width / scale), features)
    code = keras.Input((latent_dim,))
    x = code
    for units in (*hidden_units, math.prod(small)):
        x = dense_block(x, units, activation, seeds=seeds)
    return keras.Model(code, trunk(layers.Reshape(small)(x))[:, :height, :width], name=name)
