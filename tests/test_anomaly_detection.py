"""The detector for tables, on the backend of this process."""

import time

import keras
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from dlarch_keras import AnomalyDetector, Autoencoder
from dlarch_keras.anomaly_detection.preparation import TablePreparation
from dlarch_keras.anomaly_detection.rows import REFERENCES, ROWS
from tests.support.bad_input import bad_arrays
from tests.support.tables import COMPILE, QUICK, eager, numbers, table  # noqa: F401, the fixture acts by itself

THRESHOLD = "the threshold comes from held-back rows, so that the share of alerts among training rows is another"


@pytest.fixture
def compiled(monkeypatch):
    monkeypatch.setattr(Autoencoder, "compile", COMPILE)


@pytest.fixture(scope="module")
def fitted():
    return AnomalyDetector(**QUICK).fit(table())


@parametrize_with_checks(
    [AnomalyDetector(steps=1, hidden_units=(4,), batch_size=8)],
    expected_failed_checks=lambda _: {"check_outliers_train": THRESHOLD, "check_outliers_fit_predict": THRESHOLD},
)
def test_scikit_learn_accepts_it(estimator, check):
    check(estimator)


def test_the_encoding_by_hand():
    """0 … 4: median 2, interquartile range 2, so asinh(±.0674 or ±.1349), divided by the root of their mean square."""
    frame = pd.DataFrame({"x": [0.0, 1, 2, 3, 4], "c": ["b", "b", "a", "a", "a"], "k": 7})
    preparation = TablePreparation().fit(frame)
    expected = np.arcsinh(0.67448975 / 10 * np.array([-2, -1, 0, 1, 2]))
    encoded = preparation.transform(frame)
    assert encoded.dtype == "float32"
    np.testing.assert_array_equal(preparation.owners, [0, 1, 1])
    np.testing.assert_allclose(encoded[:, 0], expected / np.sqrt(np.mean(expected**2)), atol=1e-6)
    # Two of five: (1 - .4) / sqrt(.4 * .6) = sqrt(1.5)
    np.testing.assert_allclose(encoded[:, 2], np.sqrt([1.5, 1.5, 2 / 3, 2 / 3, 2 / 3]) * [1, 1, -1, -1, -1], atol=1e-6)
    np.testing.assert_allclose(encoded[:, 1], -encoded[:, 2], atol=1e-6)
    _, new = preparation.inspect(pd.DataFrame({"x": [9.0, np.nan, 2], "c": ["z", None, "a"], "k": [7, 8, np.nan]}))
    np.testing.assert_array_equal(new, [[False, True, False], [True, True, True], [False, False, True]])


