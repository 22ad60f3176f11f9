"""Error rates of verification against curves worked by hand."""

import warnings

import numpy as np
import pytest

from dlarch_keras.metrics.verification import (
    all_pairs,
    equal_error_rate,
    error_curve,
    error_rates,
    group_interval,
    threshold_at,
)

DISTANCES = np.array([0.1, 0.3, 0.5, 0.7, 0.4, 0.6, 0.8, 1.0])
DIFFERENT = np.array([0, 0, 0, 0, 1, 1, 1, 1])


@pytest.mark.parametrize(
    ("threshold", "acceptance", "rejection"),
    [
        (-1, 0, 1),
        (0.1, 0, 3 / 4),
        (0.39, 0, 2 / 4),
        (0.4, 1 / 4, 2 / 4),
        (0.5, 1 / 4, 1 / 4),
        (9, 1, 0),
        (np.inf, 1, 0),
    ],
)
def test_error_rates_by_hand(threshold, acceptance, rejection):
    """Accepted is what is at most the threshold apart: false for different pairs, right for the same."""
    assert error_rates(DISTANCES, DIFFERENT, threshold) == (acceptance, rejection)
    assert error_rates(DISTANCES, DIFFERENT == 1, threshold) == (acceptance, rejection)


def test_error_curve_by_hand():
    thresholds, acceptance, rejection = error_curve([0.2, 0.5, 0.5, 0.9], [0, 0, 1, 1])
    assert thresholds.tolist() == [-np.inf, 0.2, 0.5, 0.9]
    assert acceptance.tolist() == [0, 0, 0.5, 1]
    assert rejection.tolist() == [1, 0.5, 0, 0]


def test_error_curve_is_error_rates_at_each_threshold():
    random = np.random.default_rng(0)
    distances, different = random.integers(0, 30, 200) / 30, random.random(200) < 0.3  # with ties
    thresholds, acceptance, rejection = error_curve(distances, different)
    assert len(thresholds) == len(np.unique(distances)) + 1
    for row in zip(thresholds, acceptance, rejection):
        assert error_rates(distances, different, row[0]) == pytest.approx(row[1:])


@pytest.mark.parametrize(
    ("same", "different", "rate", "threshold"),
    [
        # Equal between .5 and .6, where a quarter of either kind is wrong: the threshold is half-way.
        ([0.1, 0.3, 0.5, 0.7], [0.4, 0.6, 0.8, 1.0], 1 / 4, 0.55),
        # Told apart without an error: the middle of the gap.
        ([0.1, 0.2], [0.6, 0.9, 0.7], 0, 0.4),
        # All the wrong way round: between .2 and .8 every different pair is accepted and no other.
        ([0.8, 0.9], [0.1, 0.2], 1, 0.5),
        # All alike: from (0, 1) to (1, 0) in one step, which crosses the diagonal in the middle.
        ([0.5, 0.5, 0.5], [0.5], 1 / 2, 0.5),
        # Rates (0, 1/3) below .4 and (1/2, 1/3) from .4 on: at the false rejection rate of both, 1/3.
        ([0.1, 0.2, 0.6], [0.4, 0.8], 1 / 3, 0.4),
        # Rates (1/3, 1/2) below .4, (1/3, 0) from .4 on: the false acceptance rate of both.
        ([0.1, 0.4], [0.3, 0.7, 0.8], 1 / 3, 0.4),
        # A tie of both kinds at .5: rates (0, 1/2) before, (1/2, 0) after; the line between them meets x = y at 1/4.
        ([0.1, 0.5], [0.5, 0.9], 1 / 4, 0.5),
        # A tie with a slope: rates (0, 2/3) before, (1/2, 0) after: t / 2 = 2/3 (1 - t), t = 4/7.
        ([0.1, 0.5, 0.5], [0.5, 0.9], 2 / 7, 0.5),
        ([0.0], [1e-3], 0, 5e-4),
    ],
)
def test_equal_error_rate_by_hand(same, different, rate, threshold):
    distances = np.array(same + different)
    labels = np.repeat([0, 1], [len(same), len(different)])
    assert equal_error_rate(distances, labels) == (pytest.approx(rate), pytest.approx(threshold))


