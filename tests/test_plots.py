"""The shared figures: what is drawn is what was given."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from dlarch_keras.plots import detection_curves

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
