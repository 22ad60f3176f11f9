"""Precision at an alert budget and the cost of errors, against values worked by hand."""

import numpy as np
import pandas as pd
import pytest

from dlarch_keras.metrics.detection import alert_cost, alert_precision, card_precision, cost_curve

SCORES = np.array([0.9, 0.8, 0.1, 0.5, 0.7, 0.3])
LABELS = np.array([1, 0, 1, 0, 1, 1])
DAYS = np.array([0, 0, 0, 1, 1, 2])
AMOUNTS = np.array([100.0, 50.0, 30.0, 20.0, 10.0, 5.0])


# Precision at a budget


@pytest.mark.parametrize(
    ("budget", "expected"),
    [
        (1, (1 + 1 + 1) / 3),
        (2, (1 / 2 + 1 / 2 + 1) / 3),  # the third day has one row, so one alert
        (3, (2 / 3 + 1 / 2 + 1) / 3),
        (100, (2 / 3 + 1 / 2 + 1) / 3),
    ],
)
def test_alert_precision_worked_by_hand(budget, expected):
    assert alert_precision(SCORES, LABELS, DAYS, budget) == pytest.approx(expected)


def test_alert_precision_averages_over_days_and_not_over_alerts():
    days = np.array([0, 0, 0, 0, 0, 1])
    # day 0: .9, .8, .7 → labels 1, 0, 1; day 1: .3 → 1. Over all alerts it would be 3/4.
    assert alert_precision(SCORES, LABELS, days, 3) == pytest.approx((2 / 3 + 1) / 2)


@pytest.mark.parametrize(("labels", "expected"), [([1, 0, 0], 1.0), ([0, 1, 1], 0.0)])
def test_of_equal_scores_the_first_row_is_alerted(labels, expected):
    assert alert_precision(np.full(3, 0.5), labels, [0, 0, 0], 1) == expected
    assert card_precision(np.full(3, 0.5), labels, [0, 0, 0], [7, 3, 5], 1) == expected


@pytest.mark.parametrize(
    "days",
    [
        ["2024-01-01", "2024-01-01", "2024-01-01", "2024-01-02", "2024-01-02", "2024-01-03"],
        pd.to_datetime(["2024-01-01"] * 3 + ["2024-01-02"] * 2 + ["2024-01-03"]),
        pd.Series(pd.to_datetime(["2024-01-01 13:00"] * 3 + ["2024-01-02 01:00"] * 2 + ["2024-01-03 00:30"])).dt.floor(
            "D"
        ),
        pd.Series([5, 5, 5, 9, 9, 11], index=[3, 1, 4, 1, 5, 9]),
        DAYS.tolist(),
    ],
    ids=["strings", "dates", "floored times", "series with an index", "list"],
)
def test_days_of_any_kind(days):
    expected = alert_precision(SCORES, LABELS, DAYS, 2)
    assert alert_precision(SCORES, LABELS, days, 2) == expected
    assert alert_precision(pd.Series(SCORES), pd.Series(LABELS == 1), days, 2) == expected


CARD_DAYS = ["1", "1", "1", "1", "2", "2", "2", "3", "3", "3", "4"]
CARDS = ["A", "A", "B", "C", "A", "B", "C", "A", "B", "D", "A"]
CARD_SCORES = np.array([0.9, 0.2, 0.8, 0.1, 0.99, 0.5, 0.6, 0.9, 0.3, 0.2, 0.9])
CARD_LABELS = np.array([0, 1, 0, 1, 1, 0, 1, 1, 0, 1, 1])


def test_card_precision_worked_by_hand():
    # Budget 1. Day 1: A by its highest score, and it is compromised by its other payment: 1. Day 2: A is blocked, so C,
    # compromised: 1. Day 3: A and C are blocked, so B, which is not: 0. Day 4: only A, blocked: no day at all.
    assert card_precision(CARD_SCORES, CARD_LABELS, CARD_DAYS, CARDS, 1) == pytest.approx(2 / 3)
    # Budget 2. Day 1: A and B: 1/2. Day 2: C and B: 1/2. Day 3: B and D: 1/2.
    assert card_precision(CARD_SCORES, CARD_LABELS, CARD_DAYS, CARDS, 2) == pytest.approx(1 / 2)
    # Budget 3. Day 1: A, B, C: 2/3, and A and C are blocked. Day 2: only B is left: 0. Day 3: B and D: 1/2.
    assert card_precision(CARD_SCORES, CARD_LABELS, CARD_DAYS, CARDS, 3) == pytest.approx((2 / 3 + 0 + 1 / 2) / 3)


