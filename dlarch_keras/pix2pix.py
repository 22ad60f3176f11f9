"""pix2pix: images translated to images by a generator whose results are judged patch by patch.

Isola, Zhu, Zhou & Efros, "Image-to-image translation with conditional adversarial networks", CVPR 2017.
"""

import itertools

import keras
from keras import layers, ops

from .core import validation
from .adversarial import PairedModel
from .core import forward


@keras.saving.register_keras_serializable("dlarch_keras")
class Pix2Pix(PairedModel):
    """Learns from pairs: an image should be close to its target, and its patches should look like those of targets.

    The discriminator sees source and image side by side, and gives a verdict on each patch. Logged are
    `generator_loss`, the cross-entropy of fake patches that ought to pass for real; `l1_loss`, the mean absolute
    difference to the target; and `discriminator_loss`, the mean of the cross-entropies of real and of fake patches:
    half their sum, as in the paper (which halves the speed of plain gradient descent, and not Adam's). The generator
    minimises `generator_loss + l1_weight * l1_loss`.

    Args:
        generator: built `keras.Model`, `(n, height, width, c)` → `(n, height, width, channels)`; pixels in [0, 1].
        discriminator: built `keras.Model`, `[(n, height, width, c), (n, height, width, channels)]` → `(n, rows,
            columns, 1)`, logits, one for each patch.
        l1_weight: of the L1 loss, which is a mean over pixels and channels.

    Raises:
        ValueError: for networks that do not fit each other, or a weight below 0.
    """

    def __init__(self, generator, discriminator, l1_weight=100.0, **kwargs):
        super().__init__(**kwargs)
        validation.network("generator", generator)
        validation.network("discriminator", discriminator, inputs=2)
        validation.logits("discriminator", discriminator)
        validation.apart("generator", generator, "discriminator", discriminator)
        _check_shapes(generator, discriminator)
        validation.pixels("generator", generator)
        self.generator, self.discriminator = generator, discriminator
        self.l1_weight = validation.number("l1_weight", l1_weight)
        self._track("generator_loss", "l1_loss", "discriminator_loss")

    @property
    def content_weight(self):
        return self.l1_weight

    def judged(self, source, image):
        return [source, image]

    def content_loss(self, target, fake):
        """Mean absolute difference: a scalar."""
        return ops.mean(ops.abs(target - fake))

    def check_data(self, x, y=None):
        x = validation.array("x", x, self.generator.input_shape, 0, 1)
        if y is not None:
            validation.array("y", y, (x.shape[0], *self.generator.output_shape[1:]), 0, 1)

    def translate(self, x):
        """The images that the generator makes of sources: `(n, height, width, c)` → `(n, height, width, channels)`.

        Always the same for the same source. (The paper keeps the generator's dropout here, and reports that the results
        hardly vary with it.)
        """
        return forward(self.generator, validation.array("x", x, self.generator.input_shape, 0, 1), 64)


def _check_shapes(generator, discriminator):
    shapes = [generator.input_shape, generator.output_shape]
    if any(len(shape) != 4 for shape in shapes):
        raise ValueError(f"`generator` must turn images into images, got shapes {shapes[0]} → {shapes[1]}.")
    if list(discriminator.input_shape) != shapes:
        raise ValueError(
            f"`discriminator` must take what `generator` takes and returns, of shapes {shapes}, "
            f"got inputs of shapes {discriminator.input_shape}."
        )
    if len(discriminator.output_shape) != 4 or discriminator.output_shape[-1] != 1:
        raise ValueError(
            "`discriminator` must return one logit for each patch, of shape (n, rows, columns, 1), "
            f"got {discriminator.output_shape}."
        )


class _Convolutions:
    """4×4 convolutions of one style: He weights from consecutive seeds, instance normalisation or a bias, leaky ReLU.

    Each image is normalised by itself (Ulyanov et al. 2016), in training and afterwards: that is what batch
    normalisation amounts to in the paper, where a batch is one image. One that has shrunk to a single pixel is left as
    it is: normalised, nothing but 0 would remain of it.
    """

    def __init__(self, seed):
        self.seeds = itertools.repeat(None) if seed is None else itertools.count(seed)

    def __call__(self, layer, x, filters, strides=2, normalize=True):
        initializer = keras.initializers.HeNormal(next(self.seeds))
        convolution = layer(filters, 4, strides, "same", use_bias=not normalize, kernel_initializer=initializer)
        x = convolution(x)
        if normalize and x.shape[1:3] != (1, 1):
            x = layers.GroupNormalization(filters)(x)
        return layers.LeakyReLU(0.2)(x)

    def output(self, layer, x, channels, strides, activation=None):
        initializer = keras.initializers.GlorotUniform(next(self.seeds))
        last = layer(channels, 4, strides, "same", kernel_initializer=initializer, dtype="float32")
        return layers.Activation(activation, dtype="float32")(last(x))


def unet_generator(image_shape, channels, filters=(32, 64, 128, 128), seed=None):
    """U-Net (Ronneberger et al. 2015): an encoder, a decoder, and a skip from each layer to its mirror image.

    All layers are normalised but the first, the innermost, where few pixels are left, and the last.

    Args:
        image_shape: `(height, width, channels)` of the source, of any size.
        channels: of the image it makes.
        filters: channels of each 4×4 convolution of stride 2; the decoder has them in reverse.
        seed: integer, or None for different weights each time.

    Returns:
        `keras.Model`: `(n, *image_shape)` → `(n, height, width, channels)`, pixels in [0, 1].
    """
    convolve = _Convolutions(seed)
    height, width, _ = image_shape
    inputs = x = keras.Input(image_shape)
    encoded = []
    for number, count in enumerate(filters, 1):
        x = convolve(layers.Conv2D, x, count, normalize=1 < number < len(filters))
        encoded.append(x)
    for skip, count in zip(encoded[-2::-1], filters[-2::-1]):
        x = convolve(layers.Conv2DTranspose, x, count)[:, : skip.shape[1], : skip.shape[2]]
        x = layers.Concatenate()([x, skip])
    pixels = convolve.output(layers.Conv2DTranspose, x, channels, 2, "sigmoid")[:, :height, :width]
    return keras.Model(inputs, pixels, name="generator")


def patch_discriminator(image_shape, channels, filters=(32, 64, 128), seed=None):
    """PatchGAN: convolutions that judge every patch of an image beside its source, and no dense layer.

    The last of `filters` has stride 1, the others 2, and one more convolution makes the logit. A logit depends on a
    patch of 70 pixels for four filters, as in the paper; of 34 for three, which suits pictures of 64; of 16 for two.

    Args:
        image_shape, channels, seed: as in `unet_generator`.
        filters: channels of each 4×4 convolution.

    Returns:
        `keras.Model`: `[(n, *image_shape), (n, height, width, channels)]` → `(n, rows, columns, 1)`, logits.
    """
    convolve = _Convolutions(seed)
    source, image = keras.Input(image_shape, name="source"), keras.Input((*image_shape[:2], channels), name="image")
    x = layers.Concatenate()([source, image])
    for number, count in enumerate(filters, 1):
        x = convolve(layers.Conv2D, x, count, 2 if number < len(filters) else 1, normalize=number > 1)
    return keras.Model([source, image], convolve.output(layers.Conv2D, x, 1, 1), name="discriminator")
