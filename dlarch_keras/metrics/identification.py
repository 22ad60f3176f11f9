"""Which of N is it? N-way K-shot accuracy: the one-shot learner's exam, on embeddings of classes never trained on.

An episode draws N classes, shows K examples of each, the support, and asks for the class of further ones, the queries.
A query counts only if its own class is strictly closer than every other: a tie is a failure, so a network that maps
everything to one point scores 0, and not the perfect score that the order of the classes could make of it.
"""

from typing import NamedTuple

import numpy as np
from scipy.spatial.distance import cdist

from dlarch_keras.core import validation


class Accuracy(NamedTuple):
    """Share of right answers, and its standard error over episodes: what other episodes would change."""

    value: float
    standard_error: float


def n_way_accuracy(embeddings, y, ways=20, shots=1, episodes=400, groups=None, prototypes=True, distance=cdist, seed=0):
    """N-way K-shot accuracy over random episodes, each with one query for every class.

    Args:
        embeddings: floats, `(n, d)`; pixels as vectors make a baseline.
        y: integer classes, `(n,)`, with `shots` + 1 examples or more each.
        ways: classes in an episode, N, 2 or more. A guess is right once in N.
        shots: examples of each class in the support, K.
        episodes: 2 or more.
        groups: the alphabet of each example, `(n,)`, integers or strings, for episodes within one: drawn first, among
            those with `ways` classes or more. None draws from all classes, which is easier (*unstructured*).
        prototypes: whether a class is as far as the mean of its examples (Snell, Swersky & Zemel, "Prototypical
            networks for few-shot learning", NeurIPS 2017), or as the nearest of them. One shot is the same either way.
        distance: function of `(m, d)` and `(k, d)` that returns `(m, k)`; Euclidean by default.
        seed: integer.

    Returns:
        `Accuracy`.

    Raises:
        ValueError: for too few classes or examples, or a distance that returns something else or NaN.
    """
    embeddings = validation.array("embeddings", embeddings, (None, None))
    y = validation.labels("y", y, len(embeddings))
    ways, shots = validation.positive_int("ways", ways, 2), validation.positive_int("shots", shots)
    episodes = validation.positive_int("episodes", episodes, 2)
    rng = validation.random("seed", seed)
    if not isinstance(prototypes, bool):
        raise ValueError(f"`prototypes` must be True or False, got {prototypes!r}.")
    classes, numbers, counts = np.unique(y, return_inverse=True, return_counts=True)
    if counts.min() <= shots:
        raise ValueError(
            f"`y` must hold {shots + 1} examples or more of each class, {shots} to show and one to ask for, "
            f"got {counts.min()} of class {classes[counts.argmin()]}."
        )
    rows = np.split(np.argsort(numbers, kind="stable"), np.cumsum(counts)[:-1])
    group_of = validation.groups("groups", groups, y)
    pools = [np.flatnonzero(group_of == group) for group in range(group_of.max() + 1)]
    pools = [pool for pool in pools if len(pool) >= ways]
    if not pools:
        raise ValueError(f"`ways` must be no more than a group's classes, or all, {len(classes)}, got {ways}.")
    scores = np.empty(episodes)
    for episode in range(episodes):
        chosen = rng.choice(pools[rng.integers(len(pools))], ways, replace=False)
        drawn = np.stack([rng.choice(rows[each], shots + 1, replace=False) for each in chosen])
        support, queries = embeddings[drawn[:, 1:]], embeddings[drawn[:, 0]]
        if prototypes:
            distances = _distances(distance, queries, support.mean(axis=1))
        else:
            flat = support.reshape(ways * shots, -1)
            distances = _distances(distance, queries, flat).reshape(ways, ways, shots).min(axis=2)
        scores[episode] = _share_right(distances, np.arange(ways))
    return _accuracy(scores)


def runs_accuracy(support, queries, answers, distance=cdist):
    """Accuracy on given episodes with one example of each class, such as those of `load_omniglot_runs`.

    Args:
        support: floats, `(runs, ways, d)`, 2 runs and 2 ways or more.
        queries: floats, `(runs, m, d)`.
        answers: integers, `(runs, m)`: which of its run's support is of the query's class, from 0 to ways - 1.
        distance: as in `n_way_accuracy`.

    Returns:
        `Accuracy`; the standard error is over runs.
    """
    support = validation.array("support", support, (None, None, None))
    runs, ways, width = support.shape
    if runs < 2 or ways < 2:
        raise ValueError(f"`support` must hold 2 runs of 2 ways or more, got shape {support.shape}.")
    queries = validation.array("queries", queries, (runs, None, width))
    try:
        answers = np.asarray(answers)
    except ValueError as error:  # rows of unequal length
        raise ValueError(f"`answers` must be integers, got a {type(answers).__name__}: {error}") from error
    if answers.dtype.kind not in "iu" or answers.shape != queries.shape[:2]:
        came = f"{answers.dtype} of shape {answers.shape}"
        raise ValueError(f"`answers` must be integers of shape {queries.shape[:2]}, got {came}.")
    if answers.min() < 0 or answers.max() >= ways:
        raise ValueError(f"`answers` must be from 0 to {ways - 1}, got {answers.min()} to {answers.max()}.")
    tasks = zip(support, queries, answers)
    shares = [_share_right(_distances(distance, asked, shown), right) for shown, asked, right in tasks]
    return _accuracy(np.array(shares))


def expected_accuracy(same, different, ways):
    """The N-way one-shot accuracy that verification promises: from distances of pairs to naming one of N.

    A query is named rightly if all N - 1 other classes are farther than its own. Were their distances independent
    draws, the chance would be the mean, over same pairs at distance d, of (share of different pairs farther)^(N - 1).

    Args:
        same, different: distances of pairs of one class, and of two: floats from 0 on, `(n,)` and `(m,)`.
        ways: N, 2 or more.

    Returns:
        float in [0, 1]; for two ways the area under the ROC curve, ties as failures.
    """
    same = validation.array("same", same, (None,), minimum=0)
    different = np.sort(validation.array("different", different, (None,), minimum=0))
    farther = 1 - np.searchsorted(different, same, side="right") / len(different)
    return float(np.mean(farther ** (validation.positive_int("ways", ways, 2) - 1)))


def _distances(distance, queries, support):
    if not callable(distance):
        raise ValueError(f"`distance` must be a function of two arrays, got {distance!r}.")
    distances, shape = np.asarray(distance(queries, support)), (len(queries), len(support))
    if distances.shape != shape or distances.dtype.kind not in "fiu":
        came = f"{distances.dtype} of shape {distances.shape}"
        raise ValueError(f"`distance` must return numbers of shape {shape}, got {came}.")
    if np.isnan(distances).any():
        raise ValueError("`distance` must return numbers, got NaN.")
    return distances


def _share_right(distances, answers):
    """Share of queries whose own class is strictly nearest: `(m, ways)`, `(m,)`."""
    own = np.take_along_axis(distances, answers[:, None], axis=1)
    return np.mean(np.sum(distances <= own, axis=1) == 1)


def _accuracy(scores):
    return Accuracy(float(scores.mean()), float(scores.std(ddof=1) / np.sqrt(len(scores))))
