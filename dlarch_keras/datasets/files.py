"""Finds data files: a local copy, or a download; either is checked against the catalog before anything reads it."""

import csv
import hashlib
import io
import os
import tempfile
import zipfile
from pathlib import Path
from urllib.error import ContentTooShortError

import keras
import numpy as np
from PIL import Image

CATALOG = Path(__file__).with_name("catalog.csv")


def data_dir():
    """Return the folder that holds the data files.

    It is `$DLARCH_DATA_DIR` where that is set; else `data/` of the source checkout that the package runs from; else the
    folder in which Keras keeps its own datasets (`~/.keras/datasets`, or `datasets` under `$KERAS_HOME`): the layout is
    the same, so files that Keras has already fetched are found.

    Raises:
        FileNotFoundError: `DLARCH_DATA_DIR` names no existing folder.
    """
    if named := os.environ.get("DLARCH_DATA_DIR"):
        folder = Path(named).expanduser().resolve()
        if not folder.is_dir():
            # Creating it would turn a mistyped path into a second download.
            raise FileNotFoundError(f"DLARCH_DATA_DIR must name an existing folder, got {named!r} (that is, {folder}).")
        return folder
    checkout = Path(__file__).resolve().parents[2] / "data"
    if (checkout / "README.md").is_file():
        return checkout
    return Path(os.environ.get("KERAS_HOME") or "~/.keras").expanduser() / "datasets"


def catalog():
    """Return the catalog: a dictionary from a file's name to its row, a dictionary of strings (`""`: not known)."""
    with CATALOG.open(encoding="utf-8", newline="") as rows:
        return {row["file"]: row for row in csv.DictReader(rows)}


def find_file(name):
    """Return the path of a data file whose content has been verified; download the file first if it is not here.

    Args:
        name: a file of the catalog that has an address, such as `"mnist.npz"`; also its place under `data_dir()`.

    Raises:
        ValueError: `name` is not such a file, or the content (local or downloaded) is not what the catalog records. A
            local file is left as it is; of a bad download nothing is kept.
        FileNotFoundError: no local copy, and the download failed.
    """
    downloadable = {file: row for file, row in catalog().items() if row["source"].startswith("http")}
    if name not in downloadable:
        raise ValueError(f"name must be one of {sorted(downloadable)}, got {name!r}.")
    row, path = downloadable[name], data_dir() / name
    if not path.is_file():
        _download(row, path)
    elif problem := _mismatch(path, row):
        raise ValueError(
            f"{path} is truncated or corrupt: {problem}. Replace it with a good copy, or delete it and load again to "
            f"download it from {row['source']}."
        )
    return path


def read_npz(path):
    """Return the arrays of an `.npz` file as a dictionary; one that holds pickled objects raises `ValueError`."""
    # Opened here, because np.load leaves a damaged archive open, and Windows then refuses to delete it.
    with open(path, "rb") as content, np.load(content, allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def read_zip(path):
    """Return what a `.zip` of black and white pictures of one size holds, as a dictionary of arrays.

    `names`, `(n,)`: of the `.png` files, the last two folders included, in sorted order; `images`, bool, `(n, height,
    width)`, True = white; `text`, uint8: the bytes of all `.txt` files in the order of their names.
    """
    with zipfile.ZipFile(path) as archive:
        members = sorted(archive.namelist())
        pictures = [name for name in members if name.endswith(".png")]
        text = b"".join(archive.read(name) for name in members if name.endswith(".txt"))
        images = [np.asarray(Image.open(io.BytesIO(archive.read(name))).convert("1")) for name in pictures]
    names = ["/".join(name.split("/")[-3:]) for name in pictures]
    return {"names": np.array(names), "images": np.stack(images), "text": np.frombuffer(text, np.uint8)}


def arrays_digest(arrays):
    """Return the SHA-256, in hexadecimal, of named arrays: the same however they were stored or compressed.

    Hashed are, for each name in sorted order, a line `name dtype shape` (as in `x_train |u1 (60000, 28, 28)`) and the
    array's bytes in C order.

    Args:
        arrays: a dictionary from names to NumPy arrays.
    """
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def _download(row, path):
    """Download a catalogued file to `path`, which comes to exist only if the content is right."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # A folder of its own: a failure, even a kill, leaves no half file at `path`, and the last step is one rename.
        with tempfile.TemporaryDirectory(prefix=".download-", dir=path.parent) as folder:
            fetched = Path(keras.utils.get_file(path.name, row["source"], cache_dir=folder, cache_subdir="."))
            if not (problem := _mismatch(fetched, row)):
                fetched.replace(path)
    except Exception as error:  # get_file raises a plain Exception for whatever went wrong with the address
        if not isinstance(error.__context__, ContentTooShortError):
            raise FileNotFoundError(
                f"{row['file']} is not at {path}, and downloading it failed ({error}). Fetch {row['source']} by other "
                f"means and put it at {path}, or set DLARCH_DATA_DIR to a folder that holds {row['file']}."
            ) from error
        problem = f"expected {_expected(row)}, got a broken transfer ({error.__context__.reason})"
    if problem:
        raise ValueError(
            f"The download of {row['file']} from {row['source']} is truncated or corrupt: {problem}. Nothing was kept: "
            f"load again to retry, or put a good copy at {path}."
        )


def _expected(row):
    """Say in words what the catalog records of a file's content."""
    if row["sha256"]:
        return f"{int(row['bytes']):,} bytes with SHA-256 {row['sha256']}"
    return f"a file whose arrays have SHA-256 {row['arrays_sha256']}"


def _mismatch(path, row):
    """Say how a file's content differs from what the catalog records; an empty string where it does not."""
    try:
        if row["sha256"]:
            with path.open("rb") as content:
                digest = hashlib.file_digest(content, "sha256").hexdigest()
        else:
            digest = arrays_digest((read_zip if path.suffix == ".zip" else read_npz)(path))
        what = "with" if row["sha256"] else "whose arrays have"
        found = "" if digest == (row["sha256"] or row["arrays_sha256"]) else f"{what} SHA-256 {digest}"
    except Exception as error:  # a damaged archive can make its readers raise almost anything
        found = f"that cannot be read ({error})"
    return found and f"expected {_expected(row)}, got {path.stat().st_size:,} bytes {found}"
