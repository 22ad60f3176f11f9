"""Batches in which every class has its like, for losses that compare the examples of a batch."""

import keras
import numpy as np

from ..core import validation


class BalancedBatches(keras.utils.PyDataset):
    """Batches of `classes` classes, drawn anew for each, with `examples` different examples of every one of them.

    A batch depends on the seed, the epoch and its number alone, whoever asks for it and in whatever order, so that
    several workers change nothing. To go on with an interrupted run, set `epoch` to the number of epochs done.

    Args:
        x: `(n, ...)`, floats; or a list of arrays of one shape.
        y: `(n,)`, integer class labels, of an array, a list or a `pandas.Series`.
        classes: different classes in a batch, 2 or more.
        examples: of each class, 2 or more.
        seed: integer; None for other batches in each process.
        steps: batches an epoch; None for as many as `x` has room for.
        augment: function of a batch `(m, ...)` and a `numpy.random.Generator` that returns a changed batch; or None.
        groups: the group of each example, `(n,)`, integers or strings, such as a letter's alphabet: a batch then takes
            its classes from few groups, because those of one are the hardest to tell apart. None: from anywhere.
        per_group: classes from each group, at most.
        **kwargs: `workers`, `use_multiprocessing` and `max_queue_size` of `keras.utils.PyDataset`.

    Raises:
        ValueError: for a class with fewer than `examples` examples, fewer than `classes` classes, bad arrays.
    """

    def __init__(
        self, x, y, classes, examples, seed=None, steps=None, augment=None, groups=None, per_group=8, **kwargs
    ):
        super().__init__(**kwargs)
        self.x = validation.array("x", x, (None,) * max(_rank(x), 1))
        self.y = validation.labels("y", y, len(self.x))
        self.classes = validation.positive_int("classes", classes, 2)
        self.examples = validation.positive_int("examples", examples, 2)
        names, counts = np.unique(self.y, return_counts=True)
        if len(names) < self.classes:
            raise ValueError(f"`classes` must be no more than there are in `y`, {len(names)}, got {classes}.")
        if counts.min() < self.examples:
            raise ValueError(
                f"`y` must hold {examples} examples or more of each class, got {counts.min()} of class "
                f"{names[counts.argmin()]}: leave such classes out."
            )
        self._rows = np.split(np.argsort(self.y, kind="stable"), np.cumsum(counts)[:-1])
        self.seed = np.random.SeedSequence().entropy if seed is None else validation.non_negative_int("seed", seed)
        room = max(len(self.x) // (self.classes * self.examples), 1)
        self.steps = room if steps is None else validation.positive_int("steps", steps)
        if augment is not None and not callable(augment):
            raise ValueError(f"`augment` must be a function of a batch and a random generator, got {augment!r}.")
        self.augment = augment
        self.per_group = self.classes if groups is None else validation.positive_int("per_group", per_group)
        group_of = validation.groups("groups", groups, self.y)
        self._groups = [np.flatnonzero(group_of == group) for group in range(group_of.max() + 1)]
        if sum(min(len(group), self.per_group) for group in self._groups) < self.classes:
            raise ValueError(f"`groups` must hold {classes} classes, {per_group} from each, got {len(self._groups)}.")
        self.epoch = 0

    def __len__(self):
        return self.steps

    def __getitem__(self, index):
        random = np.random.default_rng([self.seed, self.epoch, index])
        chosen = []
        for group in random.permutation(len(self._groups)):
            members = self._groups[group]
            count = min(len(members), self.per_group, self.classes - len(chosen))
            chosen.extend(random.choice(members, count, replace=False))
        rows = np.concatenate([random.choice(self._rows[each], self.examples, replace=False) for each in chosen])
        x = self.x[rows] if self.augment is None else self.augment(self.x[rows], random)
        return x, self.y[rows]

    def on_epoch_end(self):
        self.epoch += 1


def _rank(x):
    """Number of dimensions; of what is no array, 2."""
    try:
        return np.ndim(x) if isinstance(x, (list, tuple)) else getattr(x, "ndim", 2)
    except ValueError:  # a list of arrays of unequal shapes
        return 2