def test_columns_of_every_odd_kind():
    lacking = np.array([np.nan, 1, 2, 3, 4, np.nan])
    frame = pd.DataFrame(
        {
            "no interquartile range": [0.0, 0, 0, 0, 0, 6],
            "lacking": lacking,
            "constant or lacking": np.where(np.isnan(lacking), np.nan, 5),
            "never there": np.nan,
            "none": [None, "a", "a", "a", "b", None],
        }
    )
    preparation = TablePreparation().fit(frame)
    encoded, new = preparation.inspect(frame)
    np.testing.assert_array_equal(preparation.owners, [0, 1, 1, 2, 4, 4, 4])
    np.testing.assert_allclose(encoded.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(encoded.std(axis=0), 1, rtol=1e-6)
    np.testing.assert_array_equal(encoded[[0, 5], 1], encoded[[0, 5], 1].mean())
    assert not new.any()
    other = pd.DataFrame([[np.nan, 9.0, 6.0, 0.0, "c"]], columns=frame.columns)
    np.testing.assert_array_equal(preparation.inspect(other)[1], [[True, False, True, True, True]])


def test_rare_categories_share_an_encoding_and_are_not_new():
    frame = pd.DataFrame({"c": [f"shop {number}" for number in range(150) for _ in range(1 + 2 * (number < 100))]})
    preparation = TablePreparation().fit(frame)
    encoded, new = preparation.inspect(frame.tail(50))
    assert encoded.shape == (50, 100)
    assert (encoded == encoded[0]).all()
    assert not new.any()


def test_sums_of_explanations_are_the_scores(fitted):
    frame = table(seed=1)
    contributions = fitted.explain(frame)
    assert list(contributions.columns) == list(frame.columns)
    assert contributions.index.equals(frame.index)
    assert (contributions >= 0).all(axis=None)
    np.testing.assert_array_equal(contributions.to_numpy().sum(axis=1), -fitted.score_samples(frame))
    x = numbers()
    detector = AnomalyDetector(**QUICK).fit(x)
    np.testing.assert_array_equal(detector.explain(x).sum(axis=1), -detector.score_samples(x))


def test_the_score_by_hand():
    """A network that halves the first column and returns a quarter of it as the second, and three references."""
    detector = AnomalyDetector(**QUICK | {"latent_dim": 1, "hidden_units": (), "neighbours": 2}).fit(numbers(columns=2))
    detector.autoencoder_.set_weights([np.array(weights) for weights in ([[1], [0]], [0], [[0.5, 0.25]], [0, 0])])
    detector.residual_scale_, detector.typical_ = np.array([0.25, 2.0]), np.array([2.0, 0.5])
    detector.references_ = np.array([[0, 0], [3, 4], [2, 0.5]], "float32")
    values = np.array([[2.0, 0.5], [0.0, -3.0]], "float32")
    detector.preparation_.inspect = lambda frame: (values, np.zeros((2, 2), bool))
    # Row 1: residuals 1 / .25 = 4 > 2 and 0 / 2 < .5. Row 2: residuals 0 and -3 / 2, within -3.
    surprise = np.log([[17, 1.25], [1, 10]])
    # Nearest to either are the first and the last reference, at 4.25 and 0, and 9 and 16.25.
    squares = np.array([[(4 + 0) / 2, (0.25 + 0) / 2], [(0 + 4) / 2, (9 + 12.25) / 2]])
    expected = surprise / 2 + squares / np.sqrt([[2.125], [12.625]]) / 0.5
    np.testing.assert_allclose(detector.explain(np.zeros((2, 2))), expected, rtol=1e-6)
    scores = [np.log(17 * 1.25) / 2 + np.sqrt(2.125) / 0.5, np.log(10) / 2 + np.sqrt(12.625) / 0.5]
    np.testing.assert_allclose(-detector.score_samples(np.zeros((2, 2))), scores, rtol=1e-6)


def test_a_typical_row_scores_minus_two(compiled):
    x = numbers(1000)
    scores = AnomalyDetector(steps=100, trim=0.0, random_state=0).fit(x).score_samples(x)
    assert scores.mean() == pytest.approx(-2, abs=0.1)


def correlated(n, seed):
    """Ten columns that follow three hidden ones."""
    weights = np.random.default_rng(99).normal(size=(3, 10))
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, 3)) @ weights + 0.2 * rng.normal(size=(n, 10))


def shifted(rows, rng):
    columns = rng.integers(0, 10, (len(rows), 1))
    return rows + 4 * rows.std(axis=0) * (np.arange(10) == columns), columns


def swapped(rows, rng):
    """Two columns are another row's: each value ordinary, and together they do not fit."""
    columns = np.array([rng.permutation(10)[:2] for _ in rows])
    planted = (columns[:, :, None] == np.arange(10)).any(axis=1)
    return np.where(planted, rows[rng.permutation(len(rows))], rows), columns


@pytest.mark.parametrize("plant", [shifted, swapped])
def test_the_planted_column_is_among_the_first_two(compiled, plant):
    detector = AnomalyDetector(random_state=0).fit(correlated(5000, seed=0))
    rows, columns = plant(correlated(2000, seed=1), np.random.default_rng(2))
    alerts = detector.predict(rows) == -1
    assert alerts.mean() > 0.3
    first_two = np.argsort(-detector.explain(rows[alerts]), axis=1)[:, :2]
    hits = (first_two[:, :, None] == columns[alerts][:, None]).any(axis=(1, 2))
    assert hits.mean() >= 0.9


def test_a_budget_holds_on_later_rows(compiled):
    """Where 20 of 1,000 rows are alerts, 20 ± 2.6 √(2 · 20) of the next 1,000 are, 99 times in 100."""
    detector = AnomalyDetector(steps=100, random_state=0).fit(correlated(2000, seed=0))
    for seed in range(1, 6):
        detector.calibrate(correlated(1000, seed=seed), budget=20)
        assert 4 <= np.sum(detector.predict(correlated(1000, seed=100 + seed)) == -1) <= 36


