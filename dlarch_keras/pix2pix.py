"""pix2pix: images translated to images by a generator whose results are judged patch by patch.

    discriminator: minimise  -½ [log D(source, target) + log(1 - D(source, G(source)))], for each patch
    generator: minimise  -log D(source, G(source)) + l1_weight |target - G(source)|

Isola, Zhu, Zhou & Efros, "Image-to-image translation with conditional adversarial networks", CVPR 2017.
"""

import keras
from keras import layers, ops

from .core import Model, apply_gradients, forward, validation, value_and_grad
from .core.seeds import seed_stream


@keras.saving.register_keras_serializable("dlarch_keras")
class Pix2Pix(Model):
    """Learns from pairs: an image should be close to its target, and its patches should look like those of targets.

    The discriminator sees source and image side by side, and gives a verdict on each patch. Logged are
    `generator_loss`, the cross-entropy of fake patches that ought to pass for real; `l1_loss`, the mean absolute
    difference to the target; and `discriminator_loss`, the mean of the cross-entropies of real and of fake patches:
    half their sum, as in the paper.

    Args:
        generator: built `keras.Model`, `(n, height, width, c)` → `(n, height, width, channels)`.
        discriminator: built `keras.Model`, `[(n, height, width, c), (n, height, width, channels)]` → `(n, rows,
            columns, 1)`, logits, one for each patch.
        l1_weight: of the L1 loss, which is a mean over pixels and channels.
        data_range: (low, high) of the pixels of source and target: (-1, 1) for a generator that ends in tanh.

    Raises:
        ValueError: for networks that do not fit each other or the data's range, or a weight below 0.
    """

    networks_with_optimizers = ("generator", "discriminator")
    needs_target = True
    takes_sample_weight = False

    def __init__(self, generator, discriminator, l1_weight=100.0, data_range=(0, 1), **kwargs):
        super().__init__(**kwargs)
        self.generator = generator
        self.discriminator = discriminator
        self.l1_weight = validation.number("l1_weight", l1_weight)
        self.data_range = validation.data_range(data_range)
        self.track("generator_loss", "l1_loss", "discriminator_loss")
        _check_networks(self)

    def train_step(self, data):
        source, target, _ = keras.utils.unpack_x_y_sample_weight(data)

        def objective():
            adversarial, l1, fake = self.generator_losses(source, target, training=True)
            loss = adversarial + self.l1_weight * l1 + sum(self.generator.losses)
            return loss, adversarial, l1, fake

        (_, generator_loss, l1_loss, fake), generator_gradients = value_and_grad(
            objective, self.generator.trainable_variables
        )
        discriminator_loss, discriminator_gradients = value_and_grad(
            lambda: self.discriminator_loss(source, target, fake, training=True),
            self.discriminator.trainable_variables,
        )
        apply_gradients(self.optimizer["generator"], generator_gradients, self.generator.trainable_variables)
        apply_gradients(
            self.optimizer["discriminator"], discriminator_gradients, self.discriminator.trainable_variables
        )
        return self.log(
            ops.shape(source)[0],
            generator_loss=generator_loss,
            l1_loss=l1_loss,
            discriminator_loss=discriminator_loss,
        )

    def generator_losses(self, source, target, training=False):
        """Cross-entropy of fakes that ought to pass for real, L1 loss, fakes: two scalars and the target's shape."""
        fake = self.generator(source, training=training)
        logits = self.discriminator([source, fake], training=training)
        l1 = ops.mean(ops.abs(ops.cast(target, "float32") - ops.cast(fake, "float32")))
        return cross_entropy(1.0, logits), l1, fake

    def discriminator_loss(self, source, target, fake, training=False):
        """Mean of the cross-entropies of real patches and of fakes: a scalar, log 2 where nothing tells them apart."""
        real_logits = self.discriminator([source, target], training=training)
        fake_logits = self.discriminator([source, fake], training=training)
        loss = (cross_entropy(1.0, real_logits) + cross_entropy(0.0, fake_logits)) / 2
        return loss + sum(self.discriminator.losses)

    def test_step(self, data):
        source, target, _ = keras.utils.unpack_x_y_sample_weight(data)
        generator_loss, l1_loss, fake = self.generator_losses(source, target)
        discriminator_loss = self.discriminator_loss(source, target, fake)
        return self.log(
            ops.shape(source)[0],
            generator_loss=generator_loss,
            l1_loss=l1_loss,
            discriminator_loss=discriminator_loss,
        )

    def call(self, x, training=False):
        return self.generator(x, training=training)

    def translate(self, x):
        """The generator's images of sources: `(n, height, width, c)` → `(n, height, width, channels)`, NumPy."""
        x, _ = self.check_data(x)
        return forward(self.generator, x, batch_size=64)

    def check_data(self, x, y=None):
        x = validation.data("x", x, self.generator.input_shape, self.data_range)
        if y is not None:
            y = validation.data("y", y, (x.shape[0], *self.generator.output_shape[1:]), self.data_range)
        return x, y


