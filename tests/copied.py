"""Train, save and load every architecture from files that were copied into a package of its own: `copied.py FOLDER`."""

import importlib
import math
import sys
from pathlib import Path

import keras
import numpy as np

SHAPE, CODE, CLASSES, COUNT = (6, 5, 1), 3, 4, 16


def network(inputs, outputs, activation=None):
    """A network of one layer, as a reader's own might be."""
    x = keras.Input(inputs)
    rows = keras.layers.Dense(math.prod(outputs), activation)(keras.layers.Flatten()(x))
    return keras.Model(x, keras.layers.Reshape(outputs)(rows))


def encoder():
    return network(SHAPE, (CODE,))


def decoder():
    return network((CODE,), SHAPE)


def generator():
    return network((CODE,), SHAPE, "sigmoid")


def judge():
    return network(SHAPE, (1,))


# Of each file, imported as m: a model of random images, and what it is trained on beside them.
LABELS = np.arange(COUNT) % CLASSES
IMAGES = np.random.default_rng(0).random((COUNT, *SHAPE), "float32")
MODELS = {
    "autoencoder": lambda m: m.Autoencoder(encoder(), decoder()),
    "denoising_autoencoder": lambda m: m.DenoisingAutoencoder(encoder(), decoder(), m.GaussianCorruption(0.1)),
    "vae": lambda m: m.VAE(m.gaussian_encoder(network(SHAPE, (2 * CODE,))), decoder()),
    "conditional_vae": lambda m: m.ConditionalVAE(
        m.conditional_encoder(network(SHAPE, (8,)), CODE, CLASSES),
        m.networks.conditional_decoder(network((CODE + CLASSES,), SHAPE), CLASSES),
    ),
    "gan": lambda m: m.GAN(generator(), judge()),
    "wgan_gp": lambda m: m.WGANGP(generator(), judge(), critic_steps=2),
    "pix2pix": lambda m: m.Pix2Pix(m.unet_generator(SHAPE, 1, (4, 4)), m.patch_discriminator(SHAPE, 1, (4, 4))),
    "srgan": lambda m: m.SRGAN(m.subpixel_generator(1, 2, 4, 1), network((12, 10, 1), (1,))),
    "siamese": lambda m: m.SiameseNetwork(encoder()),
}
TARGETS = {
    "conditional_vae": LABELS,
    "pix2pix": 1 - IMAGES,
    "srgan": IMAGES.repeat(2, 1).repeat(2, 2),
    "siamese": LABELS,
}

if __name__ == "__main__":
    sys.modules["dlarch_keras"] = None  # nobody may import it
    folder = Path(sys.argv[1])
    sys.path.insert(0, str(folder))
    for name, build in MODELS.items():
        model = build(importlib.import_module(f"my_{name}.{name}"))
        model.compile(*["adam"] * len(getattr(model, "network_names", ["one"])))
        history = model.fit(IMAGES, TARGETS.get(name), batch_size=8, verbose=0).history
        model.save(folder / f"{name}.keras")
        loaded = keras.saving.load_model(folder / f"{name}.keras")
        assert type(loaded) is type(model) and np.isfinite(list(history.values())).all()
        for one, other in zip(model.get_weights(), loaded.get_weights(), strict=True):
            np.testing.assert_array_equal(one, other)
        print(name)