def test_rows_between_two_groups_are_found(compiled):
    """An autoencoder copies what lies between; the neighbours do not know it."""
    rng = np.random.default_rng(0)
    groups = rng.choice([-2.0, 2.0], (2000, 1)) + 0.2 * rng.normal(size=(2000, 4))
    detector = AnomalyDetector(random_state=0).fit(groups)
    between = 0.2 * rng.normal(size=(200, 4))
    assert np.mean(detector.predict(between) == -1) > 0.9
    surprises, squares = detector._oddities(detector.preparation_.transform(pd.DataFrame(between)))
    assert surprises.sum(axis=1).mean() < 1.5 * detector.typical_[0]
    assert np.sqrt(squares.sum(axis=1)).mean() > 4 * detector.typical_[1]


def test_anomalies_are_found_and_explained(compiled):
    """A value that is extreme by itself, and two that are ordinary but do not go together."""

    def rows(n, seed):
        x = np.random.default_rng(seed).normal(size=(n, 3))
        x[:, 2] = x[:, 0] + 0.1 * x[:, 2]
        return x

    detector = AnomalyDetector(noise=0.3, random_state=0).fit(rows(2000, seed=0))
    normal, extreme, apart = (rows(500, seed=1) for _ in range(3))
    assert np.mean(detector.predict(normal) == -1) < 0.12
    extreme[:, 1] = 6
    apart[:, [0, 2]] = [-1.2, 1.2]
    for anomalies, columns in ((extreme, [1]), (apart, [0, 2])):
        assert np.mean(detector.predict(anomalies) == -1) > 0.7
        assert np.mean(np.isin(detector.explain(anomalies).argmax(axis=1), columns)) > 0.8


def test_held_back_rows_set_the_threshold():
    detector = AnomalyDetector(**QUICK, contamination=0.2).fit(numbers(2000))
    assert 0.12 < np.mean(detector.predict(numbers(2000, seed=1)) == -1) < 0.28
    assert detector.offset_ > detector.score_samples(numbers(2000)).min()


@pytest.mark.parametrize(("budget", "alerts"), [(0, 0), (7, 7), (100, 100), (0.0, 0), (0.25, 25), (1.0, 100)])
def test_calibrating_to_a_budget(fitted, budget, alerts):
    rows = table(100, seed=2)
    assert fitted.calibrate(rows, budget) is fitted
    assert np.sum(fitted.predict(rows) == -1) == alerts


def test_ties_at_the_threshold_raise_no_alert(fitted):
    same = pd.concat([table(1, seed=2)] * 10)
    assert np.sum(fitted.calibrate(same, 3).predict(same) == -1) == 0


@pytest.mark.parametrize("budget", [-1, 101, 1.5, -0.1, np.nan, None, "7", [7]])
def test_bad_budgets_are_refused(fitted, budget):
    with pytest.raises(ValueError, match=r"'budget' parameter .* must be"):
        fitted.calibrate(table(100, seed=2), budget)


def test_what_is_new_raises_the_score_of_its_column(compiled):
    fitted = AnomalyDetector(steps=300, random_state=0).fit(table(1000))
    row = table(1, seed=3)
    before = fitted.explain(row)
    for column, value in [
        ("country", "XX"),
        ("country", None),
        ("online", None),
        ("weekday", 9),
        ("version", 4),
        ("version", np.nan),
        ("amount", np.nan),
        ("amount", 1e6),
        ("items", np.nan),
    ]:
        changed = row.astype(object).assign(**{column: [value]})
        changed = changed.astype(dict.fromkeys(("amount", "version", "age", "items"), "float64"))
        after = fitted.explain(changed)
        assert after.loc[0, column] > before.loc[0, column] + 1, column
        assert fitted.score_samples(changed)[0] < fitted.score_samples(row)[0], column
    absent = row.assign(age=[np.nan])  # training rows lack it too
    assert fitted.explain(absent).loc[0, "age"] < before.loc[0, "age"] + 3


def test_categories_are_compared_as_text(fitted):
    row = table(5, seed=3)
    for weekday in (row["weekday"].astype(int).astype("str"), row["weekday"].astype(object)):
        same = row.assign(weekday=weekday)
        np.testing.assert_array_equal(fitted.score_samples(same), fitted.score_samples(row))


