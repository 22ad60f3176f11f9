"""The losses of Siamese networks by hand and against double loops, their gradients, and batches."""

import itertools

import keras
import numpy as np
import pytest
from keras import layers, ops

from dlarch_keras import BalancedBatches, ContrastiveLoss, NTXentLoss, SiameseNetwork, TripletLoss, networks
from dlarch_keras.core import value_and_grad
from dlarch_keras.siamese import PairLoss, all_to_all, euclidean
from tests.support.architectures import CLASSES, SHAPE, compiled, images, labels, pairs, small_siamese
from tests.support.small_networks import linear, number

LOSSES = {"contrastive": ContrastiveLoss(), "triplet": TripletLoss(), "NT-Xent": NTXentLoss()}


@pytest.fixture(scope="module")
def model():
    """For the tests that change nothing."""
    return small_siamese()


def batch_loss(loss, points, y):
    model = SiameseNetwork(linear(np.eye(np.shape(points)[1])), loss)
    return number(model.compute_batch_loss(ops.convert_to_tensor(np.float32(points)), ops.convert_to_tensor(y)))


def clusters(n=12, width=3, seed=0):
    """Points in loose clusters, so that every branch of every loss occurs; and their labels."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % CLASSES
    return (0.4 * rng.normal(size=(CLASSES, width))[y] + 0.4 * rng.normal(size=(n, width))).astype("float32"), y


# The losses


@pytest.mark.parametrize(
    ("distance", "different", "expected"),
    [(0.6, 0, 0.18), (2.0, 0, 2.0), (0.6, 1, 0.08), (1.0, 1, 0.0), (7.0, 1, 0.0), (0.0, 1, 0.5), (0.0, 0, 0.0)],
)
def test_contrastive_loss_of_a_pair_by_hand(distance, different, expected):
    """Similar: half the squared distance. Dissimilar: half the square of what is missing to the margin, 1."""
    loss = ContrastiveLoss()(ops.convert_to_tensor(np.float32([distance])), np.array([different]))
    assert number(loss) == pytest.approx(expected, abs=1e-6)


def test_contrastive_loss_of_plain_pairs_is_their_mean():
    loss = ContrastiveLoss(2.0)
    distances, different = ops.convert_to_tensor(np.float32([0.5, 0.5, 3.0, 1.0])), np.array([0, 1, 1, 1])
    assert number(loss(distances, different)) == pytest.approx((0.125 + 1.125 + 0 + 0.5) / 4)


def test_contrastive_loss_of_a_batch_by_hand():
    """On a line: 0 and .6 similar, .8 another class: .18, (1 - .8)² / 2 = .02 and (1 - .2)² / 2 = .32."""
    assert batch_loss(ContrastiveLoss(), [[0.0], [0.6], [0.8]], np.array([5, 5, 7])) == pytest.approx(
        (0.18 + 0.02 + 0.32) / 3, rel=1e-5
    )


def contrastive_by_loops(points, y, margin=1.0):
    losses = []
    for i, j in itertools.combinations(range(len(y)), 2):
        d = np.linalg.norm(points[i] - points[j])
        losses.append(d**2 / 2 if y[i] == y[j] else max(0, margin - d) ** 2 / 2)
    return np.mean(losses)


def triplet_by_loops(points, y, margin=0.2):
    losses = []
    for a, p in itertools.permutations(range(len(y)), 2):
        if y[a] != y[p]:
            continue
        near = np.sum((points[a] - points[p]) ** 2)
        negatives = [np.sum((points[a] - points[n]) ** 2) for n in range(len(y)) if y[n] != y[a]]
        farther = [far for far in negatives if far > near]
        losses.append(max(0, near - (min(farther) if farther else max(negatives)) + margin))
    return np.mean(losses)


def nt_xent_by_loops(points, y, temperature=0.1):
    """In cosines, as published: for embeddings of length 1."""
    losses = []
    for i in range(len(y)):
        others = [j for j in range(len(y)) if j != i]
        total = sum(np.exp(points[i] @ points[j] / temperature) for j in others)
        likes = [j for j in others if y[j] == y[i]]
        if likes:
            losses.append(-np.mean([np.log(np.exp(points[i] @ points[p] / temperature) / total) for p in likes]))
    return np.mean(losses)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("loss", "by_loops", "unit"),
    [
        (ContrastiveLoss(), contrastive_by_loops, False),
        (ContrastiveLoss(0.5), lambda points, y: contrastive_by_loops(points, y, 0.5), False),
        (TripletLoss(), triplet_by_loops, True),
        (TripletLoss(0.7), lambda points, y: triplet_by_loops(points, y, 0.7), False),
        (NTXentLoss(), nt_xent_by_loops, True),
        (NTXentLoss(0.5), lambda points, y: nt_xent_by_loops(points, y, 0.5), True),
    ],
)
def test_batch_losses_against_double_loops(loss, by_loops, unit, seed):
    points, y = clusters(seed=seed)
    y[-1] = 99  # alone in its class
    points = points / np.linalg.norm(points, axis=1, keepdims=True) if unit else points
    assert batch_loss(loss, points, y) == pytest.approx(by_loops(points.astype("float64"), y), rel=1e-4)


def test_triplet_loss_by_hand():
    """On a line, anchor 0 and like .5: the negative .6 is semi-hard (.36 > .25); for the anchor .5 none is farther."""
    points, y = [[0.0], [0.5], [0.6]], np.array([0, 0, 1])
    expected = (max(0, 0.25 - 0.36 + 0.2) + max(0, 0.25 - 0.01 + 0.2)) / 2
    assert batch_loss(TripletLoss(0.2), points, y) == pytest.approx(expected, rel=1e-5)
    assert batch_loss(TripletLoss(0.2), [[0.0], [0.1], [2.0], [2.1]], np.array([0, 0, 1, 1])) == 0


def test_nt_xent_of_two_classes_by_hand():
    """Two examples each, likes equal and classes at right angles: log(1 + 2 exp(-1 / temperature))."""
    points, y = [[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]], np.array([0, 0, 1, 1])
    assert batch_loss(NTXentLoss(0.5), points, y) == pytest.approx(np.log(1 + 2 * np.exp(-2)), rel=1e-5)


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_losses_ignore_the_order_and_the_names_of_classes(loss):
    points, y = clusters()
    order = np.random.default_rng(1).permutation(len(y))
    assert batch_loss(loss, points[order], y[order]) == pytest.approx(batch_loss(loss, points, y), rel=1e-4)
    assert batch_loss(loss, points, 1000 - 7 * y) == pytest.approx(batch_loss(loss, points, y), rel=1e-4)


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_pairs_whose_loss_is_asked_for_by_the_paper_alone_matter(loss):
    """The diagonal, an example with itself, changes nothing: a batch without like pairs has no pull."""
    points = clusters()[0][:4]
    far = 100 * np.arange(4.0)[:, None] * np.ones((1, 3))
    assert batch_loss(loss, far, np.arange(4)) == pytest.approx(0, abs=1e-6)
    assert np.isfinite(batch_loss(loss, points, np.zeros(4, int)))


# Gradients


def gradient(loss, points, y):
    """Of the batch's loss, by each point."""
    variable = keras.Variable(np.float32(points))
    _, (slope,) = value_and_grad(
        lambda: loss(euclidean(variable[:, None], variable[None]), np.not_equal.outer(y, y)), [variable]
    )
    return ops.convert_to_numpy(slope)


