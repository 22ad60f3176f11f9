"""One seed for each layer of a network."""

import itertools


def seed_stream(seed):
    """Seeds for one layer after the other: `seed`, `seed + 1`, ...; Nones for None.

    Networks that are built from parts hand the stream on, so that no two layers start from the same seed.

    Args:
        seed: integer, None, or a stream that somebody has begun, which is returned as it is.

    Returns:
        Iterator: `next(seeds)` for each initializer.
    """
    if seed is None:
        return itertools.repeat(None)
    return itertools.count(int(seed)) if hasattr(seed, "__index__") else seed  # NumPy's integers, too