@pytest.mark.parametrize(
    "change",
    {
        "reordered": lambda frame: frame[frame.columns[::-1]],
        "one less": lambda frame: frame.drop(columns="age"),
        "one more": lambda frame: frame.assign(more=1),
        "renamed": lambda frame: frame.rename(columns={"age": "years"}),
        "text for numbers": lambda frame: frame.assign(amount="twelve"),
        "infinity": lambda frame: frame.assign(amount=np.inf),
        "dates": lambda frame: frame.assign(amount=pd.Timestamp("2020-01-01")),
        "complex": lambda frame: frame.assign(amount=1j),
        "empty": lambda frame: frame.iloc[:0],
        "no columns": lambda frame: frame[[]],
        "a column": lambda frame: frame["amount"],
        "None": lambda frame: None,
    }.items(),
    ids=lambda item: item[0],
)
@pytest.mark.parametrize("method", ["score_samples", "decision_function", "predict", "explain", "calibrate"])
@pytest.mark.filterwarnings("ignore:X does not have valid feature names")  # scikit-learn's, before our error
def test_other_tables_are_refused(fitted, method, change):
    arguments = (0.1,) if method == "calibrate" else ()
    with pytest.raises(ValueError):
        getattr(fitted, method)(change[1](table()), *arguments)


# A table may hold integers and booleans, numbers written as objects, and missing values.
ALLOWED = {"integers", "booleans", "objects", "NaN"}
BAD = {kind: value for kind, value in bad_arrays(numbers(20), bounded=False).items() if kind not in ALLOWED}
BAD["labels"] = np.zeros(20, int)


@pytest.mark.parametrize("kind", BAD)
@pytest.mark.parametrize("method", ["score_samples", "decision_function", "predict", "explain", "calibrate"])
def test_bad_arrays_are_refused(on_numbers, method, kind):
    arguments = (0.1,) if method == "calibrate" else ()
    with pytest.raises(ValueError):
        getattr(on_numbers, method)(BAD[kind], *arguments)


@pytest.mark.parametrize("kind", sorted(set(BAD) - {"shape"}))  # another width is another table
def test_bad_arrays_are_not_trained_on(on_numbers, kind):
    with pytest.raises(ValueError):
        clone(on_numbers).fit(BAD[kind])


@pytest.fixture(scope="module")
def on_numbers():
    return AnomalyDetector(**QUICK).fit(numbers())


def test_what_cannot_be_learned_from_is_refused():
    with pytest.raises(ValueError, match="at least 2 rows"):
        AnomalyDetector(**QUICK).fit(numbers(1))
    with pytest.raises(ValueError, match="a column that varies"):
        AnomalyDetector(**QUICK).fit(np.ones((50, 3)))
    with pytest.raises(ValueError, match="a column that varies"):
        AnomalyDetector(**QUICK).fit(table(1).loc[[0] * 50])


def test_few_rows_suffice():
    """Fewer than the code is long; what comes out is a score, if hardly a good one."""
    x = numbers(3, columns=20)
    assert np.isfinite(AnomalyDetector(**QUICK).fit(x).score_samples(x)).all()
    assert np.isfinite(AnomalyDetector(**QUICK).fit(x[:, :1]).score_samples(x[:1, :1])).all()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("latent_dim", 0),
        ("latent_dim", 1.5),
        ("hidden_units", (0,)),
        ("hidden_units", (8, 2.5)),
        ("hidden_units", 64),
        ("noise", 0.0),
        ("noise", "much"),
        ("trim", 1.0),
        ("trim", None),
        ("neighbours", 0),
        ("neighbours", 2.5),
        ("contamination", 0.0),
        ("contamination", 0.6),
        ("validation_fraction", 0.0),
        ("validation_fraction", 1.0),
        ("steps", 0),
        ("steps", None),
        ("batch_size", 2.5),
        ("learning_rate", np.nan),
        ("random_state", "seed"),
    ],
)
def test_bad_arguments_are_refused(name, value):
    with pytest.raises(ValueError, match=f"[`']{name}[`'].* must be"):
        AnomalyDetector(**QUICK | {name: value}).fit(numbers())


