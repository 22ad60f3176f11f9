"""Glyphs: letters of many alphabets from the fonts inside matplotlib, drawn with a pen. Datasheet: `data/glyphs.md`.

A letter's outline is filled and thinned to its middle line, and this line is drawn anew for each example: turned,
slanted, stretched, moved, bent by a smooth random field, with a pen of another width.
"""

import math
import unicodedata
from functools import cache
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.font_manager import FontProperties
from matplotlib.ft2font import FT2Font
from matplotlib.textpath import TextPath
from PIL import Image, ImageDraw
from skimage.morphology import skeletonize

from dlarch_keras.core import validation

GLYPH_ALPHABETS = {  # how the Unicode names of their letters begin
    "Arabic": "ARABIC LETTER", "Armenian": "ARMENIAN", "Canadian syllabics": "CANADIAN SYLLABICS", "Coptic": "COPTIC",
    "Cyrillic": "CYRILLIC", "Fraktur": "MATHEMATICAL FRAKTUR", "Georgian": "GEORGIAN", "Greek": "GREEK",
    "Hebrew": "HEBREW", "Lao": "LAO", "Latin": "LATIN", "Lisu": "LISU", "N'Ko": "NKO", "Ogham": "OGHAM",
    "Old Italic": "OLD ITALIC", "Script": "MATHEMATICAL SCRIPT", "Tifinagh": "TIFINAGH",
}  # fmt: skip
TEST_ALPHABETS = ("Armenian", "Georgian", "Greek", "Hebrew", "Lao", "Lisu", "N'Ko", "Tifinagh")
FONTS = ("DejaVuSans", "DejaVuSerif", "DejaVuSansMono", "STIXGeneral")
GRID, EDGE = 64, 4  # pixels of the picture that is thinned, and of its empty edge
TWINS = 0.93  # cosine of the undistorted pictures of two letters from which on they are the same
DISTORTION = 0.9  # frozen before any network was trained: see the datasheet
INK = 1.3  # ink in the middle of a line, cut at 1


def load_glyphs(examples=20, size=28, distortion=DISTORTION, test_alphabets=TEST_ALPHABETS, twins=False, seed=0):
    """Draw letters of some alphabets to train on, and of others to test on.

    Each shape is there once in all: of letters that look alike (A in Latin and in Cyrillic, o and O within Latin) only
    the first is kept, and a test letter that looks like any training letter is left out.

    Args:
        examples: drawings of each letter; they go through the fonts that have it, over and over.
        size: height and width in pixels, 16 or more.
        distortion: how far drawings of a letter differ, from 0 on.
        test_alphabets: names from `GLYPH_ALPHABETS`, some but not all.
        twins: True leaves the test letters in that look like training letters, a mistake worth measuring.
        seed: integer; a letter's drawings depend on it and on the letter alone.

    Returns:
        `(x_train, y_train), (x_test, y_test), alphabets`: images, float32 in [0, 1], `(n, size, size, 1)`, ink = 1;
        classes, int32, `(n,)`, from 0 on, those of the test part following those of the training part; the alphabet
        of each class, text, so that `alphabets[y]` is that of each image. The drawings of a class follow each other.

    Source: the DejaVu fonts 2.37 and STIX, which come with matplotlib.
    """
    validation.positive_int("examples", examples)
    validation.positive_int("size", size, 16)
    validation.non_negative_int("seed", seed)
    validation.number("distortion", distortion)
    if not isinstance(twins, bool):
        raise ValueError(f"`twins` must be True or False, got {twins!r}.")
    names = list(test_alphabets) if np.iterable(test_alphabets) else []
    unknown = isinstance(test_alphabets, str) or any(name not in tuple(GLYPH_ALPHABETS) for name in names)
    if unknown or not 0 < len(set(names)) < len(GLYPH_ALPHABETS):
        raise ValueError(f"`test_alphabets` must be some of {tuple(GLYPH_ALPHABETS)}, got {test_alphabets!r}.")
    letters, alike = _letters()
    is_test = np.isin([each.alphabet for each in letters], names)
    train, test = np.flatnonzero(~is_test), np.flatnonzero(is_test)
    if not twins:
        test = test[~alike[np.ix_(test, train)].any(axis=1)]
    train, test = ([letters[each] for each in _first_of_their_kind(part, alike)] for part in (train, test))
    parts = []
    for start, kept in ((0, train), (len(train), test)):
        images = [each.draw(examples, size, distortion, seed) for each in kept]
        labels = np.arange(start, start + len(kept), dtype="int32").repeat(examples)
        parts.append((np.concatenate(images)[..., np.newaxis], labels))
    return *parts, np.array([each.alphabet for each in train + test])


class Letter:
    """A letter and its middle lines.

    Attributes:
        alphabet, character: text.
        lines: for each font that has it `(places, pieces)`: rows and columns, `(points, 2)`, the middle of the letter
            at 0, its longer side from -.5 to .5; and which points are joined, `(pieces, 2)`, a dot with itself.
        pictures: `(fonts, 576)`, undistorted, as vectors of length 1.
    """

    def __init__(self, alphabet, character, fonts):
        self.alphabet, self.character = alphabet, character
        self.lines = [_middle_line(character, font) for font in fonts]
        pen = np.ones(1, "float32")
        pictures = np.stack([_draw(18 * places[np.newaxis], pieces, 24, pen).ravel() for places, pieces in self.lines])
        self.pictures = pictures / np.linalg.norm(pictures, axis=1, keepdims=True)

    def draw(self, n, size, distortion, seed):
        """`n` drawings, float32, `(n, size, size)`."""
        rng = np.random.default_rng([seed, ord(self.character)])
        images = np.empty((n, size, size), "float32")
        for font, (places, pieces) in enumerate(self.lines):
            count = len(range(font, n, len(self.lines)))
            if count:
                scale = 0.64 * size * np.exp(0.1 * distortion * rng.standard_normal((count, 1, 1), "float32"))
                shift = 0.04 * distortion * rng.standard_normal((count, 1, 2), "float32")
                pen = (size / 28 * rng.uniform(0.35, 0.6, count)).astype("float32")
                places = (_warped(rng, count, distortion, places) + shift) * scale
                images[font :: len(self.lines)] = _draw(places, pieces, size, pen)
        return images


