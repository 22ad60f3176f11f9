"""Encoders and decoders of convolutions, with one dense layer at the code."""

import math

import keras
from keras import layers

from ..core import validation
from ..core.seeds import seed_stream
from .blocks import conv_block, dense_block, glorot


def convolutional_encoder(
    image_shape,
    latent_dim,
    filters=(32, 64),
    activation="relu",
    batch_normalization=False,
    seed=None,
    name="encoder",
):
    """3×3 convolutions of stride 2, each halving height and width (rounded up), then one dense layer to the code.

    Args and returns: as `dense_encoder`, with `filters`, the channels of each convolution.
    """
    seeds = seed_stream(seed)
    inputs = keras.Input(validation.image_shape("image_shape", image_shape))
    x = inputs
    for channels in filters:
        x = conv_block(x, channels, 3, 2, activation, batch_normalization, seeds=seeds)
    x = layers.Flatten()(x)
    code = layers.Dense(latent_dim, kernel_initializer=glorot(seeds), dtype="float32", name="code")(x)
    return keras.Model(inputs, code, name=name)


def convolutional_decoder(
    image_shape,
    latent_dim,
    filters=(64, 32),
    activation="relu",
    batch_normalization=False,
    output_activation="sigmoid",
    seed=None,
    name="decoder",
):
    """One dense layer from the code to a small image, then 3×3 transposed convolutions that each double its size.

    Where doubling overshoots an odd height or width, the last row or column is cropped, so that every image size
    comes back exactly.

    Args and returns: as `dense_decoder`, with `filters`, the channels before each doubling.
    """
    seeds = seed_stream(seed)
    height, width, channels = validation.image_shape("image_shape", image_shape)
    # Heights and widths from the small image to the whole one.
    sizes = [(math.ceil(height / 2**k), math.ceil(width / 2**k)) for k in range(len(filters), -1, -1)]
    small = (*sizes[0], filters[0])
    code = keras.Input((latent_dim,))
    x = dense_block(code, math.prod(small), activation, batch_normalization, seeds=seeds)
    x = layers.Reshape(small)(x)
    for count, (rows, columns) in zip(filters, sizes[1:]):
        x = conv_block(x, count, 3, 2, activation, batch_normalization, seeds=seeds, transpose=True)
        x = x[:, :rows, :columns]
    outputs = layers.Conv2D(
        channels, 3, padding="same", activation=output_activation, kernel_initializer=glorot(seeds), dtype="float32"
    )(x)
    return keras.Model(code, outputs, name=name)
