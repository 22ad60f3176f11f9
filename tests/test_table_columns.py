"""What the columns of a table hold, and what is missing in them, on any backend."""

import datetime
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.metrics import roc_auc_score

from dlarch_keras import AnomalyDetector
from dlarch_keras.anomaly_detection.preparation import TablePreparation
from tests.support.tables import QUICK, eager, numbers, table  # noqa: F401, the fixture acts by itself

N = 120
MARKS = ["", "?", "NA", "N/A", "nan", "null", "None", "-", " - ", " NaN ", "n/a", "NULL", "<NA>", None, pd.NA, pd.NaT]


def encoded(column, **others):
    """The encoding of one column beside one of ordinary numbers."""
    frame = pd.DataFrame({"x": np.arange(len(column)), "c": column, **others})
    preparation = TablePreparation().fit(frame)
    values, new = preparation.inspect(frame)
    assert not new.any()
    return values[:, preparation.owners == 1]


AS_NUMBERS = {
    "text": lambda x: pd.Series(x.astype(str)),
    "text with blanks": lambda x: pd.Series([f" {value} " for value in x]),
    "objects": lambda x: pd.Series(x, dtype=object),
    "pandas' text": lambda x: pd.Series(x.astype(str), dtype="string"),
    "Decimal": lambda x: pd.Series([Decimal(str(value)) for value in x], dtype=object),
    "a mixture": lambda x: pd.Series([(str, float, np.float32, Decimal)[i % 4](value) for i, value in enumerate(x)]),
    "Float64": lambda x: pd.Series(x, dtype="Float64"),
    "sparse": lambda x: pd.Series(pd.arrays.SparseArray(x)),
}


