"""Images of any size through a network that enlarges them, tile by tile."""

import keras
from keras import layers, ops

from ..core import forward, validation
from ..images.resampling import bicubic, luminance, with_luminance
from ..images.tiling import in_tiles


def upscale(generator, x, tile=128):
    """Enlarge images of any size, tile by tile.

    Tiles overlap by as much as a pixel of the result can depend on, so that there are no seams: the result is that of
    the whole image at once. (And at once it is made where that cannot be told, by a generator of other layers than
    convolutions of stride 1 and what acts on each pixel by itself.)

    A generator of luminance enlarges colour images as well: it makes the luminance, and the two colour differences,
    in which the eye sees little detail, are interpolated.

    Args:
        generator: such as `subpixel_generator` makes, `(n, height, width, c)` → `(n, scale height, scale width, c)`.
        x: `(n, height, width, 1 or 3)`, float in [0, 1].
        tile: pixels of the small image on each side of a tile, without its overlap.

    Returns:
        `(n, scale height, scale width, 1 or 3)`, NumPy, in [0, 1].
    """
    scale, channels = validation.upscaling_factor("generator", generator), generator.input_shape[-1]
    x = validation.array("x", x, (None,) * 4, 0, 1)
    tile = validation.positive_int("tile", tile)
    margin = _reach(generator)
    if margin is None:  # unknown: the whole image at once
        tile = margin = max(x.shape[1:3])

    def enlarged(images):
        return in_tiles(lambda part: forward(generator, part, 16), images, scale, tile, margin).clip(0, 1)

    if x.shape[-1] == channels:
        return enlarged(x)
    if (channels, x.shape[-1]) != (1, 3):
        raise ValueError(f"`x` must have {channels} channels, as `generator`, got shape {x.shape}.")
    return with_luminance(bicubic(x, scale), enlarged(luminance(x)))


@keras.saving.register_keras_serializable("dlarch_keras")
class DepthToSpace(layers.Layer):
    """Turns `scale²` channels of each pixel into a square of `scale` × `scale` pixels, row by row.

    `(n, height, width, scale² c)` → `(n, scale height, scale width, c)`.

    Args:
        scale: whole number from 1 on.
    """

    def __init__(self, scale, **kwargs):
        super().__init__(**kwargs)
        self.scale = validation.positive_int("scale", scale)

    def build(self, input_shape):
        if input_shape[-1] % self.scale**2:
            raise ValueError(f"`x` must have a multiple of {self.scale**2} channels, got shape {tuple(input_shape)}.")
        super().build(input_shape)

    def call(self, x):
        _, height, width, channels = ops.shape(x)
        scale, count = self.scale, channels // self.scale**2
        x = ops.reshape(x, (-1, height, width, scale, scale, count))
        return ops.reshape(ops.transpose(x, (0, 1, 3, 2, 4, 5)), (-1, height * scale, width * scale, count))

    def compute_output_shape(self, input_shape):
        n, height, width, channels = input_shape
        sides = (side if side is None else side * self.scale for side in (height, width))
        return (n, *sides, channels // self.scale**2)

    def get_config(self):
        return {**super().get_config(), "scale": self.scale}


POINTWISE = (
    layers.InputLayer,
    layers.Activation,
    layers.ReLU,
    layers.LeakyReLU,
    layers.Add,
    layers.Concatenate,
    layers.Dense,
    layers.BatchNormalization,
    layers.Rescaling,
    DepthToSpace,
    keras.Model,  # a network within the network; its layers are looked at as well
)


def _reach(generator):
    """How many small pixels away a pixel of the result can depend on, at most; None if that is unknown."""
    reach = 0
    for layer in generator._flatten_layers(include_self=False):
        if type(layer) is layers.Conv2D and set(layer.strides) == {1}:
            own = max(rate * (size // 2) for rate, size in zip(layer.dilation_rate, layer.kernel_size))
            reach += own * max(len(layer._inbound_nodes), 1)  # it may be called several times
        elif not isinstance(layer, POINTWISE) or (isinstance(layer, keras.Model) and len(layer._inbound_nodes) > 1):
            return None  # the layers of a network that is called twice do not count its calls
    return reach
