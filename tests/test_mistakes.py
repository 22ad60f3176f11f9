"""Each mistake of `mistakes.py` is caught by the check that the package's own models pass."""

import functools
import inspect
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


def images(n):
    return np.linspace(0, 1, n * 30).reshape(n, *SHAPE).astype("float32")


def autoencoder(kind=Autoencoder, encoder=None):
    model = kind(encoder or dense_encoder(SHAPE, 3, (8,), seed=0), dense_decoder(SHAPE, 3, (8,), seed=9))
    model.compile(keras.optimizers.SGD(0.0))
    return model


def small_vae(kind):
    model = kind(variational.dense_encoder(SHAPE, 3), dense_decoder(SHAPE, 3, output_activation=None), beta=2.0)
    model.compile()
    return model


def vae_of_coin_tosses(kind):
    model = kind(constant_encoder((6,), [1, 1, 1], [0, 0, 0]), linear(np.zeros((3, 6)), np.zeros(6)))
    model.compile()
    return model


def resumes(check, kind, folder):
    def fit(model, epochs):
        model.fit(toy_models.data()[0], batch_size=8, epochs=epochs, shuffle=False, verbose=0)

    return check(functools.partial(toy_models.gan, kind=kind, dropout=0.3), fit, folder / "model.keras")


@functools.cache
def payments():
    return generate_transactions(customers=20, terminals=50, days=20, radius=30.0)


def parts_of_payments():
    return [payments().iloc[rows].to_numpy() for rows in split_by_time(payments(), 6, 3, 3, 2)]


def detector(kind):
    rows = np.random.default_rng(0).standard_t(3, (2000, 4))
    return kind(contamination=0.1, steps=50, random_state=0).fit(rows[:1000]), rows[1000:]


# What this package does, where that takes more than a name.


def as_they_are(train, test):
    return train, test


def precision(scores, labels):
    return alert_precision(scores, labels, np.zeros(len(scores), int), budget=2)


def validated_accuracy(validation, test):
    _, threshold = equal_error_rate(*validation)
    return float(np.mean((test[0] > threshold) == test[1]))


def share_right(distances, answers):
    """Two runs with these distances."""
    points = np.zeros((2, len(answers), 1))
    return runs_accuracy(points, points, [answers, answers], lambda queries, support: distances).value


