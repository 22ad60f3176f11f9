"""Datasets: one file per dataset, every file of them listed in `catalog.csv` with its source, licence and digest.

Loaders return `(x_train, y_train), (x_test, y_test)`, as `keras.datasets` does.
"""

from dlarch_keras.datasets.fashion_mnist import FASHION_MNIST_CLASSES, load_fashion_mnist
from dlarch_keras.datasets.files import data_dir, find_file
from dlarch_keras.datasets.mnist import load_mnist

__all__ = ["FASHION_MNIST_CLASSES", "data_dir", "find_file", "load_fashion_mnist", "load_mnist"]