def cross_entropy(target, logits):
    """Mean binary cross-entropy of logits against one target in [0, 1] for all of them: a scalar, nats."""
    logits = ops.cast(logits, "float32")
    return ops.mean(ops.softplus(logits) - target * logits)


def unet_generator(image_shape, channels, filters=(32, 64, 128, 128), output_activation="sigmoid", seed=None):
    """U-Net (Ronneberger et al. 2015): an encoder, a decoder, and a skip from each layer to its mirror image.

    The first, the innermost and the last layer are not normalised. Unlike the paper's, it has no dropout, and its
    decoder has leaky ReLUs, too.

    Args:
        image_shape: `(height, width, channels)` of the source, of any size.
        channels: of the image it makes.
        filters: channels of each 4×4 convolution of stride 2; the decoder has them in reverse.
        output_activation: "sigmoid" for pixels in [0, 1], "tanh" for [-1, 1].
        seed: integer, or None for different weights each time.

    Returns:
        `keras.Model`: `(n, *image_shape)` → `(n, height, width, channels)`.
    """
    seeds = seed_stream(seed)
    validation.channels_last()
    height, width, _ = image_shape
    inputs = keras.Input(image_shape)
    x = inputs
    encoded = []
    for number, count in enumerate(filters, 1):
        x = _convolve(layers.Conv2D, x, count, 2, normalize=1 < number < len(filters), seeds=seeds)
        encoded.append(x)
    for skip, count in zip(reversed(encoded[:-1]), reversed(filters[:-1])):
        x = _convolve(layers.Conv2DTranspose, x, count, 2, normalize=True, seeds=seeds)
        x = layers.Concatenate()([x[:, : skip.shape[1], : skip.shape[2]], skip])
    glorot = keras.initializers.GlorotUniform(next(seeds))
    last = layers.Conv2DTranspose(channels, 4, 2, "same", kernel_initializer=glorot, dtype="float32")
    pixels = layers.Activation(output_activation, dtype="float32")(last(x))
    return keras.Model(inputs, pixels[:, :height, :width], name="generator")


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
    seeds = seed_stream(seed)
    validation.channels_last()
    height, width, _ = image_shape
    source, image = keras.Input(image_shape, name="source"), keras.Input((height, width, channels), name="image")
    x = layers.Concatenate()([source, image])
    for number, count in enumerate(filters, 1):
        strides = 2 if number < len(filters) else 1
        x = _convolve(layers.Conv2D, x, count, strides, normalize=number > 1, seeds=seeds)
    glorot = keras.initializers.GlorotUniform(next(seeds))
    last = layers.Conv2D(1, 4, padding="same", kernel_initializer=glorot, dtype="float32")
    return keras.Model([source, image], last(x), name="discriminator")


def _convolve(layer, x, filters, strides, normalize, seeds):
    """A 4×4 convolution with He weights, instance normalisation (Ulyanov et al. 2016) or a bias, and leaky ReLU.

    In the paper, too, each image is normalised by itself: its batches are one image. A single pixel would become 0.
    """
    he = keras.initializers.HeNormal(next(seeds))
    x = layer(filters, 4, strides, "same", use_bias=not normalize, kernel_initializer=he)(x)
    if normalize and x.shape[1:3] != (1, 1):
        x = layers.GroupNormalization(filters)(x)
    return layers.LeakyReLU(0.2)(x)


def _check_networks(model):
    generator, discriminator = model.generator, model.discriminator
    validation.network("generator", generator)
    validation.network("discriminator", discriminator, inputs=2)
    validation.no_shared_layers("generator", generator, "discriminator", discriminator)
    validation.shapes("generator", "turn images into images", generator.output_shape, (None,) * 4)
    images = [generator.input_shape, generator.output_shape]
    validation.shapes("discriminator", "take what `generator` takes and returns", discriminator.input_shape, images)
    validation.shapes(
        "discriminator", "return one logit for each patch", discriminator.output_shape, (None, None, None, 1)
    )
    validation.logits("discriminator", discriminator)
    validation.output_range("generator", generator, model.data_range, must_be_bounded=True)
