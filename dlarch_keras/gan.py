"""Generative adversarial networks: a generator makes fakes, a discriminator tells them from real examples.

    discriminator: minimise  -log D(x) - log(1 - D(G(z)))        generator: minimise  -log D(G(z))

Goodfellow et al., "Generative adversarial nets", NeurIPS 2014; Mirza & Osindero, "Conditional generative adversarial
nets", 2014. The moving average of the generator is that of Yazıcı et al., "The unusual effectiveness of averaging in
GAN training", ICLR 2019.
"""

import keras
import numpy as np
from keras import ops

from .core import Model, apply_gradients, forward, validation, value_and_grad
from .core.conditions import condition_rows, join


@keras.saving.register_keras_serializable("dlarch_keras")
class GAN(Model):
    """The non-saturating game on logits: real examples have the target 1, fakes 0.

    It logs `generator_loss` and `discriminator_loss`, which adds the cross-entropies of real examples and of fakes.
    Where nothing can be told apart they are log 2 and log 4. One pass of the generator serves both losses: the two
    networks move at the same time, each against the other as it was before the step.

    In training, BatchNormalization in the discriminator sees real examples and fakes as batches of their own; in
    `evaluate` and `predict` it uses one running average of both, so that the two losses are not comparable.

    Args:
        generator: built `keras.Model`, `(n, latent_dim)` → `(n, *shape)`; or a conditional one,
            `[(n, latent_dim), (n, condition_dim)]` → `(n, *shape)`.
        discriminator: built `keras.Model`, `(n, *shape)` → `(n, 1)`, logits; with a conditional generator,
            `[(n, *shape), (n, condition_dim)]` → `(n, 1)`.
        label_smoothing: taken off the target of real examples only (Salimans et al. 2016), in [0, 1).
        ema_decay: of the moving average of the generator's weights that `generate` uses, in [0, 1); 0 for no average.
            Where you give the generator other weights, it starts anew from those.
        data_range: (low, high) of the data, (-1, 1) for a generator that ends in tanh; None for points and table rows.
        seed: integer, or None for different noise in each process.

    Raises:
        ValueError: for networks that do not fit each other or the data's range, settings out of range.
    """

    networks_with_optimizers = ("generator", "discriminator")  # compile() takes an optimizer for each
    takes_sample_weight = False

    def __init__(
        self, generator, discriminator, label_smoothing=0.0, ema_decay=0.999, data_range=(0, 1), seed=None, **kwargs
    ):
        super().__init__(**kwargs)
        self.generator = generator
        self.discriminator = discriminator
        self.label_smoothing = validation.number("label_smoothing", label_smoothing, below=1)
        self.ema_decay = validation.number("ema_decay", ema_decay, below=1)
        self.data_range = validation.data_range(data_range)
        self.seed = None if seed is None else validation.non_negative_int("seed", seed)
        self.seed_generator = keras.random.SeedGenerator(self.seed)
        self.track("generator_loss", "discriminator_loss")
        _check_networks(self)
        self.latent_dim = generator.inputs[0].shape[-1]
        self.condition_dim = generator.inputs[1].shape[-1] if len(generator.inputs) > 1 else 0  # classes or attributes
        self.averaged_generator = keras.models.clone_model(generator)
        self.averaged_generator.trainable = False
        self.seen = self.add_weight((len(generator.weights),), trainable=False, name="seen")
        self.follow_generator()

    def train_step(self, data):
        real, y, _ = keras.utils.unpack_x_y_sample_weight(data)
        condition = condition_rows(y, self.condition_dim)
        noise = self.sample_noise(ops.shape(real)[0])

        # Of what a loss returns, the first value is differentiated, and the others are carried along.
        (generator_loss, fake), generator_gradients = value_and_grad(
            lambda: self.generator_loss(noise, condition, training=True), self.generator.trainable_variables
        )
        discriminator_loss, discriminator_gradients = value_and_grad(
            lambda: self.discriminator_loss(real, fake, condition, training=True),
            self.discriminator.trainable_variables,
        )
        apply_gradients(self.optimizer["generator"], generator_gradients, self.generator.trainable_variables)
        apply_gradients(
            self.optimizer["discriminator"], discriminator_gradients, self.discriminator.trainable_variables
        )
        self.update_average()
        return self.log(ops.shape(real)[0], generator_loss=generator_loss, discriminator_loss=discriminator_loss)

    def generator_loss(self, noise, condition, training=False):
        """Cross-entropy of fakes that ought to pass for real, plus the layers' own losses; and the fakes."""
        fake = self.generator(join(noise, condition), training=training)
        logits = self.discriminator(join(fake, condition), training=training)
        return cross_entropy(1.0, logits) + sum(self.generator.losses), fake

    def discriminator_loss(self, real, fake, condition, training=False):
        """Cross-entropy of real examples plus that of fakes, each a mean, plus the layers' own losses: a scalar."""
        real_logits = self.discriminator(join(real, condition), training=training)
        fake_logits = self.discriminator(join(fake, condition), training=training)
        loss = cross_entropy(1.0 - self.label_smoothing, real_logits) + cross_entropy(0.0, fake_logits)
        return loss + sum(self.discriminator.losses)

    def update_average(self):
        """Move the averaged generator's weights a little towards the generator's."""
        if not self.ema_decay:  # the generator itself is used
            return
        step = ops.cast(self.optimizer["generator"].iterations, "float32")
        # At first a shorter memory, min(ema_decay, step / (9 + step)), that forgets the initial weights.
        share = ops.maximum(1.0 - self.ema_decay, 9.0 / (9.0 + step))
        for average, variable in zip(self.averaged_generator.weights, self.generator.weights):
            average.assign(average + ops.cast(share, average.dtype) * (variable - average))
        self.seen.assign(self.first_weights())

    def follow_generator(self):
        """Start the average anew from the generator, where that was given other weights since the last step."""
        first = ops.convert_to_numpy(self.first_weights())
        if not np.array_equal(first, ops.convert_to_numpy(self.seen)):
            self.averaged_generator.set_weights(self.generator.get_weights())
            self.seen.assign(first)

    def first_weights(self):
        """The first number of each of the generator's weights, by which it is known again."""
        return ops.stack([ops.cast(ops.reshape(weight, (-1,))[0], "float32") for weight in self.generator.weights])

    def make_train_function(self, force=False):
        self.follow_generator()
        return super().make_train_function(force)

    def sample_noise(self, count, training=True):
        """Codes from the prior; outside training always the same ones, so that held-out losses are comparable."""
        return keras.random.normal((count, self.latent_dim), seed=self.seed_generator if training else 0)

    def test_step(self, data):
        real, y, _ = keras.utils.unpack_x_y_sample_weight(data)
        condition, count = condition_rows(y, self.condition_dim), ops.shape(real)[0]
        generator_loss, fake = self.generator_loss(self.sample_noise(count, training=False), condition)
        discriminator_loss = self.discriminator_loss(real, fake, condition)
        return self.log(count, generator_loss=generator_loss, discriminator_loss=discriminator_loss)

    def call(self, inputs, training=False):
        """The discriminator's logits of `x`, or of `[x, condition]`."""
        x, y = inputs if self.condition_dim else (inputs, None)
        return self.discriminator(join(x, condition_rows(y, self.condition_dim)), training=training)

    def generate(self, n, seed=None, condition=None):
        """`n` examples, by the averaged generator.

        Args:
            n: how many, 1 or more.
            seed: integer; the same one gives the same examples. None for different ones each time.
            condition: for a conditional model, `(n,)` class labels or `(n, condition_dim)` attributes.

        Returns:
            `(n, *shape)`, NumPy, within `data_range`.
        """
        n, rng = validation.positive_int("n", n), validation.random("seed", seed)
        return self.decode(rng.standard_normal((n, self.latent_dim), "float32"), condition)

    def decode(self, z, condition=None):
        """Examples for given codes, by the averaged generator: `(n, latent_dim)` → `(n, *shape)`, NumPy."""
        z = validation.array("z", z, (None, self.latent_dim))
        condition = validation.condition("condition", condition, self.condition_dim, len(z))
        self.follow_generator()
        outputs = forward(self.averaged_generator if self.ema_decay else self.generator, join(z, condition))
        return outputs.clip(*self.data_range) if self.data_range else outputs

    @property
    def inputs(self):
        """What `call` takes, symbolically."""
        return self.discriminator.inputs if self.condition_dim else self.discriminator.inputs[0]

    @property
    def min_batch_size(self):
        """Fewest examples to train on at a time: a single one has no spread for BatchNormalization to divide by."""
        return 1 + (validation.normalizes_batches(self.generator) or validation.normalizes_batches(self.discriminator))

    def check_data(self, x, y=None):
        x = validation.data("x", x, self.generator.output_shape, self.data_range)
        return x, validation.labels_or_attributes("y", y, self.condition_dim, x.shape[0])


def cross_entropy(target, logits):
    """Mean binary cross-entropy of logits against one target in [0, 1] for all of them: a scalar, nats."""
    logits = ops.cast(logits, "float32")
    return ops.mean(ops.softplus(logits) - target * logits)


def _check_networks(model):
    generator, discriminator = model.generator, model.discriminator
    inputs = 1 + isinstance(getattr(generator, "input_shape", None), list)
    validation.network("generator", generator, inputs)
    validation.network("discriminator", discriminator, inputs)
    validation.logits("discriminator", discriminator)
    validation.no_shared_layers("generator", generator, "discriminator", discriminator)
    validation.shapes("generator", "take codes", generator.inputs[0].shape, (None, None))
    taken = [tensor.shape for tensor in discriminator.inputs]
    returned = [generator.output_shape, *(tensor.shape for tensor in generator.inputs[1:])]  # and the condition
    validation.shapes("discriminator", "take what `generator` returns, and its condition", taken, returned)
    validation.shapes("discriminator", "return one number for each example", discriminator.output_shape, (None, 1))
    validation.output_range("generator", generator, model.data_range, must_be_bounded=True)
