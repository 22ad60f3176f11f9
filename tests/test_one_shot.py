"""One-shot learning: the exam against hand-worked episodes, ties, bad input; the network, rotations and jitter."""

import keras
import numpy as np
import pytest
from scipy.spatial.distance import cdist

from dlarch_keras import BalancedBatches, NTXentLoss, SiameseNetwork, n_way_accuracy
from dlarch_keras.metrics.identification import expected_accuracy, runs_accuracy
from dlarch_keras.one_shot import convolutional_embedding, jitter, with_rotations
from tests import mistakes
from tests.support.bad_input import bad_arrays

SHAPE = (12, 12, 1)


def clusters(classes=8, examples=5, spread=0.0, dim=16):
    """Points around far corners, `classes` × `examples`."""
    centres = 10 * np.eye(classes, dim)
    noise = np.random.default_rng(0).normal(0, spread, (classes * examples, dim))
    return centres.repeat(examples, axis=0) + noise, np.arange(classes).repeat(examples)


# N-way K-shot accuracy


def test_perfect_embeddings_are_always_right():
    assert n_way_accuracy(*clusters(spread=0.1), ways=8, shots=2) == (1, 0)


@pytest.mark.parametrize("ways", [2, 5, 20])
def test_meaningless_embeddings_score_chance(ways):
    y = np.arange(40).repeat(4)
    x = np.random.default_rng(0).normal(size=(160, 8))
    accuracy = n_way_accuracy(x, y, ways=ways, episodes=2000)
    assert abs(accuracy.value - 1 / ways) < 5 * accuracy.standard_error


@pytest.mark.parametrize("prototypes", [True, False])
@pytest.mark.parametrize("shots", [1, 3])
@pytest.mark.parametrize("constant", [0.0, 0.1, 1 / 3])
def test_a_constant_network_is_never_right(constant, shots, prototypes):
    """It ties with everything. With ties as successes it would look perfect: `mistakes.ties_are_right`."""
    y = np.arange(20).repeat(4)
    x = np.full((80, 8), constant, "float32")
    assert n_way_accuracy(x, y, ways=5, shots=shots, prototypes=prototypes) == (0, 0)
    assert mistakes.ties_are_right(cdist(x[:5], x[:5]), np.arange(5)) == 1
    assert mistakes.first_of_the_nearest(cdist(x[:5], x[:5]), np.zeros(5, int)) == 1  # the first is always asked for


def test_a_tie_with_one_other_class_is_a_failure():
    """Classes 0 and 1 share a point: in 2-way episodes over three classes one pair in three ties, both queries fail."""
    x = np.array([[0.0], [0], [0], [0], [5], [5]])
    accuracy = n_way_accuracy(x, np.array([0, 0, 1, 1, 2, 2]), ways=2, episodes=3000)
    assert accuracy.value == pytest.approx(2 / 3, abs=5 * accuracy.standard_error)
    assert accuracy.standard_error == pytest.approx(np.sqrt(2 / 9 / 3000), rel=0.05)  # each episode is 0 or 1


def test_five_shots_by_hand():
    """One class at 0, 0 and 6, the other at 3: to the query 2.6 the prototype 2 is nearer, but not a single example."""
    support = {0: [0.0, 0.0, 6.0], 1: [3.4, 3.4, 3.4]}
    x = np.array([[*support[0], 2.6, *support[1], 3.4]]).T
    y = np.repeat([0, 1], 4)
    distances = np.abs(x[3] - [[2.0]]), min(abs(x[3, 0] - np.array(support[0]))), abs(x[3, 0] - 3.4)
    assert distances[0] < distances[2] < distances[1]
    draw = Fixed(order=[0, 1], rows=[3, 0, 1, 2])
    kinds = {
        each: n_way_accuracy(x, y, ways=2, shots=3, episodes=2, prototypes=each, seed=draw) for each in (True, False)
    }
    assert kinds[True].value == 1 and kinds[False].value == 0.5


class Fixed(np.random.Generator):
    """Draws classes in this order, and of each class's examples these."""

    def __init__(self, order, rows):
        super().__init__(np.random.PCG64(0))
        self.order, self.rows = order, rows

    def choice(self, a, size, replace):
        return np.array(a)[self.rows if len(a) == 4 and size == 4 else self.order]


def test_groups_keep_an_episode_within_one():
    """Two alphabets of the same three points: alone each is easy, together every class ties with its twin."""
    x, y = clusters(classes=3, examples=3)
    x, y = np.concatenate([x, x]), np.concatenate([y, y + 3])
    groups = np.repeat(["one", "other"], 9)
    assert n_way_accuracy(x, y, ways=3, groups=groups) == (1, 0)
    assert n_way_accuracy(x, y, ways=6) == (0, 0)
    assert n_way_accuracy(x, y, ways=3, groups=np.repeat([4, 7], 9)) == (1, 0)


