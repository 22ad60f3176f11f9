"""Every architecture, small: how it is built and compiled, and data for it."""

import functools
import inspect
from typing import NamedTuple

import keras
import numpy as np
from keras import layers

from dlarch_keras import (
    GAN,
    SRGAN,
    VAE,
    WGANGP,
    Autoencoder,
    ConditionalVAE,
    ContrastiveLoss,
    DenoisingAutoencoder,
    NTXentLoss,
    Pix2Pix,
    SiameseNetwork,
    TripletLoss,
    pix2pix,
    srgan,
)
from dlarch_keras.core import Model
from dlarch_keras.denoising_autoencoder import GaussianCorruption, MaskingCorruption, SaltAndPepperCorruption
from dlarch_keras.networks import (
    conditional_decoder,
    convolutional_discriminator,
    convolutional_generator,
    dense_decoder,
    dense_encoder,
    variational,
)

SHAPE, CLASSES = (6, 5, 1), 4
CORRUPTIONS = {
    "gaussian": lambda: GaussianCorruption(0.3, seed=5),
    "range": lambda: GaussianCorruption((0.1, 0.6), seed=5),
    "masking": lambda: MaskingCorruption(0.3, seed=5),
    "salt and pepper": lambda: SaltAndPepperCorruption(0.3, seed=5),
}
LOSSES = {"contrastive": ContrastiveLoss(0.7), "triplet": TripletLoss(0.3), "NT-Xent": NTXentLoss(0.2)}


# Data


def images(n=32, shape=SHAPE, seed=0):
    return np.random.default_rng(seed).random((n, *shape), "float32")


def labels(n=32):
    return np.arange(n) % CLASSES


def sources(n=32):
    """What pix2pix translates: grey images, to those of three colours."""
    return images(n, (10, 7, 1))


def targets(n=32):
    return images(n, (10, 7, 3), seed=1)


def small(n=32, channels=1):
    """What SRGAN enlarges, and what it is to make of it."""
    return images(n, (6, 5, channels))


def large(n=32, channels=1):
    return images(n, (12, 10, channels), seed=1)


def pairs(n=32):
    return (images(n), images(n, seed=1)), np.arange(n) % 2


# Models


def compiled(model, optimizer=keras.optimizers.Adam, rates=(1e-2, 1e-3), **arguments):
    """The model, compiled with one optimizer, or one for each of its networks."""
    optimizers = [optimizer(rate) for rate in rates]
    names = [f"{name}_optimizer" for name in model.networks_with_optimizers] or ["optimizer"]
    model.compile(**dict(zip(names, optimizers)), **arguments)
    return model


def frozen(model, **arguments):
    """The model, compiled so that training moves no trainable weight."""
    return compiled(model, keras.optimizers.SGD, (0.0, 0.0), **arguments)


def state(model):
    """Everything that training moves: weights, what the optimizers keep, random states, as NumPy arrays."""
    return [keras.ops.convert_to_numpy(variable) for variable in [*model.variables, *model.optimizer.variables]]


def constructor_arguments(model):
    """What a model was made with, by the names of its class's arguments and of those of the classes before it."""
    classes = type(model).__mro__[: type(model).__mro__.index(Model)]
    names = [name for kind in classes if "__init__" in vars(kind) for name in inspect.signature(kind).parameters]
    return {name: getattr(model, name) for name in names if name != "kwargs"}


def assert_same(first, second, rtol=0.0):
    """Two models, or two lists of arrays, are equal, or nearly so."""
    first, second = (each if isinstance(each, list) else state(each) for each in (first, second))
    for one, another in zip(first, second, strict=True):
        np.testing.assert_allclose(one, another, rtol=rtol, atol=0.1 * rtol)


def small_autoencoder(shape=SHAPE, output_activation="sigmoid", kind=Autoencoder, arguments=(), **settings):
    encoder = dense_encoder(shape, 3, (16,), seed=0)
    decoder = dense_decoder(shape, 3, (16,), output_activation=output_activation, seed=100)
    return compiled(kind(encoder, decoder, *arguments, **settings))


def small_denoiser(corruption="gaussian", **settings):
    corruption = CORRUPTIONS[corruption]() if isinstance(corruption, str) else corruption
    return small_autoencoder(kind=DenoisingAutoencoder, arguments=(corruption,), **settings)


def small_vae(shape=SHAPE, latent_dim=3, **settings):
    encoder = variational.dense_encoder(shape, latent_dim, (16,), seed=0)
    decoder = dense_decoder(shape, latent_dim, (16,), output_activation=None, seed=100)
    return compiled(VAE(encoder, decoder, **{"seed": 0, **settings}))


def small_conditional_vae(condition_dim=CLASSES, kind=ConditionalVAE, **settings):
    encoder = variational.conditional_encoder(dense_encoder(SHAPE, 16, (), seed=0), 3, condition_dim, 16, seed=50)
    trunk = dense_decoder(SHAPE, 3 + condition_dim, (16,), output_activation=None, seed=100)
    return compiled(kind(encoder, conditional_decoder(trunk, condition_dim), **{"seed": 0, **settings}))


def gan_networks(condition_dim=0, batch_normalization=True):
    """Convolutional networks with BatchNorm, or dense ones without it."""
    if batch_normalization:
        return (
            convolutional_generator(SHAPE, 3, (8, 8, 4), condition_dim, seed=0),
            convolutional_discriminator(SHAPE, (4, 8), condition_dim=condition_dim, seed=100),
        )
    return dense_decoder(SHAPE, 3, (8,), seed=0), dense_encoder(SHAPE, 1, (8,), seed=100)


