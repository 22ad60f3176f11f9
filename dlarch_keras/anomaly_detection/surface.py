"""The network that repaints surfaces, and the corruption that it learns from.

The training images are corrupted by random rectangles, and the network learns to return them clean. So it copies what
it knows, fine structure included, and replaces what it does not: its code can be wide, and its error on normal surfaces
small, where a narrow code would blur both (Collin & De Vleeschouwer, "Improved anomaly detection by training an
autoencoder with skip connections on images corrupted with stain-shaped noise", ICPR 2020).
"""

import math

import keras
from keras import layers, ops

from ..core import validation
from ..denoising_autoencoder import Corruption
from ..networks import conv_block, glorot, seed_stream

STRIDE = 4  # of the encoder: the sides of an image must be multiples of it


def surface_encoder(channels, filters=(32, 48), latent_channels=32, seed=None, name="encoder"):
    """Fully convolutional encoder: corruption while training, two halvings, dilated context, a code at half the size.

    Args:
        channels: of the images.
        filters: channels at half and at a quarter of the image's size.
        latent_channels: of the code.
        seed: integer, None for different weights and corruptions each time, or a `networks.seed_stream`.
        name: the network's name.

    Returns:
        `keras.Model`: `(n, height, width, channels)` → `(n, height / 2, width / 2, latent_channels)`, for any height
        and width that 4 divides.
    """
    seeds = seed_stream(seed)
    inputs = keras.Input((None, None, channels))
    x = RandomRectangles(seed=next(seeds))(inputs)
    fine = x = conv_block(x, filters[0], 5, strides=2, seeds=seeds)
    x = conv_block(x, filters[1], 3, strides=2, seeds=seeds)
    for dilation in (1, 2, 4, 2):  # sees about 90 pixels across: enough to tell what belongs there
        x = layers.add([x, conv_block(x, filters[1], 3, dilation_rate=dilation, seeds=seeds)])
    x = conv_block(x, filters[0], 3, strides=2, transpose=True, seeds=seeds)
    code = conv_block(layers.concatenate([fine, x]), latent_channels, 3, seeds=seeds)
    return keras.Model(inputs, code, name=name)


def surface_decoder(channels, latent_channels=32, seed=None, name="decoder"):
    """Fully convolutional decoder from a code at half the size to pixels; `surface_encoder`'s counterpart.

    Args: as there.

    Returns:
        `keras.Model`: `(n, height / 2, width / 2, latent_channels)` → `(n, height, width, channels)`.
    """
    seeds = seed_stream(seed)
    code = keras.Input((None, None, latent_channels))
    x = conv_block(code, 16, 4, strides=2, transpose=True, seeds=seeds)
    outputs = layers.Conv2D(channels, 3, padding="same", kernel_initializer=glorot(seeds), dtype="float32")(x)
    return keras.Model(code, outputs, name=name)


@keras.saving.register_keras_serializable(package="dlarch_keras")
class RandomRectangles(Corruption):
    """Covers random rectangles of an image with a flat shade, a change of brightness, or noise; only in training.

    Images come and go as `(n, height, width, channels)` in [0, 1]. Sides from 1 pixel to `largest`, uniform on a log
    scale, and opacity from .3 to 1: thin lines, specks and patches.

    Args:
        count: rectangles in each image.
        largest: longest side in pixels.
        seed: integer, or None for different rectangles each time.
    """

    def __init__(self, count=3, largest=24, seed=None, **kwargs):
        super().__init__(seed, **kwargs)
        self.count = validation.non_negative_int("count", count)
        self.largest = validation.positive_int("largest", largest)

    def corrupt(self, x):
        dtype, x = x.dtype, ops.cast(x, "float32")
        n, height, width, channels = ops.shape(x)
        rows = ops.reshape(ops.arange(height, dtype="float32"), (1, -1, 1, 1))
        columns = ops.reshape(ops.arange(width, dtype="float32"), (1, 1, -1, 1))
        for _ in range(self.count):
            inside = self._within(rows, height, n) & self._within(columns, width, n)
            opacity = self._uniform((n, 1, 1, 1), 0.3) * ops.cast(inside, "float32")
            shade, kind = self._uniform((n, 1, 1, channels)), self._uniform((n, 1, 1, 1))
            shifted, noise = ops.clip(x + 2 * shade - 1, 0, 1), self._uniform((n, height, width, channels))
            x += opacity * (ops.where(kind < 0.5, shade, ops.where(kind < 0.75, shifted, noise)) - x)
        return ops.cast(x, dtype)

    def _within(self, positions, length, n):
        """Which positions lie between the edges of a rectangle, a random one for each of n images."""
        centre = self._uniform((n, 1, 1, 1)) * ops.cast(length, "float32")
        side = ops.exp(self._uniform((n, 1, 1, 1)) * math.log(self.largest))
        return ops.abs(positions - centre) <= side / 2

    def _uniform(self, shape, low=0.0):
        return keras.random.uniform(shape, low, 1.0, seed=self.seed_generator)

    def get_config(self):
        return {**super().get_config(), "count": self.count, "largest": self.largest}