def _warped(rng, n, distortion, places):
    """Places under `n` random maps of the plane, an affine one and a smooth field each: `(n, points, 2)`."""
    turn, slant = 0.15 * distortion * rng.standard_normal(n), 0.2 * distortion * rng.standard_normal(n)
    height, width = np.exp(0.15 * distortion * rng.standard_normal((2, n)))
    cos, sin = np.cos(turn), np.sin(turn)
    affine = np.stack([[cos * height, sin * height], [slant * cos - sin * width, slant * sin + cos * width]])
    waves = rng.normal(0, 5.0, (n, 2, 6))  # radians a unit
    phases = rng.uniform(0, 2 * np.pi, (n, 1, 6))
    sizes = 0.03 * distortion * rng.standard_normal((n, 6, 2))
    affine, waves, phases, sizes = (each.astype("float32") for each in (affine, waves, phases, sizes))
    return np.einsum("ijn,pj->npi", affine, places) + np.sin(places @ waves + phases) @ sizes


def _draw(places, pieces, size, pen):
    """Draw lines with a pen of a normal profile, ink = 1.

    Args:
        places: `(n, points, 2)`, pixels from the middle.
        pieces: `(pieces, 2)`, which points are joined.
        pen: standard deviation of the profile, pixels, `(n,)`.

    Returns:
        `(n, size, size)`.
    """
    pen, pixels = pen.reshape(-1, 1, 1), np.arange(size, dtype="float32") - (size - 1) / 2
    starts, ends = places[:, pieces[:, 0]], places[:, pieces[:, 1]]
    lengths = np.linalg.norm(ends - starts, axis=2, keepdims=True)
    lengths = np.where(lengths > 0, lengths, 3 * pen)  # a dot
    middles = (starts + ends) / 2
    down, right = (np.exp(-0.5 * ((pixels - middles[..., [axis]]) / pen) ** 2) for axis in (0, 1))
    return np.minimum((down * lengths).swapaxes(1, 2) @ right * (INK / math.sqrt(2 * math.pi)) / pen, 1)


@cache
def _letters():
    """All letters, in the order of `GLYPH_ALPHABETS` and of their code points; which of them look alike, `(n, n)`."""
    held = {font: {chr(code) for code in FT2Font(_path(font)).get_charmap()} for font in FONTS}
    letters = []
    for alphabet, prefix in GLYPH_ALPHABETS.items():
        for character in sorted(set().union(*held.values())):
            # A letter with an accent, or a ligature, is made of others.
            is_simple = unicodedata.normalize("NFKD", character) == character or prefix.startswith("MATHEMATICAL")
            is_letter = unicodedata.category(character) in ("Lu", "Ll", "Lo")
            if is_letter and is_simple and unicodedata.name(character, "").startswith(prefix + " "):
                letters.append(Letter(alphabet, character, [font for font in FONTS if character in held[font]]))
    pictures = np.concatenate([each.pictures for each in letters])
    first = np.cumsum([0] + [len(each.lines) for each in letters[:-1]])  # row of each letter's first font
    closest = np.maximum.reduceat(np.maximum.reduceat(pictures @ pictures.T, first, axis=0), first, axis=1)
    return letters, closest >= TWINS


def _path(font):
    return str(Path(matplotlib.get_data_path(), "fonts", "ttf", f"{font}.ttf"))


def _middle_line(character, font):
    """The middle line of a letter in a font: an element of `Letter.lines`."""
    outline = TextPath((0, 0), character, size=100, prop=FontProperties(fname=_path(font)))
    polygons = outline.to_polygons()
    corners = np.concatenate(polygons)
    low, high = corners.min(axis=0), corners.max(axis=0)
    winding = np.zeros((GRID, GRID), int)
    for polygon in polygons:
        x, y = ((polygon - (low + high) / 2) / (high - low).max() * (1, -1) * (GRID - 2 * EDGE) + (GRID - 1) / 2).T
        image = Image.new("1", (GRID, GRID))
        ImageDraw.Draw(image).polygon([*zip(x, y)], fill=1)
        way = np.sign(np.sum(x * np.roll(y, 1) - y * np.roll(x, 1)))  # a hole runs the other way round
        winding += int(way) * np.asarray(image)
    points = np.argwhere(skeletonize(winding != 0))
    number = np.full((GRID, GRID), -1)
    number[tuple(points.T)] = np.arange(len(points))
    neighbours = [number[tuple((points + step).T)] for step in ((0, 1), (1, 0), (1, 1), (1, -1))]
    pieces = np.stack([np.tile(np.arange(len(points)), 4), np.concatenate(neighbours)], axis=1)
    pieces = pieces[pieces[:, 1] >= 0]
    dots = np.setdiff1d(np.arange(len(points)), pieces)
    places = (points - (GRID - 1) / 2) / (GRID - 2 * EDGE)
    return places.astype("float32"), np.concatenate([pieces, np.stack([dots, dots], axis=1)])


def _first_of_their_kind(numbers, alike):
    """Leave out each letter that looks like one kept before it."""
    kept = []
    for number in numbers:
        if not alike[number, kept].any():
            kept.append(number)
    return kept
