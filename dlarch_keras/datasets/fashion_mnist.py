"""Fashion-MNIST: clothes, 28 x 28, ten classes (Xiao et al., 2017). Datasheet: `data/fashion_mnist.md`."""

import gzip
import math
import struct

import numpy as np

from dlarch_keras.datasets.files import find_file

FASHION_MNIST_CLASSES = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip


def load_fashion_mnist():
    """Load Fashion-MNIST, 60,000 + 10,000 images, split as published.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: images, float32 in [0, 1], `(n, 28, 28, 1)`, bright on a dark ground;
        labels, int32, `(n,)`, each an index into `FASHION_MNIST_CLASSES`.

    Raises:
        ValueError, FileNotFoundError: as `find_file`, whose message says how to get the data.

    Source: Xiao, Rasul, Vollgraf (2017), Fashion-MNIST, arXiv:1708.07747.
    """
    return _read_part("train"), _read_part("t10k")


def _read_part(part):
    """Return images and labels of `"train"` or `"t10k"` in the form that loaders return."""
    images = read_idx(find_file(f"fashion-mnist/{part}-images-idx3-ubyte.gz"), rank=3)
    labels = read_idx(find_file(f"fashion-mnist/{part}-labels-idx1-ubyte.gz"), rank=1)
    return np.divide(images, 255, dtype="float32")[..., np.newaxis], labels.astype("int32")


def read_idx(path, rank):
    """Read a gzipped IDX file of unsigned bytes, the format of MNIST's first release.

    Its header is the bytes 0, 0, 8 (for unsigned byte) and the number of dimensions, then each dimension as a 32-bit
    big-endian integer; the values follow in C order.

    Args:
        path: the file.
        rank: the number of dimensions it must have.

    Returns:
        A read-only uint8 array.

    Raises:
        ValueError: the header is not that of such a file, or the values are more or fewer than it announces.
    """
    with gzip.open(path) as packed:
        content = packed.read()
    magic, header = bytes([0, 0, 8, rank]), 4 + 4 * rank
    if content[:4] != magic or len(content) < header:
        raise ValueError(
            f"{path} must be an IDX file of unsigned bytes with {rank} dimension(s), so begin with {magic.hex(' ')} "
            f"and a header of {header} bytes, got {len(content):,} bytes that begin with {content[:4].hex(' ')}."
        )
    shape = struct.unpack_from(f">{rank}I", content, offset=4)
    announced, found = math.prod(shape), len(content) - header
    if found != announced:
        raise ValueError(f"{path} must hold {announced:,} values, as its header says, got {found:,}.")
    return np.frombuffer(content, np.uint8, offset=header).reshape(shape)
