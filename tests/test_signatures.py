"""Folders of scans in every layout, what is left of a scan, and signatures that are generated."""

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from dlarch_keras.datasets import signatures
from dlarch_keras.datasets.signature_folders import load_signatures, preprocess_signature
from dlarch_keras.datasets.signatures import make_signatures

LAYOUTS = {
    "CEDAR": {
        "full_org/original_1_1.png": ("1", False),
        "full_org/original_1_2.png": ("1", False),
        "full_org/original_12_1.png": ("12", False),
        "full_forg/forgeries_1_1.png": ("1", True),
        "full_forg/forgeries_12_24.png": ("12", True),
    },
    "BHSig260, Bengali": {
        "001/B-S-1-G-01.tif": ("001", False),
        "001/B-S-1-F-01.tif": ("001", True),
        "002/B-S-2-G-24.tif": ("002", False),
    },
    "BHSig260, Hindi": {"100/H-S-100-G-01.tif": ("100", False), "100/H-S-100-F-30.tif": ("100", True)},
    "genuine and forged": {
        "ada/genuine/a.png": ("ada", False),
        "ada/genuine/b.jpg": ("ada", False),
        "ada/forged/a.png": ("ada", True),
        "bob/genuine/a.PNG": ("bob", False),
        "Eve/Genuine/1.PNG": ("Eve", False),
        "Eve/Forgeries/1.PNG": ("Eve", True),
    },
    "paired folders": {
        "049/01_049.png": ("049", False),
        "049_forg/01_0114049.PNG": ("049", True),
        "050/01_050.png": ("050", False),
    },
}


def scan(shape=(60, 120), seed=0):
    """A wave of ink on paper with noise."""
    rng = np.random.default_rng(seed)
    columns = np.arange(15, shape[1] - 15)
    rows = (shape[0] / 2 + shape[0] / 4 * np.sin(columns / (6 + seed))).astype(int)
    page = np.full(shape, 0.9) + rng.normal(0, 0.01, shape)
    for thick in range(-1, 2):
        page[rows + thick, columns] = 0.2
    return page.clip(0, 1)


def write(folder, files, shape=(60, 120)):
    for number, name in enumerate(files):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray((scan(shape, number) * 255).astype("uint8")).save(path)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_each_layout_is_recognised(tmp_path, layout):
    files = LAYOUTS[layout]
    write(tmp_path, files)
    (tmp_path / "Thumbs.db").write_text("not a picture")
    (tmp_path / ".hidden.png").write_text("not a picture")
    signatures = load_signatures(tmp_path, size=(32, 48))
    found = sorted(zip(signatures.writers.tolist(), signatures.forged.tolist()))
    assert found == sorted(files.values())
    assert signatures.images.shape == (len(files), 32, 48, 1) and signatures.images.dtype == "float32"
    assert (signatures.images == 0).any() and signatures.images.max() == 1


def test_an_image_belongs_to_its_file(tmp_path):
    files = LAYOUTS["paired folders"]
    write(tmp_path, files)
    images, writers, forged = load_signatures(tmp_path)
    for number, claim in enumerate(files.values()):
        (row,) = [k for k in range(len(files)) if (writers[k], forged[k]) == claim]
        want = preprocess_signature((scan(seed=number) * 255).astype("uint8") / 255)
        np.testing.assert_allclose(images[row], want, atol=1e-6)


def test_a_file_out_of_place_is_named(tmp_path):
    write(tmp_path, [*LAYOUTS["BHSig260, Bengali"], "001/copy.tif"])
    with pytest.raises(ValueError, match=r"copy\.tif must have its place in the layout"):
        load_signatures(tmp_path)


@pytest.mark.parametrize("files", [["a.png"], ["a/1.png", "b/1.png"], ["a/b/c/d/1.png"], []], ids=str)
def test_folders_of_something_else_are_refused(tmp_path, files):
    write(tmp_path, files)
    with pytest.raises(ValueError, match="`folder` must hold scans in one of the layouts"):
        load_signatures(tmp_path)


def test_no_folder_is_refused(tmp_path):
    with pytest.raises(ValueError, match="`folder` must be an existing folder"):
        load_signatures(tmp_path / "nothing")


def test_forgeries_without_their_writer_are_refused(tmp_path):
    write(tmp_path, ["1/a.png", "2_forg/a.png"])
    with pytest.raises(ValueError, match=r"genuine signatures of every writer, got none of \[.*2.*\]"):
        load_signatures(tmp_path)


