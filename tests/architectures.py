"""Every architecture, small: how it is built and compiled, and data for it. For what must hold for all of them."""

import functools
from typing import NamedTuple

import keras
import numpy as np

from dlarch_keras import WGANGP, Autoencoder, DenoisingAutoencoder
from dlarch_keras.denoising_autoencoder import GaussianCorruption
from dlarch_keras.networks import dense_decoder, dense_encoder
from tests import test_conditional_vae, test_gan, test_pix2pix, test_siamese, test_srgan, test_vae, test_wgan_gp

SHAPE = (6, 5, 1)


class Architecture(NamedTuple):
    """`make()` a compiled model, the same each time; `data(n)` returns `x, y`, with None for no `y`."""

    make: callable
    data: callable


def images(n):
    return np.random.default_rng(0).random((n, *SHAPE), "float32"), None


def _dense(kind, *arguments):
    model = kind(dense_encoder(SHAPE, 3, (8,), seed=0), dense_decoder(SHAPE, 3, (8,), seed=9), *arguments)
    model.compile(keras.optimizers.Adam(1e-2))
    return model


ARCHITECTURES = {
    "autoencoder": Architecture(lambda: _dense(Autoencoder), images),
    "denoising autoencoder": Architecture(
        lambda: _dense(DenoisingAutoencoder, GaussianCorruption(0.2, seed=0)), images
    ),
    "VAE": Architecture(test_vae.small_vae, lambda n: (test_vae.images(n), None)),
    "conditional VAE": Architecture(
        test_conditional_vae.small_model, lambda n: (test_conditional_vae.images(n), test_conditional_vae.labels(n))
    ),
    "GAN": Architecture(test_gan.small_gan, lambda n: (test_gan.images(n), None)),
    "WGAN-GP": Architecture(test_wgan_gp.small_wgan, lambda n: (test_gan.images(n), None)),
    "pix2pix": Architecture(test_pix2pix.small_model, lambda n: (test_pix2pix.sources(n), test_pix2pix.targets(n))),
    "SRGAN": Architecture(test_srgan.small_model, lambda n: (test_srgan.small(n), test_srgan.large(n))),
    "Siamese": Architecture(test_siamese.small_siamese, lambda n: (test_siamese.images(n), test_siamese.labels(n))),
}


def _wgan_of_separate_examples():
    model = WGANGP(*test_gan.small_nets(batch_normalization=False), critic_steps=1, seed=0)
    model.compile(keras.optimizers.Adam(1e-3), keras.optimizers.Adam(1e-3))
    return model


def _pairs(n):
    return (test_siamese.images(n), test_siamese.images(n, seed=1)), test_siamese.pair_labels(n)


# The same where nothing ties the examples of a batch together, so that its loss is a mean over examples: no BatchNorm,
# no critic's steps that take shares of the batch, given pairs instead of all that there are in the batch.
SEPARATE = {
    **ARCHITECTURES,
    "GAN": Architecture(functools.partial(test_gan.small_gan, batch_normalization=False), ARCHITECTURES["GAN"].data),
    "WGAN-GP": Architecture(_wgan_of_separate_examples, ARCHITECTURES["WGAN-GP"].data),
    "Siamese": Architecture(functools.partial(test_siamese.small_siamese, batch_normalization=False), _pairs),
}