def test_distances_of_all_to_all():
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(9, 5)).astype("float32")
    vectors[1] = vectors[0]
    want = np.linalg.norm(vectors[:, None] - vectors[None], axis=-1)
    variable = keras.Variable(vectors)
    np.testing.assert_allclose(ops.convert_to_numpy(all_to_all(variable)), want, atol=2e-3)
    _, (gradient,) = value_and_grad(lambda: ops.sum(all_to_all(variable)), [variable])
    assert np.isfinite(ops.convert_to_numpy(gradient)).all()


@pytest.mark.parametrize(
    ("distance", "y", "expected"),
    [
        (0.4, [0, 0], -0.4),  # descent moves the second point, on the right, to the left: together
        (3.0, [0, 0], -3.0),
        (0.4, [0, 1], 0.6),  # and here to the right: apart, by what is missing to the margin
        (1.5, [0, 1], 0.0),
    ],
)
def test_the_gradient_pulls_and_pushes_by_hand(distance, y, expected):
    """d/dx of x² / 2 is x, of (1 - x)² / 2 is -(1 - x)."""
    slope = gradient(ContrastiveLoss(), [[0.0], [distance]], np.array(y))
    np.testing.assert_allclose(-slope[:, 0], [-expected, expected], atol=1e-6)


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_a_small_step_down_brings_likes_together_and_others_apart(loss):
    angles, y = np.deg2rad([0, 40, -45]), np.array([0, 0, 1])
    points = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    moved = points - 1e-2 * gradient(loss, points, y)

    def distances(x):
        return np.array([np.linalg.norm(x[i] - x[j]) for i, j in ((0, 1), (0, 2), (1, 2))])

    change = distances(moved) - distances(points)
    assert change[0] < 0 < change[1]


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
@pytest.mark.parametrize("y", [[0, 0, 1, 1], [0, 1, 2, 3], [0, 0, 0, 0]], ids=str)
def test_equal_embeddings_have_finite_gradients(loss, y):
    assert np.isfinite(gradient(loss, np.ones((4, 3)), np.array(y))).all()
    assert np.isfinite(gradient(loss, np.zeros((4, 3)), np.array(y))).all()


