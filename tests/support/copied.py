"""Train, save and load every architecture from files that were copied into a package of its own: `copied.py FOLDER`."""

import importlib
import math
import sys
from pathlib import Path

import keras
import numpy as np

SHAPE, CODE, CLASSES, COUNT = (6, 5, 1), 3, 4, 16


def network(*shapes, to=(1,), activation=None):
    """A network of one layer, as a reader's own might be: of one input, or of several side by side."""
    inputs = [keras.Input(shape) for shape in shapes]
    flat = [keras.layers.Flatten()(each) for each in inputs]
    x = flat[0] if len(flat) == 1 else keras.layers.Concatenate()(flat)
    outputs = keras.layers.Reshape(to)(keras.layers.Dense(math.prod(to), activation)(x))
    return keras.Model(inputs[0] if len(inputs) == 1 else inputs, outputs)


def gaussian(*shapes):
    """An encoder with the two outputs of a VAE."""
    trunk = network(*shapes, to=(8,))
    return keras.Model(
        trunk.inputs if len(shapes) > 1 else trunk.input, [keras.layers.Dense(CODE)(trunk.output) for _ in range(2)]
    )


def convolution(channels, *inputs, activation=None):
    """One convolution of images of any size, or of several side by side."""
    inputs = [keras.Input((None, None, count)) for count in inputs]
    x = inputs[0] if len(inputs) == 1 else keras.layers.Concatenate()(inputs)
    outputs = keras.layers.Conv2D(channels, 3, padding="same", activation=activation)(x)
    return keras.Model(inputs[0] if len(inputs) == 1 else inputs, outputs)


def enlarger():
    """A network that doubles height and width, of any size."""
    x = keras.Input((None, None, 1))
    return keras.Model(x, keras.layers.Conv2D(1, 3, padding="same")(keras.layers.UpSampling2D(2)(x)))


# Of each file, imported as m: a model of random images, and what it is trained on beside them.
LABELS = np.arange(COUNT) % CLASSES
IMAGES = np.random.default_rng(0).random((COUNT, *SHAPE), "float32")
MODELS = {
    "autoencoder": lambda m: m.Autoencoder(network(SHAPE, to=(CODE,)), network((CODE,), to=SHAPE)),
    "denoising_autoencoder": lambda m: m.DenoisingAutoencoder(
        network(SHAPE, to=(CODE,)), network((CODE,), to=SHAPE), m.GaussianCorruption(0.1)
    ),
    "vae": lambda m: m.VAE(gaussian(SHAPE), network((CODE,), to=SHAPE)),
    "conditional_vae": lambda m: m.ConditionalVAE(gaussian(SHAPE, (CLASSES,)), network((CODE,), (CLASSES,), to=SHAPE)),
    "gan": lambda m: m.GAN(network((CODE,), to=SHAPE, activation="sigmoid"), network(SHAPE)),
    "wgan_gp": lambda m: m.WGANGP(
        network((CODE,), to=SHAPE, activation="sigmoid"), network(SHAPE), discriminator_steps=2
    ),
    "pix2pix": lambda m: m.Pix2Pix(convolution(1, 1, activation="sigmoid"), convolution(1, 1, 1)),
    "srgan": lambda m: m.SRGAN(enlarger(), network((12, 10, 1))),
    "siamese": lambda m: m.SiameseNetwork(network(SHAPE, to=(CODE,))),
}
TARGETS = {
    "conditional_vae": LABELS,
    "pix2pix": 1 - IMAGES,
    "srgan": IMAGES.repeat(2, 1).repeat(2, 2),
    "siamese": LABELS,
}


def trained(name, module):
    """A model that was trained for two steps, and what it logged."""
    model = MODELS[name](module)
    names = [f"{network}_optimizer" for network in model.networks_with_optimizers] or ["optimizer"]
    model.compile(**dict.fromkeys(names, "adam"))
    return model, model.fit(IMAGES, TARGETS.get(name), batch_size=8, verbose=0).history


if __name__ == "__main__":
    sys.modules["dlarch_keras"] = None  # nobody may import it
    folder = Path(sys.argv[1])
    sys.path.insert(0, str(folder))
    for name in MODELS:
        model, history = trained(name, importlib.import_module(f"my_{name}.{name}"))
        model.save(folder / f"{name}.keras")
        loaded = keras.saving.load_model(folder / f"{name}.keras")
        assert type(loaded) is type(model) and np.isfinite(list(history.values())).all()
        for one, other in zip(model.get_weights(), loaded.get_weights(), strict=True):
            np.testing.assert_array_equal(one, other)
        print(name)