def test_the_same_random_state_gives_the_same_scores_and_nobody_elses_is_touched(compiled):
    x = numbers()
    state = np.random.get_state()[1].copy()
    first, second, third = (AnomalyDetector(**QUICK | {"random_state": seed}).fit(x) for seed in (0, 0, 1))
    assert np.array_equal(state, np.random.get_state()[1])
    np.testing.assert_array_equal(first.score_samples(x), second.score_samples(x))
    np.testing.assert_array_equal(first.score_samples(x), first.score_samples(x))
    assert not np.array_equal(first.score_samples(x), third.score_samples(x))


def test_scores_do_not_depend_on_the_other_rows(on_numbers):
    x = numbers(ROWS + 300)
    scores = on_numbers.score_samples(x)
    order = np.random.default_rng(0).permutation(len(x))
    np.testing.assert_array_equal(on_numbers.score_samples(x[order]), scores[order])
    for row in (0, 17, ROWS, len(x) - 1):
        np.testing.assert_array_equal(on_numbers.score_samples(x[row : row + 1]), scores[row : row + 1])
    np.testing.assert_allclose(on_numbers.score_samples(x.astype("float32")), scores, rtol=1e-4)


def test_gross_outliers_among_the_training_rows(compiled):
    """A tenth of the rows are far off in one cluster: trimming keeps the network from learning them."""
    rng = np.random.default_rng(0)
    outliers = np.array([4.0, -4.0, 4.0, -4.0]) + 0.1 * rng.normal(size=(100, 4))
    x = np.concatenate([numbers(900), outliers])
    arguments = {"steps": 400, "hidden_units": (32,), "noise": 0.3, "random_state": 0}
    areas = {}
    for trim in (0.0, 0.2):
        scores = AnomalyDetector(**arguments, trim=trim).fit(x).score_samples(x)
        areas[trim] = roc_auc_score(np.repeat([0, 1], [900, 100]), -scores)
    assert areas[0.2] > 0.95
    assert areas[0.2] > areas[0.0]


def test_saved_and_loaded(fitted, tmp_path):
    fitted.save(tmp_path / "detector")
    loaded = AnomalyDetector.load(tmp_path / "detector")
    frame = table(seed=1).assign(country="XX")
    np.testing.assert_array_equal(loaded.score_samples(frame), fitted.score_samples(frame))
    np.testing.assert_array_equal(loaded.predict(frame), fitted.predict(frame))
    assert loaded.get_params() == fitted.get_params()
    with pytest.raises(ValueError, match="feature names"):
        loaded.predict(frame[frame.columns[::-1]])
    odd = AnomalyDetector(**QUICK | {"random_state": np.random.RandomState(0), "latent_dim": np.int64(2)}).fit(
        numbers()
    )
    odd.save(tmp_path / "odd.npz")
    assert np.array_equal(
        AnomalyDetector.load(tmp_path / "odd.npz").score_samples(numbers()), odd.score_samples(numbers())
    )


def test_other_files_are_refused(fitted, tmp_path):
    """`test_archive.py` has every kind of damage."""
    path = tmp_path / "detector.npz"
    fitted.save(path)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ValueError, match=r"`path` must be a file written by AnomalyDetector.save"):
        AnomalyDetector.load(path)
    with pytest.raises(FileNotFoundError):
        AnomalyDetector.load(tmp_path / "nothing.npz")


def test_in_a_pipeline_and_a_grid_search():
    x, y = numbers(60), np.repeat([1, -1], [54, 6])
    x[54:] += 8
    pipeline = make_pipeline(StandardScaler(), AnomalyDetector(**QUICK)).fit(x)
    assert pipeline.score_samples(x).shape == (60,)
    search = GridSearchCV(
        AnomalyDetector(**QUICK), {"trim": [0.0, 0.2]}, scoring="roc_auc", cv=2, error_score="raise", refit=False
    )
    order = np.random.default_rng(0).permutation(60)
    search.fit(x[order], y[order])
    assert search.best_score_ > 0.8


def test_the_trained_autoencoder_is_a_keras_model(fitted):
    assert isinstance(fitted.autoencoder_, Autoencoder)
    assert isinstance(fitted.autoencoder_.encoder, keras.Model)


@pytest.mark.parametrize("names", [[0, 1, 2], [2019, 2020, 2021]], ids=str)
def test_columns_whose_names_are_not_text_keep_their_order(names):
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(60, 3)), columns=names)
    detector = AnomalyDetector(**QUICK).fit(frame)
    for other in (frame[names[::-1]], frame.set_axis([n + 1 for n in names], axis=1)):
        with pytest.raises(ValueError, match="`X` must have the columns"):
            detector.score_samples(other)
    detector.score_samples(frame.to_numpy())  # rows without names are taken as they are


