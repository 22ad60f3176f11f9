"""How well distances tell pairs of the same kind (or writer) from pairs of different ones: acceptance, rejection, EER.

A pair is **accepted** as the same if its distance is at most the threshold. `different` is 0 (or False) for a pair that
belongs together, 1 for one that does not, as in `siamese`. Choose thresholds on validation pairs, never on those that
are reported.
"""

import numbers

import numpy as np
from scipy.spatial.distance import pdist
from scipy.stats import bootstrap
from sklearn.metrics import roc_curve

from ..core import validation


def error_rates(distances, different, threshold):
    """The two ways to be wrong at one threshold.

    Args:
        distances: floats, `(n,)`, from 0 on.
        different: `(n,)`, 0 = the same, 1 = different; at least one of each.
        threshold: number; a pair at most this far apart is accepted.

    Returns:
        `(false acceptance rate, false rejection rate)`: the share of the different pairs that is accepted, and the
        share of the same pairs that is not.
    """
    distances, different = _pairs(distances, different)
    if isinstance(threshold, bool) or not isinstance(threshold, numbers.Real) or np.isnan(threshold):
        raise ValueError(f"`threshold` must be a number, got {threshold!r}.")
    accepted = distances <= threshold
    return float(accepted[different].mean()), float(1 - accepted[~different].mean())


def error_curve(distances, different):
    """Both error rates at every threshold that makes a difference: the ROC or DET curve.

    Args:
        distances, different: as in `error_rates`.

    Returns:
        `(thresholds, false acceptance rates, false rejection rates)`, float arrays of one length: the distinct
        distances in rising order, and before them -infinity, at which nothing is accepted.
    """
    distances, different = _pairs(distances, different)
    acceptance, recall, scores = roc_curve(~different, -distances, drop_intermediate=False)
    return -scores, acceptance, 1 - recall


def equal_error_rate(distances, different):
    """The error rate where as many different pairs are accepted as same pairs are rejected, and its threshold.

    With rising threshold the false acceptance rate steps up from 0 to 1, the false rejection rate down from 1 to 0. If
    they are equal between two distances, that is the EER, and the threshold lies half-way between the two. Otherwise
    they pass each other at one distance: it is the threshold, and the EER is where the straight line between the two
    points of the ROC curve crosses the diagonal.

    Args:
        distances, different: as in `error_rates`.

    Returns:
        `(EER, threshold)`, floats.
    """
    thresholds, acceptance, rejection = error_curve(distances, different)
    gap = acceptance - rejection  # rises from -1 to 1 without a pause
    after = int(np.argmax(gap > -1e-12))
    if gap[after] < 1e-12:
        return float(acceptance[after]), float(thresholds[after : after + 2].mean())
    share = gap[after - 1] / (gap[after - 1] - gap[after])
    return float(acceptance[after - 1] + share * (acceptance[after] - acceptance[after - 1])), float(thresholds[after])


def threshold_at(distances, different, false_acceptance):
    """The threshold that accepts as many pairs as a wanted false acceptance rate allows.

    Args:
        distances, different: as in `error_rates`.
        false_acceptance: the highest false acceptance rate, from 0 to less than 1.

    Returns:
        float, half-way between the last distance that may be accepted and the next one; half the smallest distance if
        none may.
    """
    thresholds, acceptance, _ = error_curve(distances, different)
    validation.number("false_acceptance", false_acceptance, below=1)
    last = int(np.flatnonzero(acceptance <= false_acceptance)[-1])
    return float((max(thresholds[last], 0.0) + thresholds[last + 1]) / 2)


def all_pairs(embeddings, labels):
    """Distance of every example to every other one, each pair once.

    Args:
        embeddings: `(n, d)`, floats.
        labels: `(n,)`, integers.

    Returns:
        `(distances, different)`, `(n (n - 1) / 2,)`: Euclidean, and True where the labels differ.
    """
    embeddings = validation.array("embeddings", embeddings, (None, None))
    labels = validation.labels("labels", labels, len(embeddings))
    if len(labels) < 2:
        raise ValueError("`embeddings` must have 2 rows or more, got 1.")
    return pdist(embeddings), pdist(labels[:, None], "hamming") > 0


def group_interval(statistic, groups, *arrays, level=0.95, resamples=1000, seed=0):
    """Bootstrap interval of a statistic over groups: other writers might have been drawn, not other pairs of these.

    Args:
        statistic: function of `arrays` that returns a number, `lambda *pairs: equal_error_rate(*pairs)[0]` say. Each
            group needs what it needs: for error rates, pairs of both kinds.
        groups: `(n,)`, integers or strings: the group (writer) of each row.
        *arrays: `(n, ...)` each.
        level: of confidence, between 0 and 1.
        resamples: how many times as many groups as there are, are drawn with replacement.
        seed: integer.

    Returns:
        `(low, high)`, floats: the percentile interval.
    """
    groups = np.asarray(groups)
    if groups.ndim != 1 or not arrays or any(len(array) != len(groups) for array in arrays):
        rows = [len(array) for array in arrays]
        raise ValueError(f"`groups` must name the group of each row, got shape {groups.shape} for {rows} rows.")
    names = np.unique(groups)
    if len(names) < 2:
        raise ValueError(f"`groups` must hold 2 groups or more, got {len(names)}.")
    if not 0 < validation.number("level", level) < 1:
        raise ValueError(f"`level` must lie between 0 and 1, got {level!r}.")
    rows = [np.flatnonzero(groups == name) for name in names]
    arrays = [np.asarray(array) for array in arrays]

    def resampled(drawn):
        chosen = np.concatenate([rows[int(group)] for group in drawn])
        return statistic(*(array[chosen] for array in arrays))

    interval = bootstrap(
        (np.arange(len(names)),),
        resampled,
        n_resamples=validation.positive_int("resamples", resamples),
        confidence_level=level,
        method="percentile",
        vectorized=False,
        random_state=validation.random("seed", seed),
    ).confidence_interval
    return float(interval.low), float(interval.high)


def _pairs(distances, different):
    distances = validation.array("distances", distances, (None,), minimum=0).astype("float64")
    meaning = "0 (similar) or 1 (dissimilar)"
    different = validation.binary_labels("different", different, len(distances), meaning).astype(bool)
    if different.all() or not different.any():
        raise ValueError(f"`different` must hold pairs of both kinds, got only {int(different[0])}.")
    return distances, different
