"""A tutorial's training step, in a process of its own: `python -m benchmarks.recipes "GAN" ours`.

The networks of keras.io's tutorials, trained by `ours`, the package's class with the settings of the notebooks; by
`theirs`, a Keras training step as such tutorials write it, with TensorFlow's own gradients; and by `torch`, plain and
eager. Prints the median milliseconds of a step. Theirs has `jit_compile=False` too, which is faster here than its
default, so that what is compared is the training step.
"""

import argparse
import time
from typing import NamedTuple

import keras
import numpy as np
from keras import ops

from benchmarks.training import StepClock

STEPS_AN_EXECUTION, WARMUP = 10, 3


class Recipe(NamedTuple):
    """`ours()` and `theirs()` make compiled models, `torch_recipes.<name>()` a step; `data(n)` returns x and y."""

    ours: callable
    theirs: callable
    name: str
    data: callable
    batch_size: int


def digits(n):
    return np.random.default_rng(0).random((n, 28, 28, 1), "float32")


def our_vae():
    from benchmarks import vae

    model = vae.recipe()
    model.compile("adam", steps_per_execution=STEPS_AN_EXECUTION, jit_compile=False)
    return model


def their_vae():
    import tensorflow as tf

    from benchmarks import vae

    networks = vae.recipe()

    class TutorialVAE(keras.Model):
        def __init__(self):
            super().__init__()
            self.encoder, self.decoder = networks.encoder, networks.decoder
            self.seeds = keras.random.SeedGenerator(0)
            self.trackers = [keras.metrics.Mean(name=name) for name in ("loss", "reconstruction_loss", "kl_loss")]

        def train_step(self, x):
            with tf.GradientTape() as tape:
                mean, log_var = self.encoder(x, training=True)
                code = mean + ops.exp(0.5 * log_var) * keras.random.normal(ops.shape(mean), seed=self.seeds)
                cross_entropy = keras.losses.binary_crossentropy(x, self.decoder(code, training=True), from_logits=True)
                reconstruction = ops.mean(ops.sum(cross_entropy, axis=(1, 2)))
                kl = ops.mean(ops.sum(-0.5 * (1 + log_var - ops.square(mean) - ops.exp(log_var)), axis=1))
                loss = reconstruction + kl
            gradients = tape.gradient(loss, self.trainable_weights)
            self.optimizer.apply_gradients(zip(gradients, self.trainable_weights))
            for tracker, value in zip(self.trackers, (loss, reconstruction, kl)):
                tracker.update_state(value)
            return {tracker.name: tracker.result() for tracker in self.trackers}

    model = TutorialVAE()
    model.compile("adam", jit_compile=False)
    return model


def our_gan():
    from benchmarks import gan
    from dlarch_keras import GAN

    networks = gan.recipe(0)
    model = GAN(networks.generator, networks.discriminator, average=0.0)
    optimizers = keras.optimizers.Adam(3e-4), keras.optimizers.Adam(3e-4)
    model.compile(*optimizers, steps_per_execution=STEPS_AN_EXECUTION, jit_compile=False)
    return model


def their_gan():
    import tensorflow as tf

    from benchmarks import gan

    networks = gan.recipe(0)
    cross_entropy = keras.losses.BinaryCrossentropy(from_logits=True)

    class TutorialGAN(keras.Model):
        def __init__(self):
            super().__init__()
            self.generator, self.discriminator = networks.generator, networks.discriminator
            self.seeds = keras.random.SeedGenerator(0)
            self.trackers = [keras.metrics.Mean(name=name) for name in ("d_loss", "g_loss")]

        def compile(self, d_optimizer, g_optimizer, **kwargs):
            super().compile(**kwargs)
            self.d_optimizer, self.g_optimizer = d_optimizer, g_optimizer

        def train_step(self, real):
            count = tf.shape(real)[0]
            images = tf.concat([self.generator(keras.random.normal((count, 128), seed=self.seeds)), real], 0)
            targets = tf.concat([tf.ones((count, 1)), tf.zeros((count, 1))], 0)
            targets += 0.05 * keras.random.uniform(tf.shape(targets), seed=self.seeds)
            with tf.GradientTape() as tape:
                d_loss = cross_entropy(targets, self.discriminator(images))
            gradients = tape.gradient(d_loss, self.discriminator.trainable_weights)
            self.d_optimizer.apply_gradients(zip(gradients, self.discriminator.trainable_weights))
            noise = keras.random.normal((count, 128), seed=self.seeds)
            with tf.GradientTape() as tape:
                g_loss = cross_entropy(tf.zeros((count, 1)), self.discriminator(self.generator(noise)))
            gradients = tape.gradient(g_loss, self.generator.trainable_weights)
            self.g_optimizer.apply_gradients(zip(gradients, self.generator.trainable_weights))
            for tracker, value in zip(self.trackers, (d_loss, g_loss)):
                tracker.update_state(value)
            return {tracker.name: tracker.result() for tracker in self.trackers}

    model = TutorialGAN()
    model.compile(keras.optimizers.Adam(3e-4), keras.optimizers.Adam(3e-4), jit_compile=False)
    return model


