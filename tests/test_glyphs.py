"""The glyphs: known values, seeds, and no test letter that a training letter looks like."""

import functools

import matplotlib
import numpy as np
import pytest

from dlarch_keras.datasets import GLYPH_ALPHABETS, glyphs, load_glyphs
from dlarch_keras.metrics.identification import n_way_accuracy

needs_todays_fonts = pytest.mark.skipif(
    matplotlib.__version_info__ < (3, 11), reason="matplotlib before 3.11 draws one letter more"
)


@pytest.fixture(scope="module")
def loaded():
    return load_glyphs(examples=4)


def letter(character, alphabet="Latin"):
    (found,) = (each for each in glyphs._letters()[0] if (each.character, each.alphabet) == (character, alphabet))
    return found


@functools.cache
def drawings():
    return {(each.alphabet, each.draw(4, 28, 0.9, 0).tobytes()): each for each in glyphs._letters()[0]}


def letters_of(part, alphabets):
    """The letters whose drawings `part` holds, found again by drawing all of them."""
    x, y = part
    return [drawings()[alphabets[label], x[y == label][..., 0].tobytes()] for label in np.unique(y)]


def test_shapes_classes_and_alphabets(loaded):
    (x_train, y_train), (x_test, y_test), alphabets = loaded
    assert x_train.dtype == x_test.dtype == "float32" and y_train.dtype == y_test.dtype == "int32"
    assert x_train.shape[1:] == x_test.shape[1:] == (28, 28, 1)
    assert x_train.min() >= 0 and 0.9 < x_train.max() <= 1 and np.median(x_train) < 0.01  # ink on nothing
    np.testing.assert_array_equal(np.concatenate([y_train, y_test]), np.arange(len(alphabets)).repeat(4))
    assert set(alphabets[y_test]) == set(glyphs.TEST_ALPHABETS)
    assert set(alphabets[y_train]) == set(GLYPH_ALPHABETS) - set(glyphs.TEST_ALPHABETS)


@needs_todays_fonts
def test_known_values(loaded):
    """The fonts, and what is made of them, are those that the datasheet's figures are about."""
    (x_train, _), (x_test, _), alphabets = loaded
    assert len(x_train) == 4 * 869 and len(x_test) == 4 * 227
    assert x_train.mean() == pytest.approx(0.0775, abs=0.0005) and x_test.mean() == pytest.approx(0.0838, abs=0.0005)
    names, counts = np.unique(alphabets[869:], return_counts=True)
    assert dict(zip(names, counts)) == {
        "Armenian": 29, "Georgian": 81, "Greek": 14, "Hebrew": 21, "Lao": 29, "Lisu": 3, "N'Ko": 20, "Tifinagh": 30,
    }  # fmt: skip
    rows, columns = np.nonzero(letter("L").draw(1, 28, 0.0, 0)[0] > 0.5)
    assert rows.max() == 22 and columns.min() <= 9 and np.sum(rows == 22) > 6  # a foot that goes to the right


def test_difficulty_is_the_frozen_one():
    """The figure of the datasheet: what pixels score, set before any network was trained."""
    _, (x, y), alphabets = load_glyphs()  # as it is by default, with 20 drawings
    pixels = n_way_accuracy(x.reshape(len(x), -1), y, groups=alphabets[y])
    assert pixels.value == pytest.approx(0.218, abs=0.01)
    _, (x, y), _ = load_glyphs(examples=2, distortion=0.3)
    assert n_way_accuracy(x.reshape(len(x), -1), y, groups=alphabets[y]).value > 2 * pixels.value


def test_the_seed_decides_and_a_drawing_depends_on_nothing_else(loaded):
    np.testing.assert_array_equal(load_glyphs(examples=4)[1][0], loaded[1][0])
    assert not np.array_equal(load_glyphs(examples=4, seed=1)[1][0], loaded[1][0])
    greek_last = load_glyphs(examples=4, test_alphabets=("Hebrew",))
    hebrew = loaded[1][0][loaded[2][loaded[1][1]] == "Hebrew"]
    same = [any(np.array_equal(a, b) for b in greek_last[1][0]) for a in hebrew]
    assert np.mean(same) > 0.7  # fewer are left here: more alphabets train