def test_groups_that_are_too_small_are_left_out():
    x, y = clusters(classes=5, examples=2)
    x[y >= 3] = 0  # the second alphabet's two classes are the same point
    groups = np.where(y < 3, "large", "small")
    assert n_way_accuracy(x, y, ways=3, groups=groups) == (1, 0)
    assert n_way_accuracy(x, y, ways=2, groups=groups).value < 1


def test_the_seed_decides():
    x, y = clusters(spread=5.0)
    first = n_way_accuracy(x, y, ways=4, episodes=50, seed=1)
    assert first == n_way_accuracy(x, y, ways=4, episodes=50, seed=1)
    assert first != n_way_accuracy(x, y, ways=4, episodes=50, seed=2)


def test_the_query_is_never_in_the_support():
    """With every example at a place of its own, a query that is its own support would be right each time."""
    x = np.random.default_rng(0).normal(size=(40, 8))
    accuracy = n_way_accuracy(x, np.arange(20).repeat(2), ways=10)
    assert accuracy.value < 0.3


def test_another_distance():
    x, y = clusters(spread=0.5)
    x *= np.random.default_rng(1).uniform(0.1, 10, (len(x), 1))  # only the direction tells

    def cosine(a, b):
        return cdist(a, b, "cosine")

    assert n_way_accuracy(x, y, ways=8, distance=cosine) == (1, 0)
    assert n_way_accuracy(x, y, ways=8).value < 0.9
    assert runs_accuracy(
        x[None, ::5].repeat(2, 0), x[None, 1::5].repeat(2, 0), np.tile(np.arange(8), (2, 1)), cosine
    ) == (
        1,
        0,
    )


def test_labels_may_be_any_integers_in_any_order():
    x, y = clusters(spread=1.0)
    order = np.random.default_rng(0).permutation(len(y))
    assert n_way_accuracy(x[order], (7 * y - 3)[order], ways=8).value > 0.99


# Given runs


def test_runs_by_hand():
    """Two runs of three classes on a line: all right, then one right, one wrong and one tied."""
    support = np.array([[[0.0], [1], [2]], [[0.0], [1], [2]]])
    queries = np.array([[[2.1], [0.2], [0.9]], [[0.1], [0.2], [1.5]]])
    answers = np.array([[2, 0, 1], [0, 1, 2]])
    value, error = runs_accuracy(support, queries, answers)
    assert value == pytest.approx(2 / 3)
    assert error == pytest.approx(1 / 3)  # accuracies 1 and 1/3: their sd is .471, over the root of 2


def test_runs_of_a_constant_network():
    constant = np.ones((20, 20, 4), "float32")
    assert runs_accuracy(constant, constant, np.tile(np.arange(20), (20, 1))) == (0, 0)


# From verification to identification


def test_expected_accuracy_by_hand():
    """Of ten different pairs 9 are farther than the first same pair, 5 than the second, none than the third."""
    different, same = np.arange(1.0, 11), np.array([1.0, 5.5, 10.0])
    for ways in (2, 3, 20):
        expected = np.mean(np.array([0.9, 0.5, 0.0]) ** (ways - 1))
        assert expected_accuracy(same, different, ways) == pytest.approx(expected)


def test_expected_accuracy_is_what_independent_distances_score():
    """Each query draws its distances afresh, as the formula assumes: a simulation agrees."""
    rng = np.random.default_rng(0)
    same, different = rng.gamma(4, 1, 3000), rng.gamma(8, 1, 3000)
    drawn = rng.choice(same, 20_000), rng.choice(different, (20_000, 9)).min(axis=1)
    assert expected_accuracy(same, different, 10) == pytest.approx(np.mean(drawn[0] < drawn[1]), abs=0.015)


# Bad input


@pytest.fixture
def good():
    return clusters(classes=4, examples=3)


BAD = [kind for kind in bad_arrays(np.ones((12, 4)), bounded=False) if kind != "shape"]  # of any length and number