def test_whole_numbers_are_one_category_whatever_their_dtype():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.normal(size=60), "code": pd.Series(rng.integers(1, 4, 60)).astype("category")})
    detector = AnomalyDetector(**QUICK).fit(frame)
    as_floats = frame.assign(code=frame["code"].astype("float64").astype("category"))
    np.testing.assert_array_equal(detector.score_samples(frame), detector.score_samples(as_floats))


def test_training_that_diverges_is_an_error():
    rows = np.random.default_rng(0).normal(size=(60, 3))
    with pytest.raises(ValueError, match="`learning_rate` and `noise` must be small enough"):
        AnomalyDetector(**QUICK, noise=1e30).fit(rows)


PRECISIONS = ["float16", "mixed_float16", "mixed_bfloat16", "float64", "set_floatx float16", "set_floatx float64"]


@pytest.mark.parametrize("precision", PRECISIONS)
def test_scores_are_those_of_single_precision_under_any_policy(precision, on_numbers):
    kind, _, dtype = precision.rpartition(" ")
    (keras.config.set_floatx if kind else keras.config.set_dtype_policy)(dtype)
    policy = keras.config.dtype_policy().name
    try:
        detector = clone(on_numbers).fit(numbers())
        np.testing.assert_array_equal(detector.score_samples(numbers()), on_numbers.score_samples(numbers()))
        assert keras.config.dtype_policy().name == policy
        assert not kind or keras.config.floatx() == dtype
    finally:
        keras.config.set_floatx("float32")


def test_scores_that_are_not_numbers_are_no_decision():
    detector = AnomalyDetector(**QUICK).fit(numbers())
    detector.autoencoder_.set_weights([weights * np.nan for weights in detector.autoencoder_.get_weights()])
    with pytest.raises(ValueError, match="`X` must have scores to decide by, got NaN for 200 of 200"):
        detector.predict(numbers())
    with pytest.raises(ValueError, match="`X` must have scores"):
        detector.calibrate(numbers(), 3)


def test_a_warm_start_continues(compiled):
    """What was learned from the first rows is still there after a step on others; the encoding is the same."""
    x, arguments = numbers(1000), {"noise": 0.3, "batch_size": 64, "random_state": 0, "trim": 0.0}
    detector = AnomalyDetector(**arguments, steps=300).fit(x)
    weights, preparation = detector.autoencoder_.get_weights(), detector.preparation_
    detector.set_params(warm_start=True, steps=1, learning_rate=1e-6).fit(x[:500] + 0.1)
    assert detector.preparation_ is preparation
    for before, after in zip(weights, detector.autoencoder_.get_weights()):
        np.testing.assert_allclose(after, before, atol=1e-5)
        assert not np.array_equal(after, before)
    assert 0.02 < np.mean(detector.predict(x) == -1) < 0.12
    before = detector.preparation_.transform(pd.DataFrame(x))
    known = (detector.references_[:, None] == before).all(axis=2).any(axis=1)  # the others are of the second fit
    assert len(known) == REFERENCES and 0.4 < known.mean() < 0.6
    shifted = np.abs(x) * 5
    assert np.mean(detector.predict(shifted) == -1) > 0.5
    assert np.mean(detector.fit(shifted).predict(shifted) == -1) < 0.12


def test_a_warm_start_is_a_start_at_first(on_numbers):
    warm = AnomalyDetector(**QUICK, warm_start=True)
    np.testing.assert_array_equal(
        warm.fit(numbers()).score_samples(numbers()),
        AnomalyDetector(**QUICK).fit(numbers()).score_samples(numbers()),
    )


@pytest.mark.parametrize(
    "change",
    [
        lambda frame: frame.drop(columns="age"),
        lambda frame: frame.rename(columns={"age": "years"}),
        lambda frame: frame[frame.columns[::-1]],
        lambda frame: frame.assign(age="old"),
        lambda frame: frame.head(1),
    ],
    ids=["one less", "renamed", "reordered", "text for numbers", "one row"],
)
def test_a_warm_start_on_other_columns_is_an_error_and_changes_nothing(change):
    detector = AnomalyDetector(**QUICK, warm_start=True).fit(table())
    scores = detector.decision_function(table())
    with pytest.raises(ValueError):
        detector.fit(change(table()))
    np.testing.assert_array_equal(detector.decision_function(table()), scores)


