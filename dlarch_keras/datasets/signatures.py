"""Signatures generated after the kinematic theory of rapid movements, with the forgeries of those who trace them.

A pen's path is a sum of strokes; each has a lognormal speed and turns along an arc (Plamondon, "A kinematic theory of
rapid human movements", Biological Cybernetics 1995; Plamondon & Guerfali 1998). A writer is a plan: where strokes lead
to, how they bend, when they start. Genuine signatures execute it with small deviations; a forger draws another person's
visible path, slower and in more and shorter strokes (Ferrer, Diaz-Cabrera & Morales, "Static signature synthesis: a
neuromotor inspired approach for biometrics", TPAMI 2015). Datasheet: `data/signatures.md`.
"""

import itertools
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw
from scipy import ndimage
from scipy.special import ndtr

from dlarch_keras.core import validation
from dlarch_keras.datasets.signature_folders import SIZE, Signatures, preprocess_signature

SKILL = 0.5  # frozen where the histograms of gradients of `data/signatures.md` err by 25-35 %
SCAN = (160, 320)  # height and width of a scan, pixels
STEP = 0.005  # seconds between two points of a path: a tablet's 200 a second

# Turning points of lower-case letters, (x, y, bend): heights in x-heights above the line; bend > 0 turns to the left.
BOWL = [(0.9, 0.9, -0.6), (0.0, 0.45, 1.6), (0.5, 0.0, 1.4), (0.95, 0.9, 1.0)]
STEM = [(0.6, 2.0, 0.5), (0.25, 2.1, 2.2), (0.3, 0.0, 0.5)]
EXIT = (0.3, 0.25, 1.0)  # from where the letter ends
LETTERS = {
    "a": [*BOWL, (0.95, 0.0, 0.2)],
    "c": [(0.8, 0.85, -0.6), (0.0, 0.4, 2.0), (0.7, 0.0, 1.8)],
    "d": [*BOWL[:3], (0.95, 2.0, 0.4), (0.95, 0.0, 0.1)],
    "e": [(0.7, 0.7, 0.8), (0.35, 1.0, 1.8), (0.0, 0.45, 1.2), (0.5, 0.0, 1.5)],
    "g": [*BOWL, (0.9, -1.2, 0.0), (0.4, -1.3, -2.2), (1.0, 0.0, -0.5)],
    "h": [*STEM, (0.75, 1.0, -1.0), (0.95, 0.0, -1.2)],
    "i": [(0.35, 1.0, 0.1), (0.35, 0.0, 0.2)],
    "l": STEM,
    "m": [(0.2, 1.0, -0.3), (0.25, 0.0, 0.0), (0.7, 1.0, -0.9), (0.8, 0.0, -1.0), (1.2, 1.0, -0.9), (1.35, 0.0, -1.0)],
    "n": [(0.2, 1.0, -0.3), (0.25, 0.0, 0.0), (0.7, 1.0, -0.9), (0.85, 0.0, -1.0)],
    "o": [(0.6, 1.0, -0.6), (0.0, 0.5, 1.8), (0.45, 0.0, 1.4), (0.85, 0.6, 1.4), (0.5, 0.95, 1.2), (0.9, 0.8, 0.8)],
    "p": [(0.3, 1.0, 0.0), (0.2, -1.2, 0.0), (0.35, 0.9, -0.2), (0.9, 0.5, -1.6), (0.4, 0.0, -1.2)],
    "r": [(0.3, 1.0, -0.3), (0.6, 0.85, -0.8), (0.65, 0.0, 0.6)],
    "s": [(0.5, 1.1, 0.3), (0.65, 0.4, -1.6), (0.1, 0.0, -1.2), (0.5, 0.05, 1.0)],
    "t": [(0.4, 1.7, 0.1), (0.4, 0.0, 0.1)],
    "u": [(0.1, 1.0, 0.0), (0.35, 0.0, 0.8), (0.75, 1.0, 1.0), (0.8, 0.0, 0.1)],
    "v": [(0.2, 1.0, -0.4), (0.5, 0.0, 0.3), (0.9, 1.0, 0.3)],
    "y": [(0.1, 1.0, 0.0), (0.35, 0.1, 0.8), (0.8, 1.0, 1.0), (0.7, -1.2, 0.0), (0.2, -1.2, -2.0), (0.9, 0.0, -0.4)],
}


