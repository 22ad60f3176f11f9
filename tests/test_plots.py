"""The shared figures: what is drawn is what was given."""

import keras
import matplotlib.pyplot as plt
import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from dlarch_keras.plots import FilmStrip, Measure, detection_curves, log_ticks

LABELS = np.array([0, 0, 0, 0, 1, 1])
SCORES = np.array([1.0, 2.0, 3.0, 4.0, 3.5, 5.0])


@pytest.fixture
def figure():
    yield detection_curves(SCORES, LABELS, thresholds=(3.5, 5.0), title="found")
    plt.close("all")


def test_the_roc_curve_has_the_area_of_scikit_learn(figure):
    curve = figure.axes[1].lines[0]
    assert np.isclose(np.trapezoid(curve.get_ydata(), curve.get_xdata()), roc_auc_score(LABELS, SCORES))


def test_thresholds_stand_where_they_belong(figure):
    """From 3.5 on: both anomalies and one of four normal rows. From 5 on: one anomaly and nothing else."""
    spread, roc, precision_recall = figure.axes
    assert [line.get_xdata()[0] for line in spread.lines] == [3.5, 5.0]
    marks = [{text.get_text(): text.xy for text in axis.texts} for axis in (roc, precision_recall)]
    np.testing.assert_allclose([marks[0]["A"], marks[0]["B"]], [(0.25, 1.0), (0.0, 0.5)])
    np.testing.assert_allclose([marks[1]["A"], marks[1]["B"]], [(1.0, 2 / 3), (0.5, 1.0)])


def test_logarithmic_axes_have_plain_numbers():
    figure, axis = plt.subplots()
    axis.plot([0.3, 40], [1, 2])
    axis.set_xscale("log")
    log_ticks(axis.xaxis)
    figure.canvas.draw()
    shown = {tick.get_text(): tick.get_position()[0] for tick in axis.get_xticklabels()}
    assert all(float(text) == pytest.approx(place) for text, place in shown.items())
    assert {"0.5", "1", "2", "5", "10", "20"} <= set(shown)
    assert not any(tick.get_text() for tick in axis.get_xticklabels(minor=True))
    plt.close(figure)


def fit(*callbacks, epochs=5, **arguments):
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    x = np.ones((4, 1), "float32")
    return model.fit(x, x, epochs=epochs, verbose=0, callbacks=list(callbacks), **arguments).history


def test_what_is_measured_is_logged_every_few_epochs_and_at_the_end():
    seen = []
    watch = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append("weights" in logs))
    history = fit(Measure(lambda model: {"weights": model.count_params()}, every=2), watch)
    assert history["weights"] == [2, 2, 2] and len(history["loss"]) == 5
    assert seen == [False, True, False, True, True]


def test_a_film_strip_keeps_what_was_drawn():
    film = FilmStrip(lambda model: model.get_weights()[0].copy(), epochs=(1, 5))
    fit(film)
    assert list(film.rows) == ["epoch 0", "epoch 1", "epoch 5"]
    assert len({float(row.item()) for row in film.rows.values()}) == 3


def test_a_film_strip_goes_on_where_it_was():
    film = FilmStrip(lambda model: 0, epochs=(1, 3))
    fit(film, epochs=2)
    fit(film, epochs=4, initial_epoch=2)
    assert list(film.rows) == ["epoch 0", "epoch 1", "epoch 3"]


@pytest.mark.parametrize("every", [0, 1.5, None])
def test_a_bad_interval_is_refused(every):
    with pytest.raises(ValueError, match="`every` must"):
        Measure(dict, every)