def test_a_warm_start_after_loading(tmp_path):
    detector = AnomalyDetector(**QUICK, warm_start=True).fit(table())
    detector.save(tmp_path / "detector.npz")
    loaded = AnomalyDetector.load(tmp_path / "detector.npz")
    assert loaded.warm_start
    new = table(seed=1)
    np.testing.assert_allclose(loaded.fit(new).score_samples(new), detector.fit(new).score_samples(new), rtol=1e-4)


@pytest.mark.parametrize("columns", [1, 3, 17, 130])
def test_a_row_scores_the_same_alone_and_anywhere(columns):
    """Bit by bit: with missing values and categories, in a data frame of any order."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({f"n{i}": rng.normal(size=700) for i in range(columns)} | {"c": rng.choice(list("abc"), 700)})
    frame = frame.mask(rng.random(frame.shape) < 0.1)
    detector = AnomalyDetector(**QUICK).fit(frame)
    scores, order = detector.score_samples(frame), rng.permutation(700)
    np.testing.assert_array_equal(detector.score_samples(frame.iloc[order]), scores[order])
    for row in range(0, 700, 13):
        np.testing.assert_array_equal(detector.score_samples(frame.iloc[row : row + 1]), scores[row])


def test_a_row_is_scored_at_once():
    """Milliseconds of this process's time; padded to a block of rows it took 90, at 100 columns."""
    x = numbers(300, columns=100)
    detector = AnomalyDetector(**QUICK).fit(x)
    times = []
    for row in range(20):
        start = time.process_time()
        detector.score_samples(x[row : row + 1])
        times.append(time.process_time() - start)
    assert np.median(times) < 0.02


def test_masked_numbers_are_missing(on_numbers):
    x = numbers(50)
    masked = np.ma.masked_greater(x, 1)
    np.testing.assert_array_equal(
        on_numbers.score_samples(masked), on_numbers.score_samples(np.where(x > 1, np.nan, x))
    )


def test_a_saved_detector_scores_the_same_under_another_dtype_policy(tmp_path):
    rows = np.random.default_rng(0).normal(size=(60, 3))
    detector = AnomalyDetector(**QUICK).fit(rows)
    detector.save(tmp_path / "detector.npz")
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        loaded = AnomalyDetector.load(tmp_path / "detector.npz")
    finally:
        keras.config.set_dtype_policy(policy)
    np.testing.assert_array_equal(loaded.score_samples(rows), detector.score_samples(rows))


def test_parameters_changed_since_the_fit_do_not_change_what_is_saved(tmp_path):
    rows = np.random.default_rng(0).normal(size=(60, 3))
    detector = AnomalyDetector(**QUICK, latent_dim=2).fit(rows).set_params(latent_dim=3)
    detector.save(tmp_path / "detector.npz")
    loaded = AnomalyDetector.load(tmp_path / "detector.npz")
    np.testing.assert_array_equal(loaded.score_samples(rows), detector.score_samples(rows))
    assert loaded.get_params() == detector.get_params()


@pytest.mark.parametrize("value", [1e200, 1.7e308, 1e-170])
def test_a_value_of_any_size_in_a_column_of_zeros(value):
    rows = np.zeros((60, 2))
    rows[:, 0] = np.random.default_rng(0).normal(size=60)
    rows[::7, 1] = value
    assert np.isfinite(AnomalyDetector(**QUICK).fit(rows).score_samples(rows)).all()


def test_a_fit_that_fails_leaves_no_detector_behind():
    rows = np.random.default_rng(0).normal(size=(60, 3))
    detector = AnomalyDetector(**QUICK).fit(rows)
    with pytest.raises(ValueError, match="`X` must have a column that varies"):
        detector.fit(np.ones((20, 5)))
    with pytest.raises(NotFittedError):
        detector.predict(rows)


def test_numpys_numbers_are_numbers():
    rows = np.random.default_rng(0).normal(size=(60, 3))
    for noise in (np.int64(1), np.float32(1.5)):
        AnomalyDetector(**QUICK, noise=noise).fit(rows)
