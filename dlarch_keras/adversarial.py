"""What models of two networks that play against each other share: their optimizers, their log, their losses."""

import keras
from keras import layers, ops

from .core import validation
from .core import Model, apply_gradients, value_and_grad


class AdversarialModel(Model):
    """A generator and a network that judges what it makes, each with an optimizer of its own.

    A subclass names the attributes that hold them in `network_names`, and what it logs with `_track`.
    """

    network_names = ("generator", "discriminator")

    @property
    def judge(self):
        return getattr(self, self.network_names[1])

    def _compile_pair(self, generator_optimizer, judge_optimizer, **kwargs):
        optimizers = dict(zip(self.network_names, (generator_optimizer, judge_optimizer)))
        for name, optimizer in optimizers.items():
            if optimizer is None:
                raise ValueError(f"`{name}_optimizer` must be an optimizer or its name, got None.")
        super().compile(optimizers, **kwargs)

    def _descend(self, name, gradients):
        """One step of the optimizer of the network of this name."""
        apply_gradients(self.optimizer[name], gradients, getattr(self, name).trainable_variables)

    def _track(self, *names):
        self.trackers = {name: keras.metrics.Mean(name=name) for name in names}

    def _logged(self, values, count):
        for tracker, value in zip(self.trackers.values(), values):
            tracker.update_state(value, sample_weight=count)
        return {name: tracker.result() for name, tracker in self.trackers.items()}

    def _check_weights(self, sample_weight):
        if sample_weight is not None:
            raise ValueError(
                "`sample_weight` and `class_weight` must be left out, got weights: "
                "draw the examples that matter more often instead."
            )

    def _checked(self, x, y, sample_weight):
        self._check_weights(sample_weight)
        return super()._checked(x, y, sample_weight)


class PairedModel(AdversarialModel):
    """What adversarial models of pairs share: of a source the generator makes an image that should be the target.

    A subclass says what the discriminator sees in `judged`, and how far an image is from its target in
    `content_loss`; the generator minimises `content_weight` times that, plus `adversarial_weight` times the
    cross-entropy of its fakes.
    """

    content_weight = adversarial_weight = 1.0

    def compile(self, generator_optimizer=None, discriminator_optimizer=None, **kwargs):
        """Choose both optimizers; further arguments as in `training.Model.compile`."""
        self._compile_pair(generator_optimizer, discriminator_optimizer, **kwargs)

    def judged(self, source, image):
        """What the discriminator is given of an image: the image, or a list of inputs."""
        return image

    def generator_losses(self, source, target, training=False):
        """Cross-entropy of fakes that ought to pass for real, content loss, fakes: two scalars and the target's shape.

        Args:
            source, target: `(n, height, width, channels)`, the generator's input and what it should return.
        """
        fake = self.generator(source, training=training)
        logits = self.discriminator(self.judged(source, fake), training=training)
        return cross_entropy(1.0, logits), self.content_loss(target, ops.cast(fake, "float32")), fake

    def discriminator_loss(self, source, target, fake, training=False):
        """Mean of the cross-entropies of real images and of fakes: a scalar, log 2 where they cannot be told apart."""
        real_logits = self.discriminator(self.judged(source, target), training=training)
        fake_logits = self.discriminator(self.judged(source, fake), training=training)
        return (cross_entropy(1.0, real_logits) + cross_entropy(0.0, fake_logits)) / 2

    def train_step(self, data):
        source, target = self._pairs(data)

        def loss():
            adversarial, content, fake = self.generator_losses(source, target, training=True)
            return self.adversarial_weight * adversarial + self.content_weight * content, adversarial, content, fake

        (_, adversarial, content, fake), gradients = value_and_grad(loss, self.generator.trainable_variables)
        discriminator_loss, discriminator_gradients = value_and_grad(
            lambda: self.discriminator_loss(source, target, fake, training=True),
            self.discriminator.trainable_variables,
        )
        self._descend("generator", gradients)
        self._descend("discriminator", discriminator_gradients)
        return self._logged((adversarial, content, discriminator_loss), ops.shape(source)[0])

    def test_step(self, data):
        source, target = self._pairs(data)
        adversarial, content, fake = self.generator_losses(source, target)
        loss = self.discriminator_loss(source, target, fake)
        return self._logged((adversarial, content, loss), ops.shape(source)[0])

    def fit(self, x=None, y=None, class_weight=None, **kwargs):
        """Train on pairs: `fit(source, target)`, or a stream of them."""
        self._check_weights(class_weight)
        return super().fit(x, y, **kwargs)

    def _checked(self, x, y, sample_weight):
        if not validation.is_stream(x):
            self._check_target(y)
        return super()._checked(x, y, sample_weight)

    def _check_target(self, y):
        if y is None:
            raise ValueError("`y` must hold the target of each source, got None.")

    def _pairs(self, data):
        source, target, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        self._check_weights(sample_weight)
        self._check_target(target)
        return ops.cast(source, "float32"), ops.cast(target, "float32")

    def call(self, x, training=False):
        return self.generator(x, training=training)


def cross_entropy(target, logits):
    """Mean binary cross-entropy of logits against one target in [0, 1] for all of them: a scalar, nats."""
    logits = ops.cast(logits, "float32")
    return ops.mean(ops.softplus(logits) - target * logits)


def normalizes_batches(network):
    """Whether a layer's output in training depends on the other examples of the batch."""
    return any(isinstance(layer, layers.BatchNormalization) and layer.trainable for layer in network._flatten_layers())
