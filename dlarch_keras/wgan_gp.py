"""The Wasserstein GAN with gradient penalty: a discriminator that scores examples (a critic), kept close to slope 1.

    discriminator: minimise  D(fake) - D(real) + penalty_weight (‖∇D(interpolated)‖ - 1)²
    generator: minimise  -D(fake)

Gulrajani et al., "Improved training of Wasserstein GANs", NeurIPS 2017, algorithm 1; Arjovsky, Chintala & Bottou,
"Wasserstein generative adversarial networks", ICML 2017.
"""

import keras
from keras import ops

from .core import apply_gradients, input_gradient, validation, value_and_grad
from .core.conditions import condition_rows, join
from .gan import GAN


@keras.saving.register_keras_serializable("dlarch_keras")
class WGANGP(GAN):
    """Trains the discriminator `discriminator_steps` times for one step of the generator, each on a share of the batch.

    Where the batch cannot be divided evenly, shares are rounded up, and neighbouring ones may share an example.

    It logs `discriminator_loss`, the mean score of fakes minus that of real examples plus `penalty_weight` times
    `gradient_penalty`; `gradient_penalty` itself, both means over the steps; and `generator_loss`, minus the mean
    score of fakes.

    Args:
        generator: as in `GAN`.
        discriminator: built `keras.Model`, `(n, *shape)` → `(n, 1)`, an unbounded score; with a conditional generator,
            `[(n, *shape), (n, condition_dim)]` → `(n, 1)`. It must not normalise over the batch: the penalty is on
            its slope at each example by itself.
        discriminator_steps: steps of the discriminator for one of the generator.
        penalty_weight: of the gradient penalty in the discriminator's loss.
        ema_decay, data_range, seed: as in `GAN`.

    Raises:
        ValueError: for networks that do not fit each other, a discriminator with BatchNormalization, settings out of
            range.
    """

    def __init__(self, generator, discriminator, discriminator_steps=5, penalty_weight=10.0, **kwargs):
        super().__init__(generator, discriminator, **kwargs)
        self.discriminator_steps = validation.positive_int("discriminator_steps", discriminator_steps)
        self.penalty_weight = validation.number("penalty_weight", penalty_weight)
        self.track("generator_loss", "discriminator_loss", "gradient_penalty")
        if self.label_smoothing:
            raise ValueError("`label_smoothing` must be left out: scores have no targets.")
        if validation.normalizes_batches(discriminator):
            raise ValueError("`discriminator` must score each example by itself, got one with BatchNormalization.")

    def train_step(self, data):
        real, y, _ = keras.utils.unpack_x_y_sample_weight(data)
        condition, count = condition_rows(y, self.condition_dim), ops.shape(real)[0]
        size = (count - 1) // self.discriminator_steps + 1  # rounded up, so that no share is ever empty

        losses, penalties = [], []
        for step in range(self.discriminator_steps):
            start = step * count // self.discriminator_steps
            part = slice(start, start + size)
            loss, penalty = self.discriminator_step(real[part], None if condition is None else condition[part])
            losses.append(loss)
            penalties.append(penalty)

        noise, condition = self.sample_noise(size), None if condition is None else condition[:size]
        (generator_loss, _), gradients = value_and_grad(
            lambda: self.generator_loss(noise, condition, training=True), self.generator.trainable_variables
        )
        apply_gradients(self.optimizer["generator"], gradients, self.generator.trainable_variables)
        self.update_average()
        loss, penalty = (sum(values) / self.discriminator_steps for values in (losses, penalties))
        return self.log(count, generator_loss=generator_loss, discriminator_loss=loss, gradient_penalty=penalty)

    def discriminator_step(self, real, condition):
        """One step of the discriminator: its loss and its gradient penalty, two scalars."""
        # The fakes are made outside the gradient: only the discriminator learns from this.
        noise = self.sample_noise(ops.shape(real)[0])
        fake = ops.stop_gradient(self.generator(join(noise, condition), training=True))
        variables = self.discriminator.trainable_variables
        (loss, penalty), gradients = value_and_grad(
            lambda: self.discriminator_loss(real, fake, condition, training=True), variables
        )
        apply_gradients(self.optimizer["discriminator"], gradients, variables)
        return loss, penalty

    def discriminator_loss(self, real, fake, condition, training=False):
        """Loss and gradient penalty of the discriminator: two scalars."""
        alpha = self.sample_alpha(ops.shape(real)[0], len(real.shape), training)
        penalty = self.gradient_penalty(real, fake, condition, alpha, training)
        difference = self.mean_score(fake, condition, training) - self.mean_score(real, condition, training)
        return difference + self.penalty_weight * penalty + sum(self.discriminator.losses), penalty

    def generator_loss(self, noise, condition, training=False):
        """Minus the mean score of fakes, and the fakes: a scalar and `(n, *shape)`."""
        fake = self.generator(join(noise, condition), training=training)
        return -self.mean_score(fake, condition, training) + sum(self.generator.losses), fake

    def mean_score(self, x, condition, training):
        return ops.mean(ops.cast(self.discriminator(join(x, condition), training=training), "float32"))

    def gradient_penalty(self, real, fake, condition, alpha, training=False):
        """Mean squared distance from 1 of the discriminator's slope, between real examples and fakes: a scalar.

        Args:
            real, fake: `(n, *shape)`.
            condition: None or `(n, condition_dim)`.
            alpha: `(n, 1, ...)` in [0, 1], the share of the real example in each interpolated one.
        """
        # In float32, also where the networks compute in half precision.
        real, fake, alpha = (ops.cast(each, "float32") for each in (real, fake, alpha))
        interpolated = alpha * real + (1.0 - alpha) * fake
        gradient = input_gradient(lambda x: self.discriminator(join(x, condition), training=training), interpolated)
        squares = ops.sum(ops.square(ops.cast(gradient, "float32")), axis=tuple(range(1, len(real.shape))))
        norm = ops.sqrt(squares + 1e-12)  # the root of 0 has no finite gradient
        return ops.mean(ops.square(norm - 1.0))

    def sample_alpha(self, count, rank, training=True):
        """α ~ U(0, 1) of the paper's algorithm 1, one for each example: `(count, 1, ...)` of this rank."""
        return keras.random.uniform((count, *[1] * (rank - 1)), seed=self.seed_generator if training else 1)

    def test_step(self, data):
        real, y, _ = keras.utils.unpack_x_y_sample_weight(data)
        condition, count = condition_rows(y, self.condition_dim), ops.shape(real)[0]
        generator_loss, fake = self.generator_loss(self.sample_noise(count, training=False), condition)
        loss, penalty = self.discriminator_loss(real, fake, condition)
        return self.log(count, generator_loss=generator_loss, discriminator_loss=loss, gradient_penalty=penalty)

    @property
    def min_batch_size(self):
        """Fewest examples to train on at a time: each of the discriminator's steps needs its share."""
        return self.discriminator_steps * super().min_batch_size
