"""Super-resolution: a generator that makes small pictures large, trained by pixels, by features and by a discriminator.

Ledig et al., "Photo-realistic single image super-resolution using a generative adversarial network", CVPR 2017. The
sub-pixel convolution is that of Shi et al., "Real-time single image and video super-resolution using an efficient
sub-pixel convolutional neural network", CVPR 2016.
"""

import itertools

import keras
import numpy as np
from keras import layers, ops
from PIL import Image
from skimage import color

from .core import validation
from .adversarial import PairedModel
from .core import forward


@keras.saving.register_keras_serializable("dlarch_keras")
class DepthToSpace(layers.Layer):
    """Turns `scale²` channels of each pixel into a square of `scale` × `scale` pixels, row by row.

    `(n, height, width, scale² c)` → `(n, scale height, scale width, c)`.

    Args:
        scale: whole number from 1 on.
    """

    def __init__(self, scale, **kwargs):
        super().__init__(**kwargs)
        self.scale = validation.whole("scale", scale, 1)

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


@keras.saving.register_keras_serializable("dlarch_keras")
class SRGAN(PairedModel):
    """Learns from pairs of a small and a large picture; the discriminator sees large ones, real or made.

    Logged are `generator_loss`, the cross-entropy of made pictures that ought to pass for real; `content_loss`, which
    is `pixel_weight` times the mean absolute difference to the real picture, plus the mean squared difference of their
    `features`; and `discriminator_loss`, the mean of the cross-entropies of real and of made pictures. The generator
    minimises `content_loss + adversarial_weight * generator_loss`.

    For training by pixels alone no discriminator is needed: `generator.compile("adam", "mae")`, as any Keras model,
    and `upscale(generator, x)`.

    Args:
        generator: built `keras.Model`, `(n, height, width, c)` → `(n, scale height, scale width, c)`, for any height
            and width.
        discriminator: built `keras.Model`, a picture → logits, one for each picture or patch.
        features: built `keras.Model`, a picture → features, which is kept as it is; or None.
        pixel_weight: of the difference of pixels in the content loss.
        adversarial_weight: of the generator's cross-entropy.

    Raises:
        ValueError: for networks that do not fit each other, weights below 0.
    """

    def __init__(self, generator, discriminator, features=None, pixel_weight=1.0, adversarial_weight=1e-3, **kwargs):
        super().__init__(**kwargs)
        for name, network in (("generator", generator), ("discriminator", discriminator), ("features", features)):
            if network is not None or name != "features":
                validation.network(name, network)
        validation.logits("discriminator", discriminator)
        validation.apart("generator", generator, "discriminator", discriminator)
        if features is not None:
            validation.apart("generator", generator, "features", features)
            validation.apart("discriminator", discriminator, "features", features)
        scale_of(generator)
        self.generator, self.discriminator, self.features = generator, discriminator, features
        for name, judge in (("discriminator", discriminator), ("features", features)):
            if judge is not None and judge.input_shape[-1] != generator.output_shape[-1]:
                raise ValueError(
                    f"`{name}` must take what `generator` returns, of shape {generator.output_shape}, "
                    f"got an input of shape {judge.input_shape}."
                )
        if features is not None:
            features.trainable = False
        self.pixel_weight = validation.number("pixel_weight", pixel_weight)
        self.adversarial_weight = validation.number("adversarial_weight", adversarial_weight)
        self._track("generator_loss", "content_loss", "discriminator_loss")

    @property
    def scale(self):
        return scale_of(self.generator)

    def content_loss(self, target, fake):
        """`pixel_weight` · mean |target - fake| + mean (features of target - features of fake)²: a scalar."""
        loss = self.pixel_weight * ops.mean(ops.abs(target - fake))
        if self.features is None:
            return loss
        of_target, of_fake = (ops.cast(self.features(picture), "float32") for picture in (target, fake))
        return loss + ops.mean(ops.square(of_target - of_fake))

    def check_data(self, x, y=None):
        x = validation.array("x", x, self.generator.input_shape, 0, 1)
        if y is not None:
            sides = (side if side is None else side * self.scale for side in x.shape[1:3])
            y = validation.array("y", y, (x.shape[0], *sides, x.shape[-1]), 0, 1)
            for judge in filter(None, (self.discriminator, self.features)):  # which may ask for patches of one size
                validation.array("y", y, judge.input_shape)

    def upscale(self, x, tile=128):
        """Pictures at `scale` times their size: `upscale` with this model's generator."""
        return upscale(self.generator, x, tile)


