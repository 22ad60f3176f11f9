"""Folders of pictures: what is read, and every file that must not be."""

import struct
import tracemalloc
import zlib

import numpy as np
import pytest
from PIL import Image

from dlarch_keras.datasets import (
    load_image_pairs,
    load_images,
    load_labelled_images,
    load_signatures,
    read_image,
    read_images,
)

RNG = np.random.default_rng(0)


def save(path, shape=(8, 12, 3), **arguments):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = RNG.integers(0, 256, shape, "uint8")
    Image.fromarray(pixels).save(path, **arguments)
    return pixels


def test_pixels_come_back(tmp_path):
    pixels = save(tmp_path / "a.png")
    image = read_image(tmp_path / "a.png")
    assert image.dtype == "float32" and np.allclose(image * 255, pixels)


def test_grey_is_luma(tmp_path):
    pixels = save(tmp_path / "a.png")
    grey = read_image(tmp_path / "a.png", channels=1)
    assert grey.shape == (8, 12, 1)
    assert np.abs(grey[..., 0] * 255 - pixels @ [0.299, 0.587, 0.114]).max() < 1


def test_a_grey_file_may_be_wanted_in_colour(tmp_path):
    pixels = save(tmp_path / "a.png", (8, 12))
    assert np.allclose(read_image(tmp_path / "a.png") * 255, pixels[..., None])


def test_a_camera_held_upright(tmp_path):
    """Orientation 6: the picture is to be turned clockwise by a right angle."""
    exif = Image.Exif()
    exif[0x0112] = 6
    pixels = save(tmp_path / "a.png", exif=exif)
    assert np.allclose(read_image(tmp_path / "a.png") * 255, np.rot90(pixels, -1))


def test_a_folder_is_read_in_the_order_of_its_names(tmp_path):
    pixels = {name: save(tmp_path / f"{name}.png") for name in "cab"}
    (tmp_path / "notes.txt").write_text("not a picture")
    assert list(read_images(tmp_path)) == ["a", "b", "c"]
    assert np.allclose(load_images(tmp_path) * 255, np.stack([pixels[name] for name in "abc"]))


def test_the_middle_square_is_shrunk_by_means(tmp_path):
    """Stripes one pixel wide become an even grey, where picking every fourth pixel would keep them black."""
    stripes = np.zeros((32, 64, 3), "uint8")
    stripes[:, 16:48:2] = 255  # and nothing on either side
    Image.fromarray(stripes).save(tmp_path / "a.png")
    image = load_images(tmp_path, size=8)
    assert image.shape == (1, 8, 8, 3)
    assert np.abs(image[:, 1:-1, 1:-1] - 0.5).max() < 0.05


def test_a_size_of_two_keeps_the_middle_of_its_aspect_ratio(tmp_path):
    """A column of white at each side, one third of the width in all, is cut off for a square, not for 1 : 1.5."""
    pixels = np.zeros((20, 30, 3), "uint8")
    pixels[:, :5] = pixels[:, 25:] = 255
    Image.fromarray(pixels).save(tmp_path / "a.png")
    assert np.allclose(load_images(tmp_path, (20, 30)) * 255, pixels)
    assert not load_images(tmp_path, (10, 10)).any() and not load_images(tmp_path, 10).any()
    assert load_images(tmp_path, (10, 15))[0, :, [0, 14]].mean() == pytest.approx(1, abs=0.02)
    np.testing.assert_array_equal(load_images(tmp_path, (5, 10)), load_images(tmp_path, [5, np.int64(10)]))
    sources, targets = load_image_pairs(tmp_path, tmp_path, (5, 10), (3, 1))
    assert sources.shape == (1, 5, 10, 3) and targets.shape == (1, 5, 10, 1)


@pytest.mark.parametrize("load", [load_images, lambda *args: load_image_pairs(args[0], *args)], ids=["one", "pairs"])
def test_photographs_of_full_size_are_not_kept(tmp_path, load):
    """Eight photographs of 18 MB each as floats become small one by one."""
    for number in range(8):
        Image.new("RGB", (1500, 1000), (90, 30 * number, 200)).save(tmp_path / f"{number}.png")
    tracemalloc.start()
    try:
        load(tmp_path, 16)
        assert tracemalloc.get_traced_memory()[1] < 40e6
    finally:
        tracemalloc.stop()