@pytest.mark.parametrize("kind", AS_NUMBERS)
def test_numbers_are_numbers_in_whatever_form(kind):
    x = np.random.default_rng(0).normal(size=N).astype("float32").astype("float64")
    np.testing.assert_allclose(encoded(AS_NUMBERS[kind](x)), encoded(x), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("mark", MARKS, ids=repr)
def test_a_mark_of_a_missing_value_leaves_a_column_of_numbers(mark):
    x = np.random.default_rng(0).normal(size=N)
    marked, lacking = pd.Series(x.astype(str), dtype=object), x.copy()
    marked[7], lacking[7] = mark, np.nan
    np.testing.assert_allclose(encoded(marked), encoded(lacking), atol=1e-6)


@pytest.mark.parametrize("mark", [*MARKS, np.nan], ids=repr)
def test_a_mark_of_a_missing_value_is_the_missing_category(mark):
    categories = pd.Series(["a", "b", "b", None] * 30, dtype=object)
    np.testing.assert_array_equal(encoded(categories.where(categories.notna(), mark)), encoded(categories))


@pytest.mark.parametrize("dtype", ["Int64", "Float64", "boolean", "string", "category", "object", "Int8"])
def test_missing_values_of_every_dtype(dtype):
    """An encoded row for what is there, and another for what is missing: `None` in the table and `pd.NA` alike."""
    column = pd.Series([0, 1, 1, None] * 30, dtype="Int64")
    column = column.map({0: "a", 1: "b"}).astype("string") if dtype == "string" else column.astype(dtype)
    assert len(np.unique(encoded(column), axis=0)) == 3


def test_a_csv_file_with_a_question_mark(tmp_path):
    """The anomalies are found as they are without it, where each number as a category of its own would find none."""
    x = numbers(400)
    x[380:, -1] += 4
    frame = pd.DataFrame(x, columns=list("abcd")).astype(object)
    frame.iloc[3] = "?"
    frame.to_csv(tmp_path / "table.csv", index=False)
    frame = pd.read_csv(tmp_path / "table.csv")
    assert not any(pd.api.types.is_numeric_dtype(dtype) for dtype in frame.dtypes)
    scores = AnomalyDetector(**QUICK).fit(frame).score_samples(frame)
    assert roc_auc_score(np.arange(400) >= 380, -scores) > 0.8


@pytest.mark.parametrize(
    "column",
    {
        "category": pd.Series(range(3)).astype("category"),
        "booleans": pd.Series([True, False, True]),
        "booleans as objects": pd.Series([True, False, None], dtype=object),
        "a number among text": pd.Series(["a", "1", "2"]),
        "booleans among numbers": pd.Series([True, 2.5, 3.5], dtype=object),
        "tuples": pd.Series([(1, 2), (3, 4), (1, 2)]),
        "lists": pd.Series([[1, 2], [3, 4], None]),
        "bytes": pd.Series([b"1", b"2", b"1"]),
    }.items(),
    ids=lambda item: item[0],
)
def test_what_is_not_all_numbers_is_categories(column):
    column = pd.concat([column[1]] * 20, ignore_index=True)
    assert set(np.round(encoded(column).std(axis=0), 3)) == {1}
    assert encoded(column).shape[1] == len({str(value) for value in column})


DATES = {
    "datetime64": pd.Series(pd.date_range("2024-01-01", periods=N)),
    "with a time zone": pd.Series(pd.date_range("2024-01-01", periods=N, tz="Europe/Berlin")),
    "period": pd.Series(pd.period_range("2024-01", periods=N, freq="M")),
    "timedelta": pd.Series(pd.timedelta_range("1h", periods=N)),
    "datetime objects": pd.Series([datetime.datetime(2024, 1, 1)] * N, dtype=object),
    "date objects, some missing": pd.Series([datetime.date(2024, 1, 1), None, "?"] * 40, dtype=object),
    "times of day": pd.Series([datetime.time(12, 30)] * N, dtype=object),
    "text": pd.Series(["2024-01-01", "2024-02-29 12:00"] * 60),
    "text with time zones, some missing": pd.Series(["2024-01-01T10:00:00Z", "2024-01-01T10:00:00+02:00", "?"] * 40),
}


@pytest.mark.parametrize("kind", DATES)
def test_dates_are_refused_by_name(kind):
    frame = pd.DataFrame({"x": np.arange(N), "bought at": DATES[kind]})
    with pytest.raises(ValueError, match=r"dates or times in column 'bought at': derive .* hour, the weekday or the"):
        AnomalyDetector(**QUICK).fit(frame)


def test_text_that_only_looks_like_dates_is_categories():
    assert encoded(["1234-56", "2024-13"] * 20).shape == (40, 2)


def test_identifiers_and_free_text_are_refused_by_name():
    names = [f"customer {number}" for number in range(150)]
    frame = pd.DataFrame({"x": np.arange(200), "who": names + names[:50]})
    message = r"free text in column 'who', 150 different values in 200 rows, such as 'customer 0': drop it"
    with pytest.raises(ValueError, match=message):
        AnomalyDetector(**QUICK).fit(frame)
    AnomalyDetector(**QUICK).fit(frame.astype({"who": "category"}))  # whoever means it can say so
    AnomalyDetector(**QUICK).fit(pd.concat([frame, frame]))
    AnomalyDetector(**QUICK).fit(frame.head(100))


def test_a_word_among_many_numbers_is_named():
    frame = pd.DataFrame({"x": np.arange(200), "size": [*map(str, range(199)), "large"]})
    with pytest.raises(ValueError, match=r"column 'size', 200 different values in 200 rows, such as 'large'"):
        AnomalyDetector(**QUICK).fit(frame)


def test_the_training_decides_what_a_column_is():
    frame = table().assign(amount=lambda rows: rows["amount"].astype(str))
    detector, rows = AnomalyDetector(**QUICK).fit(frame), table(20, seed=1)
    expected = detector.score_samples(rows)
    for amount in (
        rows["amount"].astype(str),
        rows["amount"].astype(object),
        rows["amount"].astype("category"),
        rows["amount"].astype("Float64"),
    ):
        np.testing.assert_allclose(detector.score_samples(rows.assign(amount=amount)), expected, rtol=1e-6)
    np.testing.assert_array_equal(
        detector.score_samples(rows.assign(amount="?")), detector.score_samples(rows.assign(amount=np.nan))
    )
    np.testing.assert_array_equal(
        detector.score_samples(rows.assign(country="12")), detector.score_samples(rows.assign(country=12))
    )


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("twelve", r"numbers in column 'amount', as in training, got 'twelve'"),
        (True, r"numbers in column 'amount', as in training, got True"),
        (pd.Timestamp("2024-01-01"), r"numbers in column 'amount', as in training, got Timestamp"),
        (2j, r"numbers in column 'amount', as in training, got .*2j"),
        (np.inf, r"infinite numbers in column 'amount'"),
        ("-inf", r"infinite numbers in column 'amount'"),
    ],
)
@pytest.mark.parametrize("as_objects", [False, True])
def test_what_is_no_number_later_is_refused_by_name(value, message, as_objects):
    detector, rows = AnomalyDetector(**QUICK).fit(table()), table(3, seed=1)
    column = pd.Series([rows["amount"][0], value, None], dtype=object) if as_objects else value
    with pytest.raises(ValueError, match=message):
        detector.predict(rows.assign(amount=column))


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (np.array([1j] * N), "complex numbers in column 'c'"),
        (pd.Series([1j, 2.0] * 60, dtype=object), "complex numbers in column 'c'"),
        (np.array([np.inf] + [1.0] * (N - 1)), "infinite numbers in column 'c'"),
        (["inf", "1"] * 60, "infinite numbers in column 'c'"),
    ],
)
def test_numbers_that_are_none_are_refused_by_name(column, message):
    with pytest.raises(ValueError, match=message):
        AnomalyDetector(**QUICK).fit(pd.DataFrame({"x": np.arange(N), "c": column}))


