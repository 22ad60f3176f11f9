"""Files that come into being whole or not at all, and archives: settings, arrays and networks in one such file."""

import contextlib
import hashlib
import io
import json
import os
import tempfile
import zipfile
from pathlib import Path

import keras
import numpy as np

DIGEST = 64  # hexadecimal digits of SHA-256


@contextlib.contextmanager
def replacing(path):
    """A path to write to; what is there takes the place of `path` when the block has ended without an error.

    Until then, and whatever happens (a full disk, a kill), a file that was at `path` stays as it was. A process that
    is killed while it writes leaves a folder `.saving-...` beside it.

    Args:
        path: of a local file, in a folder that exists.
    """
    path = Path(path).resolve()  # a link is followed, not replaced
    with tempfile.TemporaryDirectory(prefix=".saving-", dir=path.parent) as folder:  # one rename away, on the same disk
        part = Path(folder, path.name)
        yield part
        with open(part, "rb+") as file:
            os.fsync(file.fileno())  # or a crash of the machine could leave an empty file under the old name
        os.replace(part, path)


def write_archive(path, kind, settings, arrays=None, models=None):
    """Write a zip archive of JSON, NumPy arrays and Keras models, without pickle, whole or not at all.

    Its comment is the SHA-256 digest of all bytes before it: that tells a damaged file from a whole one, and is no
    signature against those who forge files.

    Args:
        path: of a local file, in a folder that exists.
        kind: name of the class that is kept; `read_archive` compares it.
        settings: what JSON can express, and NumPy's numbers. A random generator, whose state is not kept, becomes None.
        arrays, models: `{name: numpy.ndarray}`, `{name: keras.Model}`.
    """
    if not Path(path).parent.is_dir():
        raise ValueError(f"`path` must lie in an existing folder, got {str(path)!r}.")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive, tempfile.TemporaryDirectory() as folder:
        archive.comment = bytes(DIGEST)  # to be replaced, when all else is written
        archive.writestr("settings.json", json.dumps({"kind": kind, "settings": settings}, default=_plain))
        for name, array in (arrays or {}).items():
            with archive.open(f"{name}.npy", "w") as file:
                np.save(file, array, allow_pickle=False)
        for name, model in (models or {}).items():
            model.save(Path(folder, f"{name}.keras"))
            archive.write(Path(folder, f"{name}.keras"), f"{name}.keras")
    content = buffer.getvalue()[:-DIGEST]
    with replacing(path) as part:
        part.write_bytes(content + _digest(content))


def read_archive(path, kind):
    """Read `(settings, arrays, models)`, as `write_archive` wrote them.

    Raises:
        ValueError: for a file that is foreign, truncated, altered or of another kind.
        FileNotFoundError: there is no file.
    """
    path = Path(path)
    data = b"" if path.is_dir() else path.read_bytes()
    try:
        return _unpack(data, kind)
    except Exception as error:  # a foreign archive can make its readers raise almost anything
        raise ValueError(f"`path` must be a file written by {kind}.save, got {str(path)!r}: {error}") from error


def _unpack(data, kind):
    if _digest(data[:-DIGEST]) != data[-DIGEST:]:
        raise ValueError("its digest does not fit; it is foreign, truncated or altered.")
    with zipfile.ZipFile(io.BytesIO(data)) as archive, tempfile.TemporaryDirectory() as folder:
        about = json.loads(archive.read("settings.json"))
        if about["kind"] != kind:
            raise ValueError(f"it is one of {about['kind']}.")
        arrays, models = {}, {}
        for name, _, suffix in (member.rpartition(".") for member in archive.namelist()):
            if suffix == "npy":
                arrays[name] = np.load(io.BytesIO(archive.read(f"{name}.npy")), allow_pickle=False)
            elif suffix == "keras":
                models[name] = keras.saving.load_model(archive.extract(f"{name}.keras", folder))
    return about["settings"], arrays, models


def _digest(content):
    return hashlib.sha256(content).hexdigest().encode()


def _plain(value):
    """Numbers of another kind, as JSON has them; None for a random generator."""
    if isinstance(value, (np.random.RandomState, np.random.Generator)):
        return None
    return value.item() if isinstance(value, np.generic) else float(value)
