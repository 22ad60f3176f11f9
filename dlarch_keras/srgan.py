"""Super-resolution: a generator that makes small images large, trained by pixels, by features and by a discriminator.

    discriminator: minimise  -½ [log D(large) + log(1 - D(G(small)))]
    generator: minimise  content_loss(large, G(small)) - adversarial_weight log D(G(small))

Ledig et al., "Photo-realistic single image super-resolution using a generative adversarial network", CVPR 2017. The
sub-pixel convolution is that of Shi et al., "Real-time single image and video super-resolution using an efficient
sub-pixel convolutional neural network", CVPR 2016.
"""

import keras
from keras import layers, ops

from .core import Model, apply_gradients, validation, value_and_grad
from .core.seeds import seed_stream


@keras.saving.register_keras_serializable("dlarch_keras")
class SRGAN(Model):
    """Learns from pairs of a small and a large image; the discriminator sees large ones, real or made.

    Logged are `generator_loss`, the cross-entropy of made images that ought to pass for real; `content_loss`, which
    is `pixel_weight` times the mean absolute difference to the real image, plus the mean squared difference of their
    `features`; and `discriminator_loss`, the mean of the cross-entropies of real and of made images.

    For training by pixels alone no discriminator is needed: `generator.compile("adam", "mae")`, as any Keras model,
    and `networks.upscaling.upscale(generator, x)`. Pixels lie in [0, 1].

    Args:
        generator: built `keras.Model`, `(n, height, width, c)` → `(n, scale height, scale width, c)`, for any height
            and width.
        discriminator: built `keras.Model`, an image → logits, one for each image or patch.
        features: built `keras.Model`, an image → features, which is kept as it is; or None.
        pixel_weight: of the difference of pixels in the content loss.
        adversarial_weight: of the generator's cross-entropy.

    Raises:
        ValueError: for networks that do not fit each other, weights below 0.
    """

    networks_with_optimizers = ("generator", "discriminator")
    needs_target = True
    takes_sample_weight = False

    def __init__(self, generator, discriminator, features=None, pixel_weight=1.0, adversarial_weight=1e-3, **kwargs):
        super().__init__(**kwargs)
        self.generator = generator
        self.discriminator = discriminator
        self.features = features
        self.pixel_weight = validation.number("pixel_weight", pixel_weight)
        self.adversarial_weight = validation.number("adversarial_weight", adversarial_weight)
        self.track("generator_loss", "content_loss", "discriminator_loss")
        _check_networks(self)
        if features is not None:
            features.trainable = False

    def train_step(self, data):
        small, large, _ = keras.utils.unpack_x_y_sample_weight(data)

        def objective():
            adversarial, content, fake = self.generator_losses(small, large, training=True)
            loss = content + self.adversarial_weight * adversarial + sum(self.generator.losses)
            return loss, adversarial, content, fake

        (_, generator_loss, content_loss, fake), generator_gradients = value_and_grad(
            objective, self.generator.trainable_variables
        )
        discriminator_loss, discriminator_gradients = value_and_grad(
            lambda: self.discriminator_loss(large, fake, training=True), self.discriminator.trainable_variables
        )
        apply_gradients(self.optimizer["generator"], generator_gradients, self.generator.trainable_variables)
        apply_gradients(
            self.optimizer["discriminator"], discriminator_gradients, self.discriminator.trainable_variables
        )
        return self.log(
            ops.shape(small)[0],
            generator_loss=generator_loss,
            content_loss=content_loss,
            discriminator_loss=discriminator_loss,
        )

    def generator_losses(self, small, large, training=False):
        """Cross-entropy of fakes that ought to pass for real, content loss, fakes: two scalars and large images."""
        fake = self.generator(small, training=training)
        logits = self.discriminator(fake, training=training)
        return cross_entropy(1.0, logits), self.content_loss(large, fake), fake

    def content_loss(self, large, fake):
        """`pixel_weight · mean |large - fake| + mean (features of large - features of fake)²`: a scalar."""
        large, fake = ops.cast(large, "float32"), ops.cast(fake, "float32")
        loss = self.pixel_weight * ops.mean(ops.abs(large - fake))
        if self.features is None:
            return loss
        difference = ops.cast(self.features(large), "float32") - ops.cast(self.features(fake), "float32")
        return loss + ops.mean(ops.square(difference))

    def discriminator_loss(self, large, fake, training=False):
        """Mean of the cross-entropies of real images and of fakes: a scalar, log 2 where nothing tells them apart."""
        real_logits = self.discriminator(large, training=training)
        fake_logits = self.discriminator(fake, training=training)
        loss = (cross_entropy(1.0, real_logits) + cross_entropy(0.0, fake_logits)) / 2
        return loss + sum(self.discriminator.losses)

    def test_step(self, data):
        small, large, _ = keras.utils.unpack_x_y_sample_weight(data)
        generator_loss, content_loss, fake = self.generator_losses(small, large)
        return self.log(
            ops.shape(small)[0],
            generator_loss=generator_loss,
            content_loss=content_loss,
            discriminator_loss=self.discriminator_loss(large, fake),
        )

    def call(self, x, training=False):
        return self.generator(x, training=training)

    def upscale(self, x, tile=128):
        """Images at `scale` times their size: `networks.upscaling.upscale` with this model's generator."""
        from .networks.upscaling import upscale  # here: training needs none of it

        return upscale(self.generator, x, tile)

    @property
    def scale(self):
        return validation.upscaling_factor("generator", self.generator)

    def check_data(self, x, y=None):
        x = validation.array("x", x, self.generator.input_shape, 0, 1)
        if y is not None:
            sides = (side if side is None else side * self.scale for side in x.shape[1:3])
            y = validation.array("y", y, (x.shape[0], *sides, x.shape[-1]), 0, 1)
            for network in filter(None, (self.discriminator, self.features)):  # which may ask for patches of one size
                validation.array("y", y, network.input_shape)
        return x, y


def cross_entropy(target, logits):
    """Mean binary cross-entropy of logits against one target in [0, 1] for all of them: a scalar, nats."""
    logits = ops.cast(logits, "float32")
    return ops.mean(ops.softplus(logits) - target * logits)


def subpixel_generator(channels=1, scale=3, filters=32, blocks=4, seed=None):
    """Residual blocks at the small size, and one convolution that makes `scale²` pixels of each.

    What it learns is added to the small image with each pixel repeated, so that it need not learn to copy. Without
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
    from .networks.upscaling import DepthToSpace

    validation.channels_last()
    scale = validation.positive_int("scale", scale, 2)
    seeds = seed_stream(seed)

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


def _check_networks(model):
    generator, discriminator, features = model.generator, model.discriminator, model.features
    validation.network("generator", generator)
    validation.upscaling_factor("generator", generator)
    for name, network in {"discriminator": discriminator, "features": features}.items():
        if network is not None or name == "discriminator":
            validation.network(name, network)
            validation.no_shared_layers("generator", generator, name, network)
            channels = network.input_shape[-1:]
            validation.shapes(name, "take what `generator` returns", channels, generator.output_shape[-1:])
    if features is not None:
        validation.no_shared_layers("discriminator", discriminator, "features", features)
    validation.logits("discriminator", discriminator)
