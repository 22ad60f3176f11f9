"""One-shot learning: a network that has learned to compare names what it has seen once.

Koch, Zemel & Salakhutdinov, "Siamese neural networks for one-shot image recognition", ICML deep learning workshop 2015;
the network of Vinyals et al., "Matching networks for one shot learning", NeurIPS 2016. Train it as a `SiameseNetwork`:

    model = SiameseNetwork(convolutional_embedding(x.shape[1:]), NTXentLoss(0.1))
    model.compile(keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(2e-3, steps)))
    batches = BalancedBatches(*with_rotations(x, y), classes=32, examples=4, steps=100, augment=jitter)
    model.fit(batches, epochs=steps // 100)
"""

import keras
import numpy as np
from keras import layers
from scipy import ndimage

from .. import networks
from ..core import validation


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
    hidden = networks.HiddenLayers("relu", True, seed, momentum=0.95)
    inputs = x = keras.Input(image_shape)
    for number, count in enumerate(filters):
        if number == 0:
            x = hidden(layers.Conv2D, x, count, 5, 2, "same")
        else:
            x = layers.MaxPooling2D(2, padding="same")(hidden(layers.Conv2D, x, count, 3, 1, "same"))
    code = layers.UnitNormalization(dtype="float32")(layers.Flatten()(x))
    return keras.Model(inputs, code, name="embedding")


def with_rotations(x, y):
    """Images and, as further classes, the same ones turned by 90°, 180° and 270°: four times as much to tell apart.

    Args:
        x: floats in [0, 1], `(n, side, side, channels)`.
        y: integer classes, `(n,)`, from 0 on.

    Returns:
        `(x, y)`: `(4n, side, side, channels)`, `(4n,)`; those turned by k · 90° have the class y + k (largest y + 1).

    Raises:
        ValueError: for bad arrays, or images that are not square.
    """
    x = validation.array("x", x, (None, None, None, None), 0, 1)
    y = validation.labels("y", y, len(x))
    if x.shape[1] != x.shape[2]:
        raise ValueError(f"`x` must hold square images, got shape {x.shape}.")
    if y.min() < 0:
        raise ValueError(f"`y` must be classes from 0 on, got {y.min()}.")
    turned = [np.rot90(x, turns, axes=(1, 2)) for turns in range(4)]
    return np.concatenate(turned), np.concatenate([y + turns * (y.max() + 1) for turns in range(4)])


def jitter(x, random, size=1.0):
    """Draw each image again a little turned, slanted, stretched and moved, as another hand might.

    Args:
        x: floats, `(n, height, width, channels)`, with an empty ground of 0.
        random: `numpy.random.Generator`.
        size: how much, from 0 on.

    Returns:
        `(n, height, width, channels)`, float32.
    """
    size = validation.number("size", size)
    count, middle = len(x), (np.array(x.shape[1:3]) - 1) / 2
    turn, slant = size * np.array([[0.12], [0.12]]) * random.standard_normal((2, count))
    height, width = np.exp(0.1 * size * random.standard_normal((2, count)))
    shift = 0.04 * size * np.array(x.shape[1:3]) * random.standard_normal((count, 2))
    cos, sin = np.cos(turn), np.sin(turn)
    maps = np.array([[cos * height, cos * slant - sin * width], [sin * height, sin * slant + cos * width]])
    drawn = np.empty(x.shape, "float32")
    for number, (image, affine) in enumerate(zip(x, maps.transpose(2, 0, 1))):
        offset = middle - affine @ middle + shift[number]
        for channel in range(x.shape[3]):
            ndimage.affine_transform(image[..., channel], affine, offset, order=1, output=drawn[number, ..., channel])
    return drawn
