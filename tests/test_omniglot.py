"""Omniglot as its datasheet says, from the archives where they are; and from small ones of the same layout."""

import io
import zipfile
from collections import Counter

import numpy as np
import pytest
from PIL import Image

from dlarch_keras.datasets import data_dir, files, load_omniglot, load_omniglot_runs, omniglot
from dlarch_keras.metrics.identification import runs_accuracy

here = pytest.mark.skipif(not (data_dir() / "omniglot").is_dir(), reason="needs Omniglot's archives in the data folder")


@pytest.fixture(scope="module")
def loaded():
    return load_omniglot()


@here
def test_as_published(loaded):
    (x_train, y_train), (x_test, y_test), alphabets = loaded
    assert x_train.shape == (19280, 28, 28, 1) and x_test.shape == (13180, 28, 28, 1)
    assert x_train.dtype == "float32" and y_train.dtype == y_test.dtype == "int32"
    np.testing.assert_array_equal(np.concatenate([y_train, y_test]), np.arange(1623).repeat(20))
    assert len(set(alphabets[:964])) == 30 and len(set(alphabets[964:])) == 20
    assert not set(alphabets[:964]) & set(alphabets[964:])
    sizes = Counter(alphabets)
    assert sizes["Greek"] == 24 and sizes["Hebrew"] == 22 and sizes["Tengwar"] == 25 and sizes["Kannada"] == 41


@here
def test_ink_is_one_and_sizes_are_means(loaded):
    x = loaded[0][0]
    assert x.min() == 0 and x.max() == 1 and np.median(x) == 0 and x.mean() == pytest.approx(0.0780, abs=2e-4)


@here
def test_runs_as_published():
    support, queries, answers = load_omniglot_runs(size=105)
    assert support.shape == queries.shape == (20, 20, 105, 105, 1) and support.dtype == "float32"
    assert set(np.unique(support)) == {0, 1}
    assert all(sorted(row) == list(range(20)) for row in answers)
    np.testing.assert_array_equal(answers[0, :5], [7, 8, 1, 18, 9])  # as in run01/class_labels.txt
    pixels = runs_accuracy(*(part.reshape(20, 20, -1) for part in (support, queries)), answers)
    assert 0.15 < pixels.value < 0.30 and 0.005 < pixels.standard_error < 0.05


def png(pixels):
    content = io.BytesIO()
    Image.fromarray(pixels).convert("1").save(content, "PNG")
    return content.getvalue()


def drawing(column, size=105):
    """White paper with an upright line."""
    pixels = np.full((size, size), 255, "uint8")
    pixels[10:-10, column : column + 3] = 0
    return png(pixels)


@pytest.fixture
def small(tmp_path, monkeypatch):
    """Archives of the same layout, small, in place of the real ones; a function that changes one of them."""
    for part, names in (
        ("background", ["A/character01", "A/character02", "B/character01"]),
        ("evaluation", ["C/character01"]),
    ):
        with zipfile.ZipFile(tmp_path / f"images_{part}.zip", "w") as archive:
            archive.writestr(f"images_{part}/", "")
            for number, name in reversed([*enumerate(names)]):  # in another order
                for drawer in range(1, 21):
                    archive.writestr(
                        f"images_{part}/{name}/{number:04d}_{drawer:02d}.png", drawing(10 * number + drawer)
                    )
    with zipfile.ZipFile(tmp_path / "all_runs.zip", "w") as archive:
        for run in range(1, 21):
            for number in range(1, 21):
                archive.writestr(f"all_runs/run{run:02d}/training/class{number:02d}.png", drawing(4 * number))
                archive.writestr(f"all_runs/run{run:02d}/test/item{number:02d}.png", drawing(4 * (21 - number)))
            lines = [
                f"run{run:02d}/test/item{n:02d}.png run{run:02d}/training/class{21 - n:02d}.png" for n in range(1, 21)
            ]
            archive.writestr(f"all_runs/run{run:02d}/class_labels.txt", "\n".join(lines) + "\n")
    monkeypatch.setattr(omniglot, "find_file", lambda name: tmp_path / name.removeprefix("omniglot/"))
    return tmp_path


def test_layout(small):
    (x_train, y_train), (x_test, y_test), alphabets = load_omniglot(size=105)
    np.testing.assert_array_equal(y_train, np.repeat([0, 1, 2], 20))
    np.testing.assert_array_equal(y_test, np.full(20, 3))
    assert list(alphabets) == ["A", "A", "B", "C"]
    for row, (character, drawer) in enumerate((c, d) for c in range(3) for d in range(1, 21)):
        line = 10 * character + drawer
        assert x_train[row, 50, line : line + 3].min() == 1 and x_train[row].sum() == 3 * 85
    assert x_test.shape == (20, 105, 105, 1)


def test_smaller_images_keep_the_ink(small):
    large, tiny = (load_omniglot(size)[0][0] for size in (105, 21))
    np.testing.assert_allclose(tiny, large.reshape(-1, 21, 5, 21, 5, 1).mean(axis=(2, 4)), atol=1 / 255)


def test_layout_of_runs(small):
    support, queries, answers = load_omniglot_runs()
    np.testing.assert_array_equal(answers, np.tile(np.arange(20)[::-1], (20, 1)))
    for run in range(20):
        np.testing.assert_array_equal(queries[run], support[run, answers[run]])
    assert runs_accuracy(support.reshape(20, 20, -1), queries.reshape(20, 20, -1), answers) == (1, 0)


@pytest.mark.parametrize("fault", ["other pixels", "truncated", "another size", "a picture missing", "a web page"])
def test_an_archive_with_other_content_is_refused(small, monkeypatch, fault):
    """The real catalog, whose digests these small archives do not have, and one with theirs."""
    monkeypatch.setenv("DLARCH_DATA_DIR", str(small.parent))
    path = small / "images_evaluation.zip"
    name = f"{small.name}/images_evaluation.zip"
    row = {**files.catalog()["omniglot/images_evaluation.zip"], "file": name}
    row["arrays_sha256"] = files.arrays_digest(files.read_zip(path))
    monkeypatch.setattr(files, "catalog", lambda: {name: row})
    assert files.find_file(name) == path
    content = path.read_bytes()
    members = {each: zipfile.ZipFile(path).read(each) for each in zipfile.ZipFile(path).namelist()}
    if fault == "truncated":
        path.write_bytes(content[:-100])
    elif fault == "a web page":
        path.write_bytes(b"<html>")
    else:
        last = max(members)
        members[last] = drawing(50, 104 if fault == "another size" else 105)
        if fault == "a picture missing":
            del members[last]
        with zipfile.ZipFile(path, "w") as archive:
            for each, data in members.items():
                archive.writestr(each, data)
    with pytest.raises(ValueError, match="truncated or corrupt"):
        files.find_file(name)


def test_without_the_archives_an_error_says_where_they_are_from(tmp_path, monkeypatch):
    monkeypatch.setenv("DLARCH_DATA_DIR", str(tmp_path))
    monkeypatch.setattr("keras.utils.get_file", lambda *arguments, **others: (_ for _ in ()).throw(OSError("offline")))
    with pytest.raises(FileNotFoundError, match=r"brendenlake/omniglot.*images_background\.zip"):
        load_omniglot()