def test_equal_error_rate_lies_between_the_rates_at_its_threshold():
    for seed in range(50):
        random = np.random.default_rng(seed)
        different = np.arange(30) < random.integers(1, 30)
        distances = (random.gamma(2 + different, size=30) * 10).round() / 10
        rate, threshold = equal_error_rate(distances, different)
        after, before = (error_rates(distances, different, threshold + step) for step in (0, -1e-9))
        if np.isclose(*after):
            assert rate == pytest.approx(after[0])
        else:  # they pass each other here
            assert max(before[0], after[1]) <= rate + 1e-12 and rate - 1e-12 <= min(before[1], after[0])


def test_equal_error_rate_of_two_normal_distributions():
    """Their means 2 sd apart: 1 - Φ(1) = .1587, half-way between them."""
    random = np.random.default_rng(0)
    distances = np.concatenate([random.normal(10, 1, 40_000), random.normal(12, 1, 10_000)])
    rate, threshold = equal_error_rate(distances, np.repeat([0, 1], [40_000, 10_000]))
    assert rate == pytest.approx(0.1587, abs=0.01)
    assert threshold == pytest.approx(11, abs=0.05)


def test_labels_the_wrong_way_round_give_the_complement():
    rate, _ = equal_error_rate(DISTANCES, DIFFERENT)
    other, _ = equal_error_rate(DISTANCES, 1 - DIFFERENT)
    assert other == pytest.approx(1 - rate)


def test_units_do_not_matter():
    rate, threshold = equal_error_rate(DISTANCES, DIFFERENT)
    scaled = equal_error_rate(1000 * DISTANCES, DIFFERENT)
    assert scaled == (pytest.approx(rate), pytest.approx(1000 * threshold))


@pytest.mark.parametrize(
    ("wanted", "threshold"),
    [(0.0, 0.35), (0.24, 0.35), (0.25, 0.55), (0.5, 0.75), (0.75, 0.9), (0.99, 0.9)],
)
def test_threshold_at_by_hand(wanted, threshold):
    """Half-way to the distance that would accept one different pair too many."""
    assert threshold_at(DISTANCES, DIFFERENT, wanted) == pytest.approx(threshold)
    assert error_rates(DISTANCES, DIFFERENT, threshold)[0] <= wanted


def test_threshold_at_which_nothing_is_accepted():
    assert threshold_at([0.2, 0.4, 0.3], [1, 0, 1], 0.0) == pytest.approx(0.1)


def test_all_pairs_by_hand():
    distances, different = all_pairs(np.array([[0.0, 0.0], [3.0, 4.0], [0.0, 1.0]]), np.array([7, 7, 5]))
    assert distances.tolist() == pytest.approx([5, 1, np.sqrt(18)])
    assert different.tolist() == [False, True, True]


# Intervals over groups


def test_group_interval_of_a_mean():
    """The mean of 50 group means with sd 1: ± 1.96 / √50; rows of one group say nothing new."""
    means = np.random.default_rng(0).normal(5, 1, 50)
    low, high = group_interval(lambda values: values.mean(), np.repeat(np.arange(50), 20), np.repeat(means, 20))
    assert low < means.mean() < high
    assert high - low == pytest.approx(2 * 1.96 * means.std() / np.sqrt(50), rel=0.15)


def test_group_interval_keeps_rows_together():
    groups = np.array(["b", "a", "b", "c", "a", "c"])

    def statistic(values, names):
        counts = [np.sum(names == name) for name in "abc"]
        assert all(count % 2 == 0 for count in counts) and sum(counts) == 6
        return values.mean()

    group_interval(statistic, groups, np.arange(6.0), groups, resamples=50)


def test_group_interval_repeats_and_widens_with_its_level():
    random = np.random.default_rng(0)
    writers = np.repeat(np.arange(12), 20)
    different = np.tile([0, 1], 120)
    distances = random.gamma(2 + 2 * different) + 0.3 * random.random(12)[writers]

    def interval(**arguments):
        return group_interval(
            lambda *pairs: equal_error_rate(*pairs)[0], writers, distances, different, resamples=200, **arguments
        )

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        low, high = interval(seed=3)
    assert (low, high) == interval(seed=3) != interval(seed=4)
    assert low < equal_error_rate(distances, different)[0] < high
    wide = interval(level=0.999)
    assert wide[0] < low and high < wide[1]
