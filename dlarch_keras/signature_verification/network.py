"""The network that embeds a signature, to be compared with others by the distance between embeddings."""

import keras
from keras import layers

from ..core import validation
from ..networks import seed_stream


def signature_embedding(
    image_shape=(64, 128, 1), filters=(16, 32, 48, 64, 96), embedding_dim=128, dropout=0.1, seed=None
):
    """3×3 convolutions, all but the first followed by max pooling, then one dense layer to a code of length 1.

    Args:
        image_shape: of one image.
        filters: channels of each convolution. The first has 5×5 weights and a stride of 2.
        embedding_dim: length of the code.
        dropout: share of the last features left out in training.
        seed: integer, or None for different weights each time.

    Returns:
        `keras.Model`: `(n, *image_shape)` → `(n, embedding_dim)`.
    """
    seeds = seed_stream(seed)
    inputs = x = keras.Input(validation.image_shape("image_shape", image_shape))
    for number, channels in enumerate(filters):
        kernel, stride = (3, 1) if number else (5, 2)
        initializer = keras.initializers.HeNormal(next(seeds))
        x = layers.Conv2D(channels, kernel, stride, "same", use_bias=False, kernel_initializer=initializer)(x)
        x = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))
        if number:
            x = layers.MaxPooling2D(2, padding="same")(x)
    x = layers.Dropout(dropout, seed=next(seeds))(layers.Flatten()(x))
    x = layers.Dense(embedding_dim, kernel_initializer=keras.initializers.GlorotUniform(next(seeds)))(x)
    return keras.Model(inputs, layers.UnitNormalization(dtype="float32")(x), name="embedding")