@pytest.mark.parametrize("kind", BAD)
def test_bad_embeddings(good, kind):
    bad = bad_arrays(good[0], bounded=False)[kind]
    with pytest.raises(ValueError, match="`embeddings` must"):
        n_way_accuracy(bad, good[1], ways=2)


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ({"y": np.zeros(12)}, "y"),
        ({"y": np.zeros(11, int)}, "y"),
        ({"y": np.zeros((12, 1), int)}, "y"),
        ({"y": None}, "y"),
        ({"y": ["a"] * 12}, "y"),
        ({"y": np.arange(12)}, "y"),
        ({"ways": 1}, "ways"),
        ({"ways": 5}, "ways"),
        ({"ways": 2.0}, "ways"),
        ({"ways": None}, "ways"),
        ({"shots": 0}, "shots"),
        ({"shots": 3}, "y"),
        ({"shots": True}, "shots"),
        ({"episodes": 1}, "episodes"),
        ({"episodes": "400"}, "episodes"),
        ({"groups": np.zeros(11, int)}, "groups"),
        ({"groups": np.zeros(12)}, "groups"),
        ({"groups": np.arange(12)}, "groups"),
        ({"groups": [None] * 12}, "groups"),
        ({"groups": np.arange(12) // 3}, "ways"),
        ({"prototypes": "mean"}, "prototypes"),
        ({"prototypes": None}, "prototypes"),
        ({"distance": "euclidean"}, "distance"),
        ({"distance": None}, "distance"),
        ({"distance": lambda a, b: np.zeros(len(a))}, "distance"),
        ({"distance": lambda a, b: np.full((len(a), len(b)), np.nan)}, "distance"),
        ({"distance": lambda a, b: np.full((len(a), len(b)), "near")}, "distance"),
        ({"seed": -1}, "seed"),
        ({"seed": "0"}, "seed"),
        ({"seed": 0.5}, "seed"),
    ],
)
def test_bad_arguments(good, arguments, name):
    with pytest.raises(ValueError, match=f"`{name}` must"):
        n_way_accuracy(**{"embeddings": good[0], "y": good[1], "ways": 2, **arguments})


RUNS = np.random.default_rng(0).random((3, 4, 5)), np.random.default_rng(1).random((3, 6, 5)), np.zeros((3, 6), int)


@pytest.mark.parametrize("place", [0, 1])
@pytest.mark.parametrize("kind", BAD)
def test_bad_runs(place, kind):
    arrays = [*RUNS]
    arrays[place] = bad_arrays(arrays[place], bounded=False)[kind]
    with pytest.raises(ValueError, match="`support` must" if place == 0 else "`queries` must"):
        runs_accuracy(*arrays)


@pytest.mark.parametrize(
    "answers",
    [np.zeros((3, 5), int), np.zeros((3, 6)), np.full((3, 6), 4), np.full((3, 6), -1), None, "0", [[0], [0, 1]]],
)
def test_bad_answers(answers):
    with pytest.raises(ValueError, match="`answers` must"):
        runs_accuracy(*RUNS[:2], answers)


def test_runs_that_do_not_fit():
    with pytest.raises(ValueError, match="`queries` must"):
        runs_accuracy(RUNS[0], RUNS[1][:2], RUNS[2])
    with pytest.raises(ValueError, match="`support` must"):
        runs_accuracy(RUNS[0][:1], RUNS[1][:1], RUNS[2][:1])
    with pytest.raises(ValueError, match="`distance` must"):
        runs_accuracy(*RUNS, distance="euclidean")


@pytest.mark.parametrize(
    "bad", [np.array([-1.0]), np.array([np.nan]), np.array([]), np.array([[1.0]]), np.array([1]), None]
)
def test_bad_distances(bad):
    good = np.array([1.0])
    with pytest.raises(ValueError, match="`same` must"):
        expected_accuracy(bad, good, 2)
    with pytest.raises(ValueError, match="`different` must"):
        expected_accuracy(good, bad, 2)
    with pytest.raises(ValueError, match="`ways` must"):
        expected_accuracy(good, good, 1)


# The network, and what it is trained on


def test_embeddings_have_length_one_and_a_seed():
    network = convolutional_embedding((28, 28, 1), seed=0)
    assert network.output_shape == (None, 256)
    assert sum(isinstance(layer, keras.layers.Conv2D) for layer in network.layers) == 4
    x = np.random.default_rng(0).random((3, 28, 28, 1), "float32")
    first = network.predict(x, verbose=0)
    np.testing.assert_allclose(np.linalg.norm(first, axis=1), 1, rtol=1e-5)
    np.testing.assert_array_equal(first, convolutional_embedding((28, 28, 1), seed=0).predict(x, verbose=0))
    assert not np.allclose(first, convolutional_embedding((28, 28, 1), seed=1).predict(x, verbose=0))


@pytest.mark.parametrize("shape", [(20, 14, 3), (9, 9, 1), (64, 48, 1)])
def test_other_image_sizes(shape):
    network = convolutional_embedding(shape, filters=(8, 8), seed=0)
    assert network(np.zeros((2, *shape), "float32")).shape == (2, network.output_shape[1])


