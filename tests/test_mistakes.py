"""Each mistake of `mistakes.py` is caught by the check that the package's own models pass."""

import ast
import functools
import inspect
import itertools
import os
import re
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from dlarch_keras import GAN, VAE, WGANGP, AnomalyDetector, Autoencoder, ContrastiveLoss
from dlarch_keras.datasets import (
    generate_transactions,
    load_mnist,
    load_photographs,
    split_by_time,
    transaction_features,
)
from dlarch_keras.images.patches import patch_pairs
from dlarch_keras.images.resampling import downscale
from dlarch_keras.metrics.detection import alert_precision
from dlarch_keras.metrics.identification import runs_accuracy
from dlarch_keras.metrics.verification import equal_error_rate
from dlarch_keras.networks import dense_decoder, dense_encoder, variational
from dlarch_keras.networks.upscaling import upscale
from tests import mistakes
from tests.support import properties, toy_models
from tests.support.architectures import SHAPE, compiled, gan_networks, wgan_networks
from tests.support.small_networks import constant_encoder, line, linear


def autoencoder(kind=Autoencoder, encoder=None):
    model = kind(encoder or dense_encoder(SHAPE, 3, (8,), seed=0), dense_decoder(SHAPE, 3, (8,), seed=9))
    model.compile(keras.optimizers.SGD(0.0))
    return model


def images(n):
    return np.linspace(0, 1, n * 30).reshape(n, *SHAPE).astype("float32")


@pytest.mark.parametrize(("kind", "right"), [(Autoencoder, True), (mistakes.ShowsTheLastBatch, False)])
def test_the_last_batch_is_not_the_epoch(kind, right):
    assert properties.logs_epoch_means(autoencoder(kind), images(20)) == right


def on_two_devices():
    import tensorflow as tf

    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    with tf.distribute.MirroredStrategy(["/CPU:0", "/CPU:1"]).scope():
        for kind in (Autoencoder, mistakes.ShowsTheFirstReplica):
            print(properties.logs_epoch_means(autoencoder(kind), images(20)))


def test_the_first_replica_is_not_the_batch():
    """In a process of its own: devices are divided before TensorFlow does anything."""
    code = "from tests.test_mistakes import on_two_devices; on_two_devices()"
    environment = {**os.environ, "KERAS_BACKEND": "tensorflow"}
    result = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=300)
    assert result.stdout.split() == ["True", "False"], result.stderr[-3000:]


@pytest.mark.parametrize(
    ("kind", "right"), [(toy_models.TinyGAN, True), (mistakes.SavedWithoutItsSecondOptimizer, False)]
)
@pytest.mark.filterwarnings("ignore::UserWarning")  # Keras's own, about the weights that are missing
def test_both_optimizers_are_saved(kind, right, tmp_path):
    x, *_ = toy_models.data()

    def fit(model, epochs):
        model.fit(x, batch_size=8, epochs=epochs, shuffle=False, verbose=0)

    make = functools.partial(toy_models.gan, kind=kind, dropout=0.3)
    assert properties.resumes_where_it_stopped(make, fit, tmp_path / "model.keras") == right


@pytest.mark.parametrize(("build_encoder", "right"), [(dense_encoder, True), (mistakes.encoder_with_a_lambda, False)])
def test_a_saved_model_holds_no_code(build_encoder, right, tmp_path):
    model = autoencoder(encoder=build_encoder(SHAPE, 3))
    assert properties.loads_safely(model, tmp_path / "model.keras") == right


@pytest.mark.parametrize(("kind", "right"), [(GAN, True), (mistakes.LosesItsMethods, False)])
def test_a_loaded_gan_is_a_gan(kind, right, tmp_path):
    model = compiled(kind(*gan_networks(), seed=0))
    assert properties.comes_back_as_it_was(model, tmp_path / "model.keras", images(8)) == right


def test_test_rows_are_not_training_rows():
    (train, _), (test, _) = load_mnist()
    assert properties.are_disjoint(train, test)
    assert not properties.are_disjoint(*mistakes.train_and_test_pooled(train, test))


