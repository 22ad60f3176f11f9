"""Windows of a sequence as the rows of a table, and statistics over the past of an ordered table."""

import numpy as np
import pandas as pd

from ..core import validation


def sliding_windows(series, length, step=1):
    """The windows of a sequence as rows, for a detector that takes a table. `docs/your_data.md` has an example.

    Args:
        series: `(n,)` or `(n, channels)` numbers in the order of time, equally far apart: an array, `pandas.Series` or
            `pandas.DataFrame`, whose columns may be of any kind. NaN are passed on.
        length: of a window, in points.
        step: from a window to the next, in points. Points after the last whole window are left out.

    Returns:
        `(windows, length * channels)`, `windows = (n - length) // step + 1`; the channels of the first point, those of
        the second, and so on. An array for an array; else a data frame with columns such as `load_lag_2`, `load_lag_1`,
        `load_lag_0` (`value_` without a name), its index that of each window's last point: of when it is complete.

    Raises:
        ValueError: for anything but numbers of these shapes, or a window longer than the sequence.
    """
    length, step = validation.positive_int("length", length), validation.positive_int("step", step)
    series = series if isinstance(series, (pd.Series, pd.DataFrame)) else np.asarray(series)
    expected = "`series` must be numbers of shape (n,) or (n, channels)"
    if series.ndim not in (1, 2) or 0 in series.shape:
        raise ValueError(f"{expected}, got shape {series.shape}.")
    if isinstance(series, np.ndarray) and series.dtype.kind not in "biuf":
        raise ValueError(f"{expected}, got dtype {series.dtype}.")
    if length > len(series):
        raise ValueError(f"`length` must be no more than there are points in `series`, {len(series)}, got {length}.")
    if isinstance(series, np.ndarray):
        windows = np.lib.stride_tricks.sliding_window_view(series.reshape(len(series), -1), length, axis=0)[::step]
        return np.array(windows.swapaxes(1, 2), order="C").reshape(len(windows), -1)
    table = series.to_frame("value" if series.name is None else series.name) if series.ndim == 1 else series
    lagged = {lag: table.iloc[length - 1 - lag : len(table) - lag : step] for lag in reversed(range(length))}
    columns = [part.set_axis(lagged[0].index).add_suffix(f"_lag_{lag}") for lag, part in lagged.items()]
    return pd.concat(columns, axis=1)


def point_scores(scores, points, length, step=1):
    """The score of each point of a sequence: the mean over the windows that cover it.

    Args:
        scores: `(windows,)`, one for each row of `sliding_windows(series, length, step)`.
        points: length of `series`.
        length, step: as given to `sliding_windows`.

    Returns:
        `(points,)`, float64; NaN where no window covers a point.

    Raises:
        ValueError: for another number of scores than such a sequence has windows.
    """
    points = validation.positive_int("points", points)
    length, step = validation.positive_int("length", length), validation.positive_int("step", step)
    scores, windows = np.asarray(scores, "float64"), max((points - length) // step + 1, 0)
    if scores.shape != (windows,):
        raise ValueError(f"`scores` must hold one for each of {windows} windows, got shape {scores.shape}.")
    covered = (np.arange(windows) * step)[:, None] + np.arange(length)
    sums = np.bincount(covered.ravel(), scores.repeat(length), points)
    counts = np.bincount(covered.ravel(), minlength=points)
    return np.divide(sums, counts, out=np.full(points, np.nan), where=counts > 0)


def rolling(table, on, key, column, window, statistic):
    """Apply a statistic to the last rows, up to and including each row, that share its `key`.

    Args:
        table: `pandas.DataFrame` in the order of `on`.
        on: its datetime column.
        key: the column, or list of columns, whose rows belong together.
        column: what the statistic is of.
        window: its length in pandas's notation, such as `"7D"`; what is exactly as old is out.
        statistic: `"count"`, `"sum"` or `"mean"`.

    Returns:
        float64 array, one to a row of `table`, in its order. Of rows at one time a row sees those above it only.
    """
    groups = table.groupby(key)
    windows = groups[[on, column]].rolling(window, on=on)[column]
    values = np.empty(len(table))
    # pandas returns the groups one after the other, each in its own row order.
    values[np.argsort(groups.ngroup(), kind="stable")] = getattr(windows, statistic)()
    return values
