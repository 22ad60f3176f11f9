"""Train the toy models and every architecture for ten steps on the backend of this process: `ten_steps.py FILE`.

The file then holds what came of it.
"""

import functools
import sys

import keras
import numpy as np

from tests.support import architectures, toy_models
from tests.support.architectures import ARCHITECTURES, compiled


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


if __name__ == "__main__":
    x, y, noise = toy_models.data()
    traces = {"one": trace(toy_models.regressor(), x, y), "two": trace(toy_models.gan(), x, noise)}
    freeze_noise()
    cases = {
        **ARCHITECTURES,
        "VAE": architectures.Architecture(lambda: architectures.small_vae(warmup_steps=5), architectures.alone),
        "GAN, dense": architectures.SEPARATE["GAN"],
        "GAN, conditional": architectures.VARIANTS["GAN, conditional"],
        "WGAN-GP, dense": architectures.SEPARATE["WGAN-GP"],
        "WGAN-GP, conditional": architectures.VARIANTS["WGAN-GP, conditional"],
        "Siamese, pairs": architectures.SEPARATE["Siamese"],
    }
    for loss in architectures.LOSSES:
        make = functools.partial(architectures.small_siamese, loss, batch_normalization=False)
        cases[f"Siamese, {loss}"] = architectures.Architecture(make, architectures.labelled)
    # A bias before BatchNorm has a gradient of 0 in theory and rounding noise in practice, which Adam scales up.
    del cases["Siamese"]
    for name, (make, data) in cases.items():
        model = given_weights(make())
        # Small steps: with large ones, rounding grows to a difference that depends on the processor.
        traces[name] = trace(compiled(model, rates=(1e-3, 1e-3)), *data(80))
    np.savez(
        sys.argv[1], **{f"{model}/{key}": value for model, values in traces.items() for key, value in values.items()}
    )