# What a mask may be stored as, and what is then in the file.
MASK = np.array([[0, 1, 1], [1, 0, 0]], "uint8")
MASKS = {
    "0 and 1": lambda: Image.fromarray(MASK),
    "0 and 255": lambda: Image.fromarray(255 * MASK),
    "1 bit": lambda: Image.fromarray(MASK.astype(bool)),
    "colour, 0 and 1": lambda: Image.fromarray(np.repeat(MASK[..., None], 3, axis=2)),
    "palette, black and white": lambda: Image.fromarray(255 * MASK).convert("P"),
    "palette, 0 and 1": lambda: Image.fromarray(MASK).convert("P"),
}


@pytest.mark.parametrize("kind", MASKS)
def test_a_mask_is_0_and_1_however_it_is_stored(kind, tmp_path):
    MASKS[kind]().save(tmp_path / "b.png")
    Image.new("L", (3, 2)).save(tmp_path / "a.png")  # nothing is marked in this one
    save(tmp_path / "photographs" / "a.png", (2, 3, 3))
    photograph = save(tmp_path / "photographs" / "b.png", (2, 3, 3))
    x, y = load_image_pairs(tmp_path / "photographs", tmp_path, channels=(3, 1))
    masks = [read_image(tmp_path / "b.png", 1), read_images(tmp_path, 1)["b"], load_images(tmp_path, None, 1)[1], y[1]]
    np.testing.assert_array_equal(masks, np.repeat(MASK[None, ..., None], 4, axis=0))
    assert np.allclose(x[1] * 255, photograph) and not y[0].any()


def test_a_dark_picture_among_others_stays_dark(tmp_path):
    save(tmp_path / "a.png", (2, 3))
    Image.fromarray(MASK).save(tmp_path / "b.png")
    assert np.allclose(load_images(tmp_path, channels=1)[1, ..., 0] * 255, MASK)
    assert np.allclose(read_images(tmp_path, 1)["b"][..., 0] * 255, MASK)


@pytest.mark.parametrize("highest", [2, 20])
def test_labels_are_no_shades(highest, tmp_path):
    Image.fromarray(highest * MASK).save(tmp_path / "a.png")
    save(tmp_path / "photographs" / "a.png", (2, 3, 3))
    for call, name in (
        (lambda: read_image(tmp_path / "a.png"), "a.png"),
        (lambda: read_images(tmp_path), "`folder`"),
        (lambda: load_images(tmp_path, 2), "`folder`"),
        (lambda: load_image_pairs(tmp_path / "photographs", tmp_path), "`target`"),
    ):
        with pytest.raises(ValueError, match=rf"{name} must hold shades .* nothing above {highest}\. Read labels"):
            call()
    Image.fromarray(21 * MASK).save(tmp_path / "a.png")  # a photograph may be as dark as that
    assert read_image(tmp_path / "a.png").max() == pytest.approx(21 / 255)


def test_sub_folders_are_classes(tmp_path):
    pixels = [save(tmp_path / name) for name in ("Zebra/a.png", "ant/a.png", "ant/b.PNG", "été/a.png")]
    save(tmp_path / ".thumbnails" / "a.png")
    (tmp_path / "notes.txt").write_text("not a picture")
    x, y, names = load_labelled_images(str(tmp_path))
    assert names == ["Zebra", "ant", "été"] and y.tolist() == [0, 1, 1, 2] and y.dtype == int
    assert np.allclose(x * 255, np.stack(pixels))
    assert load_labelled_images(tmp_path, (4, 6), 1)[0].shape == (4, 4, 6, 1)


def test_classes_are_in_the_order_of_keras(tmp_path):
    """`image_dataset_from_directory` is TensorFlow's; its list of files and classes is plain Python."""
    from keras.src.utils.dataset_utils import index_directory

    for name in ("b", "B", "a10", "a9", "é"):
        save(tmp_path / name / "1.png")
    *_, names = index_directory(str(tmp_path), labels="inferred", formats=(".png",), verbose=False)
    assert load_labelled_images(tmp_path)[2] == list(names)


