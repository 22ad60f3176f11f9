"""The training step of one architecture, measured in a process of its own: `python -m benchmarks.step "VAE"`.

Prints JSON: `ms` a step, batch preparation included, the median over epochs; `parameters`; with `--trace FILE`,
`difference`, the largest relative difference of what is logged in the first steps from what TensorFlow logs with the
same weights, images and noise (on TensorFlow that file is written); on TensorFlow also `matrix_share`: the time that
the step's floating-point operations would take at the rate of a product of two matrices, measured before and after,
over the time that the step takes. With `--growth` instead: the time an example with other sizes, over that with the
notebook's, which is measured before and after them; and `MB`, the memory that training takes beyond the libraries.
"""

import argparse
import contextlib
import json
from functools import partial
from pathlib import Path
from typing import NamedTuple
from unittest import mock

import keras
import numpy as np

from benchmarks.common.timing import Clock, timed
from dlarch_keras import (
    GAN,
    SRGAN,
    VAE,
    WGANGP,
    Autoencoder,
    ConditionalVAE,
    DenoisingAutoencoder,
    NTXentLoss,
    Pix2Pix,
    SiameseNetwork,
    networks,
    pix2pix,
    srgan,
)
from dlarch_keras.denoising_autoencoder import GaussianCorruption
from dlarch_keras.networks import conditional_decoder, seed_stream, variational
from dlarch_keras.one_shot import convolutional_embedding

CLASSES, TRACED = 10, 5  # steps whose losses are traced
WARMUP = 10  # steps before anything is timed


class Sizes(NamedTuple):
    """Of a full run, and of a quick one: an epoch's seconds, about, and those of all that are timed, at least."""

    epoch: float = 0.5
    seconds: float = 2.0


QUICK = Sizes(0.05, 0.05)


class Architecture(NamedTuple):
    """`make(shape)` a model for images; a shape and a batch size like the notebook's; `y(n, shape)` or None."""

    make: callable
    shape: tuple
    batch_size: int
    y: callable = lambda n, shape: None


def random_images(n, shape):
    return np.random.default_rng(0).random((n, *shape), "float32")


def three_times_larger(shape):
    return (3 * shape[0], 3 * shape[1], shape[2])


def autoencoder(shape):
    seeds = seed_stream(0)
    return Autoencoder(networks.dense_encoder(shape, 32, seed=seeds), networks.dense_decoder(shape, 32, seed=seeds))


def denoising_autoencoder(shape):
    seeds = seed_stream(0)
    encoder = networks.residual_encoder(shape[-1], seed=seeds)
    decoder = networks.residual_decoder(shape[-1], seed=seeds)
    return DenoisingAutoencoder(encoder, decoder, GaussianCorruption(0.5, seed=0))


def vae(shape):
    seeds = seed_stream(0)
    encoder = variational.dense_encoder(shape, 32, seed=seeds)
    return VAE(encoder, networks.dense_decoder(shape, 32, output_activation=None, seed=seeds))


def conditional_vae(shape):
    seeds = seed_stream(0)
    trunk = networks.dense_encoder(shape, 512, (512,), seed=seeds)
    encoder = variational.conditional_encoder(trunk, 32, CLASSES, seed=seeds)
    decoder = networks.dense_decoder(shape, 32 + CLASSES, output_activation=None, seed=seeds)
    return ConditionalVAE(encoder, conditional_decoder(decoder, CLASSES))


def gan(shape, kind=GAN, **arguments):
    seeds = seed_stream(0)
    generator = networks.convolutional_generator(shape, seed=seeds)
    normalized = kind is GAN
    discriminator = networks.convolutional_discriminator(shape, batch_normalization=normalized, seed=seeds)
    return kind(generator, discriminator, **arguments)


def pix2pix_model(shape):
    seeds = seed_stream(0)
    return Pix2Pix(pix2pix.unet_generator(shape, 3, seed=seeds), pix2pix.patch_discriminator(shape, 3, seed=seeds))


