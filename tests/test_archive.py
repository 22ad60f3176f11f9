"""The archive that keeps what was fitted: whole or not at all, and refused unless it is what it should be."""

import hashlib
import io
import os
import zipfile

import keras
import numpy as np
import pytest

from dlarch_keras.core.archive import DIGEST, read_archive, write_archive


@pytest.fixture(scope="module")
def model():
    return keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, kernel_initializer=keras.initializers.Ones())])


@pytest.fixture
def path(tmp_path, model):
    arrays = {"codes": np.arange(6, dtype="float32").reshape(2, 3), "none": np.zeros((0, 4))}
    write_archive(
        tmp_path / "kept.zip", "Keeper", {"rate": np.float32(0.5), "names": ["é", None]}, arrays, {"net": model}
    )
    return tmp_path / "kept.zip"


def sealed(members):
    """An archive of any members, with the digest that belongs to it."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.comment = bytes(DIGEST)
        for name, content in members.items():
            archive.writestr(name, content)
    content = buffer.getvalue()[:-DIGEST]
    return content + hashlib.sha256(content).hexdigest().encode()


def test_what_was_written_is_read(path, model):
    settings, arrays, models = read_archive(path, "Keeper")
    assert settings == {"rate": 0.5, "names": ["é", None]}
    np.testing.assert_array_equal(arrays["codes"], [[0, 1, 2], [3, 4, 5]])
    assert arrays["codes"].dtype == "float32" and arrays["none"].shape == (0, 4) and len(arrays) == 2
    for one, other in zip(models["net"].get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    write_archive(path, "Keeper", {"state": np.random.default_rng(0)})  # in its place, with nothing but settings
    assert read_archive(path, "Keeper") == ({"state": None}, {}, {})
    assert os.listdir(path.parent) == [path.name]


def test_it_is_a_plain_zip_archive_without_pickle(path):
    with zipfile.ZipFile(path) as archive:
        assert archive.namelist() == ["settings.json", "codes.npy", "none.npy", "net.keras"]
        assert archive.testzip() is None
        assert archive.comment.decode() == hashlib.sha256(path.read_bytes()[:-DIGEST]).hexdigest()
    with pytest.raises(ValueError, match="allow_pickle"):
        write_archive(path, "Keeper", {}, {"objects": np.array([{}])})


def test_whatever_byte_is_changed_the_file_is_refused(path):
    content = path.read_bytes()
    for position in [*range(0, len(content), 97), len(content) - 1]:
        path.write_bytes(content[:position] + bytes([content[position] ^ 1]) + content[position + 1 :])
        with pytest.raises(ValueError, match="digest does not fit"):
            read_archive(path, "Keeper")


@pytest.mark.parametrize(
    "content",
    {
        "empty": lambda whole: b"",
        "truncated": lambda whole: whole[:-100],
        "longer": lambda whole: whole + b"0",
        "text": lambda whole: b"no archive",
        "pickle": lambda whole: b"\x80\x04N.",
        "without settings": lambda whole: sealed({"something.json": "{}"}),
        "other settings": lambda whole: sealed({"settings.json": "[]"}),
        "of another kind": lambda whole: sealed({"settings.json": '{"kind": "Other", "settings": {}}'}),
        "no network": lambda whole: sealed({"settings.json": '{"kind": "Keeper", "settings": {}}', "net.keras": ""}),
        "a digest alone": lambda whole: hashlib.sha256(b"").hexdigest().encode(),
    }.items(),
    ids=lambda item: item[0],
)
def test_damaged_and_foreign_files_are_refused(path, content):
    path.write_bytes(content[1](path.read_bytes()))
    with pytest.raises(ValueError, match=r"`path` must be a file written by Keeper.save, got '.*kept.zip'"):
        read_archive(path, "Keeper")


def test_an_archive_of_objects_is_refused(path):
    buffer = io.BytesIO()
    np.save(buffer, np.array([{}], dtype=object))
    path.write_bytes(sealed({"settings.json": '{"kind": "Keeper"}', "objects.npy": buffer.getvalue()}))
    with pytest.raises(ValueError, match="allow_pickle"):
        read_archive(path, "Keeper")


def test_no_file_and_no_folder(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_archive(tmp_path / "nothing", "Keeper")
    with pytest.raises(ValueError, match=r"`path` must be a file written by Keeper.save"):
        read_archive(tmp_path, "Keeper")
    with pytest.raises(ValueError, match="`path` must lie in an existing folder"):
        write_archive(tmp_path / "nothing" / "kept.zip", "Keeper", {})


@pytest.mark.parametrize("stage", ["fsync", "replace"])
def test_a_failed_save_leaves_the_old_file(path, stage, monkeypatch):
    before = path.read_bytes()

    def fail(*args):
        raise OSError("the disk is full")

    monkeypatch.setattr(os, stage, fail)
    with pytest.raises(OSError, match="full"):
        write_archive(path, "Keeper", {})
    assert path.read_bytes() == before and os.listdir(path.parent) == [path.name]