def test_drawings_of_a_letter_differ_and_are_alike():
    drawn = letter("R").draw(8, 28, 0.9, 0)
    other = letter("S").draw(8, 28, 0.9, 0)
    assert all(np.abs(drawn[i] - drawn[j]).max() > 0.3 for i in range(8) for j in range(i))
    plain = letter("R").draw(2, 28, 0.0, 0)  # two fonts, no distortion
    assert np.abs(plain - drawn.mean(axis=0)).mean() < np.abs(plain - other.mean(axis=0)).mean()


def test_other_sizes_show_the_same_drawings():
    small, large = (letter("R").draw(3, size, 0.9, 0) for size in (28, 56))
    halved = large.reshape(3, 28, 2, 28, 2).mean(axis=(2, 4))
    assert np.abs(small - halved).mean() < 0.015 < np.abs(small - halved[::-1]).mean()


def outline(character):
    """The corners of a letter's outline in DejaVu Sans, its box brought to the unit square."""
    corners = glyphs.TextPath((0, 0), character, prop=glyphs.FontProperties(fname=glyphs._path("DejaVuSans"))).vertices
    low, high = corners.min(axis=0), corners.max(axis=0)
    return (corners - low) / (high - low).max()


def same_outline(first, second):
    first, second = outline(first), outline(second)
    return first.shape == second.shape and np.allclose(first, second, atol=0.01)


def test_no_test_letter_has_the_outline_of_a_training_letter(loaded):
    """Alpha is A and Lisu's ꓐ is B, to the point; none of the like is left, be it a training letter kept or not."""
    train, test, alphabets = loaded
    assert same_outline("A", "Α") and same_outline("B", "ꓐ") and not same_outline("A", "B")
    names = {part: {each.character for each in letters_of(part_data, alphabets)} for part, part_data in
             (("train", train), ("test", test))}  # fmt: skip
    held = glyphs.FT2Font(glyphs._path("DejaVuSans")).get_charmap()
    training = [e.character for e in glyphs._letters()[0] if e.alphabet not in glyphs.TEST_ALPHABETS]
    shapes = {}
    for character in (each for each in training if ord(each) in held):
        shapes.setdefault(len(outline(character)), []).append(outline(character))
    for character in (each for each in names["test"] if ord(each) in held):
        corners = outline(character)
        assert not any(np.allclose(corners, other, atol=0.01) for other in shapes.get(len(corners), [])), character
    assert not {"Α", "Β", "Ε", "Ο", "ο", "ꓐ", "ꓮ"} & names["test"]
    assert {"Ω", "θ", "λ", "ξ", "א", "ש", "Ա"} & names["test"]
    assert {"R", "Ж", "ᐊ"} <= names["train"]


def test_what_is_drawn_has_no_twin_either(loaded):
    """Undistorted pictures: each test letter is unlike every training letter, and unlike every other one."""
    train, test = (letters_of(part, loaded[2]) for part in loaded[:2])
    for each in test:
        assert max((each.pictures @ other.pictures.T).max() for other in train) < glyphs.TWINS
    for kept in (train, test):
        pictures, owners = np.concatenate([e.pictures for e in kept]), np.repeat(
            np.arange(len(kept)), [len(e.pictures) for e in kept]
        )  # fmt: skip
        alike = (pictures @ pictures.T >= glyphs.TWINS) & (owners[:, None] != owners)
        assert not alike.any()


@pytest.mark.parametrize(
    ("first", "second", "twins"),
    [("o", "O", True), ("c", "C", True), ("z", "Z", True), ("a", "A", False), ("b", "d", False), ("E", "F", False)],
)
def test_case_twins_are_found_and_others_are_not(first, second, twins):
    assert ((letter(first).pictures @ letter(second).pictures.T).max() >= glyphs.TWINS) == twins


def test_case_twins_are_kept_once(loaded):
    names = [each.character for each in letters_of(loaded[0], loaded[2])]
    for pair in ("oO", "cC", "zZ", "xX", "vV", "wW", "sS"):
        assert sum(character in names for character in pair) <= 1


def test_twins_can_be_let_in_to_measure_the_mistake(loaded):
    train, test, _ = load_glyphs(examples=1, twins=True)
    assert len(train[0]) == len(loaded[0][0]) // 4 and len(test[0]) > len(loaded[1][0]) // 4 + 80
