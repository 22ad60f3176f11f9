"""What the races against tutorials' recipes share: whose time is compared, and how."""

import math

SHARE = ("share of the recipe's seconds", "share")


def beside(recipe_seconds, train):
    """Train between two measurements of the recipe's time, because a machine's speed drifts.

    Args:
        recipe_seconds: function; what the recipe's whole training would take, by the time of some of its steps.
        train: function; returns a model and the seconds of training.

    Returns:
        The model, its seconds, and these over the recipe's.
    """
    before = recipe_seconds()
    model, seconds = train()
    return model, seconds, 2 * seconds / (before + recipe_seconds())


def seconds_until(seconds, reached):
    """Seconds of training at the first epoch that has reached a goal; infinite if none has, which a mean keeps."""
    return min((float(each) for each, yes in zip(seconds, reached) if yes), default=math.inf)