def test_nearly_equal_embeddings_have_gradients_of_the_right_size():
    slope = gradient(ContrastiveLoss(), [[1.0], [1.0 + 1e-4]], np.array([0, 1]))
    assert -slope[1, 0] == pytest.approx(1.0, rel=1e-3)


# Training


@pytest.mark.parametrize(
    ("loss", "by_loops"), [(ContrastiveLoss(), contrastive_by_loops), (TripletLoss(), triplet_by_loops)]
)
def test_one_step_is_a_step_down_the_loops_loss(loss, by_loops):
    """The weights move by the numerical slope of the loss that loops compute."""
    points, y = clusters()
    model = SiameseNetwork(linear(np.eye(3)), loss, data_range=None)
    compiled(model, keras.optimizers.SGD, (0.1,))
    model.train_on_batch(points, y)
    slope = np.zeros((3, 3))
    for i, j in np.ndindex(3, 3):
        ahead, behind = np.eye(3), np.eye(3)
        ahead[i, j] += 1e-5
        behind[i, j] -= 1e-5
        slope[i, j] = (by_loops(points @ ahead, y) - by_loops(points @ behind, y)) / 2e-5
    np.testing.assert_allclose(model.embedding.get_weights()[0], np.eye(3) - 0.1 * slope, atol=1e-4)


def test_pairs_and_batches_are_one_network():
    """A batch's pairs, given as plain ones, move the weights as the batch does."""
    x, y = np.float32([[0.0], [0.6], [0.8]]), np.array([0, 0, 1])
    batch, plain = (SiameseNetwork(linear(np.eye(1)), data_range=None) for _ in range(2))
    for each in (batch, plain):
        compiled(each, keras.optimizers.SGD, (0.1,))
    first = batch.train_on_batch(x, y)
    second = plain.train_on_batch((x[[0, 0, 1]], x[[1, 2, 2]]), np.array([0, 1, 1]))
    np.testing.assert_allclose(np.ravel(first)[0], np.ravel(second)[0], rtol=1e-5)
    np.testing.assert_allclose(batch.get_weights()[0], plain.get_weights()[0], rtol=1e-5)


