"""The networks of a convolutional GAN.

After Radford, Metz & Chintala, "Unsupervised representation learning with deep convolutional generative adversarial
networks", ICLR 2016.
"""

import math

import keras
from keras import layers

from ..core import validation
from ..core.seeds import seed_stream
from .blocks import conv_block, dense_block, glorot
from .conditional import conditional_decoder

MOMENTUM = 0.9  # of BatchNorm's averages


def convolutional_generator(
    image_shape, latent_dim=64, filters=(64, 32, 16), condition_dim=0, output_activation="sigmoid", seed=None
):
    """A dense layer to a small image, then 4×4 transposed convolutions that double it, each with BatchNorm and ReLU.

    Args:
        image_shape: `(height, width, channels)` of any size.
        latent_dim: length of the code.
        filters: channels of the small image, then after each doubling.
        condition_dim: number of classes or attributes it is given besides; 0 for none.
        output_activation: "sigmoid" for pixels in [0, 1], "tanh" for [-1, 1].
        seed: integer; None for different weights each time; or a `seed_stream`.

    Returns:
        `keras.Model`: `(n, latent_dim)` → `(n, *image_shape)`, or `[(n, latent_dim), (n, condition_dim)]` → the same.

    Raises:
        ValueError: for sizes and numbers that are no whole numbers, or too small.
    """
    height, width, channels = validation.image_shape("image_shape", image_shape)
    filters = validation.positive_ints("filters", filters)
    latent_dim = validation.positive_int("latent_dim", latent_dim)
    condition_dim = validation.non_negative_int("condition_dim", condition_dim)
    seeds = seed_stream(seed)
    scale = 2 ** (len(filters) - 1)
    small = (math.ceil(height / scale), math.ceil(width / scale), filters[0])
    code = keras.Input((latent_dim + condition_dim,))
    x = layers.Reshape(small)(dense_block(code, math.prod(small), "relu", True, MOMENTUM, seeds))
    for count in filters[1:]:
        x = conv_block(x, count, 4, 2, "relu", True, MOMENTUM, seeds, transpose=True)
    last = layers.Conv2D(channels, 5, padding="same", kernel_initializer=glorot(seeds), dtype="float32")
    pixels = layers.Activation(output_activation, dtype="float32")(last(x[:, :height, :width]))
    generator = keras.Model(code, pixels, name="generator")
    return conditional_decoder(generator, condition_dim) if condition_dim else generator


def convolutional_discriminator(
    image_shape, filters=(32, 64, 128), batch_normalization=True, condition_dim=0, seed=None
):
    """4×4 convolutions of stride 2 with leaky ReLU, all but the first with BatchNorm, and a dense layer to a logit.

    A condition enters as a projection (Miyato & Koyama, "cGANs with projection discriminator", ICLR 2018): the inner
    product of the image's features with those of the condition is added to the logit.

    Args:
        image_shape: `(height, width, channels)` of any size.
        filters: channels of each convolution.
        batch_normalization: False for `WGANGP`, which must score each example by itself.
        condition_dim, seed: as in `convolutional_generator`.

    Returns:
        `keras.Model`: `(n, *image_shape)` → `(n, 1)`, or `[(n, *image_shape), (n, condition_dim)]` → the same.

    Raises:
        ValueError: as `convolutional_generator`.
    """
    seeds = seed_stream(seed)
    inputs = keras.Input(validation.image_shape("image_shape", image_shape))
    x = inputs
    for number, count in enumerate(validation.positive_ints("filters", filters)):
        x = conv_block(x, count, 4, 2, "leaky_relu", batch_normalization and number > 0, MOMENTUM, seeds)
    features = layers.Flatten()(x)
    logits = layers.Dense(1, kernel_initializer=glorot(seeds), dtype="float32")(features)
    if not validation.non_negative_int("condition_dim", condition_dim):
        return keras.Model(inputs, logits, name="discriminator")
    condition = keras.Input((condition_dim,), name="condition")
    wanted = layers.Dense(features.shape[-1], use_bias=False, kernel_initializer=glorot(seeds))(condition)
    logits = layers.Add(dtype="float32")([logits, layers.Dot(-1)([features, wanted])])
    return keras.Model([inputs, condition], logits, name="discriminator")
