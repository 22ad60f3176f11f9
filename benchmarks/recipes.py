"""A tutorial's training step, in a process of its own: `python -m benchmarks.recipes "GAN" ours`.

The networks of keras.io's tutorials, trained by `theirs`, a Keras training step as such tutorials write it, with
TensorFlow's own gradients; by `ours`, the package's class with the same settings; by `fast`, ours in bfloat16 and with
ten steps an execution; and by `torch`, plain and eager. Prints the milliseconds that a step takes, the median of three
calls of `fit` of some seconds each, batch preparation included. What differs besides: our GAN makes one batch of fakes
for both of its losses, and shows the discriminator real images and fakes one after the other; our denoising autoencoder
draws its noise anew in every step; our Siamese network embeds both twins of all pairs in one pass, and its loss is of
the distance itself, without the tutorial's BatchNorm and sigmoid on top of it.
"""

import argparse
import math
from typing import NamedTuple

import keras
import numpy as np
from keras import ops

from benchmarks.common.timing import timed

IMPLEMENTATIONS = ("theirs", "ours", "fast", "torch")


class Sizes(NamedTuple):
    """Of a full run, and of a quick one: steps to warm up, and seconds of a call of `fit`, about."""

    warmup: int = 20
    seconds: float = 2.0


QUICK = Sizes(10, 0.1)


class Recipe(NamedTuple):
    """`ours(**settings)` and `theirs()` make compiled models, `torch_recipes.<name>()` a step; `data(n)` x and y."""

    ours: callable
    theirs: callable
    name: str
    data: callable
    batch_size: int


def digits(n):
    return np.random.default_rng(0).random((n, 28, 28, 1), "float32")


def our_vae(**settings):
    from benchmarks import vae

    model = vae.recipe()
    model.compile("adam", **settings)
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
    model.compile("adam")
    return model


def our_gan(**settings):
    from benchmarks import gan
    from dlarch_keras import GAN

    networks = gan.recipe(0)
    return gan.compiled(GAN(networks.generator, networks.discriminator, ema_decay=0.0), 3e-4, **settings)


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
    model.compile(keras.optimizers.Adam(3e-4), keras.optimizers.Adam(3e-4))
    return model


def our_siamese(**settings):
    from benchmarks import siamese
    from dlarch_keras import ContrastiveLoss, SiameseNetwork

    (tower,) = (layer for layer in siamese.recipe().layers if isinstance(layer, keras.Model))
    model = SiameseNetwork(tower, ContrastiveLoss(1.0))
    model.compile(keras.optimizers.RMSprop(), **settings)
    return model


def their_siamese():
    from benchmarks import siamese

    return siamese.recipe()


def pairs(n):
    a, b = digits(2 * n).reshape(2, n, 28, 28, 1)
    return [a, b], (np.arange(n) % 2).astype("float32")


def our_denoiser(**settings):
    from benchmarks import denoising_autoencoder
    from dlarch_keras import DenoisingAutoencoder
    from dlarch_keras.denoising_autoencoder import GaussianCorruption

    network = denoising_autoencoder.recipe()
    code = network.layers[len(network.layers) // 2]  # what the second pooling returns
    encoder = keras.Model(network.input, code.output)
    inputs = x = keras.Input(code.output.shape[1:])
    for layer in network.layers[network.layers.index(code) + 1 : -1]:
        x = layer(x)
    x = keras.layers.Conv2D(1, 3, padding="same")(x)  # logits, where the tutorial's last layer has a sigmoid
    corruption = GaussianCorruption(0.4, seed=0)
    model = DenoisingAutoencoder(encoder, keras.Model(inputs, x), corruption, "binary_crossentropy")
    model.compile("adam", **settings)
    return model


def their_denoiser():
    from benchmarks import denoising_autoencoder

    return denoising_autoencoder.recipe()


RECIPES = {
    "VAE": Recipe(our_vae, their_vae, "vae", lambda n: (digits(n), None), 128),
    "GAN": Recipe(our_gan, their_gan, "gan", lambda n: (digits(n), None), 64),
    "Siamese": Recipe(our_siamese, their_siamese, "siamese", pairs, 16),
    "denoising autoencoder": Recipe(
        our_denoiser, their_denoiser, "denoising_autoencoder", lambda n: (digits(n), digits(n)), 128
    ),
}


def trainer(recipe, implementation):
    """A function that trains on x and y for an epoch."""
    if implementation == "torch":
        from benchmarks import torch_recipes

        step = getattr(torch_recipes, recipe.name)()

        def train(x, y):
            for start in range(0, len(x[0] if isinstance(x, list) else x), recipe.batch_size):
                part = slice(start, start + recipe.batch_size)
                step([array[part] for array in x] if isinstance(x, list) else x[part], None if y is None else y[part])

        return train
    if implementation == "fast":
        keras.config.set_dtype_policy("mixed_bfloat16")
    settings = {"steps_per_execution": 10} if implementation == "fast" else {}
    model = recipe.theirs() if implementation == "theirs" else recipe.ours(**settings)
    makes_noise = implementation in ("ours", "fast") and recipe.name == "denoising_autoencoder"
    return lambda x, y: model.fit(x, None if makes_noise else y, recipe.batch_size, shuffle=False, verbose=0)


def measure(recipe, implementation, sizes):
    """Milliseconds a step."""
    train = trainer(recipe, implementation)

    def seconds_a_step(steps):
        x, y = recipe.data(steps * recipe.batch_size)
        return timed(lambda: train(x, y))[1] / steps

    seconds_a_step(sizes.warmup)  # compiles
    steps = 10 * math.ceil(sizes.seconds / seconds_a_step(sizes.warmup) / 10)  # whole executions of ten
    return 1000 * float(np.median([seconds_a_step(steps) for _ in range(3)]))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.recipes")
    parser.add_argument("recipe", choices=RECIPES)
    parser.add_argument("implementation", choices=IMPLEMENTATIONS)
    parser.add_argument("--quick", action="store_true", help="only see that it works")
    options = parser.parse_args()
    print(measure(RECIPES[options.recipe], options.implementation, QUICK if options.quick else Sizes()))