class Plan(NamedTuple):
    """Strokes from one target to the next; the first target is where the pen starts."""

    targets: np.ndarray  # (strokes + 1, 2), x-heights
    bends: np.ndarray  # (strokes,), angle that each turns by
    lifted: np.ndarray  # (strokes,), whether the pen is off the paper
    flourish: np.ndarray  # (strokes,), whether it belongs to the flourish
    seconds: np.ndarray  # (strokes,), how long each lasts
    overlap: float  # the share of a stroke's time after which the next one starts


class Writer(NamedTuple):
    plan: Plan
    sigma: float  # of the lognormal speeds: skewed for large ones
    spread: float  # how much two of the writer's signatures differ
    scale: float  # pixels of a scan an x-height


def make_signatures(writers, genuine=10, forged=10, skill=SKILL, seed=0, size=SIZE, scans=False):
    """Generate signatures of some writers, and skilled forgeries of them.

    Args:
        writers: number of writers.
        genuine: signatures of each, by themselves.
        forged: signatures of each by forgers who have one genuine signature before them; 0 for none.
        skill: of the forgers, in [0, 1]: 1 errs no more than the writer and keeps the pace, 0 misses proportions and
            trembles. Each forgery is by another forger.
        seed: integer; writers of different seeds have nothing in common but the alphabet.
        size: height and width of the images.
        scans: whether to return the scans before `preprocess_signature`, dark ink on light paper.

    Returns:
        `Signatures(images, writers, forged)`, writer after writer, the genuine ones first: `(n, height, width, 1)`
        float32 in [0, 1], ink up to 1 on a background of exactly 0, or with `scans` `(n, 160, 320, 1)`; `(n,)`
        integers from 0; `(n,)` booleans.
    """
    validation.positive_int("writers", writers)
    validation.positive_int("genuine", genuine)
    validation.non_negative_int("forged", forged)
    validation.non_negative_int("seed", seed)
    validation.number("skill", skill, at_most=1)
    images = []
    for child in np.random.SeedSequence(seed).spawn(writers):  # a writer does not depend on the number of the others'
        plan, own, others = child.spawn(3)  # nor a genuine signature on the number of others, or of forgeries
        writer = _writer(np.random.default_rng(plan))
        for number, source in enumerate([*own.spawn(genuine), *others.spawn(forged)]):
            rng = np.random.default_rng(source)
            path, down = _genuine(rng, writer)
            if number >= genuine:
                path, down = _forgery(rng, writer, path, down, skill)
            scan = _scan(rng, path * writer.scale, down)
            images.append(scan if scans else preprocess_signature(scan, size))
    labels = np.repeat(np.arange(writers), genuine + forged)
    return Signatures(np.stack(images), labels, np.tile(np.arange(genuine + forged) >= genuine, writers))


def _writer(rng):
    """Draw a writer: a capital, letters that become flatter towards the end, perhaps a second word, a flourish."""
    points, start = [(0.0, 0.0, 0.0, 0, 0)], 0.0  # x, y, bend, lifted, flourish
    wide, slant, rise = rng.lognormal(0, 0.25), rng.normal(0.3, 0.3), rng.normal(0.08, 0.12)
    decay = rng.uniform(0, 0.3) * rng.integers(0, 2)
    words = rng.integers(1, 3)
    for word in range(words):
        capital = np.column_stack([_bounded(rng, 5, 1.0), _bounded(rng, 5, 1.3) + 1.2, rng.normal(0, 1.4, 5)])
        capital = capital[: rng.integers(3, 6)]
        for number, point in enumerate(capital):
            points.append((start + 1.2 + point[0], point[1], point[2], word > 0 and number == 0, 0))
        start += 2.4
        for number, letter in enumerate(rng.choice(list(LETTERS), rng.integers(2, 8 - 2 * words + 2))):
            shape = np.array([*LETTERS[letter], np.add(LETTERS[letter][-1], EXIT) * (1, 0, 0) + (0, *EXIT[1:])])
            shape += rng.normal(0, (0.15, 0.15, 0.35), shape.shape)  # a hand of one's own
            shape[:, 1] *= np.exp(-decay * number)
            lifted = rng.random() < 0.12
            for first, (x, y, bend) in enumerate(shape):
                points.append((start + x * wide, y, bend, lifted and first == 0, 0))
            start = points[-1][0] + rng.normal(0, 0.1)
            if letter in "it" and rng.random() < 0.5:  # a dot or a bar, at once
                x, y = points[-2][0], {"i": 1.6, "t": 1.3}[letter]
                points += [(x - 0.3, y, 0, 1, 0), (x + (0.1 if letter == "i" else 0.5), y + 0.1, 0.3, 0, 0)]
                points.append((start, 0.1, 0, 1, 0))
        start += rng.uniform(0.2, 1.0)
    points = np.array(points, float)
    points[:, 0] += slant * points[:, 1]
    points = np.concatenate([points, _flourish(rng, points)])
    points[:, 1] += rise * points[:, 0]
    strokes = len(points) - 1
    lengths = np.linalg.norm(np.diff(points[:, :2], axis=0), axis=1)
    seconds = 0.12 * (lengths + 0.3) ** 0.4 * rng.lognormal(0, 0.1, strokes)  # long strokes are faster
    bends = points[1:, 2].clip(-2.6, 2.6)
    plan = Plan(points[:, :2], bends, points[1:, 3] > 0, points[1:, 4] > 0, seconds, rng.uniform(0.45, 0.7))
    extent = np.ptp(points[:, :2], axis=0) + 0.5
    scale = min(np.array([SCAN[1], SCAN[0]]) * 0.75 / extent) * rng.uniform(0.85, 1.1)
    return Writer(plan, rng.uniform(0.2, 0.35), rng.lognormal(0.1, 0.35), scale)