def subpixel_generator(channels=1, scale=3, filters=32, blocks=4, seed=None):
    """Residual blocks at the small size, and one convolution that makes `scale²` pixels of each.

    What it learns is added to the small picture with each pixel repeated, so that it need not learn to copy. Without
    normalisation (Lim et al. 2017): brightness is part of what must come out.

    Args:
        channels: 1 for luminance, 3 for colour.
        scale: whole number from 2 on.
        filters: width of the convolutions.
        blocks: number of residual blocks, each of two 3×3 convolutions.
        seed: integer, or None for different weights each time.

    Returns:
        `keras.Model`: `(n, height, width, channels)` → `(n, scale height, scale width, channels)`, for any height and
        width; near [0, 1], not clipped.
    """
    scale = validation.whole("scale", scale, 2)
    seeds = itertools.repeat(None) if seed is None else itertools.count(seed)

    def convolve(x, count, size=3, gain=2.0):
        initializer = keras.initializers.VarianceScaling(gain, "fan_in", "truncated_normal", next(seeds))
        return layers.Conv2D(count, size, padding="same", kernel_initializer=initializer)(x)

    small = keras.Input((None, None, channels))
    x = layers.Activation("relu")(convolve(small, filters, 5))
    for _ in range(blocks):
        inner = layers.Activation("relu")(convolve(x, filters))
        x = layers.Add()([x, convolve(inner, filters, gain=0.1)])  # a block starts out as a small change
    detail = convolve(x, channels * scale**2, gain=0.01)
    repeated = layers.Concatenate(dtype="float32")([small] * scale**2)
    large = DepthToSpace(scale, dtype="float32")(layers.Add(dtype="float32")([detail, repeated]))
    return keras.Model(small, large, name="generator")


def scale_of(generator):
    """How many times as large the pictures of a generator are as what it takes; a `ValueError` if that is no number."""
    validation.network("generator", generator)
    if generator.input_shape[1:-1] != (None, None):
        raise ValueError(f"`generator` must take any height and width, got inputs of shape {generator.input_shape}.")
    shape = generator.compute_output_shape((None, 8, 8, generator.input_shape[-1]))
    scale = shape[1] // 8 if len(shape) == 4 else 0
    if scale < 2 or shape[1:] != (8 * scale, 8 * scale, generator.input_shape[-1]):
        raise ValueError(f"`generator` must enlarge pictures by a whole number, got (8, 8) → {shape[1:]}.")
    return scale


def upscale(generator, x, tile=128):
    """Enlarge pictures of any size, tile by tile.

    Tiles overlap by as much as a pixel of the result can depend on, so that there are no seams: the result is that of
    the whole picture at once. (And at once it is made where that cannot be told, by a generator of other layers than
    convolutions of stride 1 and what acts on each pixel by itself.)

    A generator of luminance enlarges colour pictures as well: it makes the luminance, and the two colour differences,
    in which the eye sees little detail, are interpolated.

    Args:
        generator: such as `subpixel_generator` makes, `(n, height, width, c)` → `(n, scale height, scale width, c)`.
        x: `(n, height, width, 1 or 3)`, float in [0, 1].
        tile: pixels of the small picture on each side of a tile, without its overlap.

    Returns:
        `(n, scale height, scale width, 1 or 3)`, NumPy, in [0, 1].
    """
    scale, channels = scale_of(generator), generator.input_shape[-1]
    x = validation.array("x", x, (None,) * 4, 0, 1)
    tile = validation.whole("tile", tile, 1)
    if x.shape[-1] == channels:
        return _tiled(generator, x, scale, tile).clip(0, 1)
    if (channels, x.shape[-1]) != (1, 3):
        raise ValueError(f"`x` must have {channels} channels, as `generator`, got shape {x.shape}.")
    return with_luminance(bicubic(x, scale), _tiled(generator, luminance(x), scale, tile).clip(0, 1))


def _tiled(generator, x, scale, tile):
    height, width = x.shape[1:3]
    margin = _reach(generator)
    if margin is None:
        tile = margin = max(height, width)
    large = np.empty((len(x), height * scale, width * scale, x.shape[-1]), "float32")
    for top, left in itertools.product(range(0, height, tile), range(0, width, tile)):
        above, before = max(top - margin, 0), max(left - margin, 0)
        part = forward(generator, x[:, above : top + tile + margin, before : left + tile + margin], 16)
        rows, columns = min(tile, height - top) * scale, min(tile, width - left) * scale
        part = part[:, (top - above) * scale :, (left - before) * scale :]
        large[:, top * scale :, left * scale :][:, :rows, :columns] = part[:, :rows, :columns]
    return large


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


