"""Generative adversarial networks: a generator makes fakes, a discriminator tells them from real examples.

Goodfellow et al., "Generative adversarial nets", NeurIPS 2014; Mirza & Osindero, "Conditional generative adversarial
nets", 2014. The moving average of the generator is that of Yazıcı et al., "The unusual effectiveness of averaging in
GAN training", ICLR 2019.
"""

import math

import keras
from keras import layers

from . import networks
from .core import validation
from .adversarial import AdversarialModel, cross_entropy, normalizes_batches
from .core import forward, value_and_grad


class GenerativeModel(AdversarialModel):
    """What models that draw examples from noise share: codes, conditions, the moving average of the generator.

    A subclass's constructor calls `_set_networks`, and its `train_step` ends in `_update_average`.
    """

    def _set_networks(self, generator, judge, average, seed):
        judge_name = self.network_names[1]
        conditions = int(isinstance(getattr(generator, "input_shape", None), list))
        validation.network("generator", generator, inputs=1 + conditions)
        validation.network(judge_name, judge, inputs=1 + conditions)
        validation.logits(judge_name, judge)
        validation.apart("generator", generator, judge_name, judge)
        _check_shapes(generator, judge_name, judge)
        if len(generator.output_shape) == 4:
            validation.pixels("generator", generator)
        self.generator = generator
        setattr(self, judge_name, judge)
        self.average = validation.number("average", average)
        if self.average >= 1:
            raise ValueError(f"`average` must be less than 1, got {average!r}.")
        self.seed = None if seed is None else validation.whole("seed", seed, 0)
        self.seed_generator = keras.random.SeedGenerator(self.seed)
        self.averaged_generator = keras.models.clone_model(generator)
        self.averaged_generator.set_weights(generator.get_weights())
        self.averaged_generator.trainable = False

    @property
    def latent_dim(self):
        return self.generator.inputs[0].shape[-1]

    @property
    def condition_dim(self):
        """Number of classes or attributes that both networks are told; 0 for none."""
        return self.generator.inputs[1].shape[-1] if len(self.generator.inputs) > 1 else 0

    @property
    def _range(self):
        return (0, 1) if len(self.generator.output_shape) == 4 else ()  # pixels; points and table rows may be anything

    def call(self, inputs, training=False):
        """The discriminator's logits, or the critic's scores, of examples."""
        return self.judge(inputs, training=training)

    def noise(self, count, training=True):
        """Codes from the prior; outside training the same ones for each batch, so that held-out losses compare."""
        return keras.random.normal((count, self.latent_dim), seed=self.seed_generator if training else 0)

    def condition(self, y):
        """What both networks are told besides noise and examples: None, or `(n, condition_dim)`."""
        return networks.condition_rows(y, self.condition_dim) if self.condition_dim else None

    def _update_average(self):
        if not self.average:  # the generator itself is used
            return
        step = keras.ops.cast(self.optimizer["generator"].iterations, "float32")
        share = keras.ops.maximum(1.0 - self.average, 9.0 / (9.0 + step))  # the first steps forget the initial weights
        for mean, variable in zip(self.averaged_generator.weights, self.generator.weights):
            mean.assign(mean + keras.ops.cast(share, mean.dtype) * (variable - mean))

    def _unpacked(self, data):
        """A step's data: examples, the condition or None, and the number of examples."""
        real, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        self._check_weights(sample_weight)
        return keras.ops.cast(real, "float32"), self.condition(y), keras.ops.shape(real)[0]

    def check_data(self, x, y=None):
        x = validation.array("x", x, self.generator.output_shape, *self._range)
        if self.condition_dim:
            validation.condition("y", y, self.condition_dim, x.shape[0])
        elif y is not None:
            raise ValueError("`y` must be left out: these networks take no condition.")

    @property
    def least_batch(self):
        """Fewest examples to train on at a time: a single one has no spread for BatchNormalization to divide by."""
        return 1 + any(normalizes_batches(network) for network in (self.generator, self.judge))

    def _check_batch(self, count):
        if count is not None and count < self.least_batch:
            raise ValueError(
                f"`batch_size` must leave {self.least_batch} or more examples to each batch, the last one included, "
                f"got one of {count}."
            )

    def fit(self, x=None, y=None, batch_size=None, epochs=1, verbose="auto", **kwargs):
        """Train on real examples: `fit(x)`, or `fit(x, condition)`. The batches of a stream must be large enough."""
        if not validation.is_stream(x):
            self.check_data(x, y)
            rows = math.floor(len(x) * (1 - kwargs.get("validation_split", 0)))
            size = 32 if batch_size is None else validation.whole("batch_size", batch_size, 1)
            self._check_batch(rows % size or size)
        return super().fit(x, y, batch_size=batch_size, epochs=epochs, verbose=verbose, **kwargs)

    def predict(self, x, *args, **kwargs):
        """Logits or scores of examples, or of `[examples, condition]` for a conditional model, NumPy."""
        if not self.condition_dim or validation.is_stream(x):
            return super().predict(x, *args, **kwargs)
        if not isinstance(x, (list, tuple)) or len(x) != 2:
            raise ValueError(f"`x` must be [examples, condition], got {type(x).__name__}.")
        self.check_data(*x)
        rows = validation.condition("y", x[1], self.condition_dim)
        return keras.Model.predict(self, [x[0], rows], *args, **kwargs)

    def decode(self, z, condition=None):
        """Examples for given codes, by the averaged generator: `(n, latent_dim)` → `(n, *shape)`, NumPy."""
        inputs = validation.array("z", z, (None, self.latent_dim))
        if self.condition_dim:
            inputs = [inputs, validation.condition("condition", condition, self.condition_dim, len(inputs))]
        elif condition is not None:
            raise ValueError("`condition` must be left out: this generator takes none.")
        outputs = forward(self.averaged_generator if self.average else self.generator, inputs)
        return outputs.clip(*self._range) if self._range else outputs

    def generate(self, n, seed=None, condition=None):
        """`n` examples, by the averaged generator.

        Args:
            n: how many, 1 or more.
            seed: integer; the same one gives the same examples. None for others each time.
            condition: for a conditional model, `(n,)` class labels or `(n, condition_dim)` attributes.

        Returns:
            `(n, *shape)`, NumPy; pixels within [0, 1].
        """
        n = validation.whole("n", n, 1)
        return self.decode(validation.random("seed", seed).standard_normal((n, self.latent_dim), "float32"), condition)


