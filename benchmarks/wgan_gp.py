"""The Wasserstein GAN with gradient penalty by the protocol of `benchmarks.gan`: `python -m benchmarks.wgan_gp`."""

from functools import partial

from benchmarks import gan
from benchmarks.common import runner
from dlarch_keras import WGANGP
from dlarch_keras.metrics.features import SHAPE
from dlarch_keras.networks import convolutional_discriminator, convolutional_generator, seed_stream


def wasserstein(seed):
    """Our networks and optimizers."""
    seeds = seed_stream(seed)
    generator = convolutional_generator(SHAPE, seed=seeds)
    discriminator = convolutional_discriminator(SHAPE, batch_normalization=False, seed=seeds)
    return gan.compiled(WGANGP(generator, discriminator, discriminator_steps=3), 1e-3, beta_1=0.5, beta_2=0.9)


WASSERSTEIN = gan.Setup("WGAN-GP", wasserstein, 192, 60_000, 12)


def tasks(quick):
    sizes = (gan.QUICK if quick else gan.Sizes())._replace(runs=runner.folder("wgan_gp", quick))
    return {f"WGAN-GP, {name}": partial(gan.last_scores, WASSERSTEIN, name, sizes) for name in sizes.datasets}


if __name__ == "__main__":
    runner.main("wgan_gp", tasks, finish=gan.write_curves)
