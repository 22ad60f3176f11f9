"""The surfaces: what they are, what a defect changes, and how hard they are for a simple baseline."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from skimage import data
from skimage.metrics import structural_similarity
from sklearn.metrics import roc_auc_score

from dlarch_keras.datasets import TEXTURE_CLASSES, add_defects, load_textures, textures

NAMES = ("brick", "grass", "gravel", "immunohistochemistry")


def images(n=12, shape=(48, 40, 1)):
    return np.random.default_rng(0).random((n, *shape)).astype("float32")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("size", "shape"), [(64, (64, 64)), ((33, 97), (33, 97)), ([160, 512], (160, 512))])
def test_shapes_and_ranges(name, size, shape):
    (x_train, y_train), (x_test, y_test), masks = load_textures(name, size)
    for x in (x_train, x_test):
        assert x.shape[1:] == (*shape, 1)
        assert x.dtype == np.float32
        assert x.min() >= 0
        assert x.max() <= 1
    assert len(x_train) == len(y_train) >= 2
    assert len(x_test) == len(y_test) == len(masks) == 200
    assert not y_train.any()
    assert masks.shape[1:] == shape
    np.testing.assert_array_equal(masks.any(axis=(1, 2)), y_test > 0)
    np.testing.assert_array_equal(y_test > 0, np.arange(200) % 2 == 1)
    assert set(y_test) == set(range(len(TEXTURE_CLASSES)))


@pytest.mark.parametrize("name", NAMES)
def test_no_test_pixel_is_trained_on(name, monkeypatch):
    """In a photograph whose pixels hold their own row's number, training and test rows are at least 16 apart."""
    rows = np.broadcast_to(np.arange(512, dtype="float32")[:, None, None] / 511, (512, 512, 1))
    monkeypatch.setattr(textures, "read_photograph", lambda name: rows)
    (x_train, _), (x_test, y_test), _ = load_textures(name)
    trained, tested = (np.unique((x * 511).round()) for x in (x_train, x_test[y_test == 0]))
    assert np.abs(trained[:, None] - tested).min() > 16
    assert len(trained) == 320
    assert tested.min() >= 176
    assert tested.max() < 336


def test_crops_are_the_photographs():
    photograph = data.gravel() / 255
    (x_train, _), _, _ = load_textures("gravel")
    np.testing.assert_allclose(x_train[0, ..., 0], photograph[:64, :64], atol=1e-6)
    np.testing.assert_allclose(x_train[-1, ..., 0], photograph[448:, 448:], atol=1e-6)  # the last: bottom right
    assert len(x_train) == 15 * 8


def test_another_photograph_is_refused(monkeypatch):
    monkeypatch.setattr(data, "brick", data.grass)
    with pytest.raises(ValueError, match="brick is another photograph"):
        load_textures("brick")


def test_outside_its_mask_nothing_changes():
    x = images(shape=(48, 40, 3))
    before = x.copy()
    defective, classes, masks = add_defects(x, 0.5, seed=3)
    np.testing.assert_array_equal(x, before)
    np.testing.assert_array_equal(defective[~masks], x[~masks])
    assert ((defective != x).any(axis=-1) == masks).mean() > 0.999  # a pixel may have had the defect's shade already
    assert set(classes) <= set(range(1, len(TEXTURE_CLASSES)))
    assert masks.any(axis=(1, 2)).all()
    assert defective.min() >= 0
    assert defective.max() <= 1


def test_contrast_scales_the_same_defects():
    x = images()
    (faint, *faint_labels), (strong, *strong_labels) = (add_defects(x, contrast, seed=1) for contrast in (0.25, 1))
    for a, b in zip(faint_labels, strong_labels):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_allclose(faint - x, 0.25 * (strong - x), atol=1e-6)
    change = np.abs(strong - x)[..., 0]
    # Opacity is less at the border, so somewhat less than what was asked for of full opacity.
    assert min(change[i][strong_labels[1][i]].mean() for i in range(len(x))) > 0.5 * textures.VISIBLE


def test_a_flat_image_gets_a_visible_defect():
    for shade in (0.0, 0.5, 1.0):
        flat = np.full((8, 32, 32, 1), shade, "float32")
        defective, _, masks = add_defects(flat, 1.0)
        assert (np.abs(defective - flat)[masks].mean()) > 0.04


def test_every_kind_by_hand():
    """On flat grey: lines and holes take one shade, a stain stays flat and rises softly, grain is black and white."""
    rng, grey = np.random.default_rng(0), np.full((64, 64, 1), 0.5, "float32")
    for kind in ("scratches", "thread", "hole"):
        _, shade = textures._DRAW[kind](grey, rng)
        assert np.ndim(shade) == 0
        assert 0 <= shade <= 0.15 or 0.85 <= shade <= 1
    opacity, stained = textures._DRAW["stain"](grey, rng)
    assert len(np.unique(stained)) == 1
    np.testing.assert_allclose(np.unique(opacity)[:3], [0, 0.25, 1.41421 / 4], atol=1e-4)  # rises over 4 pixels
    _, specks = textures._DRAW["grain"](grey, rng)
    assert set(np.unique(specks)) == {0, 1}


def test_the_seed_decides():
    first, again, other = (load_textures("grass", seed=seed) for seed in (1, 1, 2))
    for a, b in zip(first[1], again[1]):
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(first[1][0], other[1][0])
    np.testing.assert_array_equal(first[0][0], other[0][0])


def test_difficulty_is_frozen():
    """The baseline by which it was set: 1 - SSIM between an image and its blurred self, the largest in the image."""

    def score(image):
        blurred = gaussian_filter(image, 1)
        return 1 - structural_similarity(image, blurred, win_size=11, data_range=1, full=True)[1].min()

    assert textures.CONTRAST == 0.9
    areas = []
    for name in NAMES:
        _, (x, y), _ = load_textures(name)
        areas.append(roc_auc_score(y > 0, [score(image) for image in x[..., 0]]))
    assert 0.75 < np.mean(areas) < 0.85
    assert max(areas) < 0.9