def our_siamese():
    from benchmarks import siamese
    from dlarch_keras import ContrastiveLoss, SiameseNetwork

    (tower,) = (layer for layer in siamese.recipe().layers if isinstance(layer, keras.Model))
    model = SiameseNetwork(tower, ContrastiveLoss(1.0))
    model.compile(keras.optimizers.RMSprop(), steps_per_execution=STEPS_AN_EXECUTION, jit_compile=False)
    return model


def their_siamese():
    from benchmarks import siamese

    return siamese.recipe()


def pairs(n):
    a, b = digits(2 * n).reshape(2, n, 28, 28, 1)
    return [a, b], (np.arange(n) % 2).astype("float32")


def our_denoiser():
    from benchmarks import denoising_autoencoder
    from dlarch_keras import DenoisingAutoencoder
    from dlarch_keras.denoising_autoencoder import GaussianCorruption

    network = denoising_autoencoder.recipe()
    code = network.layers[len(network.layers) // 2]  # what the second pooling returns
    encoder = keras.Model(network.input, code.output)
    inputs = x = keras.Input(code.output.shape[1:])
    for layer in network.layers[network.layers.index(code) + 1 :]:
        x = layer(x)
    model = DenoisingAutoencoder(encoder, keras.Model(inputs, x), GaussianCorruption(0.4, seed=0))
    model.compile("adam", steps_per_execution=STEPS_AN_EXECUTION, jit_compile=False)
    return model


def their_denoiser():
    from benchmarks import denoising_autoencoder

    return denoising_autoencoder.recipe()


def our_espcn():
    model = their_espcn()
    model.compile(keras.optimizers.Adam(1e-3), "mse", steps_per_execution=STEPS_AN_EXECUTION, jit_compile=False)
    return model


def their_espcn():
    from benchmarks import srgan

    return srgan.recipe(0)


def small_and_large(n):
    rng = np.random.default_rng(0)
    return rng.random((n, 100, 100, 1), "float32"), rng.random((n, 300, 300, 1), "float32")


RECIPES = {
    "VAE": Recipe(our_vae, their_vae, "vae", lambda n: (digits(n), None), 128),
    "GAN": Recipe(our_gan, their_gan, "gan", lambda n: (digits(n), None), 64),
    "Siamese": Recipe(our_siamese, their_siamese, "siamese", pairs, 16),
    "denoising autoencoder": Recipe(
        our_denoiser, their_denoiser, "denoising_autoencoder", lambda n: (digits(n), digits(n)), 128
    ),
    "ESPCN": Recipe(our_espcn, their_espcn, "srgan", small_and_large, 4),
}


def measure(recipe, implementation, steps):
    """Median milliseconds of a step."""
    x, y = recipe.data(steps * recipe.batch_size)
    if implementation == "torch":
        from benchmarks import torch_recipes

        train, ends = getattr(torch_recipes, recipe.name)(), []
        for start in range(0, steps * recipe.batch_size, recipe.batch_size):
            rows = slice(start, start + recipe.batch_size)
            train([array[rows] for array in x] if isinstance(x, list) else x[rows], None if y is None else y[rows])
            ends.append(time.perf_counter())
        return 1000 * float(np.median(np.diff(ends)[WARMUP:]))
    ours = implementation == "ours"
    model, clock = getattr(recipe, implementation)(), StepClock()
    if ours and recipe.name == "denoising_autoencoder":
        y = None  # it makes its own noise; theirs is given images that have it
    model.fit(x, y, batch_size=recipe.batch_size, shuffle=False, verbose=0, callbacks=[clock])
    return 1000 * float(np.median(np.diff(clock.ends)[WARMUP:])) / (STEPS_AN_EXECUTION if ours else 1)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.recipes")
    parser.add_argument("recipe", choices=RECIPES)
    parser.add_argument("implementation", choices=("ours", "theirs", "torch"))
    parser.add_argument("--policy", default="float32", help="of Keras's dtypes")
    parser.add_argument("--steps", type=int, default=100)
    options = parser.parse_args()
    keras.config.set_dtype_policy(options.policy)
    print(measure(RECIPES[options.recipe], options.implementation, options.steps))