# check: what this package does, the mistakes, and how the check is asked of one of them.
CHECKS = [
    (
        properties.logs_epoch_means,
        Autoencoder,
        [mistakes.ShowsTheLastBatch],
        lambda check, kind, _: check(autoencoder(kind), images(20)),
    ),
    (properties.resumes_where_it_stopped, toy_models.TinyGAN, [mistakes.SavedWithoutItsSecondOptimizer], resumes),
    (
        properties.loads_safely,
        dense_encoder,
        [mistakes.encoder_with_a_lambda],
        lambda check, build, folder: check(autoencoder(encoder=build(SHAPE, 3)), folder / "model.keras"),
    ),
    (
        properties.comes_back_as_it_was,
        GAN,
        [mistakes.LosesItsMethods],
        lambda check, kind, folder: check(compiled(kind(*gan_networks(), seed=0)), folder / "model.keras", images(8)),
    ),
    (
        properties.are_disjoint,
        as_they_are,
        [mistakes.train_and_test_pooled],
        lambda check, split, _: check(*split(*(x for x, _ in load_mnist()))),
    ),
    (
        properties.are_disjoint,
        as_they_are,
        [mistakes.validation_rows_reused],
        lambda check, split, _: check(*split(*parts_of_payments()[1:])),
    ),
    (properties.are_disjoint, as_they_are, [], lambda check, split, _: check(*split(*parts_of_payments()[:2]))),
    (
        properties.are_disjoint,
        as_they_are,
        [mistakes.test_images_in_the_training_folder],
        lambda check, split, _: check(*(part.values() for part in split(*load_photographs()))),
    ),
    (
        properties.refuses_a_loss_that_it_would_ignore,
        Autoencoder,
        [mistakes.LossIgnored],
        lambda check, kind, _: check(autoencoder(kind)),
    ),
    (
        properties.scores_do_not_change,
        AnomalyDetector,
        [mistakes.ScoreThatChangesAtEveryCall, mistakes.ScalerFittedOnWhatIsScored],
        lambda check, kind, _: check(*detector(kind)),
    ),
    (
        properties.alerts_keep_to_the_share,
        AnomalyDetector,
        [mistakes.ThresholdAtTheTrainingMaximum],
        lambda check, kind, _: check(*detector(kind)),
    ),
    (properties.tells_right_from_wrong, precision, [mistakes.alerts_without_labels], None),
    (
        properties.features_ignore_the_future,
        transaction_features,
        [mistakes.window_around_the_payment],
        lambda check, make_features, _: check(make_features, payments()),
    ),
    (
        properties.features_reach_the_last_row,
        transaction_features,
        [mistakes.windows_without_the_last],
        lambda check, make_features, _: check(make_features, payments()),
    ),
    (
        properties.is_minus_the_elbo_of_coin_tosses,
        VAE,
        [mistakes.KLAveragedOverUnits, mistakes.KLClamped, mistakes.ReconstructionAveragedOverPixels],
        lambda check, kind, _: check(vae_of_coin_tosses(kind), latent_dim=3, pixels=6),
    ),
    (
        properties.terms_add_up,
        VAE,
        [mistakes.BetaOnTheReconstruction, mistakes.LossOfTheLastBatch, mistakes.NoHeldOutTerms],
        lambda check, kind, _: check(small_vae(kind), images(20)),
    ),
    (
        properties.targets_lie_within_0_and_1,
        GAN,
        [mistakes.NoisyTargets],
        lambda check, kind, _: check(kind(line(1.0), line(1.0), data_range=None)),
    ),
    (
        properties.interpolates_between_real_and_fake,
        WGANGP,
        [mistakes.AlphaFromANormal],
        lambda check, kind, _: check(kind(*wgan_networks(), seed=0)),
    ),
    (properties.has_a_gradient_where_the_discriminator_is_flat, WGANGP, [mistakes.RootOfZero], None),
    (
        properties.makes_fakes_outside_the_discriminators_gradient,
        WGANGP,
        [mistakes.FakesWithinTheDiscriminatorsGradient],
        None,
    ),
    (properties.shrinks_by_means, downscale, [mistakes.every_nth_pixel], None),
    (properties.leaves_no_seams, upscale, [mistakes.tiles_without_a_margin], None),
    (properties.trains_on_what_it_is_tested_on, patch_pairs, [mistakes.patches_shrunk_by_area], None),
    (
        properties.pulls_and_pushes_to_the_margin,
        ContrastiveLoss,
        [mistakes.LabelsInverted, mistakes.SigmoidBeforeTheMargin],
        lambda check, kind, _: check(kind()),
    ),
    (
        properties.threshold_ignores_the_test_pairs,
        validated_accuracy,
        [mistakes.threshold_from_the_test_pairs],
        None,
    ),
    (
        properties.counts_ties_as_failures,
        share_right,
        [mistakes.ties_are_right, mistakes.first_of_the_nearest],
        None,
    ),
]
PARAMETERS = [
    pytest.param(check, thing, thing is ours, ask, id=f"{check.__name__}-{thing.__name__}")
    for check, ours, wrong, ask in CHECKS
    for thing in (ours, *wrong)
]


@pytest.mark.parametrize(("check", "thing", "right", "ask"), PARAMETERS)
@pytest.mark.filterwarnings("ignore:.*(S|s)kip.*:UserWarning")  # Keras's own, of weights that are missing in a file
def test_the_check_is_true_of_this_package_and_false_of_the_mistake(check, thing, right, ask, tmp_path):
    assert (check(thing) if ask is None else ask(check, thing, tmp_path)) == right


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


def test_the_table_of_mistakes_is_complete_and_true():
    """`docs/mistakes.md` has a row for each mistake, and names the check by which a test here catches it."""
    table = Path(__file__).parents[1].joinpath("docs", "mistakes.md").read_text("utf-8")
    rows = set(re.findall(r"`properties\.(\w+)` catches `mistakes\.(\w+)`", table))
    caught = {(check.__name__, mistake.__name__) for check, _, wrong, _ in CHECKS for mistake in wrong}
    assert rows == caught | {("logs_epoch_means", "ShowsTheFirstReplica")}
    everything = {name for name, thing in vars(mistakes).items() if inspect.getmodule(thing) is mistakes}
    assert {mistake for _, mistake in rows} == {name for name in everything if not name.startswith("_")}
