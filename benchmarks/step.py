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
import time
from pathlib import Path
from typing import NamedTuple
from unittest import mock

import keras
import numpy as np

from benchmarks import runner
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
    gan,
    networks,
    pix2pix,
    srgan,
    vae,
)
from dlarch_keras.conditional_vae import conditional_encoder
from dlarch_keras.denoising_autoencoder import GaussianCorruption
from dlarch_keras.networks import conditional_decoder
from dlarch_keras.one_shot import convolutional_embedding

CLASSES, TRACED = 10, 5  # steps whose losses are traced
WARMUP = 10  # steps before anything is timed
EPOCH, SECONDS = runner.size((0.5, 2.0), (0.05, 0.05))  # an epoch's length, about; of all that are timed, at least


class Architecture(NamedTuple):
    """`make(shape)` a model for images; a shape and a batch size like the notebook's; `y(n, shape)` or None."""

    make: callable
    shape: tuple
    batch_size: int
    y: callable = lambda n, shape: None
    optimizers: int = 1


def random_images(n, shape):
    return np.random.default_rng(0).random((n, *shape), "float32")


def conditional_vae(shape):
    trunk = networks.dense_encoder(shape, 512, (512,), seed=0)
    decoder = networks.dense_decoder(shape, 32 + CLASSES, output_activation=None, seed=9)
    return ConditionalVAE(conditional_encoder(trunk, 32, CLASSES, seed=0), conditional_decoder(decoder, CLASSES))


def adversarial(kind, **arguments):
    return lambda shape: kind(
        gan.convolutional_generator(shape, seed=0),
        gan.convolutional_discriminator(shape, batch_normalization=kind is GAN, seed=9),
        **arguments,
    )


def three_times_larger(shape):
    return (3 * shape[0], 3 * shape[1], shape[2])


ARCHITECTURES = {
    "autoencoder": Architecture(
        lambda shape: Autoencoder(networks.dense_encoder(shape, 32, seed=0), networks.dense_decoder(shape, 32, seed=9)),
        (28, 28, 1),
        128,
    ),
    "denoising autoencoder": Architecture(
        lambda shape: DenoisingAutoencoder(
            networks.residual_encoder(shape[-1], seed=0),
            networks.residual_decoder(shape[-1], seed=9),
            GaussianCorruption(0.5, seed=0),
        ),
        (28, 28, 1),
        64,
    ),
    "VAE": Architecture(
        lambda shape: VAE(
            vae.dense_encoder(shape, 32, seed=0), networks.dense_decoder(shape, 32, output_activation=None, seed=9)
        ),
        (28, 28, 1),
        128,
    ),
    "conditional VAE": Architecture(conditional_vae, (28, 28, 1), 128, lambda n, shape: np.arange(n) % CLASSES),
    "GAN": Architecture(adversarial(GAN), (28, 28, 1), 64, optimizers=2),
    "WGAN-GP": Architecture(adversarial(WGANGP, critic_steps=3), (28, 28, 1), 192, optimizers=2),
    "pix2pix": Architecture(
        lambda shape: Pix2Pix(pix2pix.unet_generator(shape, 3, seed=0), pix2pix.patch_discriminator(shape, 3, seed=9)),
        (64, 64, 1),
        16,
        lambda n, shape: random_images(n, (*shape[:2], 3)),
        2,
    ),
    "SRGAN": Architecture(
        lambda shape: SRGAN(
            srgan.subpixel_generator(shape[-1], seed=0),
            gan.convolutional_discriminator(three_times_larger(shape), batch_normalization=False, seed=9),
        ),
        (20, 20, 1),
        16,
        lambda n, shape: random_images(n, three_times_larger(shape)),
        2,
    ),
    "Siamese": Architecture(
        lambda shape: SiameseNetwork(convolutional_embedding(shape, seed=0), NTXentLoss(0.1)),
        (28, 28, 1),
        128,
        lambda n, shape: np.arange(n) % 32,
    ),
}


def compiled(model, optimizers):
    model.compile(*(keras.optimizers.Adam(1e-4) for _ in range(optimizers)))
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
        model = compiled(architecture.make(architecture.shape), architecture.optimizers)
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
    seconds = []
    for _ in range(rounds):
        start = time.perf_counter()
        tf.linalg.matmul(a, a).numpy()
        seconds.append(time.perf_counter() - start)
    return 2 * side**3 / min(seconds) / 1e9


def memory_mb():
    import resource  # not on Windows

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


class EpochClock(keras.callbacks.Callback):
    """Seconds of each epoch; ends training when they are enough."""

    def on_train_begin(self, logs=None):
        self.seconds = []

    def on_epoch_begin(self, epoch, logs=None):
        self.start = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        self.seconds.append(time.perf_counter() - self.start)
        self.model.stop_training = sum(self.seconds) >= SECONDS


def timed(name, times=1, side=None, batch_size=None):
    """Seconds a step, the memory in MB that training takes, and the model: with the notebook's sizes, or with others.

    Args:
        times: how many times the data that an epoch of about half a second has.
    """
    architecture, clock = ARCHITECTURES[name], EpochClock()
    shape = architecture.shape if side is None else (side, side, architecture.shape[-1])
    batch_size = batch_size or architecture.batch_size
    before = memory_mb()
    model = compiled(architecture.make(shape), architecture.optimizers)

    def fit(steps, **arguments):
        n = steps * batch_size
        x, y = random_images(n, shape), architecture.y(n, shape)
        model.fit(x, y, batch_size=batch_size, shuffle=False, verbose=0, callbacks=[clock], **arguments)

    fit(WARMUP)  # compiles
    fit(WARMUP)
    megabytes = memory_mb() - before
    steps = times * max(WARMUP, round(EPOCH / clock.seconds[0] * WARMUP))
    fit(steps, epochs=10**6)
    return np.median(clock.seconds) / steps, megabytes, model


def measure(name, trace=None):
    """All that the module's docstring names, but growth."""
    on_tensorflow = keras.backend.backend() == "tensorflow"
    rates = [matrix_gflop_per_second()] if on_tensorflow else []
    seconds, _, model = timed(name)
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


def growth(name):
    """Time an example with each of some other sizes, over that with the notebook's sizes; and the memory of these."""
    _, (side, *_), batch_size, *_ = ARCHITECTURES[name]
    sizes = {
        "4 × the data": {"times": 4},
        "16 × the data": {"times": 16},
        "1/4 of the batch": {"batch_size": batch_size // 4},
        "4 × the batch": {"batch_size": 4 * batch_size},
        "4 × the pixels": {"side": 2 * side},
    }

    before, megabytes, _ = timed(name)
    changed = {size: timed(name, **arguments)[0] for size, arguments in sizes.items()}
    after, _, _ = timed(name)
    examples = {size: arguments.get("batch_size", batch_size) / batch_size for size, arguments in sizes.items()}
    return {size: 2 * changed[size] / (before + after) / examples[size] for size in sizes} | {"MB": megabytes}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.step")
    parser.add_argument("architecture", choices=ARCHITECTURES)
    parser.add_argument("--growth", action="store_true", help="the time an example with other sizes")
    parser.add_argument("--policy", default="float32", help="of Keras's dtypes")
    parser.add_argument("--trace", type=Path, help="file of TensorFlow's weights and logged values")
    parser.add_argument("--quick", action="store_true", help="shorter; see benchmarks.runner")
    options = parser.parse_args()
    keras.config.set_dtype_policy(options.policy)
    print(json.dumps(growth(options.architecture) if options.growth else measure(options.architecture, options.trace)))