@pytest.mark.parametrize("nothing", [None, np.nan, pd.NA, "?", pd.NaT], ids=repr)
def test_a_column_without_a_value(nothing):
    frame = pd.DataFrame({"x": np.random.default_rng(0).normal(size=N), "c": pd.Series([nothing] * N, dtype=object)})
    detector = AnomalyDetector(**QUICK).fit(frame)
    assert np.isfinite(detector.score_samples(frame)).all()
    for value in ("a", 12):
        assert (detector.score_samples(frame.assign(c=value)) < detector.score_samples(frame) - 5).all()


def test_an_array_of_objects_is_a_table():
    """As `frame.to_numpy()` makes it: the same rows as those of the data frame, missing values and all."""
    frame, rows = table(), table(20, seed=1)
    rows.loc[3, ["amount", "country", "items"]] = None
    named = AnomalyDetector(**QUICK).fit(frame)
    with pytest.warns(UserWarning, match="valid feature names"):
        np.testing.assert_array_equal(named.score_samples(rows.to_numpy()), named.score_samples(rows))
    objects = AnomalyDetector(**QUICK).fit(frame.to_numpy())
    assert np.isfinite(objects.score_samples(rows.to_numpy())).all()
    x = numbers().astype(object)
    x[5, 0], x[6, 1], x[:, 2] = None, pd.NA, None
    assert np.isfinite(AnomalyDetector(**QUICK).fit(x).score_samples(x)).all()


class OtherFrame:
    """What libraries other than pandas call a data frame."""

    def to_pandas(self):
        return table()


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (sparse.csr_matrix(numbers()), r"must be a pandas data frame .* got scipy.* hand X.toarray\(\) over"),
        (sparse.coo_array(numbers()), r"must be a pandas data frame .* got scipy.* hand X.toarray\(\) over"),
        (OtherFrame(), r"must be a pandas data frame .* hand X.to_pandas\(\) over"),
        (numbers().astype(str), "array of numbers or objects, got dtype <U"),
        (np.array([["2024-01-01"]] * 9, "datetime64[D]"), "array of numbers or objects, got dtype datetime64"),
        (table().set_axis(list("abcdefa"), axis=1), "a name of its own for each column, got 'a' more than once"),
        (pd.DataFrame(numbers(), columns=[1, "b", 2, 3]), "must be a data frame or an array"),
        (pd.DataFrame(numbers(), columns=pd.Index([1, 1, 2, 3])), "a name of its own for each column, got '1' more"),
    ],
    ids=["sparse", "sparse array", "another frame", "text", "dates", "same names", "mixed names", "twice 1"],
)
def test_other_containers_are_refused(x, message):
    with pytest.raises(ValueError, match=message):
        AnomalyDetector(**QUICK).fit(x)


def test_columns_in_another_order_are_an_error():
    frame = table()
    detector = AnomalyDetector(**QUICK).fit(frame)
    for method in (detector.score_samples, detector.predict):
        with pytest.raises(ValueError, match="must be in the same order as they were in fit"):
            method(frame[frame.columns[::-1]])


def test_what_a_column_is_survives_saving(tmp_path):
    frame = table().assign(amount=lambda rows: rows["amount"].astype(str), note=["-", "urgent"] * 100)
    detector = AnomalyDetector(**QUICK).fit(frame)
    detector.save(tmp_path / "detector.npz")
    loaded = AnomalyDetector.load(tmp_path / "detector.npz")
    for rows in (frame, frame.assign(amount="?", note="-"), frame.assign(note="new")):
        np.testing.assert_array_equal(loaded.score_samples(rows), detector.score_samples(rows))
