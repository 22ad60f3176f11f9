"""The network of Vinyals et al. 2016 that embeds an image for comparison with others."""

import keras
from keras import layers

from ..core import validation
from ..networks import conv_block, seed_stream


def convolutional_embedding(image_shape, filters=(64, 64, 64, 64), seed=None):
    """A 5×5 convolution of stride 2, then 3×3 ones, each with BatchNorm, ReLU and max pooling; a vector of length 1.

    The first one, at full resolution, would take as long as all others together.

    Args:
        image_shape: `(height, width, channels)` of any size.
        filters: channels of each convolution; each halves height and width, rounded up.
        seed: integer, or None for different weights each time.

    Returns:
        `keras.Model`: `(n, *image_shape)` → `(n, d)`; for 28 × 28 pixels and four convolutions d = 4 · `filters[-1]`.
    """
    style = {"batch_normalization": True, "momentum": 0.95, "seeds": seed_stream(seed)}
    inputs = keras.Input(validation.image_shape("image_shape", image_shape))
    x = conv_block(inputs, filters[0], 5, strides=2, **style)
    for channels in filters[1:]:
        x = layers.MaxPooling2D(2, padding="same")(conv_block(x, channels, 3, **style))
    code = layers.UnitNormalization(dtype="float32")(layers.Flatten()(x))
    return keras.Model(inputs, code, name="embedding")
