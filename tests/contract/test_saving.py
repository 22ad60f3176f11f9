"""Every architecture, saved and loaded, is the one that it was: it trains on as if nothing had happened.

After a file, and after a kill in the middle of an epoch.
"""

import functools
import json
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import keras
import pytest

from tests.support.architectures import ARCHITECTURES, VARIANTS, assert_same, constructor_arguments, state
from tests.support.killed import backup, fit

ALL = ARCHITECTURES | VARIANTS
RTOL = 0 if keras.backend.backend() == "tensorflow" else 1e-5


def settings(model):
    """What a model was made and compiled with, its networks left out."""
    given = {name: value for name, value in constructor_arguments(model).items() if not isinstance(value, keras.Model)}
    optimizers = getattr(model.optimizer, "optimizers", [model.optimizer])
    return [
        {name: value.get_config() if hasattr(value, "get_config") else value for name, value in given.items()},
        *[optimizer.get_config() for optimizer in optimizers],
    ]


@functools.cache
def uninterrupted(name):
    """A model saved after two epochs of four: the file, what was in it, and where all four end."""
    keras.utils.set_random_seed(0)
    make, data = ALL[name]
    model = make()
    fit(model, *data(32), epochs=2)
    file = Path(tempfile.mkdtemp(), "model.keras")
    model.save(file)
    half = state(model)
    fit(model, *data(32), epochs=2)
    return file, type(model), settings(model), half, state(model)


@pytest.mark.parametrize("name", ALL)
def test_loaded_from_a_file_it_ends_where_the_uninterrupted_run_does(name):
    file, kind, expected, half, end = uninterrupted(name)
    loaded = keras.saving.load_model(file, safe_mode=True)
    assert type(loaded) is kind
    assert settings(loaded) == expected
    assert_same(state(loaded), half)
    fit(loaded, *ALL[name].data(32), epochs=2)
    assert_same(state(loaded), end, rtol=RTOL)


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """The folder where a process that was killed left its backups."""
    folder = tmp_path_factory.mktemp("killed")
    result = subprocess.run([sys.executable, "-m", "tests.support.killed", folder], capture_output=True, timeout=600)
    assert result.returncode == -signal.SIGKILL, result.stderr[-3000:]
    return folder


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="SIGKILL is of POSIX")
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_killed_and_resumed_it_ends_where_the_uninterrupted_run_does(name, killed):
    resumed, restore = ARCHITECTURES[name].make(), backup(killed, name)
    metadata = json.loads(Path(restore._training_metadata_path).read_text())
    assert metadata["epoch"] == 2  # two whole epochs; what was done of the third is lost
    fit(resumed, *ARCHITECTURES[name].data(32), restore)
    *_, end = uninterrupted(name)
    assert_same(state(resumed), end, rtol=RTOL)
