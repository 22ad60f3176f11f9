"""What no architecture may suffer from: kills, damaged files, full disks, numbers that run away, chance."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import zipfile

import keras
import numpy as np
import pytest

from dlarch_keras.core.archive import replacing
from tests.architectures import ARCHITECTURES
from tests.killed import fit

resource = pytest.importorskip("resource")  # of POSIX, as signal.SIGKILL is


@pytest.fixture(params=ARCHITECTURES)
def name(request):
    return request.param


def state(model):
    """Everything that training moves: weights, what the optimizers keep, random states."""
    return [keras.ops.convert_to_numpy(variable) for variable in [*model.variables, *model.optimizer.variables]]


def assert_same(model, other):
    for one, another in zip(state(model), state(other), strict=True):
        np.testing.assert_array_equal(one, another)


def test_killed_and_resumed_it_ends_where_the_uninterrupted_run_does(name, tmp_path):
    make, data = ARCHITECTURES[name]
    command = [sys.executable, "-m", "tests.killed", name, str(tmp_path / "backup")]
    assert subprocess.run(command, capture_output=True, timeout=300).returncode == -signal.SIGKILL
    metadata = json.loads((tmp_path / "backup" / "training_metadata.json").read_text())
    assert metadata["epoch"] == 2  # two whole epochs; what was done of the third is lost
    resumed, uninterrupted = make(), make()
    fit(resumed, *data(32), keras.callbacks.BackupAndRestore(tmp_path / "backup"))
    fit(uninterrupted, *data(32))
    assert_same(resumed, uninterrupted)


def test_the_same_seed_gives_the_same_weights_to_the_last_bit(name):
    make, data = ARCHITECTURES[name]
    first, second = make(), make()
    for model in (first, second):
        keras.utils.set_random_seed(0)  # for the order of the examples, which Keras draws from the global state
        model.fit(*data(32), batch_size=8, epochs=2, verbose=0)
    assert_same(first, second)


def test_numbers_that_run_away_end_training_and_the_batch_is_named(name):
    make, data = ARCHITECTURES[name]
    model = make()
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


def saved(model, path):
    model.save(path)
    return path.read_bytes()


@pytest.mark.parametrize("damage", ["truncated", "a byte changed", "empty", "a text"])
def test_a_damaged_file_is_refused(name, damage, tmp_path):
    path = tmp_path / "model.keras"
    whole = saved(ARCHITECTURES[name].make(), path)
    middle = whole.index(b"model.weights.h5") + len(whole) // 3  # within the weights, which are not compressed
    path.write_bytes(
        {
            "truncated": whole[:-100],
            "a byte changed": whole[:middle] + bytes([whole[middle] ^ 255]) + whole[middle + 1 :],
            "empty": b"",
            "a text": b"No model.",
        }[damage]
    )
    with pytest.raises((ValueError, OSError, zipfile.BadZipFile)):
        keras.saving.load_model(path)


@pytest.mark.filterwarnings("ignore:Skipping:UserWarning")  # Keras's own, before its error
def test_the_weights_of_another_architecture_are_refused(name, tmp_path):
    other = "Siamese" if name == "GAN" else "GAN"
    ARCHITECTURES[other].make().save(tmp_path / "model.keras")
    model = ARCHITECTURES[name].make()
    before = model.get_weights()
    with pytest.raises(ValueError):
        model.load_weights(tmp_path / "model.keras")
    for one, another in zip(before, model.get_weights()):
        np.testing.assert_array_equal(one, another)


def test_a_class_that_nobody_knows_is_refused(name, tmp_path):
    model = ARCHITECTURES[name].make()
    model.save(tmp_path / "model.keras")
    with zipfile.ZipFile(tmp_path / "model.keras") as archive:
        members = {member: archive.read(member) for member in archive.namelist()}
    config = json.loads(members["config.json"])
    config.update(module=None, class_name="Stranger", registered_name="elsewhere>Stranger")
    members["config.json"] = json.dumps(config).encode()
    with zipfile.ZipFile(tmp_path / "model.keras", "w") as archive:
        for member, content in members.items():
            archive.writestr(member, content)
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
    model = ARCHITECTURES["GAN"].make()
    path = tmp_path / "model.weights.h5"
    model.save_weights(path)
    before = path.read_bytes()
    code = (
        "import sys; from tests.test_faults import ARCHITECTURES, full_disk\n"
        "model = ARCHITECTURES['GAN'].make(); print('ready', flush=True)\n"
        "with full_disk(9_000): model.save_weights(sys.argv[1])"
    )
    result = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, timeout=300)
    assert "ready" in result.stdout and result.returncode != 0
    assert path.read_bytes() == before and len(before) > 9_000


def test_a_link_is_followed(tmp_path):
    (tmp_path / "file").write_text("old")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    with replacing(tmp_path / "link") as part:
        part.write_text("new")
    assert (tmp_path / "link").is_symlink() and (tmp_path / "file").read_text() == "new"


def test_a_process_killed_while_it_saves_leaves_the_old_file(tmp_path):
    (tmp_path / "file").write_text("old")
    dies = (
        "import os, signal, sys; from dlarch_keras.core.archive import replacing\n"
        "with replacing(sys.argv[1]) as part: part.write_text('half'); os.kill(os.getpid(), signal.SIGKILL)"
    )
    result = subprocess.run([sys.executable, "-c", dies, str(tmp_path / "file")], timeout=300)
    assert result.returncode == -signal.SIGKILL and (tmp_path / "file").read_text() == "old"
