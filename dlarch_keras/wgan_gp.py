"""The Wasserstein GAN with gradient penalty: a critic that scores examples, kept close to slope 1.

Gulrajani et al., "Improved training of Wasserstein GANs", NeurIPS 2017, algorithm 1; Arjovsky, Chintala & Bottou,
"Wasserstein generative adversarial networks", ICML 2017.
"""

import keras

from .core import validation
from .adversarial import normalizes_batches
from .gan import GenerativeModel, joined
from .core import input_gradient, value_and_grad


@keras.saving.register_keras_serializable("dlarch_keras")
class WGANGP(GenerativeModel):
    """Trains the critic `critic_steps` times for each step of the generator, every time on its own share of the batch.

    Where the batch cannot be divided evenly, shares are rounded up, and neighbouring ones have an example in common.

    It logs `critic_loss`, the mean score of fakes minus that of real examples plus `penalty_weight` times
    `gradient_penalty`; `gradient_penalty` itself; and `generator_loss`, minus the mean score of fakes.

    Args:
        generator: built `keras.Model`, `(n, latent_dim)` → `(n, *shape)`; or a conditional one,
            `[(n, latent_dim), (n, condition_dim)]` → `(n, *shape)`.
        critic: built `keras.Model`, `(n, *shape)` → `(n, 1)`, any number; with a conditional generator,
            `[(n, *shape), (n, condition_dim)]` → `(n, 1)`. It must not normalise over the batch: the penalty is on
            its slope at each example by itself.
        critic_steps: of the critic, for one of the generator.
        penalty_weight: of the gradient penalty in the critic's loss.
        average, seed: as in `GAN`.

    Raises:
        ValueError: for networks that do not fit each other, a critic with BatchNormalization, settings out of range.
    """

    network_names = ("generator", "critic")

    def __init__(self, generator, critic, critic_steps=5, penalty_weight=10.0, average=0.999, seed=None, **kwargs):
        super().__init__(**kwargs)
        self._set_networks(generator, critic, average, seed)
        if normalizes_batches(critic):
            raise ValueError("`critic` must score each example by itself, got one with BatchNormalization.")
        self.critic_steps = validation.whole("critic_steps", critic_steps, 1)
        self.penalty_weight = validation.number("penalty_weight", penalty_weight)
        self._track("generator_loss", "critic_loss", "gradient_penalty")

    def compile(self, generator_optimizer=None, critic_optimizer=None, **kwargs):
        """Choose both optimizers; further arguments as in `training.Model.compile`."""
        self._compile_pair(generator_optimizer, critic_optimizer, **kwargs)

    @property
    def least_batch(self):
        """Fewest examples to train on at a time: each of the critic's steps needs its share."""
        return self.critic_steps * super().least_batch

    def gradient_penalty(self, real, fake, condition, share, training=False):
        """Mean squared distance from 1 of the critic's slope, between real examples and fakes: a scalar.

        Args:
            real, fake: `(n, *shape)`.
            condition: None or `(n, condition_dim)`.
            share: `(n, 1, ...)` in [0, 1], of the real example in each place between: α ~ U(0, 1).
        """
        # Half precision is the networks' own.
        real, fake, share = (keras.ops.cast(each, "float32") for each in (real, fake, share))
        between = share * real + (1.0 - share) * fake
        slope = input_gradient(lambda x: self.critic(joined(x, condition), training=training), between)
        squares = keras.ops.sum(
            keras.ops.square(keras.ops.cast(slope, "float32")), axis=tuple(range(1, len(real.shape)))
        )
        norm = keras.ops.sqrt(squares + 1e-12)  # at 0 the root's own slope is infinite
        return keras.ops.mean(keras.ops.square(norm - 1.0))

    def shares(self, count, rank, training=True):
        """α ~ U(0, 1) of the paper's algorithm 1, one for each example: `(count, 1, ...)` of this rank."""
        return keras.random.uniform((count, *[1] * (rank - 1)), seed=self.seed_generator if training else 1)

    def critic_loss(self, real, fake, condition, training=False):
        """Loss and gradient penalty of the critic: two scalars."""
        share = self.shares(keras.ops.shape(real)[0], len(real.shape), training)
        penalty = self.gradient_penalty(real, fake, condition, share, training)
        real_score, fake_score = (self._mean_score(x, condition, training) for x in (real, fake))
        return fake_score - real_score + self.penalty_weight * penalty, penalty

    def generator_loss(self, noise, condition, training=False):
        """Minus the mean score of fakes, and the fakes: a scalar and `(n, *shape)`."""
        fake = self.generator(joined(noise, condition), training=training)
        return -self._mean_score(fake, condition, training), fake

    def _mean_score(self, x, condition, training):
        return keras.ops.mean(keras.ops.cast(self.critic(joined(x, condition), training=training), "float32"))

    def train_step(self, data):
        real, condition, count = self._unpacked(data)
        self._check_batch(real.shape[0])
        size = (count - 1) // self.critic_steps + 1  # rounded up, so that no share is ever empty
        starts = [step * count // self.critic_steps for step in range(self.critic_steps)]
        conditions = [condition if condition is None else condition[start : start + size] for start in starts]
        steps = [self._critic_step(real[start : start + size], own) for start, own in zip(starts, conditions)]
        generator_loss = self._generator_step(size, conditions[0])
        self._update_average()
        critic_loss, penalty = (sum(values) / self.critic_steps for values in zip(*steps))
        return self._logged((generator_loss, critic_loss, penalty), count)

    def _critic_step(self, real, condition):
        # The fakes are made outside the critic's gradient: only the critic learns from this.
        noise = joined(self.noise(keras.ops.shape(real)[0]), condition)
        fake = keras.ops.stop_gradient(self.generator(noise, training=True))
        variables = self.critic.trainable_variables
        values, gradients = value_and_grad(lambda: self.critic_loss(real, fake, condition, training=True), variables)
        self._descend("critic", gradients)
        return values

    def _generator_step(self, count, condition):
        noise, variables = self.noise(count), self.generator.trainable_variables
        (loss, _), gradients = value_and_grad(lambda: self.generator_loss(noise, condition, training=True), variables)
        self._descend("generator", gradients)
        return loss

    def test_step(self, data):
        real, condition, count = self._unpacked(data)
        generator_loss, fake = self.generator_loss(self.noise(count, training=False), condition)
        return self._logged((generator_loss, *self.critic_loss(real, fake, condition)), count)