def test_both_towers_are_one_pass():
    """BatchNorm sees the pairs' 2 n examples together: a and b with different means stay different."""
    passes = []

    class Watched(layers.Layer):
        def call(self, x):
            passes.append(tuple(x.shape))
            return x

    inputs = keras.Input((3,))
    model = SiameseNetwork(keras.Model(inputs, Watched()(layers.BatchNormalization()(inputs))), data_range=None)
    model.compile(keras.optimizers.SGD(0.0), run_eagerly=True)
    x = np.random.default_rng(0).random((8, 3)).astype("float32")
    passes.clear()
    loss = model.train_on_batch((x, x + 5), np.zeros(8, int))
    assert passes == [(16, 3)]
    assert np.ravel(loss)[0] > 1  # each normalised by itself, the two would be equal


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_it_learns_to_tell_classes_apart(loss):
    rng = np.random.default_rng(0)
    y = np.arange(400) % 4
    x = np.concatenate([np.eye(4)[y] + 0.3 * rng.normal(size=(400, 4)), 3 * rng.normal(size=(400, 6))], axis=1)
    x = x.astype("float32")
    inputs = keras.Input((10,))
    keras.utils.set_random_seed(0)
    embedding = layers.UnitNormalization()(layers.Dense(3)(layers.Dense(32, "relu")(inputs)))
    model = SiameseNetwork(keras.Model(inputs, embedding), loss, data_range=None)
    model.compile(keras.optimizers.Adam(1e-2))

    def closer():
        """How much farther apart examples of other classes are than likes, on average, on rows not trained on."""
        codes, held_out = model.embed(x[300:]), y[300:]
        distances = np.linalg.norm(codes[:, None] - codes[None], axis=-1)
        different = np.not_equal.outer(held_out, held_out)
        return distances[different].mean() / distances[~different & ~np.eye(100, dtype=bool)].mean()

    before = closer()
    model.fit(BalancedBatches(x[:300], y[:300], 4, 8, seed=0), epochs=25, verbose=0)
    assert before < 1.3 < 2 < closer()


def test_training_on_plain_pairs_lowers_the_loss():
    x, y = images(64), labels(64)
    x[y == 1, 0] = 0  # classes that can be seen
    a, b = np.arange(64), np.roll(np.arange(64), 1)
    model = small_siamese(batch_normalization=False)
    data = ((x[a], x[b]), (y[a] % 2 != y[b] % 2).astype(int))
    losses = model.fit(*data, epochs=20, verbose=0).history["loss"]
    assert losses[-1] < 0.8 * losses[0]


def test_validation_data_of_both_kinds():
    x, y = pairs(16)
    for data, validation in itertools.product(((images(), labels()), (x, y)), repeat=2):
        history = small_siamese().fit(*data, validation_data=validation, verbose=0).history
        assert np.isfinite(history["val_loss"]).all()


def test_regularizers_count():
    def loss(regularizer):
        inputs = keras.Input(SHAPE)
        x = layers.Dense(2, kernel_initializer="ones", kernel_regularizer=regularizer)(layers.Flatten()(inputs))
        model = SiameseNetwork(keras.Model(inputs, x))
        return number(model.compute_batch_loss(ops.convert_to_tensor(images()), ops.convert_to_tensor(labels())))

    assert loss(keras.regularizers.L2(0.5)) == pytest.approx(loss(None) + 0.5 * 60, rel=1e-5)


# Embedding


