"""Turns a table with numbers, categories and missing values into numbers that a network can be trained on."""

from collections import Counter

import numpy as np

from .columns import numeric_columns, read_categories, read_numbers

MAX_CATEGORIES = 100
TAIL = 10.0  # robust standard deviations at which the scale turns from linear to logarithmic
LIMIT = 1e30  # within float32
INTERQUARTILE_RANGE = 1.3489795  # of the standard normal distribution


class TablePreparation:
    """Encodes each column of a table by itself, and says which values are unlike anything seen before.

    What a column holds is decided by the rows given to `fit`, and holds for all that come later.

    - Numbers: integers and floats of any width, nullable ones too; and columns of objects or text in which every value
      is a number ("12", "1e3", Decimal), or missing. So a CSV column with one "?" is one of numbers.
    - Categories: `category` dtype, booleans, and all other text and objects, compared as text (1 and 1.0 alike). For
      numbers that are names, such as codes of branches, ask for it: `frame.astype({"branch": "category"})`.
    - Missing: None, NaN, pd.NA, pd.NaT; among text and objects also "", "?", "-", "NA", "N/A", "<NA>", "NaN", "NaT",
      "null" and "None", in upper or lower case, with blanks around them or not.
    - Refused: infinite and complex numbers; dates and times, text in the form of ISO 8601 included; and identifiers or
      free text, which is text with more than 100 different values that are more than half of all.

    They are encoded like this:

    - Numbers: (value − median) / (interquartile range / 1.349), with the standard deviation where that range is 0. Then
      10 asinh(· / 10): the same near 0, and logarithmic in heavy tails. A missing value becomes the median.
    - Missing numbers: a further indicator, for columns in which some training rows lack one.
    - Categories: one indicator for each, the missing one too. Of more than 100 the rarest have no indicator.
    - All of these are then brought to mean 0 and variance 1 over the training rows.
    - A column that is constant in training is not encoded, and only takes part in novelties.

    Attributes:
        names: `[columns]`, as text.
        owners: `(encoded,)`: which of the table's columns each encoded one comes from.
    """

    def fit(self, frame, training=slice(None)):
        """Learn each column of a data frame.

        Args:
            frame: data frame, all of whose rows decide what a column holds.
            training: positions of the rows to learn all else from.

        Returns:
            The fitted preparation.

        Raises:
            ValueError: for columns that are refused, and a table in which no column varies.
        """
        self.names = [str(name) for name in frame.columns]
        self._numeric = numeric_columns(frame)
        numbers, texts = self._read(frame.iloc[training])
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
        self._categories = [
            {text: code for code, (text, _) in enumerate(Counter(column).most_common())} for column in texts.T
        ]
        encoded = self._encode(numbers, self._codes(texts))
        if not encoded.shape[1]:
            raise ValueError("`X` must have a column that varies, got the same row over and over to train on.")
        self._mean, self._scale = (moment(axis=0, dtype="float64") for moment in (encoded.mean, encoded.std))
        return self

    def get_state(self):
        """What was learned, in JSON's types."""
        state = {name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in vars(self).items()}
        return state | {"_categories": [list(categories) for categories in self._categories]}

    @classmethod
    def from_state(cls, state):
        """The preparation whose `get_state` this is."""
        preparation = cls()
        for name in set(state) - {"_categories"}:
            setattr(preparation, name, np.array(state[name]))
        preparation.names = state["names"]
        preparation._categories = [dict(zip(texts, range(len(texts)))) for texts in state["_categories"]]
        return preparation

    @property
    def owners(self):
        numeric, categorical = np.flatnonzero(self._numeric), np.flatnonzero(~self._numeric)
        widths = [_indicators(categories) for categories in self._categories]
        return np.concatenate(
            [numeric[self._spread > 0], numeric[self._marked()], np.repeat(categorical, widths)]
        ).astype(int)

    def transform(self, frame):
        """Encode a data frame with the same columns, as `inspect` does: `(n, columns)` → `(n, encoded)`, float32."""
        return self.inspect(frame)[0]

    def inspect(self, frame):
        """Encode a data frame with the same columns, and say where a value is new in kind.

        That is: no training row had the like, and no number expresses how unlike it is. These are an unseen category,
        a missing value where training rows lacked none, and in a column that was constant in training any other value.

        Returns:
            `(n, encoded)`, float32, and the novelties `(n, columns)`, boolean.

        Raises:
            ValueError: for infinite numbers, and for anything else in a column of numbers.
        """
        numbers, texts = self._read(frame)
        codes = self._codes(texts)
        encoded = (self._encode(numbers, codes) - self._mean.astype("float32")) / self._scale.astype("float32")
        new = np.empty((len(frame), len(self.names)), bool)
        missing, constant = np.isnan(numbers), self._spread == 0
        new[:, self._numeric] = np.where(missing, ~self._lacking, constant & (numbers != self._center))
        new[:, ~self._numeric] = codes < 0
        return encoded, new

    def _read(self, frame):
        """The numbers, with NaN, and the categories as text, with None: `(n, columns of the kind)` each."""
        if self._numeric.all():
            return read_numbers(frame), np.empty((len(frame), 0), object)
        return read_numbers(frame.loc[:, self._numeric]), read_categories(frame.loc[:, ~self._numeric])

    def _codes(self, texts):
        """The number of each category, the most frequent being 0, and −1 for one not seen in training."""
        codes = np.empty(texts.shape, int)
        for column, categories in enumerate(self._categories):
            codes[:, column] = [categories.get(text, -1) for text in texts[:, column]]
        return codes

    def _marked(self):
        """Which columns of numbers have an indicator of missing values."""
        return self._lacking & ~np.isnan(self._center)

    def _encode(self, numbers, codes):
        missing, varies = np.isnan(numbers), self._spread > 0
        filled = np.where(missing, self._center, numbers)[:, varies]
        with np.errstate(over="ignore"):  # what overflows is clipped
            scaled = ((filled - self._center[varies]) / (TAIL * self._spread[varies])).clip(-LIMIT, LIMIT)
        parts = [TAIL * np.arcsinh(scaled.astype("float32")), missing[:, self._marked()]]
        for code, categories in zip(codes.T, self._categories):
            parts.append(code[:, None] == np.arange(_indicators(categories)))
        return np.concatenate(parts, axis=1, dtype="float32")


def _indicators(categories):
    return min(len(categories), MAX_CATEGORIES) if len(categories) > 1 else 0
