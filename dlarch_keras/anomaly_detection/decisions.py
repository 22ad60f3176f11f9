"""From scores to decisions: the threshold, and what lies on which side of it."""

import numpy as np


def threshold(scores, share):
    """The score that `share` of the scores lie below, as nearly as ties and whole numbers allow."""
    ordered = np.append(np.sort(_checked(scores)), np.inf)
    return float(ordered[min(int(share * len(scores) + 0.5), len(scores))])


def labels(decisions):
    """−1 where a decision is negative, an anomaly, and 1 elsewhere: `(n,)` → `(n,)`."""
    return np.where(_checked(decisions) < 0, -1, 1)


def _checked(scores):
    """The scores, or a ValueError for NaN, which would pass for normal."""
    if np.isnan(scores).any():
        raise ValueError(
            f"`X` must have scores to decide by, got NaN for {np.isnan(scores).sum()} of {len(scores)}: "
            "the network's weights or the threshold `offset_` are not finite."
        )
    return scores