def bicubic(x, scale):
    """Enlarge pictures by bicubic interpolation: `(n, height, width, c)` → `(n, scale height, scale width, c)`."""
    x = validation.array("x", x, (None,) * 4, 0, 1)
    return _resized(x, [side * validation.whole("scale", scale, 1) for side in x.shape[1:3]])


def downscale(x, scale):
    """Shrink pictures by bicubic interpolation with antialiasing, as the benchmarks of the field do.

    The kernel is widened by `scale`, so that every pixel of the large picture has its share in the small one.

    Args:
        x: `(n, height, width, c)` in [0, 1], height and width multiples of `scale`.
        scale: whole number from 1 on.

    Returns:
        `(n, height / scale, width / scale, c)`, float32 in [0, 1].
    """
    x = validation.array("x", x, (None,) * 4, 0, 1)
    scale = validation.whole("scale", scale, 1)
    if x.shape[1] % scale or x.shape[2] % scale:
        raise ValueError(f"`x` must have a height and a width that {scale} divides, got shape {x.shape}.")
    return _resized(x, [side // scale for side in x.shape[1:3]])


def _resized(x, shape):
    resized = np.empty((len(x), *shape, x.shape[-1]), "float32")
    for image, channel in np.ndindex(len(x), x.shape[-1]):
        picture = Image.fromarray(x[image, :, :, channel].astype("float32"))
        resized[image, :, :, channel] = picture.resize(shape[::-1], Image.Resampling.BICUBIC)
    return resized.clip(0, 1)


def luminance(x):
    """The luminance Y of colour pictures, on which super-resolution is judged (ITU-R BT.601, from 16/255 to 235/255).

    `(n, height, width, 3)` in [0, 1] → `(n, height, width, 1)`, float32.
    """
    x = validation.array("x", x, (None, None, None, 3), 0, 1)
    return (color.rgb2ycbcr(x)[..., :1] / 255).astype("float32")


def with_luminance(x, y):
    """Colour pictures with another luminance: `(n, height, width, 3)` and `(n, height, width, 1)` → the first shape."""
    x = validation.array("x", x, (None, None, None, 3), 0, 1)
    y = validation.array("y", y, (*x.shape[:3], 1), 0, 1)
    return color.ycbcr2rgb(np.concatenate([255 * y, color.rgb2ycbcr(x)[..., 1:]], axis=-1)).clip(0, 1).astype("float32")


def patch_pairs(images, scale, size, count, seed=0, shrink=downscale):
    """Random patches to train on: each picture is shrunk as a whole, and patches are cut at the same places of both.

    Patches are turned by right angles and mirrored at random. A generator undoes the way of shrinking that it was
    trained on, and no other: name the one by which the pictures to be enlarged were made.

    Args:
        images: `(height, width, c)` in [0, 1], a list of any sizes.
        scale: whole number from 2 on.
        size: height and width of the small patches, pixels.
        count: number of pairs.
        seed: integer; the same one gives the same patches.
        shrink: function of pictures `(n, height, width, c)` and `scale`, as `downscale`.

    Returns:
        `(small, large)`: `(count, size, size, c)` and `(count, scale size, scale size, c)`, float32 in [0, 1].

    Raises:
        ValueError: for numbers out of range, no pictures, one smaller than a patch, or one shrunk to another size.
    """
    scale, size = validation.whole("scale", scale, 2), validation.whole("size", size, 1)
    rng = validation.random("seed", seed)
    count = validation.whole("count", count, 1)
    if not len(images):
        raise ValueError("`images` must hold a picture or more, got none.")
    pairs = []
    for number, image in enumerate(images):
        image = validation.array(f"images[{number}]", image, (None, None, np.shape(images[0])[-1]), 0, 1)
        if min(image.shape[:2]) < scale * size:
            side = scale * size
            raise ValueError(f"`images[{number}]` must be {side} × {side} pixels or larger, got shape {image.shape}.")
        large = image[None, : len(image) // scale * scale, : image.shape[1] // scale * scale]
        sides = (side // scale for side in large.shape[1:3])
        small = validation.array("shrink(x, scale)", shrink(large, scale), (1, *sides, large.shape[-1]), 0, 1)
        pairs.append((small[0], large[0]))
    patches = []
    for _ in range(count):
        small, large = pairs[rng.integers(len(pairs))]
        top, left = (rng.integers(side - size + 1) for side in small.shape[:2])
        small = small[top : top + size, left : left + size]
        large = large[top * scale : (top + size) * scale, left * scale : (left + size) * scale]
        turns, mirrored = rng.integers(4), rng.integers(2)
        patches.append([np.rot90(part[:, ::-1] if mirrored else part, turns) for part in (small, large)])
    return tuple(np.stack(parts).astype("float32") for parts in zip(*patches))
