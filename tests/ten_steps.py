"""Train the toy models for ten steps on the backend of this process, and write what came of it: `ten_steps.py FILE`."""

import sys
from functools import partial

import keras
import numpy as np

from dlarch_keras import GAN, SRGAN, WGANGP, Pix2Pix
from tests import test_gan, test_pix2pix, test_siamese, test_srgan, test_vae, test_wgan_gp, toy_models
from tests.architectures import ARCHITECTURES


class Losses(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.rows = []

    def on_train_batch_end(self, batch, logs=None):
        self.rows.append([float(logs[name]) for name in sorted(logs)])


def trace(model, x, y=None):
    """Logged values after each of ten steps, every weight, optimizer and metric value, and a held-out evaluation."""
    losses = Losses()
    model.fit(x, y, batch_size=8, epochs=1, shuffle=False, verbose=0, callbacks=[losses])
    variables = model.weights + model.optimizer.variables
    held_out = keras.tree.map_structure(lambda array: array[:40], x), None if y is None else y[:40]
    return {
        "losses": np.array(losses.rows),
        "evaluation": np.array(list(model.evaluate(*held_out, verbose=0, return_dict=True).values())),
        **{f"variable_{i}": keras.ops.convert_to_numpy(variable) for i, variable in enumerate(variables)},
    }


def freeze_noise():
    """The same "random" numbers at every draw and on every backend: they draw differently from the same seed."""

    def frozen(kind):
        def draw(shape, **_):
            numbers = getattr(np.random.default_rng(0), kind)((40, *shape[1:]), "float32")
            return keras.ops.convert_to_tensor(numbers)[: shape[0]]

        return draw

    keras.random.normal, keras.random.uniform = frozen("standard_normal"), frozen("random")


def given_weights(model):
    """The model with weights from NumPy: initializers, too, differ between backends; but for those of vectors."""
    rng = np.random.default_rng(1)
    model.set_weights([rng.normal(0, 0.2, w.shape) if w.ndim > 1 else w for w in model.get_weights()])
    return model


def adversarial(kind, networks):
    model = given_weights(kind(*networks))
    model.compile(keras.optimizers.Adam(1e-2), keras.optimizers.Adam(1e-2))
    return model


if __name__ == "__main__":
    x, y, noise = toy_models.data()
    traces = {"one": trace(toy_models.regressor(), x, y), "two": trace(toy_models.gan(), x, noise)}
    freeze_noise()
    for name in ("autoencoder", "denoising autoencoder", "conditional VAE"):
        make, data = ARCHITECTURES[name]
        traces[name] = trace(given_weights(make()), *data(80))
    traces["vae"] = trace(given_weights(test_vae.small_vae(warmup_steps=5)), test_vae.images(80))
    classes, labels = test_gan.CLASSES, test_gan.labels(80)
    for name, kind, tests in (("gan", GAN, test_gan), ("wgan_gp", partial(WGANGP, critic_steps=3), test_wgan_gp)):
        networks = test_gan.small_nets(batch_normalization=False)
        traces[name] = trace(adversarial(kind, networks), test_gan.images(80))
        model = adversarial(kind, tests.small_nets(classes))
        traces[f"{name}, convolutional"] = trace(model, test_gan.images(80), labels)
    model = adversarial(Pix2Pix, test_pix2pix.small_nets())
    traces["pix2pix"] = trace(model, test_pix2pix.sources(80), test_pix2pix.targets(80))
    model = adversarial(SRGAN, test_srgan.small_nets())
    traces["srgan"] = trace(model, test_srgan.small(80), test_srgan.large(80))
    for name, loss in test_siamese.LOSSES.items():
        model = given_weights(test_siamese.small_siamese(loss, batch_normalization=False))
        traces[f"siamese, {name}"] = trace(model, test_siamese.images(80), test_siamese.labels(80))
    pairs = (test_siamese.images(80), test_siamese.images(80, seed=1))
    model = given_weights(test_siamese.small_siamese(batch_normalization=False))
    traces["siamese, pairs"] = trace(model, pairs, test_siamese.pair_labels(80))
    np.savez(
        sys.argv[1], **{f"{model}/{key}": value for model, values in traces.items() for key, value in values.items()}
    )
