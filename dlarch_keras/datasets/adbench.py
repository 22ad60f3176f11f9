"""Eight tables of ADBench, the anomaly detection benchmark (Han et al., 2022). Datasheet: `data/adbench.md`."""

import numpy as np

from dlarch_keras.core.validation import non_negative_int
from dlarch_keras.datasets.files import find_file, read_npz

_FILES = {
    "breastw": "4_breastw",
    "annthyroid": "2_annthyroid",
    "http": "16_http",
    "cardio": "6_cardio",
    "mammography": "23_mammography",
    "satimage-2": "31_satimage-2",
    "shuttle": "32_shuttle",
    "thyroid": "38_thyroid",
}
ADBENCH_NAMES = tuple(_FILES)


def load_adbench(name):
    """Load one of the eight tables; ADBench itself splits none of them, so neither does this.

    Args:
        name: one of `ADBENCH_NAMES`.

    Returns:
        `(x, y)`: the features, not scaled, float32, `(n, d)`; the labels, int32, `(n,)`, 1 = anomaly.

    Raises:
        ValueError: another name, or a data file that is truncated or corrupt.
        FileNotFoundError: the file is neither here nor to be downloaded; the message says how to get it.

    Source: Han, Hu, Huang, Jiang, Zhao (2022), ADBench: anomaly detection benchmark, NeurIPS Datasets and Benchmarks.
    """
    if name not in ADBENCH_NAMES:
        raise ValueError(f"`name` must be one of {ADBENCH_NAMES}, got {name!r}.")
    arrays = read_npz(find_file(f"adbench/{_FILES[name]}.npz"))
    return arrays["X"].astype("float32"), arrays["y"].astype("int32")


def one_class_split(x, y, seed=0):
    """Split for training on normal rows alone: a random half of them trains, the other half and all anomalies test.

    Args:
        x: features, `(n, ...)`, an array.
        y: labels, `(n,)`, 1 = anomaly, 0 = normal.
        seed: a non-negative integer: which half.

    Returns:
        `(x_train, y_train), (x_test, y_test)` in the order of the rows; `y_train` is all 0. Of an odd number of normal
        rows the smaller half trains.

    Raises:
        ValueError: labels other than 0 and 1, or not one to a row; fewer than two normal rows; no anomaly; a bad seed.

    Source: the protocol of Livernoche, Jain, Hezaveh, Ravanbakhsh (2024), On diffusion modeling for anomaly detection,
    ICLR.
    """
    try:
        x, y = np.asarray(x), np.asarray(y)
    except ValueError as error:
        raise ValueError(f"`x` and `y` must be arrays: {error}") from error
    if x.ndim < 1 or y.shape != x.shape[:1]:
        raise ValueError(f"`y` must be one label to a row of `x`, got shapes {y.shape} and {x.shape}.")
    if y.dtype.kind not in "biuf" or not np.isin(y, (0, 1)).all():
        raise ValueError(f"`y` must be 0 (normal) and 1 (anomaly), got {y.dtype} such as {y[:5]}.")
    non_negative_int("seed", seed)
    normal = np.flatnonzero(y == 0)
    if len(normal) < 2 or len(normal) == len(y):
        raise ValueError(
            f"`y` must name at least two normal rows and one anomaly, got {len(normal)} and {len(y) - len(normal)}."
        )
    trains = np.zeros(len(y), bool)
    trains[np.random.default_rng(seed).permutation(normal)[: len(normal) // 2]] = True
    return (x[trains], y[trains]), (x[~trains], y[~trains])
