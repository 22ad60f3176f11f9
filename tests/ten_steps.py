"""Train the toy models for ten steps on the backend of this process, and write what came of it: `ten_steps.py FILE`."""

import sys

import keras
import numpy as np

from tests import toy_models


class Losses(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.rows = []

    def on_train_batch_end(self, batch, logs=None):
        self.rows.append([float(logs[name]) for name in sorted(logs)])


def trace(model, x, y):
    """Logged values after each of ten steps, every weight, optimizer and metric value, and a held-out evaluation."""
    losses = Losses()
    model.fit(x, y, batch_size=8, epochs=1, shuffle=False, verbose=0, callbacks=[losses])
    variables = model.weights + model.optimizer.variables
    return {
        "losses": np.array(losses.rows),
        "evaluation": np.array(list(model.evaluate(x[:40], y[:40], verbose=0, return_dict=True).values())),
        **{f"variable_{i}": keras.ops.convert_to_numpy(variable) for i, variable in enumerate(variables)},
    }


if __name__ == "__main__":
    x, y, noise = toy_models.data()
    traces = {"one": trace(toy_models.regressor(), x, y), "two": trace(toy_models.gan(), x, noise)}
    np.savez(
        sys.argv[1], **{f"{model}/{key}": value for model, values in traces.items() for key, value in values.items()}
    )
