"""TensorFlow, JAX and torch do the same thing, and several devices do what one does. Each runs in its own process."""

import contextlib
import functools
import importlib.util
import json
import os
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest

from dlarch_keras.core import distribution
from tests.support.architectures import ARCHITECTURES

OTHERS = ["jax", "torch"]
# Compiling takes nearly all of the time; what is compiled runs for six steps.
QUICKLY_COMPILED = {"XLA_FLAGS": "--xla_backend_optimization_level=0"}


def run(arguments, backend, **environment):
    """Run a Python process on a backend; its output, or its error as this test's."""
    result = subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, "KERAS_BACKEND": backend, **environment},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert result.returncode == 0, result.stderr[-3000:]
    return result.stdout


def needs(package):
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed (pip install -e .[backends])")


@pytest.fixture(scope="module")
def tensorflow_trace(tmp_path_factory):
    if not any(map(importlib.util.find_spec, OTHERS)):
        pytest.skip("there is no other backend to compare with (pip install -e .[backends])")
    path = tmp_path_factory.mktemp("trace") / "tensorflow.npz"
    run(["-m", "tests.support.ten_steps", str(path)], "tensorflow")
    return np.load(path)


@pytest.mark.parametrize("backend", OTHERS)
def test_ten_steps_equal_tensorflows(backend, tensorflow_trace, tmp_path):
    needs(backend)
    path = tmp_path / f"{backend}.npz"
    run(["-m", "tests.support.ten_steps", str(path)], backend)
    other = np.load(path)
    assert sorted(other.files) == sorted(tensorflow_trace.files)
    for name in other.files:
        scale = max(np.abs(tensorflow_trace[name]).max(), 1e-3)
        assert np.abs(other[name] - tensorflow_trace[name]).max() <= 1e-4 * scale, name


def test_the_trace_moves(tensorflow_trace):
    """Parity of models that stand still would show nothing: ten losses, all different, BatchNorm's means off zero."""
    for name, losses in tensorflow_trace.items():
        assert not name.endswith("/losses") or len(np.unique(losses[:, 0])) == 10, name
    for model in ("one", "two"):
        statistics = [v for k, v in tensorflow_trace.items() if k.startswith(f"{model}/variable") and v.shape == (16,)]
        assert all(np.any(value != value[0]) for value in statistics)


@functools.cache
def two_devices(backend):
    """What `two_devices` prints: how far models trained on two devices end from those trained on one."""
    needs(backend)
    return json.loads(run(["-m", "tests.support.two_devices"], backend, **QUICKLY_COMPILED).splitlines()[-1])


def is_equal(difference):
    """To rounding; a gradient off by a factor of two would make half of what the weights have moved."""
    return max(difference["weights"], difference["logs"]) < 1e-5 and difference["weights"] < 1e-2 * difference["moved"]


@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
def test_two_devices_equal_one(backend):
    """On JAX always: the devices share one batch. TensorFlow's replicas see a half each, and that makes a difference to

    GAN, whole batches: BatchNorm takes mean and variance of a half (with `synchronized=True`, of the batch: equal).
    WGAN-GP, whole batches: BatchNorm; and a step of the discriminator takes its part of either half.
    Siamese, whole batches: BatchNorm; and an example is compared with those of its half only.
    """
    differences = two_devices(backend)["architectures"]
    assert set(differences) > set(ARCHITECTURES)
    for name, difference in differences.items():
        if backend == "tensorflow" and name.endswith(", whole batches"):
            assert 1e-4 < difference["weights"] < 1, name
        else:
            assert is_equal(difference), name


def test_several_steps_on_two_devices_equal_one():
    """On JAX. Under MirroredStrategy on CPUs, any Keras model fails with several steps."""
    assert is_equal(two_devices("jax")["several steps"])


def test_replicas_draw_noise_of_their_own():
    """On JAX there is one batch, of the noise that one device draws."""
    assert two_devices("tensorflow")["noise of replicas"]["weights"] > 1e-3


def test_replicas_refuse_a_batch_that_they_cannot_share():
    assert "the last batch, got batches of 16 and a last one of 1" in two_devices("tensorflow")["refusal"]


@pytest.mark.parametrize(
    ("count", "rows", "batch_size", "fits"),
    [
        (1, 33, 32, True),
        (2, 34, 32, True),
        (2, 33, 32, False),
        (4, 37, 32, False),  # shared as 2, 2, 1 and 0
        (4, 39, None, True),  # 32 at a time; 2, 2, 2 and 1
        (2, 30, 15, False),
        (8, 7, 32, False),
    ],
)
def test_batches_of_replicas(count, rows, batch_size, fits):
    model = SimpleNamespace(distribute_strategy=SimpleNamespace(num_replicas_in_sync=count))
    with contextlib.nullcontext() if fits else pytest.raises(ValueError, match=f"number of replicas, {count}"):
        distribution.check_batches(model, (np.zeros((rows, 2)), np.zeros(rows)), batch_size)


def test_two_processes_equal_one():
    """Each feeds its half of a batch, and the models are those of the whole one: BatchNorm and pairs included."""
    needs("jax")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])

    def process(number):
        output = run(["-m", "tests.support.two_processes", port, str(number)], "jax", **QUICKLY_COMPILED)
        return json.loads(output.splitlines()[-1])

    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(process, range(2))
    assert sorted([*first, *second]) == sorted(ARCHITECTURES)
    for name, difference in {**first, **second}.items():
        assert is_equal(difference), name
