"""What no architecture may suffer from: damaged files, full disks, numbers that run away, a kill while it saves."""

import contextlib
import functools
import io
import json
import os
import signal
import subprocess
import sys
import zipfile

import keras
import numpy as np
import pytest

from dlarch_keras.core import archive
from tests.support.architectures import ARCHITECTURES, compiled

resource = pytest.importorskip("resource")  # of POSIX, as signal.SIGKILL is


@pytest.fixture(params=ARCHITECTURES)
def name(request):
    return request.param


@functools.cache
def untrained(name):
    """For tests that change nothing."""
    return ARCHITECTURES[name].make()


def saved(model, path):
    model.save(path)
    return path.read_bytes()


@pytest.fixture
def file(name, tmp_path):
    """The bytes of a model's file."""
    return saved(untrained(name), tmp_path / "saved.keras")


def test_numbers_that_run_away_end_training_and_the_batch_is_named(name):
    make, data = ARCHITECTURES[name]
    model = compiled(make(), run_eagerly=True)
    x, y = data(32)
    weights = model.get_weights()

    class Poison(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            if batch == 2:
                self.model.set_weights([np.full_like(weight, np.nan) for weight in weights])

    with pytest.raises(FloatingPointError, match=r"_?loss` is nan after batch 3 of epoch 1"):
        model.fit(x, y, batch_size=8, epochs=2, shuffle=False, verbose=0, callbacks=Poison())
    model.set_weights(weights)  # the model can still be used, with an optimizer that starts anew
    model.compile_from_config(model.get_compile_config())
    assert np.isfinite(list(model.fit(x, y, batch_size=8, verbose=0).history.values())).all()


def test_a_damaged_file_is_refused(name, file, tmp_path):
    path = tmp_path / "model.keras"
    middle = file.index(b"model.weights.h5") + len(file) // 3  # within the weights, which are not compressed
    for damaged in (
        file[:-100],
        file[:middle] + bytes([file[middle] ^ 255]) + file[middle + 1 :],
        b"",
        b"No model.",
    ):
        path.write_bytes(damaged)
        with pytest.raises((ValueError, OSError, zipfile.BadZipFile)):
            keras.saving.load_model(path)


@pytest.mark.filterwarnings("ignore:Skipping:UserWarning")  # Keras's own, before its error
def test_the_weights_of_another_architecture_are_refused(name, tmp_path):
    untrained("Siamese" if name == "GAN" else "GAN").save(tmp_path / "model.keras")
    model = ARCHITECTURES[name].make()
    before = model.get_weights()
    with pytest.raises(ValueError):
        model.load_weights(tmp_path / "model.keras")
    for one, another in zip(before, model.get_weights()):
        np.testing.assert_array_equal(one, another)


def test_a_class_that_nobody_knows_is_refused(file, tmp_path):
    with zipfile.ZipFile(io.BytesIO(file)) as whole:
        members = {member: whole.read(member) for member in whole.namelist()}
    config = json.loads(members["config.json"])
    config.update(module=None, class_name="Stranger", registered_name="elsewhere>Stranger")
    members["config.json"] = json.dumps(config).encode()
    with zipfile.ZipFile(tmp_path / "model.keras", "w") as changed:
        for member, content in members.items():
            changed.writestr(member, content)
    with pytest.raises(TypeError, match="Stranger"):
        keras.saving.load_model(tmp_path / "model.keras")


@contextlib.contextmanager
def full_disk(size):
    """No file may grow beyond `size` bytes: writing fails in the operating system, as on a disk that is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_leaves_the_old_file(name, tmp_path):
    model = ARCHITECTURES[name].make()
    path = tmp_path / "model.keras"
    before = saved(model, path)
    model.set_weights([weight + 1 for weight in model.get_weights()])
    with full_disk(len(before) // 2), pytest.raises(OSError):
        model.save(path)
    assert path.read_bytes() == before and os.listdir(tmp_path) == [path.name]
    assert saved(model, path) != before


def test_a_full_disk_leaves_the_old_weights(tmp_path):
    """In a process of its own: HDF5, which failed to write, may bring it down."""
    path = tmp_path / "model.weights.h5"
    untrained("GAN").save_weights(path)
    before = path.read_bytes()
    code = (
        "import sys; from tests.contract.test_faults import full_disk, untrained\n"
        "model = untrained('GAN'); print('ready', flush=True)\n"
        "with full_disk(9_000): model.save_weights(sys.argv[1])"
    )
    result = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, timeout=300)
    assert "ready" in result.stdout and result.returncode != 0
    assert path.read_bytes() == before and len(before) > 9_000


def test_a_link_is_followed(tmp_path):
    (tmp_path / "file").write_text("old")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    with archive.replacing(tmp_path / "link") as part:
        part.write_text("new")
    assert (tmp_path / "link").is_symlink() and (tmp_path / "file").read_text() == "new"


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # the child does nothing with threads
def test_a_process_killed_while_it_saves_leaves_the_old_file(tmp_path):
    (tmp_path / "file").write_text("old")
    child = os.fork()
    if not child:
        with archive.replacing(tmp_path / "file") as part:
            part.write_text("half")
            os.kill(os.getpid(), signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    assert os.WTERMSIG(status) == signal.SIGKILL and (tmp_path / "file").read_text() == "old"