def test_test_rows_are_not_validation_rows():
    payments = generate_transactions(customers=20, terminals=50, days=20, radius=30.0)
    train, validation, test = (payments.iloc[rows].to_numpy() for rows in split_by_time(payments, 6, 3, 3, 2))
    assert properties.are_disjoint(train, validation) and properties.are_disjoint(validation, test)
    assert not properties.are_disjoint(*mistakes.validation_rows_reused(validation, test))


def test_test_photographs_are_not_in_training():
    train, test = load_photographs()
    pooled, _ = mistakes.test_images_in_the_training_folder(train, test)
    assert properties.are_disjoint(train.values(), test.values())
    assert not properties.are_disjoint(pooled.values(), test.values())


@pytest.mark.parametrize(("kind", "right"), [(Autoencoder, True), (mistakes.LossIgnored, False)])
def test_a_loss_that_would_be_ignored_is_refused(kind, right):
    assert properties.refuses_a_loss_that_it_would_ignore(autoencoder(kind)) == right


def detector(kind):
    rows = np.random.default_rng(0).standard_t(3, (2000, 4))
    return kind(contamination=0.1, steps=50, random_state=0).fit(rows[:1000]), rows[1000:]


@pytest.mark.parametrize(
    ("kind", "right"),
    [
        (AnomalyDetector, True),
        (mistakes.ScoreThatChangesAtEveryCall, False),
        (mistakes.ScalerFittedOnWhatIsScored, False),
    ],
)
def test_a_score_belongs_to_the_row(kind, right):
    assert properties.scores_do_not_change(*detector(kind)) == right


@pytest.mark.parametrize(("kind", "right"), [(AnomalyDetector, True), (mistakes.ThresholdAtTheTrainingMaximum, False)])
def test_the_threshold_comes_from_held_back_rows(kind, right):
    assert properties.alerts_keep_to_the_share(*detector(kind)) == right


def precision(scores, labels):
    return alert_precision(scores, labels, np.zeros(len(scores), int), budget=2)


@pytest.mark.parametrize(("measure", "right"), [(precision, True), (mistakes.alerts_without_labels, False)])
def test_alerts_are_judged_by_labels(measure, right):
    assert properties.tells_right_from_wrong(measure) == right


@pytest.mark.parametrize(
    ("make_features", "right"), [(transaction_features, True), (mistakes.window_around_the_payment, False)]
)
def test_windows_end_with_the_payment(make_features, right):
    payments = generate_transactions(customers=20, terminals=50, days=20, radius=30.0)
    assert properties.features_ignore_the_future(make_features, payments) == right


@pytest.mark.parametrize(
    ("make_features", "right"), [(transaction_features, True), (mistakes.windows_without_the_last, False)]
)
def test_windows_reach_the_last_payment(make_features, right):
    payments = generate_transactions(customers=20, terminals=50, days=20, radius=30.0)
    assert properties.features_reach_the_last_row(make_features, payments) == right


@pytest.mark.parametrize(
    ("kind", "right"),
    [
        (VAE, True),
        (mistakes.KLAveragedOverUnits, False),
        (mistakes.KLClamped, False),
        (mistakes.ReconstructionAveragedOverPixels, False),
    ],
)
def test_a_vaes_terms_are_sums(kind, right):
    encoder = constant_encoder((6,), [1, 1, 1], [0, 0, 0])
    model = kind(encoder, linear(np.zeros((3, 6)), np.zeros(6)))
    model.compile()
    assert properties.is_minus_the_elbo_of_coin_tosses(model, latent_dim=3, pixels=6) == right


@pytest.mark.parametrize(
    ("kind", "right"),
    [
        (VAE, True),
        (mistakes.BetaOnTheReconstruction, False),
        (mistakes.LossOfTheLastBatch, False),
        (mistakes.NoHeldOutTerms, False),
    ],
)
def test_a_vaes_terms_add_up(kind, right):
    model = kind(variational.dense_encoder(SHAPE, 3), dense_decoder(SHAPE, 3, output_activation=None), beta=2.0)
    model.compile()
    assert properties.terms_add_up(model, images(20)) == right


@pytest.mark.parametrize(("kind", "right"), [(GAN, True), (mistakes.NoisyTargets, False)])
def test_a_gans_targets_are_probabilities(kind, right):
    assert properties.targets_lie_within_0_and_1(kind(line(1.0), line(1.0), data_range=None)) == right


