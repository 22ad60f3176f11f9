"""Every way in which an argument can be bad, for the parametrised tests of whatever takes one: `{kind: bad value}`."""

import numpy as np

COUNTS = {"zero": 0, "negative": -1, "a float": 2.0, "a boolean": True, "None": None, "text": "3"}
SEEDS = {"negative": -1, "a float": 1.5, "text": "a"}


def bad_arrays(good, bounded=True):
    """Bad versions of an array of floats; values outside [0, 1] are bad only if `bounded`."""
    poisoned = {"NaN": np.nan, "infinity": np.inf, "minus infinity": -np.inf}
    if bounded:
        poisoned |= {"above the range": 1.5, "below the range": -0.5}
    bad = {
        "rank": good[0],
        "one rank more": good[None],
        "shape": np.concatenate([good, good], axis=1),
        "integers": (good * 255).astype("uint8"),
        "text": good.astype("str"),
        "complex": good.astype("complex64"),
        "objects": good.astype("object"),
        "booleans": good > 0.5,
        "empty": good[:0],
        "None": None,
        "a number": 0.5,
        "ragged": [[0.5], [0.5, 0.5]],
    }
    for kind, value in poisoned.items():
        bad[kind] = good.copy()
        bad[kind].flat[-1] = value
    return bad


def bad_labels(good):
    """Bad versions of class labels, integers from 0 on, where any number of classes will do."""
    return {
        "longer": np.append(good, good[-1]),
        "a column": good[:, None],
        "one-hot": np.eye(good.max() + 1, dtype="int64")[good],
        "floats": good.astype("float32"),
        "text": good.astype(str),
        "booleans": good > 1,
        "objects": good.astype(object),
        "empty": good[:0],
        "None": None,
        "a number": 1,
        "ragged": [[1], [1, 0]],
    }


def bad_conditions(good, classes):
    """Bad versions of class labels below `classes`, in place of which rows of as many attributes will do."""
    attributes = np.eye(classes, dtype="float32")[good]
    poisoned = attributes.copy()
    poisoned[-1, -1] = np.nan
    bad = bad_labels(good)
    del bad["one-hot"]  # attributes that are whole numbers
    return bad | {
        "a class too high": good + 1,
        "below zero": good - 1,
        "too few attributes": attributes[:, 1:],
        "more attributes": np.append(attributes, attributes[-1:], axis=0),
        "NaN": poisoned,
    }


def bad_vectors(good):
    """Bad versions of an array of one float for each example."""
    return {
        **bad_arrays(good[:, None], bounded=False),
        "shape": np.append(good, good[-1]),
        "rank": good[None],
        "integers": good.astype(int),
        "booleans": good > 0.5,
        "empty": good[:0],
    }


def bad_flags(good):
    """Bad versions of what is 0 or 1 for each example."""
    return {
        "None": None,
        "shorter": good[:-1],
        "rank": good[None],
        "a column": good[:, None],
        "1 and 2": good + 1,
        "-1 and 1": 1 - 2 * good,
        "NaN": np.where(good, np.nan, 0.0),
        "text": good.astype(str),
        "objects": good.astype(object),
        "halves": good / 2,
        "ragged": [[1], [1, 0]],
    }
