import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # before TensorFlow is imported
os.environ.setdefault("MPLBACKEND", "agg")

import keras
import pytest


@pytest.fixture(autouse=True)
def fresh_keras():
    """Each test starts from the same random state, in float32."""
    keras.utils.set_random_seed(0)
    yield
    keras.config.set_dtype_policy("float32")


@pytest.fixture
def backend():
    return keras.backend.backend()