@pytest.mark.parametrize(("kind", "right"), [(WGANGP, True), (mistakes.AlphaFromANormal, False)])
def test_the_penalty_is_taken_between_real_and_fake(kind, right):
    assert properties.interpolates_between_real_and_fake(kind(*wgan_networks(), seed=0)) == right


@pytest.mark.parametrize(("kind", "right"), [(WGANGP, True), (mistakes.RootOfZero, False)])
def test_a_flat_discriminator_has_a_gradient(kind, right):
    assert properties.has_a_gradient_where_the_discriminator_is_flat(kind) == right


@pytest.mark.parametrize(("kind", "right"), [(WGANGP, True), (mistakes.FakesWithinTheDiscriminatorsGradient, False)])
def test_fakes_are_made_outside_the_discriminators_gradient(kind, right):
    assert properties.makes_fakes_outside_the_discriminators_gradient(kind) == right


@pytest.mark.parametrize(("shrink", "right"), [(downscale, True), (mistakes.every_nth_pixel, False)])
def test_small_pictures_are_means_of_large_ones(shrink, right):
    assert properties.shrinks_by_means(shrink) == right


@pytest.mark.parametrize(("enlarge", "right"), [(upscale, True), (mistakes.tiles_without_a_margin, False)])
def test_tiles_leave_no_seams(enlarge, right):
    assert properties.leaves_no_seams(enlarge) == right


@pytest.mark.parametrize(("make_pairs", "right"), [(patch_pairs, True), (mistakes.patches_shrunk_by_area, False)])
def test_training_pictures_are_shrunk_as_test_pictures_are(make_pairs, right):
    assert properties.trains_on_what_it_is_tested_on(make_pairs) == right


@pytest.mark.parametrize(
    ("kind", "right"),
    [(ContrastiveLoss, True), (mistakes.LabelsInverted, False), (mistakes.SigmoidBeforeTheMargin, False)],
)
def test_similar_pairs_are_pulled_and_dissimilar_ones_pushed_to_the_margin(kind, right):
    assert properties.pulls_and_pushes_to_the_margin(kind()) == right


def validated_accuracy(validation, test):
    _, threshold = equal_error_rate(*validation)
    return float(np.mean((test[0] > threshold) == test[1]))


@pytest.mark.parametrize(
    ("accuracy", "right"),
    [(validated_accuracy, True), (mistakes.threshold_from_the_test_pairs, False)],
)
def test_the_threshold_has_not_seen_the_test_pairs(accuracy, right):
    assert properties.threshold_ignores_the_test_pairs(accuracy) == right


def share_right(distances, answers):
    """Two runs with these distances."""
    points = np.zeros((2, len(answers), 1))
    return runs_accuracy(points, points, [answers, answers], lambda queries, support: distances).value


@pytest.mark.parametrize(
    ("accuracy", "right"),
    [(share_right, True), (mistakes.ties_are_right, False), (mistakes.first_of_the_nearest, False)],
)
def test_a_network_that_tells_nothing_apart_is_never_right(accuracy, right):
    assert properties.counts_ties_as_failures(accuracy) == right


def applied(function):
    """Pairs of a mistake and a property that a test of this file, or its parameters, names together."""
    names = {"mistakes": set(), "properties": set()}
    for node in ast.walk(function):
        if isinstance(node, ast.Attribute) and getattr(node.value, "id", None) in names:
            names[node.value.id].add(node.attr)
    return itertools.product(*names.values())


def test_the_table_of_mistakes_is_complete_and_true():
    """`docs/mistakes.md` has a row for each mistake, and names the check by which a test here catches it."""
    table = Path(__file__).parents[1].joinpath("docs", "mistakes.md").read_text("utf-8")
    rows = set(re.findall(r"`properties\.(\w+)` catches `mistakes\.(\w+)`", table))
    rows = {(mistake, check) for check, mistake in rows}
    here = ast.parse(Path(__file__).read_text("utf-8"))
    caught = {pair for function in here.body if isinstance(function, ast.FunctionDef) for pair in applied(function)}
    everything = {name for name, thing in vars(mistakes).items() if inspect.getmodule(thing) is mistakes}
    assert {mistake for mistake, _ in rows} == {name for name in everything if not name.startswith("_")}
    assert rows <= caught
