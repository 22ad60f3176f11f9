"""Metrics of a detector whose alerts somebody has to look at: precision at a daily budget, and what errors cost.

For what scikit-learn has (AUROC, average precision, ...) use scikit-learn. Scores are anomaly scores: **higher is more
anomalous**. A scikit-learn detector's `score_samples` runs the other way: negate it.
"""

import numbers

import numpy as np
import pandas as pd

from ..core import validation


def alert_precision(scores, labels, days, budget):
    """The share of anomalies among the `budget` highest scores of each day, averaged over the days.

    On a day with fewer rows than `budget` all of them are alerts, and the share is among those. Of rows with equal
    scores the one further up is the first to be an alert.

    Args:
        scores: floats, `(n,)`, higher = more anomalous.
        labels: `(n,)`, 1 (or True) = anomaly, 0 = normal.
        days: `(n,)`, what tells the days apart: integers, strings or dates (times of day are refused: floor them).
        budget: how many alerts a day can be looked at.

    Returns:
        float in [0, 1]. The most a perfect detector can reach is below 1 where days have fewer anomalies than `budget`.

    Source: Precision top-k of Le Borgne, Siblini, Lebichot, Bontempi (2022), Fraud Detection Handbook, chapter 4.
    """
    scores, labels = _scores_and_labels(scores, labels)
    days = _groups("days", days, len(scores))
    _check_budget(budget)
    table = pd.DataFrame({"score": scores, "label": labels, "day": days})
    alerts = table.sort_values("score", ascending=False, kind="stable").groupby("day").head(budget)
    return float(alerts.groupby("day")["label"].mean().mean())


def card_precision(scores, labels, days, customers, budget):
    """The share of compromised cards among the `budget` cards alerted each day, averaged over the days.

    A card's score is the highest of its transactions that day, and it is compromised that day if one of them is a
    fraud. A card that was alerted while compromised is blocked: it is left out of every later day. On a day with fewer
    cards left than `budget` all of them are alerted, and the share is among those; a day with none left does not count.
    Of cards with equal scores the one whose first transaction of the day is further up is alerted first.

    Args:
        scores, labels, days: as in `alert_precision`, a row to a transaction; in their order days follow each other.
        customers: `(n,)`, the card of each transaction: integers or strings.
        budget: how many cards a day can be looked at.

    Returns:
        float in [0, 1].

    Source: Card Precision top-k of Le Borgne, Siblini, Lebichot, Bontempi (2022), chapter 4.
    """
    scores, labels = _scores_and_labels(scores, labels)
    days, customers = _groups("days", days, len(scores)), _groups("customers", customers, len(scores))
    _check_budget(budget)
    table = pd.DataFrame({"score": scores, "label": labels, "day": days, "card": customers})
    cards = table.groupby(["day", "card"], sort=False)[["score", "label"]].max().reset_index()
    blocked, precisions = set(), []
    for _, today in cards.groupby("day"):  # in order of the days
        alerts = today[~today["card"].isin(blocked)].sort_values("score", ascending=False, kind="stable").head(budget)
        if len(alerts):
            precisions.append(alerts["label"].mean())
            blocked.update(alerts.loc[alerts["label"] == 1, "card"])
    return float(np.mean(precisions))


def alert_cost(scores, labels, amounts, cost_per_alert, threshold):
    """What it costs to alert every row that scores at least `threshold`.

    That is `cost_per_alert` for each alert, right or wrong, and the amounts of the anomalies that raise none.

    Args:
        scores, labels: as in `alert_precision`.
        amounts: floats, `(n,)`, at least 0: what is lost if the row is an anomaly and is missed.
        cost_per_alert: number of at least 0, in the unit of `amounts`.
        threshold: number; infinity for no alerts. Choose it on other rows than these, with `cost_curve`.

    Returns:
        float, in the unit of `amounts`, over all rows.
    """
    scores, labels, amounts = _check_costs(scores, labels, amounts, cost_per_alert)
    if isinstance(threshold, bool) or not isinstance(threshold, numbers.Real) or np.isnan(threshold):
        raise ValueError(f"`threshold` must be a number, got {threshold!r}.")
    alerts = scores >= threshold
    return float(cost_per_alert * alerts.sum() + amounts[~alerts & (labels == 1)].sum())


def cost_curve(scores, labels, amounts, cost_per_alert):
    """The cost of `alert_cost` at every threshold that makes a difference.

    Args:
        scores, labels, amounts, cost_per_alert: as in `alert_cost`.

    Returns:
        `(thresholds, costs)`, float arrays of one length: the distinct scores in falling order, and infinity (no
        alerts) before them; the cost of alerting every score of at least that.
    """
    scores, labels, amounts = _check_costs(scores, labels, amounts, cost_per_alert)
    order = np.argsort(-scores, kind="stable")
    losses = np.where(labels == 1, amounts, 0.0)[order]
    last_of_equals = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)
    alerts = np.append(0, last_of_equals + 1)
    # Summed from the end, so that nothing missed costs exactly 0.
    missed = np.append(np.cumsum(losses[::-1])[::-1], 0.0)
    return np.append(np.inf, scores[order][last_of_equals]), cost_per_alert * alerts + missed[alerts]


def _scores_and_labels(scores, labels):
    scores = validation.array("scores", scores, (None,)).astype("float64")
    labels = validation.binary_labels("labels", labels, len(scores), "0 (normal) or 1 (anomaly)")
    return scores, labels.astype("int64")


def _groups(name, values, n):
    """Return integers that tell the groups apart and keep their order; a `ValueError` for what names no groups."""
    expected = f"`{name}` must be {n} integers, strings or dates, one to a score"
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise ValueError(f"{expected}, got a {type(values).__name__}: {error}") from error
    if array.shape != (n,):
        raise ValueError(f"{expected}, got shape {array.shape}.")
    kind = pd.api.types.infer_dtype(array) if array.dtype == object else ""
    if array.dtype.kind not in "iuMUOT" or kind in ("floating", "mixed-integer-float", "decimal", "complex", "period"):
        raise ValueError(f"{expected}, got {kind or array.dtype}.")
    if kind.startswith("datetime"):
        array = pd.DatetimeIndex(array).tz_localize(None).to_numpy()
    try:
        codes, _ = pd.factorize(array, sort=True)
    except TypeError as error:  # a mixture of types, or objects that cannot be told apart
        raise ValueError(f"{expected}, got others: {error}") from error
    if (codes < 0).any():
        raise ValueError(f"{expected}, got {int((codes < 0).sum())} that are missing.")
    if array.dtype.kind == "M" and (array != array.astype("datetime64[D]")).any():
        raise ValueError(f"{expected}, got times of day such as {array[0]}: floor them to the day.")
    return codes


def _check_budget(budget):
    if isinstance(budget, bool) or not isinstance(budget, numbers.Integral) or budget < 1:
        raise ValueError(f"`budget` must be a positive integer, got {budget!r}.")


def _check_costs(scores, labels, amounts, cost_per_alert):
    scores, labels = _scores_and_labels(scores, labels)
    amounts = validation.array("amounts", amounts, (len(scores),), minimum=0).astype("float64")
    validation.number("cost_per_alert", cost_per_alert)
    return scores, labels, amounts
