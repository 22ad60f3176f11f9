"""Functional-API networks that several architectures share: dense and convolutional encoders and decoders.

An encoder maps `image_shape` to a code of `latent_dim` numbers, a decoder maps it back. `image_shape` is
`(height, width, channels)` of any size, or `(features,)` for table rows with the dense pair. Weights start from the
Glorot uniform distribution (Glorot & Bengio 2010); the same `seed` gives the same weights. The residual pair has no
dense layer: its code is a small image, and images of any size go through it.
"""

import itertools
import math

import keras
from keras import layers


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
        seed: integer, or None for different weights each time.
        name: the network's name.

    Returns:
        `keras.Model`: `(n, *image_shape)` → `(n, latent_dim)`.
    """
    hidden = HiddenLayers(activation, batch_normalization, seed)
    inputs = keras.Input(image_shape)
    x = layers.Flatten()(inputs)
    for units in hidden_units:
        x = hidden(layers.Dense, x, units)
    code = layers.Dense(latent_dim, kernel_initializer=hidden.initializer(), dtype="float32", name="code")(x)
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
    hidden = HiddenLayers(activation, batch_normalization, seed)
    code = x = keras.Input((latent_dim,))
    for units in hidden_units:
        x = hidden(layers.Dense, x, units)
    pixels = math.prod(image_shape)
    x = layers.Dense(pixels, output_activation, kernel_initializer=hidden.initializer(), dtype="float32")(x)
    return keras.Model(code, layers.Reshape(image_shape, dtype="float32")(x), name=name)


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
    hidden = HiddenLayers(activation, batch_normalization, seed)
    inputs = x = keras.Input(image_shape)
    for channels in filters:
        x = hidden(layers.Conv2D, x, channels, 3, 2, "same")
    x = layers.Flatten()(x)
    code = layers.Dense(latent_dim, kernel_initializer=hidden.initializer(), dtype="float32", name="code")(x)
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
    hidden = HiddenLayers(activation, batch_normalization, seed)
    height, width, channels = image_shape
    sizes = [(math.ceil(height / 2**step), math.ceil(width / 2**step)) for step in reversed(range(len(filters) + 1))]
    code = keras.Input((latent_dim,))
    start = (*sizes[0], filters[0])
    x = layers.Reshape(start)(hidden(layers.Dense, code, math.prod(start)))
    for (rows, columns), (next_rows, next_columns), count in zip(sizes, sizes[1:], filters):
        x = hidden(layers.Conv2DTranspose, x, count, 3, 2, "same")
        excess = ((0, 2 * rows - next_rows), (0, 2 * columns - next_columns))
        if excess != ((0, 0), (0, 0)):
            x = layers.Cropping2D(excess)(x)
    outputs = layers.Conv2D(
        channels,
        3,
        padding="same",
        activation=output_activation,
        kernel_initializer=hidden.initializer(),
        dtype="float32",
    )(x)
    return keras.Model(code, outputs, name=name)


def residual_encoder(
    channels, filters=(32, 128), blocks=1, activation="silu", batch_normalization=True, seed=None, name="encoder"
):
    """4×4 convolutions of stride 2, then residual blocks (He et al. 2016): no dense layer, so any image size goes in.

    Args:
        channels: of the image.
        filters: channels of each convolution; height and width halve (rounded up) with each.
        blocks: number of residual blocks after them.
        activation, batch_normalization, seed, name: as in `dense_encoder`.

    Returns:
        `keras.Model`: `(n, height, width, channels)` → `(n, height / 2^k, width / 2^k, filters[-1])`, k convolutions.
    """
    hidden = HiddenLayers(activation, batch_normalization, seed, momentum=0.9)
    inputs = x = keras.Input((None, None, channels))
    for count in filters:
        x = hidden(layers.Conv2D, x, count, 4, 2, "same")
    return keras.Model(inputs, _residual_blocks(hidden, x, blocks, filters[-1]), name=name)


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
    hidden = HiddenLayers(activation, batch_normalization, seed, momentum=0.9)
    code = keras.Input((None, None, filters[0]))
    x = _residual_blocks(hidden, code, blocks, filters[0])
    for count in filters[1:]:
        x = hidden(layers.Conv2DTranspose, x, count, 4, 2, "same")
    outputs = layers.Conv2DTranspose(
        channels,
        4,
        2,
        "same",
        activation=output_activation,
        kernel_initializer=hidden.initializer(),
        dtype="float32",
    )(x)
    return keras.Model(code, outputs, name=name)


def image_to_code(trunk, image_shape, latent_dim, hidden_units=(), activation="relu", name="encoder", seed=None):
    """An encoder from a network without dense layers, `residual_encoder` for instance, and dense layers to the code.

    Args:
        trunk: `keras.Model`, `(n, height, width, channels)` → `(n, rows, columns, features)`.
        image_shape, latent_dim, hidden_units, activation, name, seed: as in `dense_encoder`.

    Returns:
        `keras.Model`: `(n, *image_shape)` → `(n, latent_dim)`.
    """
    hidden = HiddenLayers(activation, False, seed if seed is None else seed + 500)  # unlike the trunk's own
    inputs = keras.Input(image_shape)
    x = layers.Flatten()(layers.Activation(activation)(trunk(inputs)))
    for units in hidden_units:
        x = hidden(layers.Dense, x, units)
    code = layers.Dense(latent_dim, kernel_initializer=hidden.initializer(), dtype="float32", name="code")(x)
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
    hidden = HiddenLayers(activation, False, seed if seed is None else seed + 500)
    features = trunk.input_shape[-1]
    scale = trunk.compute_output_shape((None, 1, 1, features))[1]
    small = (*(math.ceil(length / scale) for length in image_shape[:2]), features)
    code = x = keras.Input((latent_dim,))
    for units in (*hidden_units, math.prod(small)):
        x = hidden(layers.Dense, x, units)
    return keras.Model(code, trunk(layers.Reshape(small)(x))[:, : image_shape[0], : image_shape[1]], name=name)


def conditional_decoder(trunk, condition_dim):
    """A decoder that is told a condition beside the code.

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


