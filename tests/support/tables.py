"""Tables for the tests of their detector, and its training without the time that tracing takes."""

import numpy as np
import pandas as pd
import pytest

from dlarch_keras import Autoencoder

QUICK = {"steps": 2, "hidden_units": (4,), "batch_size": 16, "random_state": 0}


def numbers(n=200, columns=4, seed=0):
    """Rows near a plane: the last column is the sum of the others."""
    x = np.random.default_rng(seed).normal(size=(n, columns))
    x[:, -1] = x[:, :-1].sum(axis=1) + 0.1 * x[:, -1]
    return x


def table(n=200, seed=0):
    """A data frame with every kind of column."""
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "amount": rng.lognormal(size=n),
            "country": rng.choice(["DE", "FR", "IT"], n, p=[0.6, 0.3, 0.1]),
            "online": rng.random(n) < 0.3,
            "weekday": pd.Categorical(rng.integers(0, 7, n)),
            "version": np.full(n, 3),
            "age": np.where(rng.random(n) < 0.2, np.nan, rng.normal(40, 10, n)),
            "items": pd.array(rng.integers(1, 9, n), dtype="Int64"),
        }
    )


COMPILE = Autoencoder.compile


@pytest.fixture(scope="module", autouse=True)
def eager():
    """Tracing a function takes most of the time that a few steps of training do."""
    arguments = {"run_eagerly": True, "steps_per_execution": 1}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Autoencoder, "compile", lambda self, optimizer, **_: COMPILE(self, optimizer, **arguments))
        yield