def _bounded(rng, count, bound):
    """Turning points on alternating sides, as of loops and zigzags."""
    return bound * rng.uniform(0.3, 1, count) * (-1) ** (np.arange(count) + rng.integers(0, 2))


def _flourish(rng, points):
    """Large strokes after the letters: under, through or around them; perhaps none."""
    count = rng.choice([0, 1, 2, 3, 4, 5], p=[0.15, 0.15, 0.25, 0.2, 0.15, 0.1])
    left, right = points[:, 0].min(), points[:, 0].max()
    side = np.arange(count) % 2 == rng.integers(0, 2)
    x = np.where(side, left, right) + (right - left) * rng.normal(0, 0.2, count)
    y = rng.normal(rng.choice([-0.8, 0.3]), rng.uniform(0.2, 1.0), count)
    bend = rng.choice([-1, 1]) * rng.uniform(0.1, 2.2, count)
    lifted = (np.arange(count) == 0) & (rng.random() < 0.4)
    return np.column_stack([x, y, bend, lifted, np.ones(count)])


def _drift(rng, count, length):
    """`(count, 2)` errors of unit variance that change slowly along a path, over `length` steps."""
    errors = ndimage.gaussian_filter1d(rng.standard_normal((count + int(6 * length), 2)), length, axis=0)
    return errors[int(3 * length) :][:count] * np.sqrt(2 * np.sqrt(np.pi) * length)


def _genuine(rng, writer):
    """The path of the writer's next signature and where the pen is down: `(n, 2)` and `(n,)`."""
    plan, spread = writer.plan, writer.spread
    strokes = len(plan.bends)
    wild = 1 + 1.5 * np.append(False, plan.flourish)[:, None]
    errors = 0.13 * _drift(rng, strokes + 1, 4) + 0.05 * rng.standard_normal((strokes + 1, 2))
    targets = plan.targets + spread * wild * errors
    bends = plan.bends + spread * rng.normal(0, 0.12, strokes)
    pace = rng.lognormal(0, 0.08)
    path, down = _execute(targets, bends, plan.lifted, plan.seconds * pace, plan.overlap + rng.normal(0, 0.02), writer)
    return path @ _deform(rng, 0.05 * spread), down


def _deform(rng, amount):
    """A random map of the plane: sizes, slant and a small turn."""
    width, height = rng.lognormal(0, amount, 2)
    slant, turn = rng.normal(0, amount, 2)
    rotation = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    return np.array([[width, 0], [slant, height]]) @ rotation


def _execute(targets, bends, lifted, seconds, overlap, writer):
    """The sum of all strokes in time: `(n, 2)` path, `(n,)` whether the pen is down."""
    bends = np.where(np.abs(bends) < 1e-3, 1e-3, bends)
    chords = np.diff(targets, axis=0)
    radii = np.linalg.norm(chords, axis=1) / (2 * np.sin(bends / 2))  # of the arc over each chord
    angles = np.arctan2(chords[:, 1], chords[:, 0]) - bends / 2  # in which each starts
    starts = np.append(0, np.cumsum(seconds * overlap)[:-1])
    first = np.ceil(starts / STEP).astype(int)
    length = int(np.ceil(seconds.max() * 1.6 / STEP)) + 1
    times = (first[:, None] + np.arange(length)) * STEP - starts[:, None]
    median = seconds / (2 * np.sinh(1.645 * writer.sigma))  # 90 % of the way within `seconds`
    since = np.maximum(times + median[:, None] * np.exp(-2 * writer.sigma), 1e-9)
    done = ndtr(np.log(since / median[:, None]) / writer.sigma)  # the share of each stroke, from 0 to 1
    done[:, 0], done[:, -1] = 0, 1
    phase = angles[:, None] + bends[:, None] * done
    ways = radii[:, None] * np.stack([np.sin(phase), -np.cos(phase)])
    index = (first[:, None] + np.arange(1, length)).ravel()
    path = np.stack([np.bincount(index, np.diff(way, axis=1).ravel()) for way in ways], axis=1).cumsum(axis=0)
    down = np.ones(len(path), bool)
    begins = np.append(first + np.rint(0.35 * seconds / STEP).astype(int), len(path))
    for stroke in np.flatnonzero(lifted):
        down[begins[stroke] : begins[stroke + 1]] = False
    return path + targets[0], down


