"""Every way in which an array can be bad, for the parametrised tests of whatever takes one."""

import numpy as np


def bad_arrays(good, bounded=True):
    """`{kind: bad version of the array `good`}`; values outside [0, 1] are bad only if `bounded`."""
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
