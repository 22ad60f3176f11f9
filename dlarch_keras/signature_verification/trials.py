"""What a verifier of signatures is judged by: genuine signatures, skilled and random forgeries, each kind by itself."""

from typing import NamedTuple

import numpy as np

from ..core import validation
from ..metrics.verification import equal_error_rate, error_rates

REFERENCES = 5
LEAST_SPREAD = 0.3  # for codes of length 1, whose distances are at most 2


class Trials(NamedTuple):
    """Comparisons of a signature with a writer's references, as `verification_trials` makes them."""

    distances: np.ndarray  # (n,) floats
    kinds: np.ndarray  # (n,) "genuine", "skilled" or "random"
    writers: np.ndarray  # (n,) the writer that the signature claims to be of

    def pairs(self, kind):
        """`(distances, different, writers)` of the genuine trials and the forged ones of a kind, for error rates."""
        rows = np.isin(self.kinds, ("genuine", kind))
        return self.distances[rows], (self.kinds[rows] == kind).astype(int), self.writers[rows]


def mean_distance(embeddings, references):
    """How far signatures are from a writer's references: the mean of the distances to each, `(n,)`."""
    return np.linalg.norm(embeddings[:, None] - references[None], axis=-1).mean(axis=1)


def reference_distance(embeddings, references):
    """The mean distance to a writer's references, over the writer's own spread: `(n,)`.

    The spread is the mean distance of the references among each other (0 for a single one) plus `LEAST_SPREAD`, so that
    a few that lie close by chance do not make it too small. A writer who varies more is given more room, with one
    threshold for all.
    """
    count = len(references)
    among = mean_distance(references, references).sum() / max(count - 1, 1)  # each is at 0 from itself
    return mean_distance(embeddings, references) / (among + LEAST_SPREAD)


def verification_trials(embeddings, writers, forged, references=REFERENCES, seed=0, distance=reference_distance):
    """Compare signatures with references of each writer, as a bank would.

    Some genuine signatures of each writer, drawn at random, are references. The others are genuine trials, the writer's
    forgeries skilled ones, and one genuine signature of each other writer a random forgery.

    Args:
        embeddings: `(n, d)`.
        writers: `(n,)` labels.
        forged: `(n,)` booleans.
        references: how many a writer has; those with no more genuine signatures than that have one less than they have.
        seed: integer.
        distance: function of `(m, d)` embeddings and `(k, d)` references, → `(m,)`.

    Returns:
        `Trials`.
    """
    validation.positive_int("references", references)
    rng = validation.random("seed", seed)
    names = np.unique(writers)
    genuine = {name: rng.permutation(np.flatnonzero((writers == name) & ~forged)) for name in names}
    rows = []
    for name in names:
        count = min(references, len(genuine[name]) - 1)
        known, own = embeddings[genuine[name][:count]], genuine[name][count:]
        others = [genuine[other][-1] for other in names if other != name]
        for kind, queries in (
            ("genuine", own),
            ("skilled", np.flatnonzero((writers == name) & forged)),
            ("random", others),
        ):
            if len(queries):
                rows += [(value, kind, name) for value in distance(embeddings[queries], known)]
    distances, kinds, claimed = zip(*rows)
    return Trials(np.array(distances), np.array(kinds), np.array(claimed))


class OperatingPoint(NamedTuple):
    """Where the threshold lies, and the error rates that the development writers had there."""

    threshold: float
    false_rejection: float
    skilled_acceptance: float | None  # None where the development writers had no forgeries
    random_acceptance: float


def operating_point(trials, threshold):
    """The error rates of some trials at a threshold, forgeries of either kind apart."""
    rates = {}
    for kind in ("skilled", "random"):
        if (trials.kinds == kind).any():
            rates[kind], rejection = error_rates(*trials.pairs(kind)[:2], threshold)
    return OperatingPoint(float(threshold), rejection, rates.get("skilled"), rates["random"])


def development_error(embeddings, writers, forged, seed=0):
    """The mean of the equal error rates for skilled and random forgeries; the latter alone if there are no others."""
    trials = verification_trials(embeddings, writers, forged, seed=seed)
    kinds = ("skilled", "random") if forged.any() else ("random",)
    return np.mean([equal_error_rate(*trials.pairs(kind)[:2])[0] for kind in kinds])


def check_signatures(images, writers, forged):
    """Return arrays of signatures, or say what is wrong with them; `forged` may be None."""
    images = validation.array("images", images, (None, None, None, 1), 0, 1).astype("float32", copy=False)
    writers = check_writers(writers)
    forged = np.zeros(len(images), bool) if forged is None else np.asarray(forged)
    if forged.dtype != bool:
        raise ValueError(f"`forged` must be booleans, got dtype {forged.dtype}.")
    for name, labels in (("writers", writers), ("forged", forged)):
        if labels.shape != (len(images),):
            raise ValueError(f"`{name}` must hold one label for each of {len(images)} images, got {labels.shape}.")
    names, counts = np.unique(writers[~forged], return_counts=True)
    if lonely := sorted(set(writers.tolist()) - set(names[counts > 1].tolist())):
        raise ValueError(f"`writers` must have 2 genuine signatures or more each, got fewer of {lonely[:5]}.")
    if len(names) < 2:
        raise ValueError(f"`writers` must be 2 or more, got {len(names)}.")
    return images, writers, forged


def check_writers(writers):
    """Return labels of writers as an array, or say what is wrong with them."""
    writers = np.asarray(writers)
    if writers.ndim != 1 or writers.dtype.kind not in "iuU":
        raise ValueError(
            f"`writers` must be one label for each signature, integers or text, got {writers.dtype} of shape "
            f"{writers.shape}."
        )
    return writers