@keras.saving.register_keras_serializable("dlarch_keras")
class GAN(GenerativeModel):
    """The non-saturating game on logits: real examples have the target 1, fakes 0.

    It logs `generator_loss` and `discriminator_loss`, which adds the cross-entropies of real examples and of fakes.
    Where nothing can be told apart they are log 2 and log 4. One pass of the generator serves both losses: the two
    networks move at the same time, each against the other as it was before the step.

    A discriminator's BatchNormalization normalises real examples and fakes each by themselves in training, and by one
    running average of both in `evaluate` and `predict`: held-out losses do not compare with those of training then.

    Args:
        generator: built `keras.Model`, `(n, latent_dim)` → `(n, *shape)`; or a conditional one,
            `[(n, latent_dim), (n, condition_dim)]` → `(n, *shape)`.
        discriminator: built `keras.Model`, `(n, *shape)` → `(n, 1)`, logits; with a conditional generator,
            `[(n, *shape), (n, condition_dim)]` → `(n, 1)`.
        smoothing: taken off the target of real examples only (Salimans et al. 2016), in [0, 1).
        average: decay of the moving average of the generator's weights that `generate` uses, in [0, 1); 0 for the
            weights themselves. It starts from the weights at construction: set others before, not after.
        seed: integer, or None for other noise in each process.

    Raises:
        ValueError: for networks that do not fit each other, settings out of range.
    """

    def __init__(self, generator, discriminator, smoothing=0.0, average=0.999, seed=None, **kwargs):
        super().__init__(**kwargs)
        self._set_networks(generator, discriminator, average, seed)
        self._track("generator_loss", "discriminator_loss")
        self.smoothing = validation.number("smoothing", smoothing)
        if self.smoothing >= 1:
            raise ValueError(f"`smoothing` must be less than 1, got {smoothing!r}.")

    def compile(self, generator_optimizer=None, discriminator_optimizer=None, **kwargs):
        """Choose both optimizers; further arguments as in `training.Model.compile`."""
        self._compile_pair(generator_optimizer, discriminator_optimizer, **kwargs)

    def discriminator_loss(self, real, fake, condition, training=False):
        """Cross-entropy of real examples plus that of fakes, each a mean over the batch: a scalar."""
        real_logits = self.discriminator(joined(real, condition), training=training)
        fake_logits = self.discriminator(joined(fake, condition), training=training)
        return cross_entropy(1.0 - self.smoothing, real_logits) + cross_entropy(0.0, fake_logits)

    def generator_loss(self, noise, condition, training=False):
        """Cross-entropy of fakes that ought to pass for real, and the fakes: a scalar and `(n, *shape)`."""
        fake = self.generator(joined(noise, condition), training=training)
        logits = self.discriminator(joined(fake, condition), training=training)
        return cross_entropy(1.0, logits), fake

    def train_step(self, data):
        real, condition, count = self._unpacked(data)
        self._check_batch(real.shape[0])
        noise = self.noise(count)
        (generator_loss, fake), generator_gradients = value_and_grad(
            lambda: self.generator_loss(noise, condition, training=True), self.generator.trainable_variables
        )
        discriminator_loss, discriminator_gradients = value_and_grad(
            lambda: self.discriminator_loss(real, fake, condition, training=True),
            self.discriminator.trainable_variables,
        )
        self._descend("generator", generator_gradients)
        self._descend("discriminator", discriminator_gradients)
        self._update_average()
        return self._logged((generator_loss, discriminator_loss), count)

    def test_step(self, data):
        real, condition, count = self._unpacked(data)
        generator_loss, fake = self.generator_loss(self.noise(count, training=False), condition)
        return self._logged((generator_loss, self.discriminator_loss(real, fake, condition)), count)


def joined(x, condition):
    return x if condition is None else [x, condition]


