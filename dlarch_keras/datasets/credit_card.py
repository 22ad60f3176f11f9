"""Real card transactions of two days (Dal Pozzolo et al., 2015), by local copy. Datasheet: `data/credit_card.md`."""

import numpy as np
import pandas as pd

from dlarch_keras.datasets.files import catalog, data_dir

FILE = "creditcard.csv"
FEATURES = (*(f"V{i}" for i in range(1, 29)), "Amount")
COLUMNS = ("Time", *FEATURES, "Class")
SECONDS_A_DAY = 86_400


def load_credit_card():
    """Load the card transactions from `creditcard.csv` in `data_dir()`: the first day trains, the second tests.

    The file is not downloaded: its publisher asks for an account. Its digest could not be verified either, so only its
    form is checked.

    Returns:
        `(x_train, y_train), (x_test, y_test)`, in order of time: `pandas.DataFrame`s of float64 with `V1` to `V28`
        (principal components of what may not be published) and `Amount` (euros); `pandas.Series` of int64, 1 = fraud.
        `Time`, the seconds since the first transaction, is left out: every test row lies beyond the training range.

    Raises:
        FileNotFoundError: there is no such file; the message says where to get it and where to put it.
        ValueError: the file has other columns, something that is not a finite number, classes other than 0 and 1, rows
            out of order, or rows of one day only.

    Source: Dal Pozzolo, Caelen, Johnson, Bontempi (2015), Calibrating probability with undersampling for unbalanced
    classification, CIDM.
    """
    path = data_dir() / FILE
    if not path.is_file():
        raise FileNotFoundError(
            f"{FILE} is not at {path}. It cannot be downloaded from here: get it from {catalog()[FILE]['source']} and "
            "put it there, or set DLARCH_DATA_DIR to the folder that holds it."
        )
    try:
        table = pd.read_csv(path)
    except ValueError as error:  # as pandas's own errors are
        raise ValueError(f"{path} must be a table of comma-separated values, and cannot be read: {error}") from error
    _check(table, path)
    first_day = table["Time"] < SECONDS_A_DAY
    x, y = table[list(FEATURES)].astype("float64"), table["Class"].astype("int64")
    return (x[first_day], y[first_day]), (x[~first_day], y[~first_day])


def _check(table, path):
    if tuple(table.columns) != COLUMNS:
        raise ValueError(f"{path} must have the columns Time, V1, ..., V28, Amount, Class, got {list(table.columns)}.")
    words = [name for name in COLUMNS if not pd.api.types.is_numeric_dtype(table[name])]
    if words or not np.isfinite(table.to_numpy("float64")).all():
        raise ValueError(f"{path} must hold finite numbers, got others{f' in {words}' if words else ''}.")
    if not table["Class"].isin([0, 1]).all():
        raise ValueError(f"{path} must have classes 0 and 1, got {table['Class'].unique()[:5].tolist()}.")
    time = table["Time"]
    if not time.is_monotonic_increasing:
        raise ValueError(f"{path} must be in order of time, got rows out of order.")
    if not time.min() < SECONDS_A_DAY <= time.max():
        span = f"{len(time):,} rows from {time.min():,} to {time.max():,} s"
        raise ValueError(f"{path} must have rows before and after {SECONDS_A_DAY:,} seconds, got {span}.")