def srgan_model(shape):
    seeds = seed_stream(0)
    generator = srgan.subpixel_generator(shape[-1], seed=seeds)
    large = three_times_larger(shape)
    return SRGAN(generator, networks.convolutional_discriminator(large, batch_normalization=False, seed=seeds))


def siamese(shape):
    return SiameseNetwork(convolutional_embedding(shape, seed=0), NTXentLoss(0.1))


DIGIT = (28, 28, 1)
ARCHITECTURES = {
    "autoencoder": Architecture(autoencoder, DIGIT, 128),
    "denoising autoencoder": Architecture(denoising_autoencoder, DIGIT, 64),
    "VAE": Architecture(vae, DIGIT, 128),
    "conditional VAE": Architecture(conditional_vae, DIGIT, 128, lambda n, shape: np.arange(n) % CLASSES),
    "GAN": Architecture(gan, DIGIT, 64),
    "WGAN-GP": Architecture(partial(gan, kind=WGANGP, discriminator_steps=3), DIGIT, 192),
    "pix2pix": Architecture(pix2pix_model, (64, 64, 1), 16, lambda n, shape: random_images(n, (*shape[:2], 3))),
    "SRGAN": Architecture(srgan_model, (20, 20, 1), 16, lambda n, shape: random_images(n, three_times_larger(shape))),
    "Siamese": Architecture(siamese, DIGIT, 128, lambda n, shape: np.arange(n) % 32),
}


def compiled(model):
    names = [f"{network}_optimizer" for network in model.networks_with_optimizers] or ["optimizer"]
    model.compile(**{name: keras.optimizers.Adam(1e-4) for name in names})
    return model


@contextlib.contextmanager
def same_noise():
    """The same "random" numbers at every draw and on every backend."""

    def draw(kind):
        def numbers(shape, *_, **__):
            drawn = getattr(np.random.default_rng(0), kind)((256, *shape[1:]), "float32")
            return keras.ops.convert_to_tensor(drawn)[: shape[0]]

        return numbers

    with mock.patch("keras.random.normal", draw("standard_normal")), mock.patch("keras.random.uniform", draw("random")):
        yield


class Losses(keras.callbacks.Callback):
    def on_train_begin(self, logs=None):
        self.rows = []

    def on_train_batch_end(self, batch, logs=None):
        self.rows.append([float(logs[name]) for name in sorted(logs)])


def difference_from_tensorflow(name, path):
    """The largest relative difference of a logged value; on TensorFlow weights and values are written to the file."""
    architecture, on_tensorflow = ARCHITECTURES[name], keras.backend.backend() == "tensorflow"
    with same_noise():
        model = compiled(architecture.make(architecture.shape))
        if not on_tensorflow:
            with np.load(path) as arrays:
                expected = arrays["losses"]
                model.set_weights([arrays[key] for key in arrays.files if key != "losses"])
        weights, losses, n = model.get_weights(), Losses(), TRACED * architecture.batch_size
        x, y = random_images(n, architecture.shape), architecture.y(n, architecture.shape)
        model.fit(x, y, batch_size=architecture.batch_size, shuffle=False, verbose=0, callbacks=[losses])
    if on_tensorflow:
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(path, *weights, losses=losses.rows)
        return 0.0
    return float(np.max(np.abs(losses.rows - expected) / np.maximum(np.abs(expected), 1e-3)))


def gflop(model, *batch):
    """Floating-point operations of a training step, in 10⁹, as TensorFlow counts those of products and convolutions."""
    import tensorflow as tf
    from tensorflow.compat.v1.profiler import ProfileOptionBuilder, profile

    step = tf.function(lambda *data: model.train_step(data))
    signature = [tf.TensorSpec(array.shape, array.dtype) for array in batch if array is not None]
    graph = step.get_concrete_function(*signature).graph
    options = ProfileOptionBuilder(ProfileOptionBuilder.float_operation()).with_empty_output().build()
    return profile(graph, options=options).total_float_ops / 1e9


