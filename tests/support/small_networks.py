"""Networks so simple that what they compute can be worked by hand."""

import keras
import numpy as np
from keras import layers


def number(tensor):
    return float(keras.ops.convert_to_numpy(tensor))


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def softplus(x):
    return np.log1p(np.exp(x))


def line(slope, name=None):
    """x → slope x, of one number."""
    return linear([[slope]], name=name)


def linear(weights, bias=None, name=None):
    """x → x W + b; without a bias, if there is none."""
    weights = np.array(weights)
    inputs = keras.Input((len(weights),))
    dense = layers.Dense(weights.shape[1], use_bias=bias is not None)
    model = keras.Model(inputs, dense(inputs), name=name)
    dense.set_weights([weights] if bias is None else [weights, np.array(bias)])
    return model


def constant_encoder(shape, z_mean, z_log_var):
    """A VAE's encoder with the same posterior for every image."""
    inputs = keras.Input(shape)
    heads = [layers.Dense(len(values)) for values in (z_mean, z_log_var)]
    model = keras.Model(inputs, [head(layers.Flatten()(inputs)) for head in heads])
    for head, values in zip(heads, (z_mean, z_log_var)):
        head.set_weights([np.zeros(head.kernel.shape), np.array(values)])
    return model