def test_bad_folders_of_classes_are_refused(tmp_path):
    with pytest.raises(ValueError, match="`folder` must be an existing folder"):
        load_labelled_images(tmp_path / "nowhere")
    save(tmp_path / "a.png")
    with pytest.raises(ValueError, match="`folder` must hold a sub-folder for each class"):
        load_labelled_images(tmp_path)
    save(tmp_path / "ant" / "a.png")
    with pytest.raises(ValueError, match=r"pictures in its sub-folders only, got a\.png beside them"):
        load_labelled_images(tmp_path)
    (tmp_path / "a.png").unlink()
    (tmp_path / "bee").mkdir()
    with pytest.raises(ValueError, match=r"`folder` must hold pictures .*, got none in .*bee"):
        load_labelled_images(tmp_path)
    save(tmp_path / "bee" / "a.png", (9, 9, 3))
    with pytest.raises(ValueError, match="`size` must be given"):
        load_labelled_images(tmp_path)


def test_pairs_side_by_side(tmp_path):
    pixels = [save(tmp_path / f"{name}.png") for name in "ab"]
    sources, targets = load_image_pairs(tmp_path, channels=(3, 1))
    assert sources.shape == (2, 8, 6, 3) and targets.shape == (2, 8, 6, 1)
    assert np.allclose(sources[1] * 255, pixels[1][:, :6])
    assert np.abs(targets[1][..., 0] * 255 - pixels[1][:, 6:] @ [0.299, 0.587, 0.114]).max() < 1


def test_pairs_of_two_folders_go_by_name(tmp_path):
    names = ("b", "a")
    left = {name: save(tmp_path / "left" / f"{name}.png") for name in names}
    right = {name: save(tmp_path / "right" / f"{name}.bmp") for name in names}
    sources, targets = load_image_pairs(tmp_path / "left", tmp_path / "right")
    for folder, images in ((left, sources), (right, targets)):
        assert np.allclose(images * 255, np.stack([folder["a"], folder["b"]]))
    assert load_image_pairs(tmp_path / "left", tmp_path / "right", size=4)[0].shape == (2, 4, 4, 3)


def test_pairs_stay_together_whatever_their_endings(tmp_path):
    """In the order of whole names, `scan.left.png` comes before `scan.png`, and `scan.jpg` before `scan.left.jpg`."""
    for side, suffix in (("left", "png"), ("right", "bmp")):
        for number, name in enumerate(("scan", "scan.left", "scan-2")):
            folder = tmp_path / side
            folder.mkdir(exist_ok=True)
            Image.new("L", (4, 4), 100 * number).save(folder / f"{name}.{suffix}")
    (tmp_path / "right" / "scan.bmp").rename(tmp_path / "right" / "scan.BMP")
    sources, targets = load_image_pairs(tmp_path / "left", tmp_path / "right")
    np.testing.assert_array_equal(sources, targets)


def test_an_opaque_picture_with_alpha_is_read(tmp_path):
    Image.new("RGBA", (4, 4), (255, 0, 0, 255)).save(tmp_path / "screenshot.png")
    assert np.allclose(read_image(tmp_path / "screenshot.png"), [1, 0, 0])


def test_hidden_files_are_passed_over(tmp_path):
    save(tmp_path / "a.png")
    (tmp_path / "._a.png").write_bytes(b"macOS keeps notes here")
    assert list(read_images(tmp_path)) == ["a"]


def frames(path):
    images = [Image.fromarray(RNG.integers(0, 256, (8, 8), "uint8")) for _ in range(2)]
    images[0].save(path, save_all=True, append_images=images[1:])


def truncated(path):
    save(path, (64, 64, 3))
    path.write_bytes(path.read_bytes()[:2000])


def wide(path):
    Image.fromarray(RNG.integers(0, 2**16, (8, 8), "uint16")).save(path)


def png_header(width, height, depth):
    """A PNG file in colour that ends after its header."""
    chunk = b"IHDR" + struct.pack(">IIBBBBB", width, height, depth, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))


def png_chunk(kind, content):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


