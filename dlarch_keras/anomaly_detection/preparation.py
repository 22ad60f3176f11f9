"""Turns a table with numbers, categories and missing values into numbers that a network can be trained on."""

import numbers

import numpy as np
import pandas as pd
from pandas.api import types

MAX_CATEGORIES = 100
TAIL = 10.0  # robust standard deviations at which the scale turns from linear to logarithmic
LIMIT = 1e30  # within float32
INTERQUARTILE_RANGE = 1.3489795  # of the standard normal distribution


class TablePreparation:
    """Encodes each column of a table by itself, and says which values are unlike anything seen before.

    - Numbers: (value − median) / (interquartile range / 1.349), with the standard deviation where that range is 0. Then
      10 asinh(· / 10): the same near 0, and logarithmic in heavy tails. A missing value becomes the median.
    - Missing numbers: a further indicator, for columns in which some training rows lack one.
    - Categories (text, category, boolean): one indicator for each, compared as text (1 and 1.0 alike); a missing one
      is a category too. Of more than 100 the rarest have no indicator.
    - All of these are then brought to mean 0 and variance 1 over the training rows.
    - A column that is constant in training is not encoded, and only takes part in `novelties`.

    Attributes:
        names: `[columns]`, as text.
        owners: `(encoded,)`: which of the table's columns each encoded one comes from.
    """

    def fit(self, frame):
        """Learn each column of a data frame.

        Returns:
            The fitted preparation.

        Raises:
            ValueError: for infinite numbers, columns that are neither numbers nor categories, and a table in which no
                column varies.
        """
        self.names = [str(name) for name in frame.columns]
        self._numeric = np.array([_is_numeric(frame.iloc[:, position]) for position in range(len(self.names))])
        numbers, texts = self._split(frame)
        missing = np.isnan(numbers)
        self._lacking = missing.any(axis=0)
        known = np.where(missing.all(axis=0), 0.0, numbers)
        low, self._center, high = (np.nanquantile(known, share, axis=0) for share in (0.25, 0.5, 0.75))
        self._center[missing.all(axis=0)] = np.nan  # any number is new there
        varies = np.nanmin(known, axis=0) < np.nanmax(known, axis=0)
        size = np.where(varies, np.nanmax(np.abs(known), axis=0), 1.0)
        with np.errstate(over="ignore"):
            spread = (high - low) / INTERQUARTILE_RANGE
            # Scaled, since the squares of very large and very small numbers leave the range of floats.
            spread = np.where(spread > 0, spread, size * np.nanstd(known / size, axis=0))
        self._spread = np.where(varies, spread.clip(max=np.finfo("float64").max / TAIL), 0.0)
        self._categories = [pd.Series(text).value_counts(dropna=False).index.tolist() for text in texts]
        encoded = self._encode(numbers, texts)
        if not encoded.shape[1]:
            raise ValueError("`X` must have a column that varies, got the same row over and over to train on.")
        self._mean, self._scale = (moment(axis=0, dtype="float64") for moment in (encoded.mean, encoded.std))
        return self

    def get_state(self):
        """What was learned, in JSON's types."""
        return {name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in vars(self).items()}

    @classmethod
    def from_state(cls, state):
        """The preparation whose `get_state` this is."""
        preparation = cls()
        for name, value in state.items():
            setattr(preparation, name, value if name in ("names", "_categories") else np.array(value))
        return preparation

    @property
    def owners(self):
        numeric, categorical = np.flatnonzero(self._numeric), np.flatnonzero(~self._numeric)
        widths = [_indicators(categories) for categories in self._categories]
        return np.concatenate(
            [numeric[self._spread > 0], numeric[self._marked()], np.repeat(categorical, widths)]
        ).astype(int)

    def transform(self, frame):
        """Encode a data frame with the same columns: `(n, columns)` → `(n, encoded)`, float32.

        Raises:
            ValueError: for infinite numbers, and for anything else in a column of numbers.
        """
        encoded = self._encode(*self._split(frame))
        return (encoded - self._mean.astype("float32")) / self._scale.astype("float32")

    def novelties(self, frame):
        """Say where a value is new in kind: no training row had the like, and no number expresses how unlike it is.

        These are an unseen category, a missing value where training rows lacked none, and in a column that was constant
        in training any other value.

        Returns:
            `(n, columns)`, boolean.
        """
        numbers, texts = self._split(frame)
        missing = np.isnan(numbers)
        new = np.empty((len(frame), len(self.names)), bool)
        new[:, self._numeric] = np.where(missing, ~self._lacking, (self._spread == 0) & (numbers != self._center))
        codes = [_codes(text, categories) for text, categories in zip(texts, self._categories)]
        new[:, ~self._numeric] = np.reshape(codes, (-1, len(frame))).T < 0
        return new

    def _split(self, frame):
        """The numbers, `(n, columns of numbers)` with NaN, and a list of the other columns as text with None."""
        for position in np.flatnonzero(self._numeric):
            if not _is_numeric(frame.iloc[:, position]):
                raise ValueError(
                    f"`X` must hold numbers in column {self.names[position]!r}, as in training, "
                    f"got {frame.dtypes.iloc[position]}."
                )
        numbers = frame.iloc[:, np.flatnonzero(self._numeric)].to_numpy("float64", na_value=np.nan)
        if np.isinf(numbers).any():
            raise ValueError(f"`X` must be finite, got {np.isinf(numbers).sum()} elements that are infinite.")
        others = [frame.iloc[:, position] for position in np.flatnonzero(~self._numeric)]
        texts = [column.astype(object).map(_text).where(column.notna(), None).to_numpy(object) for column in others]
        return numbers, texts

    def _marked(self):
        """Which columns of numbers have an indicator of missing values."""
        return self._lacking & ~np.isnan(self._center)

    def _encode(self, numbers, texts):
        missing, varies = np.isnan(numbers), self._spread > 0
        filled = np.where(missing, self._center, numbers)[:, varies]
        with np.errstate(over="ignore"):  # what overflows is clipped
            scaled = ((filled - self._center[varies]) / (TAIL * self._spread[varies])).clip(-LIMIT, LIMIT)
        parts = [TAIL * np.arcsinh(scaled.astype("float32")), missing[:, self._marked()]]
        for text, categories in zip(texts, self._categories):
            parts.append(_codes(text, categories)[:, None] == np.arange(_indicators(categories)))
        return np.concatenate(parts, axis=1, dtype="float32")


def _is_numeric(column):
    dtype = column.dtype
    if isinstance(dtype, pd.CategoricalDtype) or any(
        test(dtype) for test in (types.is_bool_dtype, types.is_string_dtype, types.is_object_dtype)
    ):
        return False
    if not types.is_numeric_dtype(dtype) or types.is_complex_dtype(dtype):
        raise ValueError(f"`X` must hold numbers, text, categories or booleans, got {dtype} in column {column.name!r}.")
    return True


def _text(value):
    """A category as text; whole numbers and booleans alike, since one missing value makes floats of either."""
    return str(int(value)) if isinstance(value, numbers.Real) and float(value).is_integer() else str(value)


def _codes(text, categories):
    """The number of each category, the most frequent being 0, and −1 for one not seen in training."""
    return pd.Index(categories, dtype=object).get_indexer(text)


def _indicators(categories):
    return min(len(categories), MAX_CATEGORIES) if len(categories) > 1 else 0
