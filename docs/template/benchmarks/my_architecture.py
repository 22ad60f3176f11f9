"""The architecture beside a baseline, on rows it has not seen: `python -m benchmarks.my_architecture`.

The protocol: which data, which split, what is chosen on what; here, scikit-learn's diabetes data, every fourth row for
testing, scaled by the others, nothing chosen.
"""

import time

import keras
import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.linear_model import LinearRegression

from benchmarks import runner
from dlarch_keras import my_architecture
from dlarch_keras.networks import dense_encoder


def data():
    x, y = load_diabetes(return_X_y=True, scaled=False)
    rows = np.concatenate([x, y[:, None]], axis=1)
    test = np.arange(len(rows)) % 4 == 0
    rows = ((rows - rows[~test].mean(axis=0)) / rows[~test].std(axis=0)).astype("float32")
    return (rows[~test, :-1], rows[~test, -1:]), (rows[test, :-1], rows[test, -1:])


def measured(estimate, seconds, parameters):
    x, y = data()[1]
    return runner.row("diabetes", "test MSE", np.mean((y - estimate(x)) ** 2), seconds, parameters)


def baseline(seed):
    start = time.perf_counter()
    model = LinearRegression().fit(*data()[0])
    return measured(model.predict, time.perf_counter() - start, model.coef_.size + 1)


def ours(seed):
    (x, y), _ = data()
    model = my_architecture.MyArchitecture(dense_encoder(x.shape[1:], 1, (32,), seed=seed))
    model.compile(keras.optimizers.Adam(1e-2))
    start = time.perf_counter()
    model.fit(x, y, epochs=runner.size(20, 1), verbose=0)
    return measured(model.estimate, time.perf_counter() - start, model.count_params())


TASKS = {"linear regression": baseline, "my architecture": ours}

if __name__ == "__main__":
    runner.main("my_architecture", TASKS)
