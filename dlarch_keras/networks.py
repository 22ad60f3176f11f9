"""Functional-API networks that several architectures share: dense and convolutional encoders and decoders.

An encoder maps `image_shape` to a code of `latent_dim` numbers, a decoder maps it back. `image_shape` is
`(height, width, channels)` of any size, or `(features,)` for table rows with the dense pair. Weights start from the
Glorot uniform distribution (Glorot & Bengio 2010); the same `seed` gives the same weights.
"""

import math

import keras
from keras import layers


def dense_encoder(image_shape, latent_dim, hidden_units=(512, 512), activation="relu", seed=None, name="encoder"):
    """Dense layers from pixels to code; without hidden units, one linear map.

    Args:
        image_shape: shape of one example.
        latent_dim: length of the code.
        hidden_units: width of each hidden layer.
        activation: of the hidden layers; the code is linear.
        seed: integer, or None for different weights each time.

    Returns:
        `keras.Model`: `(n, *image_shape)` → `(n, latent_dim)`.
    """
    initializers = _glorot(seed)
    inputs = keras.Input(image_shape)
    x = layers.Flatten()(inputs)
    for units in hidden_units:
        x = layers.Dense(units, activation, kernel_initializer=next(initializers))(x)
    code = layers.Dense(latent_dim, kernel_initializer=next(initializers), dtype="float32", name="code")(x)
    return keras.Model(inputs, code, name=name)


def dense_decoder(
    image_shape,
    latent_dim,
    hidden_units=(512, 512),
    activation="relu",
    output_activation="sigmoid",
    seed=None,
    name="decoder",
):
    """Dense layers from code to pixels, the hidden ones in the order given.

    Args:
        image_shape: shape of one example.
        latent_dim: length of the code.
        hidden_units: width of each hidden layer.
        activation: of the hidden layers.
        output_activation: "sigmoid" for pixels, None for logits or unbounded features.
        seed: integer, or None for different weights each time.

    Returns:
        `keras.Model`: `(n, latent_dim)` → `(n, *image_shape)`.
    """
    initializers = _glorot(seed)
    code = x = keras.Input((latent_dim,))
    for units in hidden_units:
        x = layers.Dense(units, activation, kernel_initializer=next(initializers))(x)
    x = layers.Dense(math.prod(image_shape), output_activation, kernel_initializer=next(initializers), dtype="float32")(
        x
    )
    outputs = layers.Reshape(image_shape, dtype="float32")(x)
    return keras.Model(code, outputs, name=name)


def convolutional_encoder(image_shape, latent_dim, filters=(32, 64), activation="relu", seed=None, name="encoder"):
    """3×3 convolutions of stride 2, each halving height and width (rounded up), then one dense layer to the code.

    Args and returns: as `dense_encoder`, with `filters`, the channels of each convolution.
    """
    initializers = _glorot(seed)
    inputs = x = keras.Input(image_shape)
    for channels in filters:
        x = layers.Conv2D(channels, 3, 2, "same", activation=activation, kernel_initializer=next(initializers))(x)
    x = layers.Flatten()(x)
    code = layers.Dense(latent_dim, kernel_initializer=next(initializers), dtype="float32", name="code")(x)
    return keras.Model(inputs, code, name=name)


def convolutional_decoder(
    image_shape,
    latent_dim,
    filters=(64, 32),
    activation="relu",
    output_activation="sigmoid",
    seed=None,
    name="decoder",
):
    """One dense layer from the code to a small image, then 3×3 transposed convolutions that each double its size.

    Where doubling overshoots an odd height or width, the last row or column is cropped, so that every image size
    comes back exactly.

    Args and returns: as `dense_decoder`, with `filters`, the channels before each doubling.
    """
    initializers = _glorot(seed)
    height, width, channels = image_shape
    sizes = [(math.ceil(height / 2**step), math.ceil(width / 2**step)) for step in reversed(range(len(filters) + 1))]
    code = keras.Input((latent_dim,))
    start = (*sizes[0], filters[0])
    x = layers.Dense(math.prod(start), activation, kernel_initializer=next(initializers))(code)
    x = layers.Reshape(start)(x)
    for (rows, columns), target, width_ in zip(sizes, sizes[1:], filters):
        x = layers.Conv2DTranspose(width_, 3, 2, "same", activation=activation, kernel_initializer=next(initializers))(
            x
        )
        excess = ((0, 2 * rows - target[0]), (0, 2 * columns - target[1]))
        if excess != ((0, 0), (0, 0)):
            x = layers.Cropping2D(excess)(x)
    outputs = layers.Conv2D(
        channels, 3, 1, "same", activation=output_activation, kernel_initializer=next(initializers), dtype="float32"
    )(x)
    return keras.Model(code, outputs, name=name)


def _glorot(seed):
    while True:
        yield keras.initializers.GlorotUniform(seed)
        seed = None if seed is None else seed + 1
