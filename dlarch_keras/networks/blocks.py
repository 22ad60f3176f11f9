"""The parts that networks are made of: a layer, its normalisation, its activation."""

import keras
from keras import layers

from ..core import validation
from ..core.seeds import seed_stream


def glorot(seeds):
    """Initial weights of the next layer (Glorot & Bengio 2010); `seeds` is a `seed_stream`."""
    return keras.initializers.GlorotUniform(next(seeds))


def dense_block(x, units, activation="relu", batch_normalization=False, momentum=0.99, seeds=None):
    """A dense layer, BatchNorm if wanted (in place of the bias), and the activation.

    Args:
        x: tensor `(n, features)`.
        units: width of the layer.
        activation: name or function.
        batch_normalization: whether to normalise before the activation.
        momentum: of BatchNorm's averages; smaller for short training.
        seeds: `seed_stream`, or a seed.

    Returns:
        Tensor `(n, units)`.
    """
    units = validation.positive_int("units", units)
    layer = layers.Dense(units, use_bias=not batch_normalization, kernel_initializer=glorot(seed_stream(seeds)))
    return _activated(layer(x), activation, batch_normalization, momentum)


def conv_block(
    x,
    filters,
    kernel_size=3,
    strides=1,
    activation="relu",
    batch_normalization=False,
    momentum=0.99,
    seeds=None,
    transpose=False,
    dilation_rate=1,
):
    """A convolution, BatchNorm if wanted (in place of the bias), and the activation.

    Args:
        x: tensor `(n, height, width, channels)`.
        filters: channels of the result.
        kernel_size: side of the kernel.
        strides: by which height and width shrink (rounded up); with `transpose`, by which they grow.
        activation, batch_normalization, momentum, seeds: as in `dense_block`.
        transpose: whether the convolution is a transposed one.
        dilation_rate: distance between the kernel's elements.

    Returns:
        Tensor `(n, height / strides, width / strides, filters)`.
    """
    validation.channels_last()
    layer = layers.Conv2DTranspose if transpose else layers.Conv2D
    convolution = layer(
        filters,
        kernel_size,
        strides,
        "same",
        dilation_rate=dilation_rate,
        use_bias=not batch_normalization,
        kernel_initializer=glorot(seed_stream(seeds)),
    )
    return _activated(convolution(x), activation, batch_normalization, momentum)


def residual_block(x, activation="silu", batch_normalization=True, momentum=0.9, seeds=None):
    """Two 3×3 convolutions whose result is added to what came in (He et al. 2016); the shape stays.

    It starts out as a small change, so that many of them can be stacked without normalisation.
    """
    seeds = seed_stream(seeds)
    filters = x.shape[-1]
    inner = conv_block(x, filters, 3, 1, activation, batch_normalization, momentum, seeds)
    small = keras.initializers.VarianceScaling(0.1, "fan_avg", "uniform", next(seeds))
    return layers.Add()([x, layers.Conv2D(filters, 3, padding="same", kernel_initializer=small)(inner)])


def _activated(x, activation, batch_normalization, momentum):
    if batch_normalization:
        x = layers.BatchNormalization(momentum=momentum)(x)
    return layers.Activation(activation)(x)
