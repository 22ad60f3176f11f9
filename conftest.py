import os

# Before TensorFlow is imported, here and in the notebooks' kernels: its C++ log lines would count as cell output, and
# on processors without AVX-512 it leaves oneDNN's convolutions, twice as fast, off.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("MPLBACKEND", "agg")
# Two workers share the processor (pyproject.toml), a thread each. With more, OpenBLAS waits in busy loops (a logistic
# regression on MNIST takes fifteen times the processor time), and TensorFlow takes a sixth more for convolutions.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")

import keras
import pytest


@pytest.fixture(autouse=True)
def fresh_keras():
    """Each test starts from the same random state, in float32."""
    keras.utils.set_random_seed(0)
    yield
    keras.config.set_dtype_policy("float32")