def test_rotations_are_further_classes():
    x = np.random.default_rng(0).random((4, *SHAPE), "float32")
    turned, y = with_rotations(x, np.array([2, 0, 2, 1]))
    np.testing.assert_array_equal(y, [2, 0, 2, 1, 5, 3, 5, 4, 8, 6, 8, 7, 11, 9, 11, 10])
    np.testing.assert_array_equal(turned[:4], x)
    np.testing.assert_array_equal(turned[4, :, :, 0], np.rot90(x[0, :, :, 0]))
    np.testing.assert_array_equal(turned[8], x[0, ::-1, ::-1])
    np.testing.assert_array_equal(np.rot90(turned[12, :, :, 0]), x[0, :, :, 0])


@pytest.mark.parametrize("kind", bad_arrays(np.ones((4, *SHAPE), "float32")))
def test_bad_images_to_turn(kind):
    bad = bad_arrays(np.ones((4, *SHAPE), "float32"))[kind]
    with pytest.raises(ValueError, match="`x` must"):
        with_rotations(bad, np.zeros(4, int))


@pytest.mark.parametrize("y", [np.zeros(3, int), np.zeros(4), None, np.full(4, -1), np.zeros((4, 1), int)])
def test_bad_labels_to_turn(y):
    with pytest.raises(ValueError, match="`y` must"):
        with_rotations(np.ones((4, *SHAPE), "float32"), y)


def blob(row, column):
    image = np.zeros((1, 21, 21, 1), "float32")
    image[0, row - 1 : row + 2, column - 1 : column + 2] = 1
    return image


def test_jitter_moves_ink_a_little_and_keeps_the_ground():
    x = np.repeat(blob(10, 10), 300, axis=0)
    moved = jitter(x, np.random.default_rng(0))
    assert moved.shape == x.shape and moved.dtype == "float32" and moved.min() >= 0 and moved.max() <= 1
    ink = moved.sum(axis=(1, 2, 3))
    rows = (moved.sum(axis=(2, 3)) @ np.arange(21)) / ink
    columns = (moved.sum(axis=(1, 3)) @ np.arange(21)) / ink
    for places in (rows, columns):
        assert abs(places.mean() - 10) < 0.2 and 0.6 < places.std() < 1.1  # .04 of 21 pixels
    assert 7 < ink.mean() < 11  # of 9


def test_jitter_turns_about_the_middle():
    """What lies to the right of the middle goes up and down by the sine of .12, and hardly sideways for turning."""
    x = np.repeat(blob(10, 17), 400, axis=0)
    moved = jitter(x, np.random.default_rng(0))
    rows = (moved.sum(axis=(2, 3)) @ np.arange(21)) / moved.sum(axis=(1, 2, 3))
    assert 0.9 < rows.std() < 1.7  # the root of .84² + (7 · .12)²


def test_jitter_of_size_zero_changes_nothing_and_the_seed_decides():
    x = np.random.default_rng(0).random((5, 20, 14, 3), "float32")
    np.testing.assert_allclose(jitter(x, np.random.default_rng(0), size=0), x, atol=1e-5)
    first, second = (jitter(x, np.random.default_rng(0)) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, jitter(x, np.random.default_rng(1)))


@pytest.mark.parametrize("size", [-1, np.nan, "1", None, True])
def test_bad_jitter(size):
    with pytest.raises(ValueError, match="`size` must"):
        jitter(blob(9, 9), np.random.default_rng(0), size)


def strokes(n, seed):
    """Characters of four random strokes each, drawn 6 times with a little jitter."""
    rng = np.random.default_rng(seed)
    plain = np.zeros((n, *SHAPE), "float32")
    for image in plain:
        for _ in range(4):
            row, column = rng.integers(2, 9, 2)
            image[row : row + 3, column] = 1 if rng.random() < 0.5 else 0
            image[row, column : column + 3] = 1
    return jitter(plain.repeat(6, axis=0), rng, 0.7).clip(0, 1), np.arange(n).repeat(6)


def test_it_learns_to_compare_characters_that_it_has_not_seen():
    x, y = with_rotations(*strokes(60, 0))
    unseen, labels = strokes(40, 1)
    model = SiameseNetwork(convolutional_embedding(SHAPE, (16, 16, 16), seed=0), NTXentLoss(0.1))
    model.compile(keras.optimizers.Adam(2e-3))
    before = n_way_accuracy(model.embed(unseen), labels, ways=10)
    model.fit(BalancedBatches(x, y, 16, 4, seed=0, steps=60, augment=jitter), epochs=2, verbose=0)
    after = n_way_accuracy(model.embed(unseen), labels, ways=10)
    pixels = n_way_accuracy(unseen.reshape(len(unseen), -1), labels, ways=10)
    assert 1 - after.value < 0.5 * (1 - max(before.value, pixels.value))