def _forgery(rng, writer, path, down, skill):
    """Redraw a visible path: slower, in more and shorter strokes, with errors of eye and hand."""
    along = np.append(0, np.linalg.norm(np.diff(path, axis=0), axis=1).cumsum())
    reach = 0.55 + 0.5 * skill  # a skilled forger draws longer strokes
    count = max(4, int(along[-1] / reach))
    marks = np.unique(np.searchsorted(along, np.linspace(0, along[-1], count)).clip(0, len(path) - 1))
    targets = path[marks]
    lifted = np.array([not down[a:b].any() or not down[(a + b) // 2] for a, b in itertools.pairwise(marks)])
    ahead = np.array([np.arctan2(*(path[min(m + 2, len(path) - 1)] - path[max(m - 2, 0)])[::-1]) for m in marks])
    bends = np.angle(np.exp(1j * np.diff(ahead))).clip(-2, 2)
    error = 1 - skill
    targets = targets @ _deform(rng, 0.03 + 0.08 * error)
    targets = targets + (0.05 + 0.35 * error) * _drift(rng, len(targets), 6)
    targets = targets + (0.01 + 0.06 * error) * rng.standard_normal(targets.shape)
    bends = bends + rng.normal(0, 0.05 + 0.2 * error, len(bends))
    seconds = 0.12 * (np.linalg.norm(np.diff(targets, axis=0), axis=1) + 0.3) ** 0.4
    seconds = seconds * (1 + 0.8 * error) * rng.lognormal(0, 0.1, len(seconds))
    path, down = _execute(targets, bends, lifted, seconds, 0.65 + 0.25 * error, writer)
    tremor = ndimage.gaussian_filter1d(rng.standard_normal(path.shape), 1 / (2 * np.pi * 10 * STEP), axis=0)
    return path + 0.10 * error * rng.lognormal(0, 0.3) * tremor, down


def _scan(rng, path, down):
    """A pen's trace of a path in pixels, scanned: `(160, 320, 1)` float32, dark on light."""
    middle, fit = (path.max(axis=0) + path.min(axis=0)) / 2, (np.array(SCAN[::-1]) - 12) / np.ptp(path, axis=0).clip(1)
    points = (path - middle) * min(1, *fit) * (1, -1) + np.array(SCAN[::-1]) / 2 + rng.uniform(-2, 2, 2)
    speed = ndimage.gaussian_filter1d(np.linalg.norm(np.gradient(points, axis=0), axis=1), 4)
    pen, light = rng.uniform(2.0, 4.0), rng.uniform(0.15, 0.5)  # the faster, the thinner and the paler
    pressure = 1 - light * speed / (speed.max() + 1e-6)
    points, down, pressure = points[::2], down[::2], pressure[::2]
    trace = Image.new("L", [2 * length for length in SCAN[::-1]])
    draw, widths = ImageDraw.Draw(trace), np.rint(2 * pen * pressure).astype(int)
    begin = 0
    for end in range(1, len(points)):
        if end == len(points) - 1 or widths[end] != widths[begin] or down[end] != down[begin]:
            if down[begin]:
                shade = int(255 * pressure[begin : end + 1].mean())
                draw.line([tuple(point) for point in 2 * points[begin : end + 1]], shade, int(widths[begin]), "curve")
            begin = end
    ink = np.asarray(trace.resize(SCAN[::-1], Image.Resampling.BOX), "float32") / 255
    ink = ndimage.gaussian_filter(ink * (1 - 0.15 * rng.random(SCAN, dtype="float32")), rng.uniform(0.4, 0.8))
    paper = rng.uniform(0.85, 0.98)
    scan = paper - (paper - rng.uniform(0.05, 0.3)) * ink + rng.normal(0, rng.uniform(0.005, 0.02), SCAN)
    return scan.clip(0, 1).astype("float32")[..., None]
