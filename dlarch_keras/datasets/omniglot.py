"""Omniglot: 1,623 characters of 50 alphabets by 20 people each (Lake et al., 2015). Datasheet: `data/omniglot.md`.

Its two parts share no alphabet: what is learned on the first is tested on characters never seen.
"""

import numpy as np
from PIL import Image

from dlarch_keras.core.validation import positive_int
from dlarch_keras.datasets.files import find_file, read_zip

RUNS, WAYS = 20, 20
SIZE = 105  # pixels, as published


def load_omniglot(size=28):
    """Load Omniglot: the background set of 30 alphabets to train on, the evaluation set of 20 others to test on.

    Args:
        size: height and width in pixels, from 8 to 105, the size as published; smaller ones are area means.

    Returns:
        `(x_train, y_train), (x_test, y_test), alphabets`: images, float32 in [0, 1], `(19280, size, size, 1)` and
        `(13180, ...)`, ink = 1; classes, int32, from 0 to 963 and from 964 to 1622; the alphabet of each class, text,
        `(1623,)`, so that `alphabets[y]` is that of each image. The 20 images of a class follow each other, in the
        order of the people who drew them, which are the same 20 throughout an alphabet.

    Raises:
        ValueError, FileNotFoundError: as `find_file`, whose message says how to get the data.

    Source: Lake, Salakhutdinov, Tenenbaum (2015), Human-level concept learning through probabilistic program induction.
    """
    _check_size(size)
    parts, alphabets = [], []
    for part in ("background", "evaluation"):
        arrays = read_zip(find_file(f"omniglot/images_{part}.zip"))
        characters = np.array([name.rsplit("/", 1)[0] for name in arrays["names"]])
        names, labels = np.unique(characters, return_inverse=True)
        parts.append((_ink(arrays["images"], size), (labels + len(alphabets)).astype("int32")))
        alphabets += [name.split("/")[0] for name in names]
    return *parts, np.array(alphabets)


def load_omniglot_runs(size=28):
    """Load the 20 tasks that people were given: which of 20 characters of one alphabet is this one?

    Each run has one drawing of each of 20 characters of an alphabet of the evaluation set by one person, and one
    drawing of each by another.

    Args:
        size: as in `load_omniglot`.

    Returns:
        `support, queries, answers`: images, float32 in [0, 1], `(20, 20, size, size, 1)` each, run by run, ink = 1;
        for each query the number of its character within `support[run]`, int32, `(20, 20)`.

    Source and errors: as `load_omniglot`; people are right in 95.5 % of the tasks.
    """
    _check_size(size)
    arrays = read_zip(find_file("omniglot/all_runs.zip"))
    # Names are `run01/test/item01.png` and `run01/training/class01.png`, in sorted order: a run's test comes first.
    images = _ink(arrays["images"], size).reshape(RUNS, 2, WAYS, size, size, 1)
    pairs = dict(line.split() for line in arrays["text"].tobytes().decode().splitlines())
    answers = [int(pairs[item][-6:-4]) - 1 for item in sorted(pairs)]
    return images[:, 1], images[:, 0], np.array(answers, "int32").reshape(RUNS, WAYS)


def _check_size(size):
    positive_int("size", size, 8)
    if size > SIZE:
        raise ValueError(f"`size` must be at most {SIZE}, as published, got {size}.")


def _ink(images, size):
    """Bring pictures, True = paper, to the form that loaders return."""
    ink = np.where(images, np.uint8(0), np.uint8(255))
    if size < SIZE:
        box = Image.Resampling.BOX
        ink = np.stack([np.asarray(Image.fromarray(image).resize((size, size), box)) for image in ink])
    return np.divide(ink, 255, dtype="float32")[..., np.newaxis]
