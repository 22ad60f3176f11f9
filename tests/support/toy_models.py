"""The smallest models with everything a training step can move: BatchNorm, Dropout, noise, metrics, two optimizers."""

import keras
import numpy as np
from keras import layers

from dlarch_keras.core import Model, apply_gradients, value_and_grad


@keras.saving.register_keras_serializable("tests")
class Regressor(Model):
    """One network, one optimizer: the example of core/model.py's docstring, with a `test_step`."""

    def __init__(self, network, **kwargs):
        super().__init__(**kwargs)
        self.network = network
        self.track("loss")

    def call(self, x, training=False):
        return self.network(x, training=training)

    def compute_batch_loss(self, x, y, training=False):
        return keras.ops.mean(keras.ops.square(keras.ops.cast(self(x, training=training), "float32") - y))

    def train_step(self, data):
        x, y, _ = keras.utils.unpack_x_y_sample_weight(data)
        loss, gradients = value_and_grad(lambda: self.compute_batch_loss(x, y, training=True), self.trainable_variables)
        apply_gradients(self.optimizer, gradients, self.trainable_variables)
        return self.log(keras.ops.shape(x)[0], loss=loss)

    def test_step(self, data):
        x, y, _ = keras.utils.unpack_x_y_sample_weight(data)
        return self.log(keras.ops.shape(x)[0], loss=self.compute_batch_loss(x, y))


@keras.saving.register_keras_serializable("tests")
class TinyGAN(Model):
    """Two networks, two optimizers; the noise is drawn, or given as `y`."""

    networks_with_optimizers = ("generator", "discriminator")

    def __init__(self, generator, discriminator, seed=0, **kwargs):
        super().__init__(**kwargs)
        self.generator = generator
        self.discriminator = discriminator
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.track("generator_loss", "discriminator_loss", "noise_mean")

    def call(self, z, training=False):
        return self.generator(z, training=training)

    def compute_batch_losses(self, real, noise, training):
        real_logits = self.discriminator(real, training=training)
        fake_logits = self.discriminator(self.generator(noise, training=training), training=training)
        real_logits, fake_logits = (keras.ops.cast(logits, "float32") for logits in (real_logits, fake_logits))
        return {
            "generator": keras.ops.mean(keras.ops.softplus(-fake_logits)),
            "discriminator": keras.ops.mean(keras.ops.softplus(-real_logits) + keras.ops.softplus(fake_logits)),
        }

    def noise_for(self, data):
        real, noise, _ = keras.utils.unpack_x_y_sample_weight(data)
        if noise is None:
            noise = keras.random.normal((keras.ops.shape(real)[0], 4), seed=self.seed_generator)
        return real, noise

    def train_step(self, data):
        real, noise = self.noise_for(data)
        losses = {}
        for name in ("discriminator", "generator"):
            variables = getattr(self, name).trainable_variables
            losses[f"{name}_loss"], gradients = value_and_grad(
                lambda name=name: self.compute_batch_losses(real, noise, training=True)[name], variables
            )
            apply_gradients(self.optimizer[name], gradients, variables)
        return self.log(keras.ops.shape(real)[0], **losses, noise_mean=keras.ops.mean(noise))

    def test_step(self, data):
        real, noise = self.noise_for(data)
        losses = self.compute_batch_losses(real, noise, training=False)
        logs = {f"{name}_loss": value for name, value in losses.items()}
        return self.log(keras.ops.shape(real)[0], **logs, noise_mean=keras.ops.mean(noise))


def network(inputs, outputs, dropout=0.0, seed=0, name=None, batch_norm=True):
    """Dense, BatchNorm, Dropout, dense again; weights from NumPy: the same on every backend."""
    x = first = keras.Input((inputs,))
    # BatchNorm after the non-linearity: a bias that it subtracts again, here or in the network before, has a gradient
    # that is zero in theory and rounding noise in practice, which Adam scales up.
    x = layers.Dense(16, activation="tanh")(x)
    x = layers.BatchNormalization()(x) if batch_norm else x
    x = layers.Dropout(dropout, seed=seed)(x)
    model = keras.Model(first, layers.Dense(outputs)(x), name=name)
    rng = np.random.default_rng(seed)
    model.set_weights(
        [
            weight if "batch_norm" in variable.path else rng.normal(size=weight.shape).astype("float32") * 0.3
            for variable, weight in zip(model.weights, model.get_weights())
        ]
    )
    return model


def regressor(dropout=0.0, optimizer=None, batch_norm=True, kind=Regressor, **compile_arguments):
    model = kind(network(6, 2, dropout, seed=1, batch_norm=batch_norm))
    model.compile(optimizer or keras.optimizers.Adam(1e-2), **compile_arguments)
    return model


def gan(dropout=0.0, optimizers=None, batch_norm=True, kind=TinyGAN, **compile_arguments):
    model = kind(
        network(4, 6, dropout, seed=2, name="generator", batch_norm=batch_norm),
        network(6, 1, dropout, seed=3, name="discriminator", batch_norm=batch_norm),
    )
    generator_optimizer, discriminator_optimizer = optimizers or (
        keras.optimizers.Adam(1e-2),
        keras.optimizers.RMSprop(1e-3),
    )
    model.compile(
        generator_optimizer=generator_optimizer, discriminator_optimizer=discriminator_optimizer, **compile_arguments
    )
    return model


def data(n=80):
    """x `(n, 6)`, y `(n, 2)` and noise `(n, 4)`, float32."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n, 6)).astype("float32")
    return x, np.stack([x.sum(1), x[:, 0] * x[:, 1]], axis=1), rng.normal(size=(n, 4)).astype("float32")
