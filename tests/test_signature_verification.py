"""Training on writers, trials, the verifier and the file that keeps it, on the backend of this process."""

import os
import random

import keras
import numpy as np
import pytest
from keras import layers

from dlarch_keras import SignatureVerifier
from dlarch_keras.datasets.signatures import make_signatures
from dlarch_keras.metrics.verification import equal_error_rate, error_rates
from dlarch_keras.siamese import SiameseNetwork
from dlarch_keras.signature_verification import (
    LOSS,
    BestAverage,
    WriterBatches,
    signature_embedding,
    split_writers,
    train_signature_network,
    training,
)
from dlarch_keras.signature_verification.training import augment_signatures
from dlarch_keras.signature_verification.trials import (
    mean_distance,
    operating_point,
    reference_distance,
    verification_trials,
)
from tests.support.bad_input import bad_arrays

SIZE = (24, 48)


@pytest.fixture(scope="module")
def data():
    return make_signatures(10, genuine=8, forged=4, seed=1, size=SIZE)


def small_network():
    return SiameseNetwork(signature_embedding((*SIZE, 1), (8, 16), 16, seed=0))


@pytest.fixture(scope="module")
def verifier(data):
    """For the tests that change nothing: calibrated on writers 5 to 9, writers 0 to 3 enrolled."""
    verifier = SignatureVerifier(small_network())
    verifier.calibrate(*(part[data.writers >= 5] for part in data))
    for writer in range(4):
        verifier.enroll(writer, genuine(data, writer)[:5])
    return verifier


def genuine(data, writer):
    return data.images[(data.writers == writer) & ~data.forged]


def test_the_code_has_length_1_and_its_form():
    network = signature_embedding((30, 50, 1), (4, 8, 8), 7, seed=0)
    code = network(np.random.default_rng(0).random((3, 30, 50, 1), "float32"))
    np.testing.assert_allclose(np.linalg.norm(keras.ops.convert_to_numpy(code), axis=1), 1, rtol=1e-5)
    assert network.output_shape == (None, 7)
    for a, b in zip(network.get_weights(), signature_embedding((30, 50, 1), (4, 8, 8), 7, seed=0).get_weights()):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("share", [0.1, 0.3, 0.9])
def test_no_writer_is_on_both_sides(share):
    writers = np.repeat([f"w{k}" for k in range(20)], 7)
    for seed in range(5):
        back = split_writers(writers, share, seed)
        assert not set(writers[back]) & set(writers[~back])
        assert len(set(writers[back])) == round(20 * share)
    assert not np.array_equal(back, split_writers(writers, share, 0))


def test_each_side_of_a_split_has_two_writers():
    for share in (0.01, 0.99):
        back = split_writers(np.repeat(np.arange(4), 2), share)
        assert back.sum() == 4


def test_no_development_writer_is_trained_on(data, monkeypatch):
    seen = []
    monkeypatch.setattr(
        training,
        "WriterBatches",
        lambda images, writers, forged, **kwargs: (
            seen.append(writers) or WriterBatches(images, writers, forged, **kwargs)
        ),
    )
    _, back = train_signature_network(*data, epochs=1, steps=1, network=small_network())
    assert not set(seen[0]) & set(data.writers[back])
    assert set(seen[0]) | set(data.writers[back]) == set(range(10))