# Pillow reads 16-bit colour as 8 bits and says nothing; it cannot write it.
ROWS = b"".join(b"\0" + bytes(2 * 3 * 4) for _ in range(4))
WIDE_COLOR = png_header(4, 4, 16) + png_chunk(b"IDAT", zlib.compress(ROWS)) + png_chunk(b"IEND", b"")
BAD_FILES = {
    "missing": ("a.png", "nothing there", lambda path: None),
    "text": ("a.png", "cannot be read", lambda path: path.write_text("not a picture")),
    "empty": ("a.jpg", "cannot be read", lambda path: path.write_bytes(b"")),
    "truncated PNG": ("a.png", "cannot be read", truncated),
    "truncated JPEG": ("a.jpg", "cannot be read", truncated),
    "animated GIF": ("a.gif", "2 frames", frames),
    "animated PNG": ("a.png", "2 frames", frames),
    "16-bit PNG": ("a.png", "8 bits", wide),
    "alpha PNG": ("a.png", "alpha", lambda path: save(path, (8, 8, 4))),
    "grey PNG with alpha": ("a.png", "alpha", lambda path: save(path, (8, 8, 2))),
    "transparent colour": ("a.png", "alpha", lambda path: Image.new("L", (8, 8)).save(path, transparency=0)),
    "16-bit colour": ("a.png", "8 bits", lambda path: path.write_bytes(WIDE_COLOR)),
    "bomb": ("a.png", "cannot be read", lambda path: path.write_bytes(png_header(40_000, 40_000, 8))),
}


@pytest.mark.parametrize("kind", BAD_FILES)
def test_bad_files_are_named(kind, tmp_path):
    name, message, write = BAD_FILES[kind]
    write(tmp_path / name)
    with pytest.raises(ValueError, match=rf"{name} must .*{message}"):
        read_image(tmp_path / name)


@pytest.mark.parametrize("channels", [0, 2, 4, None])
def test_bad_channels_are_refused(channels, tmp_path):
    save(tmp_path / "a.png")
    with pytest.raises(ValueError, match="`channels` must"):
        read_image(tmp_path / "a.png", channels)


@pytest.mark.parametrize("size", [0, 2.5, "8", (8,), (8, 8, 3), (8, 0), (8, 2.5), [[8], [8, 8]]])
def test_bad_sizes_are_refused(size, tmp_path):
    save(tmp_path / "a.png")
    with pytest.raises(ValueError, match="`size` must"):
        load_images(tmp_path, size)


@pytest.mark.parametrize("channels", [3, (3,), (3, 3, 3), None])
def test_channels_of_pairs_are_a_pair(channels, tmp_path):
    save(tmp_path / "a.png")
    with pytest.raises(ValueError, match="`channels` must be a pair"):
        load_image_pairs(tmp_path, channels=channels)


@pytest.mark.parametrize("path", [None, 3, b"pictures", ["pictures"]], ids=str)
def test_what_is_no_path_is_refused(path):
    for load in (load_images, load_labelled_images, read_images, load_image_pairs, load_signatures):
        with pytest.raises(ValueError, match=r"`(folder|source)` must be an existing folder"):
            load(path)
    with pytest.raises(ValueError, match="must be a picture file"):
        read_image(path)


def test_bad_folders_are_refused(tmp_path):
    with pytest.raises(ValueError, match="`folder` must be an existing folder"):
        load_images(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="`folder` must hold pictures"):
        load_images(tmp_path)
    save(tmp_path / "a.png")
    with pytest.raises(ValueError, match="`target` must be an existing folder"):
        load_image_pairs(tmp_path, tmp_path / "nowhere")
    save(tmp_path / "a.jpg")
    with pytest.raises(ValueError, match="one picture of each name"):
        load_images(tmp_path)


def test_pictures_of_different_sizes_need_a_size(tmp_path):
    save(tmp_path / "a.png")
    save(tmp_path / "b.png", (10, 10, 3))
    with pytest.raises(ValueError, match="`size` must be given"):
        load_images(tmp_path)
    assert load_images(tmp_path, 6).shape == (2, 6, 6, 3)


def test_pairs_that_do_not_match_are_refused(tmp_path):
    save(tmp_path / "left" / "a.png")
    save(tmp_path / "right" / "a.png", (8, 10, 3))
    with pytest.raises(ValueError, match="a must have the same size"):
        load_image_pairs(tmp_path / "left", tmp_path / "right")
    save(tmp_path / "right" / "b.png")
    with pytest.raises(ValueError, match="1 names without: \\['b'\\]"):
        load_image_pairs(tmp_path / "left", tmp_path / "right")
    save(tmp_path / "odd" / "a.png", (8, 11, 3))
    with pytest.raises(ValueError, match=r"a.png must .* odd width, 11"):
        load_image_pairs(tmp_path / "odd")
