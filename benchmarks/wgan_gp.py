"""The Wasserstein GAN with gradient penalty by the protocol of `benchmarks.gan`: `python -m benchmarks.wgan_gp`."""

from functools import partial

import keras

from benchmarks import runner
from benchmarks.gan import EPOCHS, Setup, tasks_of, trained, write_curves
from dlarch_keras import WGANGP, gan
from dlarch_keras.metrics.features import SHAPE


def wasserstein(seed):
    """Our networks and optimizers."""
    generator = gan.convolutional_generator(SHAPE, seed=seed)
    model = WGANGP(
        generator, gan.convolutional_discriminator(SHAPE, batch_normalization=False, seed=seed + 1000), critic_steps=3
    )
    rates = {"beta_1": 0.5, "beta_2": 0.9}
    model.compile(keras.optimizers.Adam(1e-3, **rates), keras.optimizers.Adam(1e-3, **rates))
    return model


WASSERSTEIN = Setup(wasserstein, 192, 60_000)
TASKS = tasks_of("WGAN-GP", partial(trained, WASSERSTEIN, EPOCHS))

if __name__ == "__main__":
    runner.main("wgan_gp", TASKS)
    write_curves()