def test_batches_hold_what_is_hard_to_tell_apart(data):
    batches = WriterBatches(*data, classes=5, genuine=3, skilled=2, steps=2, seed=0)
    (x, y), (again, _), (other, _) = batches[0], batches[0], batches[1]
    assert x.shape == (25, *SIZE, 1) and len(batches) == 2
    np.testing.assert_array_equal(x, again)
    assert not np.array_equal(x, other)
    labels, counts = np.unique(y, return_counts=True)
    assert sorted(labels // 2) == sorted(np.repeat(np.unique(y // 2), 2))
    np.testing.assert_array_equal(counts, np.where(labels % 2, 2, 3))
    batches.on_epoch_end()
    assert not np.array_equal(x, batches[0][0])


def test_batches_without_forgeries_hold_as_many_genuine_ones(data):
    rows = ~data.forged
    _, y = WriterBatches(*(part[rows] for part in data), classes=4, genuine=3, skilled=2)[0]
    np.testing.assert_array_equal(np.unique(y, return_counts=True)[1], [5] * 4)
    assert (y % 2 == 0).all()


def test_augmented_signatures_stay_signatures(data):
    out = augment_signatures(data.images, np.random.default_rng(0))
    assert out.dtype == "float32" and 0 == out.min() < out.max() <= 1
    assert ((out == 0).mean(axis=(1, 2, 3)) > 0.4).all()
    mass = out.sum(axis=(1, 2, 3)) / data.images.sum(axis=(1, 2, 3))
    assert mass.min() > 0.5 and mass.max() < 2
    assert not np.array_equal(out, data.images)


def test_trials_by_hand():
    """On a line: writer 0 at 0, 0, 3, a forgery at 5, writer 1 at 10, 10, 14. All but one genuine are references."""
    embeddings = np.array([[0.0], [0], [3], [5], [10], [10], [14]])
    writers, forged = np.array([0, 0, 0, 0, 1, 1, 1]), np.arange(7) == 3
    trials = verification_trials(embeddings, writers, forged, references=5, distance=mean_distance)
    assert sorted(trials.kinds) == ["genuine"] * 2 + ["random"] * 2 + ["skilled"]
    np.testing.assert_array_equal(trials.writers[trials.kinds == "skilled"], [0])
    skilled = trials.distances[trials.kinds == "skilled"].item()
    assert skilled in (5.0, 3.5)  # with references (0, 0) or (0, 3)
    own = trials.distances[(trials.kinds == "genuine") & (trials.writers == 0)].item()
    assert own == {5.0: 3.0, 3.5: 1.5}[skilled]
    distances, different, claimed = trials.pairs("skilled")
    assert len(distances) == 3 and different.sum() == 1 and sorted(claimed) == [0, 0, 1]


def test_the_distance_is_the_mean_over_references():
    references = np.array([[0.0, 0.0], [3.0, 4.0]])
    np.testing.assert_allclose(mean_distance(np.array([[0.0, 0.0], [6.0, 8.0]]), references), [2.5, 7.5])


def test_the_distance_is_measured_by_the_writers_spread():
    queries, references = np.array([[0.0], [10.0]]), np.array([[0.0], [0.5], [2.0]])  # at .5, 1.5 and 2 from each other
    want = np.array([2.5 / 3, 10 - 2.5 / 3]) / (4 / 3 + 0.3)
    np.testing.assert_allclose(reference_distance(queries, references), want)
    np.testing.assert_allclose(reference_distance(queries, references[:1]), [0, 10 / 0.3])


def test_a_reference_is_never_a_trial():
    """Were one among its own references, a distance of 0 would show it with a distance to the nearest."""
    rng = np.random.default_rng(0)
    embeddings, writers = rng.normal(size=(60, 4)), np.repeat(np.arange(6), 10)

    def nearest(queries, references):
        return np.linalg.norm(queries[:, None] - references[None], axis=-1).min(axis=1)

    trials = verification_trials(embeddings, writers, np.zeros(60, bool), distance=nearest)
    assert trials.distances.min() > 0 and (trials.kinds == "genuine").sum() == 30


def test_a_network_that_knows_nothing_is_at_chance(data):
    same = np.random.default_rng(0).normal(size=(len(data.images), 8))
    trials = verification_trials(same, data.writers, data.forged)
    assert 0.3 < equal_error_rate(*trials.pairs("skilled")[:2])[0] < 0.7


def test_it_learns_signatures():
    """Of the writers it trains on: at this size it learns little that holds for others."""
    data = make_signatures(12, genuine=8, forged=4, seed=2, size=(32, 64))
    network = SiameseNetwork(signature_embedding((32, 64, 1), (8, 16, 32), 32, seed=0), LOSS)

    def errors():
        trials = verification_trials(network.embed(data.images), data.writers, data.forged, distance=mean_distance)
        return sum(equal_error_rate(*trials.pairs(kind)[:2])[0] for kind in ("skilled", "random"))

    before = errors()
    train_signature_network(*data, epochs=12, steps=8, network=network)
    assert errors() < before - 0.04


def test_the_seed_is_all_that_counts_and_the_rate_ends_at_0(data):
    def trained(state):
        random.seed(state)  # what shuffles Keras's batches, if they are to be shuffled
        network = SiameseNetwork(signature_embedding((*SIZE, 1), (4, 4), 4, seed=0), LOSS)
        train_signature_network(*data, epochs=2, steps=4, network=network)
        return network

    first, second = trained(0), trained(1)
    for one, other in zip(first.get_weights(), second.get_weights()):
        np.testing.assert_array_equal(one, other)
    assert float(first.optimizer.learning_rate) == pytest.approx(0, abs=1e-9)


def test_an_image_full_of_strokes_is_accepted(verifier):
    """Shrunk, a fine scan leaves hardly a pixel inside that is exactly 0."""
    image = np.zeros((*SIZE, 1), "float32")
    image[2:-2, 2:-2] = np.random.default_rng(0).uniform(0.05, 1, (SIZE[0] - 4, SIZE[1] - 4, 1))
    assert verifier.verify(2, image).distance > 0


def test_each_epochs_development_error_is_logged(data):
    history = keras.callbacks.History()
    train_signature_network(*data, epochs=3, steps=1, network=small_network(), callbacks=[history])
    errors = history.history["development_error"]
    assert len(errors) == 3
    assert all(0 <= error <= 1 for error in errors)


def test_training_returns_the_best_average(data):
    network, back = train_signature_network(*data, epochs=3, steps=2, network=small_network(), seed=1)
    judge = BestAverage(network, *(part[back] for part in data))
    judge.set_model(network)
    judge.on_train_begin()
    rng = np.random.default_rng(0)
    seen = []
    for _ in range(4):
        network.embedding.set_weights([w + 0.3 * rng.normal(size=w.shape) for w in network.embedding.get_weights()])
        seen.append(network.embedding.get_weights())
        judge.on_epoch_end(0, {})
    best = int(np.argmin(judge.history))
    shares = [1, 1 / 2, 1 / 3, 0.3]
    average = seen[0]
    for weights, share in zip(seen[1 : best + 1], shares[1:]):
        average = [mean + share * (weight - mean) for mean, weight in zip(average, weights)]
    judge.on_train_end()
    for mean, weight in zip(average, network.embedding.get_weights()):
        np.testing.assert_allclose(weight, mean, rtol=1e-4, atol=1e-5)


def test_writers_may_have_names_and_no_forgeries(data):
    rows = ~data.forged
    names = np.array([f"writer {k}" for k in data.writers[rows]])
    network, back = train_signature_network(data.images[rows], names, epochs=1, steps=1, network=small_network())
    verifier = SignatureVerifier(network)
    point = verifier.calibrate(data.images[rows][back], names[back])
    assert point.skilled_acceptance is None and 0 <= point.random_acceptance <= 1


def test_the_threshold_comes_from_the_development_writers(data, verifier):
    rows = data.writers >= 5
    trials = verification_trials(verifier.network.embed(data.images[rows]), data.writers[rows], data.forged[rows])
    error, threshold = equal_error_rate(*trials.pairs("skilled")[:2])
    assert verifier.operating_point.threshold == pytest.approx(threshold)
    assert verifier.operating_point == operating_point(trials, threshold)
    acceptance, rejection = error_rates(*trials.pairs("skilled")[:2], threshold)
    assert verifier.operating_point.skilled_acceptance == acceptance
    assert verifier.operating_point.false_rejection == rejection
    assert abs(error - acceptance) < 0.1


def test_a_wanted_acceptance_is_kept(data):
    verifier = SignatureVerifier(small_network())
    points = [
        verifier.calibrate(*(part[data.writers >= 5] for part in data), false_acceptance=rate) for rate in (0.0, 0.5)
    ]
    assert points[0].skilled_acceptance == 0 < points[1].skilled_acceptance <= 0.5
    assert points[0].threshold < points[1].threshold


def test_a_decision(data, verifier):
    image = genuine(data, 2)[6]
    decision = verifier.verify(2, image)
    codes = verifier.network.embed(np.concatenate([image[None], genuine(data, 2)[:5]]))
    assert decision.distance == pytest.approx(reference_distance(codes[:1], codes[1:]).item(), rel=1e-4)
    assert decision.accepted == (decision.distance <= verifier.operating_point.threshold)
    assert decision.operating_point == verifier.operating_point
    assert verifier.verify("2", image) == decision
    assert verifier.verify(2, genuine(data, 2)[0]).accepted


def test_saved_and_loaded_it_decides_the_same(data, verifier, tmp_path):
    verifier.save(tmp_path / "verifier")
    loaded = SignatureVerifier.load(tmp_path / "verifier")
    for writer in range(4):
        for image in data.images[data.writers == writer]:
            assert loaded.verify(writer, image) == verifier.verify(writer, image)
    assert loaded.disagreement == verifier.disagreement
    loaded.enroll("new", genuine(data, 0)[:5])
    loaded.save(tmp_path / "verifier")  # in place of the first
    assert len(SignatureVerifier.load(tmp_path / "verifier").enrolled) == 5
    assert os.listdir(tmp_path) == ["verifier"]


def test_nobody_enrolled_can_be_saved(data, tmp_path):
    verifier = SignatureVerifier(small_network())
    verifier.calibrate(*(part[data.writers >= 5] for part in data))
    verifier.save(tmp_path / "verifier")
    assert SignatureVerifier.load(tmp_path / "verifier").enrolled == {}


def test_other_files_are_refused(verifier, tmp_path):
    """`test_archive.py` has every kind of damage."""
    path = tmp_path / "verifier"
    verifier.save(path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match=r"`path` must be a file written by SignatureVerifier.save"):
        SignatureVerifier.load(path)


def test_no_file_and_no_folder_are_refused(verifier, tmp_path):
    with pytest.raises(ValueError, match="`path` must be a file"):
        SignatureVerifier.load(tmp_path / "nothing")
    with pytest.raises(ValueError, match="`path` must lie in an existing folder"):
        verifier.save(tmp_path / "nothing" / "verifier")


def test_before_calibration_it_refuses(data):
    verifier = SignatureVerifier(small_network())
    for call in (
        lambda: verifier.enroll("a", genuine(data, 0)),
        lambda: verifier.verify("a", genuine(data, 0)[0]),
        lambda: verifier.save("anywhere"),
    ):
        with pytest.raises(ValueError, match="`calibrate` must be called first"):
            call()


def test_an_unknown_writer_is_refused(data, verifier):
    with pytest.raises(ValueError, match=r"`writer` must be one of the .* who are enrolled, got 'nobody'"):
        verifier.verify("nobody", data.images[0])


@pytest.mark.parametrize("name", ["", None, True, 1.0, b"a", ["a"]], ids=str)
def test_bad_names_are_refused(data, verifier, name):
    for call in (lambda: verifier.enroll(name, genuine(data, 0)), lambda: verifier.verify(name, data.images[0])):
        with pytest.raises(ValueError, match="`writer` must be a name"):
            call()


def test_one_signature_is_not_enough(data, verifier):
    with pytest.raises(ValueError, match="`images` must hold 2 signatures or more, got 1"):
        verifier.enroll("single", genuine(data, 0)[:1])


def test_references_that_disagree_are_refused(data):
    class Mean(layers.Layer):
        def call(self, x):
            return keras.ops.mean(x, axis=(1, 2))

    inputs = keras.Input((*SIZE, 1))
    verifier = SignatureVerifier(SiameseNetwork(keras.Model(inputs, Mean()(inputs))))
    verifier.calibrate(*(part[data.writers >= 5] for part in data))
    images = genuine(data, 0)[:4].copy()
    images[2] = 0
    images[2, :, : SIZE[1] // 2] = 1  # far more ink than the others
    means = images.mean(axis=(1, 2, 3))
    apart = np.abs(np.delete(means, 2) - means[2]).mean()
    with pytest.raises(ValueError, match=rf"got a distance of {apart:.3g} between number 2 and the others"):
        verifier.enroll("a", images)
    assert not verifier.enrolled


@pytest.mark.parametrize("kind", bad_arrays(np.zeros((3, *SIZE, 1), "float32")))
@pytest.mark.parametrize("method", ["enroll", "verify", "calibrate"])
def test_bad_images_are_refused(data, verifier, method, kind):
    if method == "verify":
        bad = bad_arrays(data.images[0])[kind]
        call, name = (lambda: verifier.verify(0, bad)), "image"
    else:
        bad = bad_arrays(data.images[:12])[kind]
        arguments = ("a", bad) if method == "enroll" else (bad, data.writers[:12])
        call, name = (lambda: getattr(verifier, method)(*arguments)), "images"
    with pytest.raises(ValueError, match=f"`{name}` must"):
        call()


@pytest.mark.parametrize("kind", ["blank", "all ink", "not preprocessed"])
def test_what_is_no_preprocessed_signature_is_refused(data, verifier, kind):
    shown = genuine(data, 0)[0]
    image = {"blank": 0 * shown, "all ink": np.ones_like(shown), "not preprocessed": 0.9 - 0.8 * shown}[kind]
    with pytest.raises(ValueError, match="`image` must be ink on a background of exactly 0"):
        verifier.verify(0, image)
    with pytest.raises(ValueError, match="`images` must be ink on a background of exactly 0"):
        verifier.enroll("a", np.stack([shown, image]))


def bad_labels(data):
    count = len(data.images)
    return {
        "writers": [None, data.writers[:-1], data.writers.astype(float), np.zeros((count, 1), int), "abc"],
        "forged": [data.forged[:-1], data.forged.astype(int), "abc"],
        "images": [None, data.images[..., 0], 2 * data.images, (255 * data.images).astype("uint8")],
    }


@pytest.mark.parametrize("argument", ["writers", "forged", "images"])
@pytest.mark.parametrize("function", ["train", "calibrate"])
def test_bad_labels_are_refused(data, verifier, function, argument):
    call = train_signature_network if function == "train" else verifier.calibrate
    for bad in bad_labels(data)[argument]:
        with pytest.raises(ValueError, match=f"`{argument}` must"):
            call(**{**data._asdict(), argument: bad})


@pytest.mark.parametrize(
    ("argument", "values"),
    {
        "development": [0, 1, -0.1, "a", None],
        "epochs": [0, 1.5, None],
        "steps": [0, 1.5, None],
        "seed": [-1, 1.5, "a"],
        "network": ["a", signature_embedding],
    }.items(),
)
def test_bad_settings_of_training_are_refused(data, argument, values):
    name = "share" if argument == "development" else argument
    for value in values:
        with pytest.raises(ValueError, match=f"`{name}` must"):
            train_signature_network(*data, **{argument: value})


def test_too_few_writers_or_signatures_are_refused(data):
    few = data.writers < 3
    with pytest.raises(ValueError, match="`writers` must be 4 or more"):
        train_signature_network(*(part[few] for part in data))
    lonely = (data.writers > 0) | (np.arange(len(data.writers)) == 0)
    with pytest.raises(ValueError, match=r"`writers` must have 2 genuine signatures or more each, got fewer of \[0\]"):
        train_signature_network(*(part[lonely] for part in data))
    with pytest.raises(ValueError, match="`writers` must be 2 or more"):
        SignatureVerifier(small_network()).calibrate(*(part[data.writers == 0] for part in data))


@pytest.mark.parametrize(
    ("argument", "values"),
    {"false_acceptance": [-0.1, 1, "a"], "references": [0, 1.5, None], "seed": [-1, "a"]}.items(),
)
def test_bad_settings_of_calibration_are_refused(data, argument, values):
    for value in values:
        with pytest.raises(ValueError, match=f"`{argument}` must"):
            SignatureVerifier(small_network()).calibrate(*data, **{argument: value})


def test_other_networks_are_refused():
    inputs = keras.Input((8,))
    for network, message in (
        ("network", "must be a SiameseNetwork"),
        (signature_embedding((*SIZE, 1), (4,), 4), "must be a SiameseNetwork"),
        (SiameseNetwork(keras.Model(inputs, layers.Dense(2)(inputs))), "must take images"),
        (SiameseNetwork(signature_embedding((*SIZE, 3), (4,), 4)), "must take images"),
    ):
        with pytest.raises(ValueError, match=f"`network` {message}"):
            SignatureVerifier(network)