def small_gan(condition_dim=0, batch_normalization=True, **settings):
    return compiled(GAN(*gan_networks(condition_dim, batch_normalization), **{"seed": 0, **settings}))


def wgan_networks(condition_dim=0):
    """The GAN's generator, and a discriminator without BatchNorm."""
    discriminator = convolutional_discriminator(SHAPE, (4, 8), False, condition_dim, seed=100)
    return gan_networks(condition_dim)[0], discriminator


def small_wgan(condition_dim=0, networks=None, **settings):
    model = WGANGP(*(networks or wgan_networks(condition_dim)), **{"seed": 0, "discriminator_steps": 2, **settings})
    return compiled(model, rates=(1e-3, 1e-3))


def pix2pix_networks():
    return (
        pix2pix.unet_generator((10, 7, 1), 3, (4, 6, 6), seed=0),
        pix2pix.patch_discriminator((10, 7, 1), 3, (4, 6), seed=100),
    )


def small_pix2pix(**settings):
    return compiled(Pix2Pix(*pix2pix_networks(), **settings))


def srgan_networks(channels=1):
    return (
        srgan.subpixel_generator(channels, 2, filters=4, blocks=1, seed=0),
        convolutional_discriminator((12, 10, channels), (4, 4), batch_normalization=False, seed=100),
    )


def feature_network(channels=1):
    picture = keras.Input((None, None, channels))
    return keras.Model(picture, layers.Conv2D(2, 3, kernel_initializer=keras.initializers.GlorotUniform(5))(picture))


def small_srgan(**settings):
    return compiled(SRGAN(*srgan_networks(), **settings))


def small_siamese(loss="contrastive", dropout=0.0, batch_normalization=True):
    inputs = x = keras.Input(SHAPE)
    x = layers.Dense(8, "tanh", kernel_initializer=keras.initializers.GlorotUniform(0))(layers.Flatten()(x))
    x = layers.BatchNormalization()(x) if batch_normalization else x
    x = layers.Dropout(dropout, seed=0)(x)
    # Distances do not depend on a last bias: its gradient is zero in theory and rounding noise in practice.
    x = layers.Dense(3, use_bias=False, kernel_initializer=keras.initializers.GlorotUniform(1))(x)
    return compiled(SiameseNetwork(keras.Model(inputs, x), LOSSES[loss] if isinstance(loss, str) else loss))


class Architecture(NamedTuple):
    """`make()` a compiled model, the same each time; `data(n)` returns `x, y`, with None for no `y`."""

    make: callable
    data: callable


def alone(n):
    return images(n), None


def labelled(n):
    return images(n), labels(n)


def translated(n):
    return sources(n), targets(n)


def enlarged(n):
    return small(n), large(n)


ARCHITECTURES = {
    "autoencoder": Architecture(small_autoencoder, alone),
    "denoising autoencoder": Architecture(small_denoiser, alone),
    "VAE": Architecture(small_vae, alone),
    "conditional VAE": Architecture(small_conditional_vae, labelled),
    "GAN": Architecture(small_gan, alone),
    "WGAN-GP": Architecture(small_wgan, alone),
    "pix2pix": Architecture(small_pix2pix, translated),
    "SRGAN": Architecture(small_srgan, enlarged),
    "Siamese": Architecture(small_siamese, labelled),
}

# The same with other settings and networks, each of which has something of its own to save.
VARIANTS = {
    "denoising autoencoder, range": Architecture(functools.partial(small_denoiser, "range"), alone),
    "denoising autoencoder, masking": Architecture(functools.partial(small_denoiser, "masking"), alone),
    "denoising autoencoder, salt and pepper": Architecture(functools.partial(small_denoiser, "salt and pepper"), alone),
    "VAE, warm-up": Architecture(
        functools.partial(small_vae, warmup_steps=5, beta=2.0, likelihood="soft_bernoulli"), alone
    ),
    "GAN, conditional": Architecture(functools.partial(small_gan, CLASSES, label_smoothing=0.1), labelled),
    "WGAN-GP, conditional": Architecture(functools.partial(small_wgan, CLASSES, ema_decay=0.5), labelled),
    "SRGAN, features": Architecture(
        lambda: small_srgan(features=feature_network(), pixel_weight=0.5, adversarial_weight=0.2), enlarged
    ),
    "Siamese, triplet": Architecture(functools.partial(small_siamese, "triplet", dropout=0.2), labelled),
    "Siamese, NT-Xent": Architecture(functools.partial(small_siamese, "NT-Xent", dropout=0.2), labelled),
    "Siamese, pairs": Architecture(functools.partial(small_siamese, dropout=0.2), pairs),
}

# The same where nothing ties the examples of a batch together, so that its loss is a mean over examples: no BatchNorm,
# no discriminator's steps that take parts of the batch, given pairs instead of all that there are in the batch.
SEPARATE = {
    **ARCHITECTURES,
    "GAN": Architecture(functools.partial(small_gan, batch_normalization=False), alone),
    "WGAN-GP": Architecture(
        lambda: small_wgan(networks=gan_networks(batch_normalization=False), discriminator_steps=1), alone
    ),
    "Siamese": Architecture(functools.partial(small_siamese, batch_normalization=False), pairs),
}
