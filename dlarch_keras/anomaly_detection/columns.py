"""Reads tables: what is one, which columns hold numbers and which categories, and where a value is missing."""

import datetime
import functools
import numbers
from collections import Counter
from decimal import Decimal

import numpy as np
import pandas as pd
from scipy.sparse import issparse
from sklearn.utils.validation import validate_data

# In upper or lower case, with blanks around them or not.
MISSING = frozenset({"", "?", "-", "na", "n/a", "<na>", "nan", "nat", "null", "none"})
MAX_IDENTIFIERS = 100  # different texts in a column, of which more than half of its values may not be different
COMPLEX = (complex, np.complexfloating)
DATES = (datetime.date, datetime.time, datetime.timedelta, np.datetime64, np.timedelta64, pd.Period)


def table_of(detector, X, reset=False):
    """What a detector was given as a data frame; with the columns of its training, unless `reset`.

    Raises:
        ValueError: for anything but a pandas data frame and an array of numbers or objects, and for other columns.
    """
    named = isinstance(X, pd.DataFrame)
    if issparse(X) or (hasattr(X, "to_pandas") and not named):
        kind, way = f"{type(X).__module__}.{type(X).__name__}", "toarray" if issparse(X) else "to_pandas"
        raise ValueError(f"`X` must be a pandas data frame or a NumPy array, got {kind}: hand X.{way}() over.")
    if isinstance(X, np.ma.MaskedArray):
        X = X.astype("float64").filled(np.nan)
    names = [str(name) for name in X.columns] if named else []
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise ValueError(f"`X` must have a name of its own for each column, got {twice[0]!r} more than once.")
    try:
        X = validate_data(detector, X, reset=reset, skip_check_array=named, dtype=None, ensure_all_finite=False)
    except TypeError as error:
        raise ValueError(f"`X` must be a data frame or an array, got {type(X).__name__}: {error}") from error
    if named:
        if X.empty:
            raise ValueError(f"`X` must have rows and columns, got shape {X.shape}.")
        # scikit-learn compares names only if they are text
        if not reset and detector._named and names != detector.preparation_.names:
            raise ValueError(f"`X` must have the columns {detector.preparation_.names}, got {names}.")
    else:
        if X.dtype.kind not in "biufO":
            raise ValueError(f"`X` must be a data frame or an array of numbers or objects, got dtype {X.dtype}.")
        X = pd.DataFrame(X.astype("float64") if X.dtype == bool else X, copy=False)
    return X


def numeric_columns(frame):
    """Which columns of a data frame hold numbers, `(columns,)`, boolean; the others hold categories.

    Raises:
        ValueError: for dates, complex numbers, and text that is different in nearly every row.
    """
    return np.array([_is_numeric(str(name), column) for name, column in frame.items()], bool)


def read_numbers(frame):
    """Columns of numbers as float64, `(n, columns)`, NaN where one is missing.

    Raises:
        ValueError: for infinite numbers and for anything else, with the column's name.
    """
    plain = np.array([dtype.kind in "iuf" for dtype in frame.dtypes], bool)
    if plain.all():
        values = frame.to_numpy("float64", na_value=np.nan)
    else:
        values = np.empty(frame.shape)
        values[:, plain] = frame.loc[:, plain].to_numpy("float64", na_value=np.nan)
        cells = frame.loc[:, ~plain].to_numpy(object)
        values[:, ~plain], odd = _parsed(cells)
        if odd.any():
            row, column = np.argwhere(odd)[0]
            raise ValueError(
                f"`X` must hold numbers in column {str(frame.columns[~plain][column])!r}, as in training, "
                f"got {cells[row, column]!r}."
            )
    if np.isinf(values).any():
        column = np.isinf(values).any(axis=0).argmax()
        raise ValueError(f"`X` must be finite, got infinite numbers in column {str(frame.columns[column])!r}.")
    return values


def read_categories(frame):
    """Columns of categories as text, `(n, columns)`, None where one is missing."""
    cells = frame.to_numpy(object)
    return np.array([_texts(column) for column in cells.T], dtype=object).reshape(cells.T.shape).T


def _is_numeric(name, column):
    dtype = column.dtype
    if isinstance(dtype, pd.CategoricalDtype) or dtype.kind == "b":
        return False
    if dtype.kind in "iuf":
        return True
    expected = "`X` must hold numbers, text, categories or booleans"
    cells = column.to_numpy(object)
    texts = np.array(_texts(cells), dtype=object)
    cells, texts = (values[texts != None] for values in (cells, texts))  # noqa: E711, element by element
    if dtype.kind == "c" or any(isinstance(value, COMPLEX) for value in cells):
        raise ValueError(f"{expected}, got complex numbers in column {name!r}.")
    is_date = dtype.kind in "mM" or any(isinstance(value, DATES) for value in cells)
    odd = _parsed(cells)[1]
    if not (is_date or odd.any()):
        return bool(len(cells))  # without any value it has one category, the missing one
    different = pd.unique(texts)
    if is_date or _are_dates(different):
        raise ValueError(
            f"{expected}, got dates or times in column {name!r}: derive numbers from them, such as the hour, the "
            "weekday or the days since an event."
        )
    if len(different) > max(MAX_IDENTIFIERS, len(texts) / 2):
        raise ValueError(
            f"{expected}, got identifiers or free text in column {name!r}, {len(different)} different values in "
            f"{len(texts)} rows, such as {cells[odd][0]!r}: drop it, or derive numbers or categories from it."
        )
    return False


def _parsed(cells):
    """Numbers in cells of any shape as float64, NaN for all others; and which of those are not missing, either."""
    flat = cells.ravel()
    values = pd.to_numeric(pd.Series(flat, dtype=object), errors="coerce").to_numpy().real.astype("float64")
    values[[isinstance(value, (bool, np.bool_, bytes, *COMPLEX)) for value in flat]] = np.nan
    odd = np.isnan(values)
    odd[odd] = [text is not None for text in _texts(flat[odd])]
    return values.reshape(cells.shape), odd.reshape(cells.shape)


def _are_dates(texts):
    """Whether all of these texts are dates as ISO 8601 has them."""
    texts = pd.Series(texts, dtype=object).str.strip()
    if not texts.str.match(r"\d{4}-?\d\d").all():  # pandas would take "today", too
        return False
    return bool(pd.to_datetime(texts, format="ISO8601", utc=True, errors="coerce").notna().all())


def _texts(values):
    try:
        return [_text(value) for value in values]
    except TypeError:  # lists, dictionaries and others that have no hash
        return [_text(str(value)) for value in values]


@functools.lru_cache(maxsize=2**16, typed=True)
def _text(value):
    """A category as text; whole numbers and booleans alike, since one missing value makes floats of either."""
    is_whole = isinstance(value, (numbers.Real, Decimal)) and float(value).is_integer()
    text = str(int(value) if is_whole else value)
    return None if text.strip().casefold() in MISSING else text
