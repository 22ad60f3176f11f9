"""Twenty-two tables of ADBench, the anomaly detection benchmark (Han et al., 2022). Datasheet: `data/adbench.md`."""

import numpy as np

from dlarch_keras.datasets.files import find_file, read_npz

from ..core import validation

_FILES = {
    "breastw": "4_breastw", "annthyroid": "2_annthyroid", "http": "16_http", "cardio": "6_cardio",
    "mammography": "23_mammography", "satimage-2": "31_satimage-2", "shuttle": "32_shuttle", "thyroid": "38_thyroid",
    "campaign": "5_campaign", "Cardiotocography": "7_Cardiotocography", "glass": "14_glass",
    "Hepatitis": "15_Hepatitis", "InternetAds": "17_InternetAds", "Lymphography": "21_Lymphography",
    "mnist": "24_mnist", "Pima": "29_Pima", "smtp": "34_smtp", "vertebral": "39_vertebral", "WBC": "42_WBC",
    "wine": "45_wine", "WPBC": "46_WPBC", "yeast": "47_yeast",
}  # fmt: skip
ADBENCH_NAMES = tuple(_FILES)


def load_adbench(name):
    """Load one of the tables; ADBench itself splits none of them, so neither does this.

    Args:
        name: one of `ADBENCH_NAMES`.

    Returns:
        `(x, y)`: the features, not scaled, float32, `(n, d)`; the labels, int32, `(n,)`, 1 = anomaly.

    Raises:
        ValueError, FileNotFoundError: as `find_file`, whose message says how to get the data.

    Source: Han, Hu, Huang, Jiang, Zhao (2022), ADBench: anomaly detection benchmark, NeurIPS Datasets and Benchmarks.
    """
    validation.choice("name", name, ADBENCH_NAMES)
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
        ValueError: fewer than two normal rows; no anomaly.

    Source: the protocol of Livernoche, Jain, Hezaveh, Ravanbakhsh (2024), On diffusion modeling for anomaly detection,
    ICLR.
    """
    try:
        x = np.asarray(x)
    except ValueError as error:  # rows of unequal length
        raise ValueError(f"`x` must be an array: {error}") from error
    if x.ndim < 1:
        raise ValueError("`x` must hold rows, got a single number.")
    y = validation.binary_labels("y", y, len(x), "0 (normal) or 1 (anomaly)")
    validation.non_negative_int("seed", seed)
    normal = np.flatnonzero(y == 0)
    anomalies = len(y) - len(normal)
    if len(normal) < 2 or not anomalies:
        raise ValueError(f"`y` must name at least two normal rows and one anomaly, got {len(normal)} and {anomalies}.")
    trains = np.zeros(len(y), bool)
    trains[np.random.default_rng(seed).permutation(normal)[: len(normal) // 2]] = True
    return (x[trains], y[trains]), (x[~trains], y[~trains])