def _check_shapes(generator, judge_name, judge):
    if len(generator.inputs[0].shape) != 2:
        raise ValueError(
            f"`generator` must take codes of shape (n, latent_dim), got an input of shape {generator.inputs[0].shape}."
        )
    if not _fits(generator.output_shape, judge.inputs[0].shape):
        raise ValueError(
            f"`{judge_name}` must take what `generator` returns, of shape {generator.output_shape}, "
            f"got an input of shape {judge.inputs[0].shape}."
        )
    if judge.output_shape != (None, 1):
        raise ValueError(f"`{judge_name}` must return one number an example, got shape {judge.output_shape}.")
    if len(generator.inputs) > 1 and generator.inputs[1].shape != judge.inputs[1].shape:
        raise ValueError(
            f"`{judge_name}` must take conditions of `generator`'s shape {generator.inputs[1].shape}, "
            f"got {judge.inputs[1].shape}."
        )


def _fits(shape, wanted):
    """Whether an output of one shape can go into an input of another, in which None stands for any length."""
    return len(shape) == len(wanted) and all(length in (None, own) for own, length in zip(shape, wanted))


def convolutional_generator(image_shape, latent_dim=64, filters=(64, 32, 16), condition_dim=0, seed=None):
    """A dense layer to a small image, then 4×4 transposed convolutions that double it, each with BatchNorm and ReLU.

    After Radford, Metz & Chintala, "Unsupervised representation learning with deep convolutional generative
    adversarial networks", ICLR 2016.

    Args:
        image_shape: `(height, width, channels)` of any size.
        latent_dim: length of the code.
        filters: channels of the small image, then after each doubling.
        condition_dim: number of classes or attributes it is told besides; 0 for none.
        seed: integer, or None for different weights each time.

    Returns:
        `keras.Model`: `(n, latent_dim)` → `(n, *image_shape)`, or `[(n, latent_dim), (n, condition_dim)]` → the same;
        pixels in [0, 1].

    Raises:
        ValueError: for sizes and numbers that are no whole numbers, or too small.
    """
    hidden = networks.HiddenLayers("relu", True, seed, momentum=0.9)
    height, width, channels = validation.wholes("image_shape", image_shape, 3)
    filters = validation.wholes("filters", filters)
    latent_dim = validation.whole("latent_dim", latent_dim, 1)
    condition_dim = validation.whole("condition_dim", condition_dim, 0)
    scale = 2 ** (len(filters) - 1)
    small = (math.ceil(height / scale), math.ceil(width / scale), filters[0])
    code = keras.Input((latent_dim + condition_dim,))
    x = layers.Reshape(small)(hidden(layers.Dense, code, math.prod(small)))
    for count in filters[1:]:
        x = hidden(layers.Conv2DTranspose, x, count, 4, 2, "same")
    last = layers.Conv2D(channels, 5, padding="same", kernel_initializer=hidden.initializer(), dtype="float32")
    pixels = layers.Activation("sigmoid", dtype="float32")(last(x[:, :height, :width]))
    generator = keras.Model(code, pixels, name="generator")
    return networks.conditional_decoder(generator, condition_dim) if condition_dim else generator


def convolutional_discriminator(
    image_shape, filters=(32, 64, 128), batch_normalization=True, condition_dim=0, seed=None
):
    """4×4 convolutions of stride 2 with leaky ReLU, all but the first with BatchNorm, and a dense layer to a logit.

    A condition enters as a projection (Miyato & Koyama, "cGANs with projection discriminator", ICLR 2018): the inner
    product of the image's features with those of the condition is added to the logit.

    Args:
        image_shape: `(height, width, channels)` of any size.
        filters: channels of each convolution.
        batch_normalization: False for a critic, which must score each example by itself.
        condition_dim, seed: as in `convolutional_generator`.

    Returns:
        `keras.Model`: `(n, *image_shape)` → `(n, 1)`, or `[(n, *image_shape), (n, condition_dim)]` → the same.

    Raises:
        ValueError: as `convolutional_generator`.
    """
    first = networks.HiddenLayers("leaky_relu", False, seed)
    hidden = networks.HiddenLayers("leaky_relu", batch_normalization, seed if seed is None else seed + 500, 0.9)
    inputs = keras.Input(validation.wholes("image_shape", image_shape, 3))
    count, *counts = validation.wholes("filters", filters)
    x = first(layers.Conv2D, inputs, count, 4, 2, "same")
    for count in counts:
        x = hidden(layers.Conv2D, x, count, 4, 2, "same")
    features = layers.Flatten()(x)
    logits = layers.Dense(1, kernel_initializer=hidden.initializer(), dtype="float32")(features)
    if not validation.whole("condition_dim", condition_dim, 0):
        return keras.Model(inputs, logits, name="discriminator")
    condition = keras.Input((condition_dim,), name="condition")
    wanted = layers.Dense(features.shape[-1], use_bias=False, kernel_initializer=hidden.initializer())(condition)
    logits = layers.Add(dtype="float32")([logits, layers.Dot(-1)([features, wanted])])
    return keras.Model([inputs, condition], logits, name="discriminator")
