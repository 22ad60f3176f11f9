"""Windows over the past of an ordered table, for the datasets that are streams."""

import numpy as np


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
