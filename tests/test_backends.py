"""TensorFlow, JAX and torch do the same thing, and several devices do what one does. Each runs in its own process."""

import importlib.util
import json
import os
import subprocess
import sys

import numpy as np
import pytest


def run(arguments, backend, **environment):
    """Run a Python process on a backend; its output, or its error as this test's."""
    result = subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, "KERAS_BACKEND": backend, **environment},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert result.returncode == 0, result.stderr[-3000:]
    return result.stdout


def needs(package):
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed (pip install -e .[backends])")


@pytest.fixture(scope="module")
def tensorflow_trace(tmp_path_factory):
    path = tmp_path_factory.mktemp("trace") / "tensorflow.npz"
    run(["-m", "tests.ten_steps", str(path)], "tensorflow")
    return np.load(path)


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_ten_steps_equal_tensorflows(backend, tensorflow_trace, tmp_path):
    needs(backend)
    path = tmp_path / f"{backend}.npz"
    run(["-m", "tests.ten_steps", str(path)], backend)
    other = np.load(path)
    assert sorted(other.files) == sorted(tensorflow_trace.files)
    for name in other.files:
        scale = max(np.abs(tensorflow_trace[name]).max(), 1e-3)
        assert np.abs(other[name] - tensorflow_trace[name]).max() <= 1e-4 * scale, name


def test_the_trace_moves(tensorflow_trace):
    """Parity of models that stand still would show nothing: ten losses, all different, BatchNorm's means off zero."""
    siamese = [f"siamese, {name}" for name in ("contrastive", "triplet", "NT-Xent", "pairs")]
    for model in ("one", "two", "vae", "gan", "wgan_gp", "pix2pix", "srgan", *siamese):
        assert len(np.unique(tensorflow_trace[f"{model}/losses"][:, 0])) == 10
    for model in ("one", "two"):
        statistics = [v for k, v in tensorflow_trace.items() if k.startswith(f"{model}/variable") and v.shape == (16,)]
        assert all(np.any(value != value[0]) for value in statistics)


@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
def test_two_devices_equal_one(backend):
    needs(backend)
    distances = json.loads(run(["-m", "tests.two_devices"], backend).splitlines()[-1])
    for case in set(distances) - {"batch norm", "pairs"}:
        assert distances[case]["weights"] < 1e-5, case
        assert distances[case]["logs"] < 1e-5, case
    # What depends on the batch as a whole: JAX shards one batch, TensorFlow's replicas see their own half.
    for case in ("batch norm", "pairs"):
        assert np.isfinite(distances[case]["weights"])
        assert (distances[case]["weights"] < 1e-4) == (backend == "jax"), case
