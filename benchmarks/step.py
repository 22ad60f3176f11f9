"""The training step of one architecture, measured in a process of its own: `python -m benchmarks.step "VAE"`.

Prints JSON: `ms` a step (median), `us_an_example` over all steps but the first three, `losses` of the first steps with
the same weights, images and noise on every backend, `peak_mb` of memory beyond what libraries and data take; on
TensorFlow also `matrix_share`: the time that the step's floating-point operations would take at the rate of a product
of two matrices, measured right after, over the time that the step takes. Sizes are like those of the notebooks.
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

from benchmarks.training import StepClock
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

CLASSES, TRACED, WARMUP = 10, 5, 3  # classes; steps whose losses are traced; steps that are not timed


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
    """With the settings that the notebooks have; only XLA's convolutions are slower on a CPU than TensorFlow's own."""
    jit = keras.backend.backend() == "jax"
    model.compile(*(keras.optimizers.Adam(1e-4) for _ in range(optimizers)), jit_compile=jit)
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


def trace(name, weights):
    """Logged values after each of the first steps, from the weights in a file, which is made where there is none."""
    architecture = ARCHITECTURES[name]
    with same_noise():
        model = compiled(architecture.make(architecture.shape), architecture.optimizers)
        if weights.exists():
            with np.load(weights) as arrays:
                model.set_weights([arrays[key] for key in arrays.files])
        else:
            weights.parent.mkdir(parents=True, exist_ok=True)
            np.savez(weights, *model.get_weights())
        n, losses = TRACED * architecture.batch_size, Losses()
        x, y = random_images(n, architecture.shape), architecture.y(n, architecture.shape)
        model.fit(x, y, batch_size=architecture.batch_size, shuffle=False, verbose=0, callbacks=[losses])
    return losses.rows


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


def measure(name, steps, side=None, batch_size=None, weights=None):
    """All that the module's docstring names."""
    architecture = ARCHITECTURES[name]
    shape = architecture.shape if side is None else (side, side, architecture.shape[-1])
    batch_size = batch_size or architecture.batch_size
    x, y = random_images(batch_size * steps, shape), architecture.y(batch_size * steps, shape)
    before, clock = memory_mb(), StepClock()
    model = compiled(architecture.make(shape), architecture.optimizers)
    model.fit(x, y, batch_size=batch_size, shuffle=False, verbose=0, callbacks=[clock])
    seconds = np.diff(clock.ends)[WARMUP:]
    result = {"ms": 1000 * np.median(seconds), "us_an_example": 1e6 * np.mean(seconds) / batch_size}
    result |= {"parameters": model.count_params(), "peak_mb": memory_mb() - before}
    if keras.backend.backend() == "tensorflow":
        operations = gflop(model, x[:batch_size], None if y is None else y[:batch_size])
        result["matrix_share"] = operations / matrix_gflop_per_second() / np.median(seconds)
    if weights:
        result["losses"] = trace(name, weights)
    return result


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.step")
    parser.add_argument("architecture", choices=ARCHITECTURES)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--side", type=int, help="height and width of the images; its own by default")
    parser.add_argument("--batch-size", type=int, help="its own by default")
    parser.add_argument("--policy", default="float32", help="of Keras's dtypes")
    parser.add_argument("--weights", type=Path, help="file of the weights from which the losses are traced")
    options = parser.parse_args()
    keras.config.set_dtype_policy(options.policy)
    print(json.dumps(measure(options.architecture, options.steps, options.side, options.batch_size, options.weights)))