def test_embed_distance_and_predict(model):
    a, b = images(9), images(9, seed=1)
    codes = model.embed(a)
    assert codes.shape == (9, 3) and codes.dtype == "float32"
    np.testing.assert_allclose(model.embed(a, batch_size=4), codes, atol=1e-6)
    np.testing.assert_allclose(model.predict(a, verbose=0), codes, atol=1e-5)
    expected = np.sqrt(((codes - model.embed(b)) ** 2).sum(axis=1))
    np.testing.assert_allclose(model.distance(a, b), expected, rtol=1e-5)
    np.testing.assert_allclose(model.predict((a, b), verbose=0), expected, rtol=1e-4)
    np.testing.assert_allclose(model.distance(b, a), expected, rtol=1e-5)
    assert model.distance(a, a).max() == 0


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision_computes_the_loss_in_float32(policy):
    """A loss of one's own, `loss(distances, different)`: for a batch, and for pairs with any type of label."""
    keras.config.set_dtype_policy(policy)
    seen = []

    class Spy(PairLoss):
        takes_pairs = True

        def __call__(self, distances, different):
            seen.append(keras.backend.standardize_dtype(distances.dtype))
            return ops.mean(distances)

    model = compiled(small_siamese(Spy()), run_eagerly=True)
    losses = [model.train_on_batch(images(), labels())]
    x, y = pairs()
    losses += [model.train_on_batch(x, y.astype(kind)) for kind in ("bool", "int64", "float32")]
    assert seen == ["float32"] * 4 and np.isfinite(losses).all()


def test_images_of_any_size():
    inputs = keras.Input((None, None, 1))
    features = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3)(inputs))
    model = SiameseNetwork(keras.Model(inputs, features))
    model.compile()
    model.fit(images(), labels(), verbose=0)
    assert model.embed(np.zeros((2, 17, 9, 1), "float32")).shape == (2, 4)


# Balanced batches


def batches(**arguments):
    return BalancedBatches(images(40), labels(40), **{"classes": 3, "examples": 4, "seed": 0, **arguments})


def test_batches_hold_different_classes_and_different_examples():
    x, y = images(40), labels(40)
    rows = {row.tobytes(): label for row, label in zip(x, y)}
    everything = [batch for epoch in range(3) for batch in epoch_of(batches(steps=5), epoch)]
    for batch_x, batch_y in everything:
        assert batch_x.shape == (12, *SHAPE) and batch_y.shape == (12,)
        names, counts = np.unique(batch_y, return_counts=True)
        assert len(names) == 3 and set(counts) == {4}
        assert len({row.tobytes() for row in batch_x}) == 12
        assert [rows[row.tobytes()] for row in batch_x] == batch_y.tolist()
    assert {*np.concatenate([batch_y for _, batch_y in everything])} == {*range(CLASSES)}


def epoch_of(data, epoch):
    data.epoch = epoch
    return [data[index] for index in range(len(data))]


def same(first, second):
    return all(np.array_equal(a, b) for a, b in zip(first, second))


def test_a_batch_depends_on_seed_epoch_and_number_alone():
    data = batches(steps=3)
    before = epoch_of(data, 0)
    data.on_epoch_end()
    after = [data[index] for index in (2, 1, 0)][::-1]
    assert all(same(a, b) for a, b in zip(before, epoch_of(batches(steps=3), 0)))
    assert all(same(a, b) for a, b in zip(after, epoch_of(batches(steps=3), 1)))
    distinct = {batch[0].tobytes() for batch in (*before, *after, *epoch_of(batches(steps=3, seed=1), 0))}
    assert len(distinct) == 9


def test_batches_without_a_seed_differ_from_each_other_and_not_from_themselves():
    first, second = batches(seed=None), batches(seed=None)
    assert same(first[0], first[0]) and not same(first[0], second[0])


@pytest.mark.parametrize("workers", [{"workers": 3}, {"workers": 2, "use_multiprocessing": True}], ids=str)
@pytest.mark.filterwarnings("ignore:.*fork.*")
def test_workers_change_nothing(workers):
    if "use_multiprocessing" in workers and keras.backend.backend() != "torch":
        workers = {"workers": 2}  # a process that runs JAX or TensorFlow's threads may not be forked

    def trained(**arguments):
        model = small_siamese()
        history = model.fit(batches(steps=6, **arguments), epochs=3, shuffle=False, verbose=0).history
        return history["loss"], model.get_weights()

    (losses, weights), (other_losses, other_weights) = trained(), trained(**workers)
    assert losses == other_losses
    assert same(weights, other_weights)


