"""Networks that are given a condition, a class or attributes, beside their input."""

import keras
from keras import layers


def conditional_decoder(trunk, condition_dim):
    """A decoder that is given a condition beside the code.

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
    return keras.Model([code, condition], trunk(layers.Concatenate()([code, condition])), name=trunk.name)
