"""Datasets: one file per dataset, every file of them listed in `catalog.csv` with its source, licence and digest.

Loaders return `(x_train, y_train), (x_test, y_test)`, as `keras.datasets` does. Bad arguments raise a `ValueError` that
names them; for data files that are missing or damaged see `files.find_file`.
"""

from dlarch_keras.datasets.adbench import ADBENCH_NAMES, load_adbench, one_class_split
from dlarch_keras.datasets.ai4i import load_ai4i
from dlarch_keras.datasets.credit_card import load_credit_card
from dlarch_keras.datasets.fashion_mnist import FASHION_MNIST_CLASSES, load_fashion_mnist
from dlarch_keras.datasets.files import data_dir, find_file
from dlarch_keras.datasets.folders import (
    load_image_pairs,
    load_images,
    load_labelled_images,
    read_image,
    read_images,
)
from dlarch_keras.datasets.glyphs import GLYPH_ALPHABETS, load_glyphs
from dlarch_keras.datasets.mnist import load_mnist
from dlarch_keras.datasets.network_flows import generate_flows, load_network_flows
from dlarch_keras.datasets.nsl_kdd import NSL_KDD_CATEGORIES, load_nsl_kdd
from dlarch_keras.datasets.omniglot import load_omniglot, load_omniglot_runs
from dlarch_keras.datasets.photographs import load_photographs
from dlarch_keras.datasets.scenes import SOLIDS, generate_scenes
from dlarch_keras.datasets.signature_folders import Signatures, load_signatures, preprocess_signature
from dlarch_keras.datasets.signatures import make_signatures
from dlarch_keras.datasets.textures import TEXTURE_CLASSES, add_defects, load_textures
from dlarch_keras.datasets.transactions import generate_transactions, split_by_time, terminal_risk, transaction_features
from dlarch_keras.datasets.windows import point_scores, sliding_windows