def condition_rows(y, condition_dim):
    """A batch's conditions as a network takes them: labels `(n,)` become one-hot rows, attributes stay as they are.

    Returns:
        Tensor `(n, condition_dim)`, float32.
    """
    if "int" in keras.backend.standardize_dtype(y.dtype):
        return keras.ops.one_hot(y, condition_dim)
    return keras.ops.cast(y, "float32")


def _residual_blocks(hidden, x, blocks, filters):
    for _ in range(blocks):
        inner = hidden(layers.Conv2D, x, filters, 3, 1, "same")
        # A block starts out as a small change, so that many of them can be stacked without normalisation.
        small = keras.initializers.VarianceScaling(0.1, "fan_avg", "uniform", next(hidden.seeds))
        inner = layers.Conv2D(filters, 3, padding="same", kernel_initializer=small)(inner)
        x = layers.Add()([x, inner])
    return x


class HiddenLayers:
    """Applies hidden layers of one style: Glorot weights from consecutive seeds, BatchNorm or a bias, activation."""

    def __init__(self, activation, batch_normalization, seed, momentum=0.99):
        self.activation = activation
        self.batch_normalization = batch_normalization
        self.momentum = momentum  # of BatchNorm's averages: smaller for short training
        self.seeds = itertools.repeat(None) if seed is None else itertools.count(seed)

    def initializer(self):
        return keras.initializers.GlorotUniform(next(self.seeds))

    def __call__(self, layer, x, *arguments):
        x = layer(*arguments, use_bias=not self.batch_normalization, kernel_initializer=self.initializer())(x)
        if self.batch_normalization:
            x = layers.BatchNormalization(momentum=self.momentum)(x)
        return layers.Activation(self.activation)(x)
