"""Windows of a sequence, and the way back from windows to points."""

import numpy as np
import pandas as pd
import pytest

from dlarch_keras.datasets import point_scores, sliding_windows


@pytest.mark.parametrize("kind", [np.asarray, list, np.float32], ids=["array", "list", "float32"])
def test_windows_worked_by_hand(kind):
    windows = sliding_windows(kind([1, 2, 3, 4, 5]), 3)
    assert windows.tolist() == [[1, 2, 3], [2, 3, 4], [3, 4, 5]]
    assert sliding_windows(kind([1, 2, 3, 4, 5, 6]), 3, step=2).tolist() == [[1, 2, 3], [3, 4, 5]]
    assert sliding_windows(kind([1, 2]), np.int64(2)).tolist() == [[1, 2]]


def test_channels_stand_side_by_side():
    series = np.array([[1, 10], [2, 20], [3, 30]])
    assert sliding_windows(series, 2).tolist() == [[1, 10, 2, 20], [2, 20, 3, 30]]
    table = pd.DataFrame(series, pd.date_range("2026-01-01", periods=3), ["load", "heat"])
    windows = sliding_windows(table, 2)
    assert list(windows) == ["load_lag_1", "heat_lag_1", "load_lag_0", "heat_lag_0"]
    np.testing.assert_array_equal(windows, sliding_windows(series, 2))
    assert windows.index.equals(table.index[1:])


def test_a_series_keeps_its_name_and_its_last_times():
    series = pd.Series([1.0, 2, np.nan, 4, 5, 6], [10, 11, 12, 13, 14, 15], name="load")
    windows = sliding_windows(series, 3, step=2)
    assert list(windows) == ["load_lag_2", "load_lag_1", "load_lag_0"] and windows.index.tolist() == [12, 14]
    np.testing.assert_array_equal(windows, [[1, 2, np.nan], [np.nan, 4, 5]])
    assert list(sliding_windows(pd.Series([1, 2]), 2)) == ["value_lag_1", "value_lag_0"]


def test_columns_keep_their_kind():
    table = pd.DataFrame({"n": [1, 2, 3], "state": pd.Categorical(["on", "off", "on"])})
    windows = sliding_windows(table, 2)
    assert windows["n_lag_1"].dtype == int and windows["state_lag_1"].tolist() == ["on", "off"]
    assert isinstance(windows["state_lag_0"].dtype, pd.CategoricalDtype)


def test_windows_are_no_view_of_the_series():
    series = np.arange(4.0)
    sliding_windows(series, 1)[:] = 0
    assert series.any()


def test_the_score_of_a_point_is_the_mean_over_its_windows():
    np.testing.assert_array_equal(point_scores([1, 3, 8], 5, 3), [1, 2, 4, 5.5, 8])
    np.testing.assert_array_equal(point_scores(pd.Series([1, 3]), 6, 3, step=2), [1, 1, 2, 3, 3, np.nan])
    np.testing.assert_array_equal(point_scores([1, 3], 5, 2, step=3), [1, 1, np.nan, 3, 3])


@pytest.mark.parametrize(
    ("series", "message"),
    [
        (3.0, r"shape \(\)"),
        ([], r"shape \(0,\)"),
        (np.zeros((3, 2, 2)), r"shape \(3, 2, 2\)"),
        (["a", "b", "c"], "dtype <U1"),
        ([1j, 2, 3], "dtype complex128"),
    ],
)
def test_what_is_no_sequence_is_refused(series, message):
    with pytest.raises(
        ValueError, match=rf"`series` must be numbers of shape \(n,\) or \(n, channels\), got {message}"
    ):
        sliding_windows(series, 2)


def test_bad_lengths_are_refused():
    for bad in (0, 2.0, "2", None, True):
        for call in (sliding_windows, lambda series, *others: point_scores([1.0, 2, 3], 4, *others)):
            with pytest.raises(ValueError, match="`length` must"):
                call(np.arange(4), bad)
            with pytest.raises(ValueError, match="`step` must"):
                call(np.arange(4), 2, bad)
    with pytest.raises(ValueError, match="`length` must be no more than there are points in `series`, 4, got 5"):
        sliding_windows(np.arange(4), 5)
    for points in (3, 5):
        with pytest.raises(ValueError, match="`scores` must hold one for each of"):
            point_scores([1.0, 2, 3], points, 2)
