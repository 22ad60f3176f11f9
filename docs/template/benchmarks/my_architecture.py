"""The architecture beside a baseline, on rows it has not seen: `python -m benchmarks.my_architecture`.

The protocol: which data, which split, what is chosen on what; here, scikit-learn's diabetes data, every fourth row for
testing, scaled by the others, nothing chosen.
"""

from functools import partial

import keras
import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.linear_model import LinearRegression

from benchmarks.common import runner
from benchmarks.common.timing import timed
from dlarch_keras import my_architecture
from dlarch_keras.networks import dense_encoder

MSE = ("test MSE", "1")  # a metric and its unit


def data():
    x, y = load_diabetes(return_X_y=True, scaled=False)
    rows = np.concatenate([x, y[:, None]], axis=1)
    test = np.arange(len(rows)) % 4 == 0
    rows = ((rows - rows[~test].mean(axis=0)) / rows[~test].std(axis=0)).astype("float32")
    return (rows[~test, :-1], rows[~test, -1:]), (rows[test, :-1], rows[test, -1:])


def baseline(seed):
    train, (x, y) = data()
    model, seconds = timed(lambda: LinearRegression().fit(*train))
    figures = {MSE: np.mean((y - model.predict(x)) ** 2)}
    return runner.rows("linear regression", "diabetes", figures, seconds, model.coef_.size + 1)


def ours(epochs, seed):
    train, (x, y) = data()
    model = my_architecture.MyArchitecture(dense_encoder(x.shape[1:], 1, (32,), seed=seed))
    model.compile(keras.optimizers.Adam(1e-2))
    _, seconds = timed(lambda: model.fit(*train, epochs=epochs, verbose=0))
    figures = {MSE: np.mean((y - model.estimate(x)) ** 2)}
    return runner.rows("my architecture", "diabetes", figures, seconds, model.count_params())


def tasks(quick):
    return {"linear regression": baseline, "my architecture": partial(ours, 1 if quick else 20)}


if __name__ == "__main__":
    runner.main("my_architecture", tasks)