def damaged(kind, path):
    data = path.read_bytes()
    if kind == "truncated":
        path.write_bytes(data[: len(data) // 2])
    elif kind == "text":
        path.write_text("a signature")
    elif kind == "empty file":
        path.write_bytes(b"")
    else:
        page = {"blank": np.ones((60, 120)), "all ink": np.zeros((60, 120)), "tiny": scan((60, 120))[:9, :9]}[kind]
        Image.fromarray((page * 255).astype("uint8")).save(path)


@pytest.mark.parametrize("kind", ["truncated", "text", "empty file", "blank", "all ink", "tiny"])
def test_a_bad_file_is_named(tmp_path, kind):
    write(tmp_path, LAYOUTS["paired folders"])
    damaged(kind, tmp_path / "050" / "01_050.png")
    with pytest.raises(ValueError, match=r"01_050\.png"):
        load_signatures(tmp_path)


def test_all_bad_files_are_named_at_once(tmp_path):
    write(tmp_path, LAYOUTS["CEDAR"])
    for name in ("full_org/original_1_2.png", "full_forg/forgeries_12_24.png"):
        damaged("blank", tmp_path / name)
    with pytest.raises(ValueError, match=r"(?s)2 bad ones of 5.*forgeries_12_24\.png.*original_1_2\.png"):
        load_signatures(tmp_path)


@pytest.mark.parametrize("size", [64, (64,), (8, 128), (64, 128.0), "64", None])
def test_bad_sizes_are_refused(tmp_path, size):
    for call in (load_signatures, lambda folder, size: preprocess_signature(scan(), size)):
        with pytest.raises(ValueError, match="`size` must"):
            call(tmp_path, size)


def test_the_background_is_exactly_nothing_and_the_aspect_is_kept():
    page = np.full((100, 300), 0.8)
    page[40:60, 100:180] = 0.1  # 20 × 80: four times as wide as high
    image = preprocess_signature(page, (64, 128))[..., 0]
    rows, columns = np.flatnonzero(image.any(axis=1)), np.flatnonzero(image.any(axis=0))
    assert len(columns) == 124 and len(rows) == 31
    assert rows[0] + rows[-1] == pytest.approx(63, abs=1) and columns[0] + columns[-1] == 127
    assert set(np.unique(image)) == {0.0, 1.0}


@pytest.mark.parametrize("shade", [0.6, 0.95])
@pytest.mark.parametrize("place", [(0, 0), (30, 70)])
def test_paper_and_place_leave_no_trace(shade, place):
    page = np.ones((130, 260))
    page[place[0] : place[0] + 60, place[1] : place[1] + 120] = np.where(scan() < 0.5, 0.3, 1.0)
    plain = np.where(np.pad(scan(), 30, constant_values=1) < 0.5, 0.3, 1.0)
    np.testing.assert_allclose(preprocess_signature(page * shade), preprocess_signature(plain), atol=1e-3)


def test_a_shadow_is_taken_out():
    page = scan((120, 240))
    shadow = ndimage.gaussian_filter(np.where(np.arange(240) < 100, 1.0, 0.45), 3)
    lit = preprocess_signature(page)
    assert np.abs(preprocess_signature(page * shadow) - lit).mean() < 0.1 * lit.mean()


def test_specks_are_dirt():
    page = scan((120, 240))
    dirty = page.copy()
    dirty[5, 5] = dirty[115, 230] = 0
    np.testing.assert_allclose(preprocess_signature(dirty), preprocess_signature(page), atol=1e-3)


@pytest.mark.parametrize(
    "place",
    [np.s_[10:17, 560:567], np.s_[270:273], np.s_[:, :6], np.s_[:, -4:]],
    ids=["dust", "a ruled line", "the scanner's edge, left", "right"],
)
def test_what_is_no_part_of_the_signature_does_not_move_it(place):
    page = np.pad(ndimage.zoom(scan(), 3, order=1), ((60, 60), (120, 120)), constant_values=0.9)
    clean = preprocess_signature(page)
    dirty = page.copy()
    dirty[place] = 0.2
    assert np.abs(preprocess_signature(dirty) - clean).mean() < 0.05 * clean.mean()


@pytest.mark.parametrize("place", [np.s_[:, 60:63], np.s_[4:60, 5:8]], ids=["in the middle", "at the side"])
def test_a_stem_as_high_as_the_scan_is_a_letter(place):
    page = np.pad(scan((48, 120)), ((8, 8), (0, 0)), constant_values=0.9)
    page[place] = 0.2
    rows = preprocess_signature(page)[..., 0].sum(axis=1)
    assert np.median(rows) > 0 and (rows > 0).sum() >= 56  # the wave alone is half as high as it is wide


def test_colour_is_luma():
    page = scan()
    ink = page < 0.5
    colour = np.repeat(page[..., None], 3, axis=2)
    colour[ink] = (0.1, 0.15, 0.5)  # a blue pen
    image = preprocess_signature(colour)
    assert image.shape == (64, 128, 1)
    assert ((image > 0) == (preprocess_signature(page) > 0)).mean() > 0.99


@pytest.mark.parametrize(
    ("page", "message"),
    [
        (np.ones((60, 120)), "must show ink on paper"),
        (np.zeros((60, 120)), "must show ink on paper"),
        (np.full((60, 120), 0.1), "must show ink on paper"),
        (0.8 + np.random.default_rng(0).normal(0, 0.02, (60, 120)), "must show ink on paper"),
        (np.where(np.indices((60, 120)).sum(axis=0) == 60, 0.85, 0.9), "must show ink on paper"),
        (np.random.default_rng(0).random((60, 120)), "must be mostly paper"),
        (1 - scan(), "must be dark ink on light paper"),
        (scan()[:15], "16 or more pixels"),
        (np.where(np.indices((60, 120))[1] == np.indices((60, 120))[0] * 99, 0.0, 1.0), "must show a signature"),
    ],
    ids=["white", "black", "all ink", "noise on paper", "too faint", "noise", "light on dark", "tiny", "a speck"],
)
def test_what_is_no_signature_is_refused(page, message):
    with pytest.raises(ValueError, match=message):
        preprocess_signature(page)


@pytest.fixture(scope="module")
def generated():
    return make_signatures(8, genuine=6, forged=4, seed=3)


def test_what_is_generated(generated):
    assert generated.images.shape == (80, 64, 128, 1) and generated.images.dtype == "float32"
    assert generated.images.min() == 0 and generated.images.max() == 1
    assert ((generated.images == 0).mean(axis=(1, 2, 3)) > 0.5).all()
    np.testing.assert_array_equal(generated.writers, np.repeat(np.arange(8), 10))
    np.testing.assert_array_equal(generated.forged, np.tile([False] * 6 + [True] * 4, 8))


def test_the_seed_decides(generated):
    again = make_signatures(2, genuine=6, forged=4, seed=3)
    np.testing.assert_array_equal(again.images, generated.images[:20])  # a writer does not depend on those after
    fewer = make_signatures(2, genuine=1, forged=2, seed=3)  # nor a signature on the number of others
    np.testing.assert_array_equal(fewer.images, generated.images[[0, 6, 7, 10, 16, 17]])
    other = make_signatures(1, genuine=6, forged=4, seed=4)
    assert not np.array_equal(other.images, generated.images[:10])


def spread(a, b):
    """Mean difference between pictures at a quarter of their size."""
    small = [x.reshape(len(x), 16, 4, 32, 4).mean(axis=(2, 4)) for x in (a, b)]
    return np.abs(small[0][:, None] - small[1][None]).mean(axis=(2, 3))


def test_a_writer_is_like_himself_and_forgeries_are_between_him_and_others(generated):
    images = generated.images[..., 0].reshape(8, 10, 64, 128)
    own = np.mean([spread(w[:3], w[3:6]).mean() for w in images])
    forged = np.mean([spread(w[:6], w[6:]).mean() for w in images])
    others = np.mean([spread(images[k, :6], images[k - 1, :6]).mean() for k in range(8)])
    assert own < forged < others


def test_skill_makes_forgeries_better():
    ways = []
    for skill in (0.0, 1.0):
        images, *_ = make_signatures(12, genuine=5, forged=5, skill=skill, seed=5)
        groups = images[..., 0].reshape(12, 10, 64, 128)
        ways.append(np.mean([spread(g[:5], g[5:]).mean() for g in groups]))
    assert ways[1] < 0.95 * ways[0]


def test_scans_are_what_is_preprocessed():
    scans = make_signatures(1, 2, 1, seed=3, scans=True)
    assert scans.images.shape == (3, *signatures.SCAN, 1)
    images = make_signatures(1, 2, 1, seed=3).images
    np.testing.assert_array_equal(images, np.stack([preprocess_signature(page) for page in scans.images]))
