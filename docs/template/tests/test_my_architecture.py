"""The architecture's loss against hand-worked values, what it learns, and its doors, on this process's backend."""

import keras
import numpy as np
import pytest

from dlarch_keras import my_architecture
from dlarch_keras.networks import dense_encoder
from tests.support import properties
from tests.support.bad_input import bad_arrays

COLUMNS, OUTPUTS = 4, 2


def rows(n=64, seed=0):
    x = np.random.default_rng(seed).standard_normal((n, COLUMNS)).astype("float32")
    return x, np.stack([x[:, 0] * x[:, 1], x.sum(axis=1)], axis=1)


def small_model():
    model = my_architecture.MyArchitecture(dense_encoder((COLUMNS,), OUTPUTS, (16,), seed=0))
    model.compile(keras.optimizers.Adam(1e-2))
    return model


def test_the_loss_by_hand():
    """Outputs 0, targets 1 and 3: (1 + 9) / 2 = 5, for each of two rows; with weights 0 and 1 half of it."""
    x = keras.Input((COLUMNS,))
    model = my_architecture.MyArchitecture(keras.Model(x, keras.layers.Dense(OUTPUTS, kernel_initializer="zeros")(x)))
    model.compile()
    x, y = np.ones((2, COLUMNS), "float32"), np.tile(np.float32([[1, 3]]), (2, 1))
    assert model.evaluate(x, y, verbose=0) == pytest.approx(5)
    assert model.evaluate(x, y, sample_weight=np.array([0.0, 1.0]), verbose=0) == pytest.approx(2.5)


def test_it_learns_what_holds_for_rows_it_has_not_seen():
    model, (x, y) = small_model(), rows(seed=1)
    model.fit(*rows(512), epochs=20, verbose=0)
    assert np.mean((y - model.estimate(x)) ** 2) < 0.3 * np.mean((y - y.mean(axis=0)) ** 2)


def test_it_logs_epoch_means():
    model, (x, y) = small_model(), rows(20)
    model.compile(keras.optimizers.SGD(0.0))
    logged = model.fit(x, y, batch_size=8, verbose=0).history["loss"][0]
    assert logged == pytest.approx(np.mean((y - model.estimate(x)) ** 2), rel=1e-4)


def test_save_load_and_resume(tmp_path):
    def fit(model, epochs):
        model.fit(*rows(), batch_size=8, epochs=epochs, shuffle=False, verbose=0)

    assert properties.resumes_where_it_stopped(small_model, fit, tmp_path / "model.keras")


X, Y = rows(8)


@pytest.mark.parametrize("kind", bad_arrays(X, bounded=False))
@pytest.mark.parametrize("method", ["fit", "evaluate", "predict", "estimate"])
def test_bad_rows_are_refused(method, kind):
    arguments = (Y,) if method in ("fit", "evaluate") else ()
    with pytest.raises(ValueError, match="`x` must"):
        getattr(small_model(), method)(bad_arrays(X, bounded=False)[kind], *arguments)


@pytest.mark.parametrize("kind", bad_arrays(Y, bounded=False))
@pytest.mark.parametrize("method", ["fit", "evaluate"])
def test_bad_targets_are_refused(method, kind):
    with pytest.raises(ValueError, match="`y` must"):
        getattr(small_model(), method)(X, bad_arrays(Y, bounded=False)[kind])


def test_networks_that_do_not_fit_are_refused():
    for network, message in [
        (None, "must be a keras.Model"),
        (keras.Sequential([keras.layers.Dense(2)]), "must be built"),
        (dense_encoder((6, 5, 1), OUTPUTS), "must turn rows into rows"),
    ]:
        with pytest.raises(ValueError, match=f"`network` {message}"):
            my_architecture.MyArchitecture(network)