def test_card_precision_follows_the_days_and_not_the_rows():
    order = np.random.default_rng(0).permutation(len(CARDS))
    shuffled = (np.asarray(values)[order] for values in (CARD_SCORES, CARD_LABELS, CARD_DAYS, CARDS))
    assert card_precision(*shuffled, 1) == pytest.approx(2 / 3)


# Costs


def test_cost_curve_worked_by_hand():
    scores, labels = np.array([0.7, 0.9, 0.2, 0.7]), [0, 1, 1, 1]
    thresholds, costs = cost_curve(scores, labels, np.array([50.0, 100.0, 20.0, 30.0]), 10)
    assert thresholds.tolist() == [np.inf, 0.9, 0.7, 0.2]
    assert costs.tolist() == [150.0, 10 + 50.0, 30 + 20.0, 40 + 0.0]


def test_cost_curve_is_alert_cost_at_each_threshold():
    random = np.random.default_rng(0)
    scores = random.integers(0, 30, 200) / 30  # with ties
    labels, amounts = random.random(200) < 0.1, random.exponential(50, 200)
    thresholds, costs = cost_curve(scores, labels, amounts, 2.5)
    assert len(thresholds) == len(np.unique(scores)) + 1
    expected = [alert_cost(scores, labels, amounts, 2.5, threshold) for threshold in thresholds]
    np.testing.assert_allclose(costs, expected)
    assert costs[-1] == 2.5 * 200
    assert costs.min() < min(costs[0], costs[-1])


def test_between_two_scores_the_cost_is_that_of_the_upper_one():
    arguments = (SCORES, LABELS, AMOUNTS, 1.0)
    assert alert_cost(*arguments, 0.75) == alert_cost(*arguments, 0.8) == 2 + 30 + 10 + 5
    assert alert_cost(*arguments, 0.7) == 3 + 30 + 5
    assert alert_cost(*arguments, np.inf) == 100 + 30 + 10 + 5
    assert alert_cost(*arguments, -np.inf) == 6


def test_free_alerts_cost_nothing_at_the_lowest_threshold():
    _, costs = cost_curve(SCORES, LABELS, AMOUNTS, 0)
    assert costs[-1] == 0 and costs[0] == 145


# Bad input

FUNCTIONS = {
    "alert_precision": (alert_precision, {"days": DAYS, "budget": 2}),
    "card_precision": (card_precision, {"days": DAYS, "customers": DAYS, "budget": 2}),
    "alert_cost": (alert_cost, {"amounts": AMOUNTS, "cost_per_alert": 1.0, "threshold": 0.5}),
    "cost_curve": (cost_curve, {"amounts": AMOUNTS, "cost_per_alert": 1.0}),
}
NOT_GROUPS = {
    "None": None,
    "shorter": DAYS[:-1],
    "rank": DAYS[None],
    "floats": DAYS.astype(float),
    "missing": ["a", "a", None, "b", "b", "b"],
    "missing date": pd.to_datetime(["2024-01-01"] * 5 + [None]),
    "times of day": pd.date_range("2024-01-01", periods=6, freq="h"),
    "ragged": [[1], [1, 0]],
    "lists": np.array([[1], [2], [3], [4], [5], [[]]], dtype=object)[:, 0],
}


@pytest.mark.parametrize(
    ("function", "name"), [("alert_precision", "days"), ("card_precision", "days"), ("card_precision", "customers")]
)
@pytest.mark.parametrize("kind", NOT_GROUPS)
def test_bad_days_and_customers(function, name, kind):
    function, others = FUNCTIONS[function]
    with pytest.raises(ValueError, match=f"`{name}` must be 6 integers, strings or dates"):
        function(SCORES, LABELS, **(others | {name: NOT_GROUPS[kind]}))