def test_steps():
    assert len(batches()) == 40 // 12 and len(batches(steps=7)) == 7
    assert len(BalancedBatches(images(8), labels(8), 2, 2)) == 2
    assert len(BalancedBatches(images(9), np.zeros(9, int) + (np.arange(9) > 5), 2, 3)) == 1


def test_batches_of_few_groups():
    """Eight classes in four groups: four classes are both of each of two groups."""
    y = np.repeat(np.arange(8), 5)
    data = BalancedBatches(images(40), y, 4, 2, seed=0, steps=30, groups=np.char.add("group ", (y // 2).astype(str)))
    for _, batch_y in epoch_of(data, 0):
        assert len({*batch_y}) == 4 and len({*(batch_y // 2)}) == 2
    assert {*np.concatenate([batch_y for _, batch_y in epoch_of(data, 0)])} == {*range(8)}
    one_each = BalancedBatches(images(40), y, 4, 2, seed=0, groups=y // 2, per_group=1)
    assert all(len({*(batch_y // 2)}) == 4 for _, batch_y in epoch_of(one_each, 0))


def test_augmentation_is_part_of_the_batch():
    def noise(x, random):
        return x + random.normal(0, 0.1, x.shape).astype("float32")

    plain, noisy = batches(), batches(augment=noise)
    assert same(noisy[0], batches(augment=noise)[0])
    difference = noisy[0][0] - plain[0][0]
    assert np.array_equal(noisy[0][1], plain[0][1]) and 0.05 < difference.std() < 0.15


# Bad input


def test_pairs_of_unequal_length_are_refused(model):
    with pytest.raises(ValueError, match="`x` must hold two arrays of one shape"):
        model.fit((images(8), images(9)), [0, 1] * 4)
    with pytest.raises(ValueError, match="`b` must have as many rows as `a`, 8, got 9"):
        model.distance(images(8), images(9))
    with pytest.raises(ValueError, match="`x` must"):
        model.fit((images(8), images(8), images(8)), [0, 1] * 4)


@pytest.mark.parametrize("loss", [TripletLoss(), NTXentLoss()], ids=["triplet", "NT-Xent"])
def test_losses_of_a_batch_take_no_plain_pairs(loss):
    with pytest.raises(ValueError, match="`x` must be one array with class labels `y`"):
        small_siamese(loss).fit((images(), images()), pairs()[1])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"classes": 5}, "`classes` must be no more than there are in `y`, 4, got 5"),
        ({"examples": 11}, "`y` must hold 11 examples or more of each class, got 10 of class 0"),
        ({"groups": np.zeros(39, int)}, "`groups` must name the group of each of 40 examples"),
        ({"groups": np.zeros(40)}, "`groups` must name the group of each of 40 examples"),
        ({"groups": np.arange(40)}, "`groups` must keep each class within one group"),
        ({"groups": np.zeros(40, int), "per_group": 0}, "`per_group` must be a whole number of at least 1"),
        ({"groups": np.zeros(40, int), "per_group": 2}, "`groups` must hold 3 classes, 2 from each, got 1"),
    ],
)
def test_bad_settings_of_batches_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        batches(**arguments)


def test_a_class_with_too_few_examples_is_named():
    y = labels(40)
    y[:3] = 7
    with pytest.raises(ValueError, match="4 examples or more of each class, got 3 of class 7: leave such classes out"):
        BalancedBatches(images(40), y, 2, 4)


def test_networks_that_do_not_fit_are_refused():
    for network, message in [
        (networks.residual_encoder(1), "`embedding` must return a vector"),
        (networks.conditional_decoder(networks.dense_encoder((4,), 2), 2), "`embedding` must have 1 input"),
    ]:
        with pytest.raises(ValueError, match=message):
            SiameseNetwork(network)