def matrix_gflop_per_second(side=2048, rounds=5):
    """The best rate of a product of two float32 matrices."""
    import tensorflow as tf

    a = tf.random.normal((side, side))
    return 2 * side**3 / min(timed(lambda: tf.linalg.matmul(a, a).numpy())[1] for _ in range(rounds)) / 1e9


def memory_mb():
    import resource  # not on Windows

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def step(name, sizes, times=1, side=None, batch_size=None):
    """Seconds a step, the memory in MB that training takes, and the model: with the notebook's sizes, or with others.

    Args:
        times: how many times the data that an epoch of about half a second has.
    """
    architecture = ARCHITECTURES[name]
    shape = architecture.shape if side is None else (side, side, architecture.shape[-1])
    batch_size = batch_size or architecture.batch_size
    before = memory_mb()
    model = compiled(architecture.make(shape))

    def seconds(steps, enough=0.0):
        """Of each epoch, for at least so many seconds, or one epoch."""
        n, clock = steps * batch_size, Clock(enough=enough)
        x, y = random_images(n, shape), architecture.y(n, shape)
        model.fit(x, y, batch_size, epochs=10**6, shuffle=False, verbose=0, callbacks=[clock])
        return np.diff([0, *clock.seconds])

    seconds(WARMUP)  # compiles
    (once,) = seconds(WARMUP)
    megabytes = memory_mb() - before
    steps = times * max(WARMUP, round(sizes.epoch / once * WARMUP))
    return np.median(seconds(steps, sizes.seconds)) / steps, megabytes, model


def measure(name, sizes, trace=None):
    """All that the module's docstring names, but growth."""
    on_tensorflow = keras.backend.backend() == "tensorflow"
    rates = [matrix_gflop_per_second()] if on_tensorflow else []
    seconds, _, model = step(name, sizes)
    result = {"ms": 1000 * seconds, "parameters": model.count_params()}
    if on_tensorflow:
        architecture = ARCHITECTURES[name]
        n, shape = architecture.batch_size, architecture.shape
        operations = gflop(model, random_images(n, shape), architecture.y(n, shape))
        rates.append(matrix_gflop_per_second())
        result["matrix_share"] = operations / np.mean(rates) / seconds
    if trace:
        result["difference"] = difference_from_tensorflow(name, trace)
    return result


def growth(name, sizes):
    """Time an example with each of some other sizes, over that with the notebook's sizes; and the memory of these."""
    _, (side, *_), batch_size, *_ = ARCHITECTURES[name]
    others = {
        "4 × the data": {"times": 4},
        "16 × the data": {"times": 16},
        "1/4 of the batch": {"batch_size": batch_size // 4},
        "4 × the batch": {"batch_size": 4 * batch_size},
        "4 × the pixels": {"side": 2 * side},
    }

    before, megabytes, _ = step(name, sizes)
    changed = {size: step(name, sizes, **arguments)[0] for size, arguments in others.items()}
    after, _, _ = step(name, sizes)
    examples = {size: arguments.get("batch_size", batch_size) / batch_size for size, arguments in others.items()}
    return {size: 2 * changed[size] / (before + after) / examples[size] for size in others} | {"MB": megabytes}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.step")
    parser.add_argument("architecture", choices=ARCHITECTURES)
    parser.add_argument("--growth", action="store_true", help="the time an example with other sizes")
    parser.add_argument("--policy", default="float32", help="of Keras's dtypes")
    parser.add_argument("--trace", type=Path, help="file of TensorFlow's weights and logged values")
    parser.add_argument("--quick", action="store_true", help="only see that it works")
    options = parser.parse_args()
    keras.config.set_dtype_policy(options.policy)
    name, sizes = options.architecture, QUICK if options.quick else Sizes()
    print(json.dumps(growth(name, sizes) if options.growth else measure(name, sizes, options.trace)))
