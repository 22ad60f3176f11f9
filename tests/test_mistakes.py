"""Each mistake of `mistakes.py` is caught by the check that the package's own models pass."""

import functools

import keras
import numpy as np
import pytest

from benchmarks.siamese import pair_accuracy
from dlarch_keras import GAN, VAE, WGANGP, AnomalyDetector, Autoencoder, ContrastiveLoss, srgan, vae
from dlarch_keras.datasets import generate_transactions, load_mnist, load_photographs, transaction_features
from dlarch_keras.networks import dense_decoder, dense_encoder
from tests import mistakes, properties, toy_models
from tests.test_gan import line, small_gan
from tests.test_vae import constant_encoder, linear_decoder
from tests.test_wgan_gp import linear_critic, small_nets

SHAPE = (6, 5, 1)


def autoencoder(kind=Autoencoder, encoder=None):
    model = kind(encoder or dense_encoder(SHAPE, 3, (8,), seed=0), dense_decoder(SHAPE, 3, (8,), seed=9))
    model.compile(keras.optimizers.SGD(0.0))
    return model


def images(n):
    return np.linspace(0, 1, n * 30).reshape(n, *SHAPE).astype("float32")


@pytest.mark.parametrize(("kind", "right"), [(Autoencoder, True), (mistakes.ShowsTheLastBatch, False)])
def test_the_last_batch_is_not_the_epoch(kind, right):
    assert properties.logs_epoch_means(autoencoder(kind), images(20)) == right


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


@pytest.mark.parametrize(
    ("encoder", "right"),
    [(dense_encoder(SHAPE, 3, ()), True), (mistakes.encoder_with_a_lambda(SHAPE, 3), False)],
    ids=["dense", "lambda"],
)
def test_a_saved_model_holds_no_code(encoder, right, tmp_path):
    assert properties.loads_safely(autoencoder(encoder=encoder), tmp_path / "model.keras") == right


def test_test_rows_are_not_training_rows():
    (train, _), (test, _) = load_mnist()
    assert properties.are_disjoint(train, test)
    assert not properties.are_disjoint(*mistakes.test_rows_reused(train))


def test_a_loss_that_would_be_ignored():
    with pytest.raises(ValueError, match="`loss` must be left out"):
        mistakes.LossLeftToCompile().compile("adam", loss="mse")


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


@pytest.mark.parametrize(
    ("make_features", "right"), [(transaction_features, True), (mistakes.window_around_the_payment, False)]
)
def test_windows_end_with_the_payment(make_features, right):
    payments = generate_transactions(customers=20, terminals=50, days=20, radius=30.0)
    assert properties.features_ignore_the_future(make_features, payments) == right


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
    model = kind(encoder, linear_decoder(np.zeros((3, 6)), np.zeros(6)))
    model.compile()
    assert properties.is_minus_the_elbo_of_coin_tosses(model, latent_dim=3, pixels=6) == right


@pytest.mark.parametrize(
    ("kind", "right"), [(VAE, True), (mistakes.BetaOnTheReconstruction, False), (mistakes.NoHeldOutTerms, False)]
)
def test_a_vaes_terms_add_up(kind, right):
    model = kind(vae.dense_encoder(SHAPE, 3), dense_decoder(SHAPE, 3, output_activation=None), beta=2.0)
    model.compile()
    assert properties.terms_add_up(model, images(20)) == right


@pytest.mark.parametrize(("kind", "right"), [(GAN, True), (mistakes.NoisyTargets, False)])
def test_a_gans_targets_are_probabilities(kind, right):
    assert properties.targets_lie_within_0_and_1(kind(line(1.0), line(1.0))) == right


@pytest.mark.parametrize(("kind", "right"), [(WGANGP, True), (mistakes.SharesFromANormal, False)])
def test_the_penalty_is_taken_between_real_and_fake(kind, right):
    assert properties.interpolates_between_real_and_fake(kind(*small_nets(), seed=0)) == right


@pytest.mark.parametrize(("kind", "right"), [(WGANGP, True), (mistakes.RootOfZero, False)])
def test_a_flat_critic_has_a_gradient(kind, right):
    model = kind(dense_decoder((4,), 2, (), output_activation=None), linear_critic([0.0, 0.0, 0.0, 0.0]))
    model.compile("sgd", "sgd")
    model.train_on_batch(np.ones((10, 4), "float32"))
    assert bool(np.isfinite(model.critic.get_weights()[0]).all()) == right


@pytest.mark.parametrize(("kind", "right"), [(WGANGP, True), (mistakes.FakesWithinTheCriticsGradient, False)])
def test_fakes_are_made_outside_the_critics_gradient(kind, right):
    assert properties.makes_fakes_outside_the_critics_gradient(kind) == right


@pytest.mark.parametrize(("downscale", "right"), [(srgan.downscale, True), (mistakes.every_nth_pixel, False)])
def test_small_pictures_are_means_of_large_ones(downscale, right):
    assert properties.shrinks_by_means(downscale) == right


@pytest.mark.parametrize(("upscale", "right"), [(srgan.upscale, True), (mistakes.tiles_without_a_margin, False)])
def test_tiles_leave_no_seams(upscale, right):
    assert properties.leaves_no_seams(upscale) == right


def test_no_test_photograph_is_in_training():
    """keras.io's ESPCN has its test images in the training folder."""
    train, test = load_photographs()
    patches = [
        np.concatenate([srgan.patch_pairs([image], 3, 12, 50, seed=0)[1] for image in part.values()])
        for part in (train, test)
    ]
    assert properties.are_disjoint(*patches) and not properties.are_disjoint(patches[0], patches[0])


@pytest.mark.parametrize(
    ("kind", "right"),
    [(ContrastiveLoss, True), (mistakes.LabelsInverted, False), (mistakes.SigmoidBeforeTheMargin, False)],
)
def test_similar_pairs_are_pulled_and_dissimilar_ones_pushed_to_the_margin(kind, right):
    assert properties.pulls_and_pushes_to_the_margin(kind()) == right


@pytest.mark.parametrize(
    ("accuracy", "right"), [(pair_accuracy, True), (mistakes.threshold_from_the_test_pairs, False)]
)
def test_the_threshold_has_not_seen_the_test_pairs(accuracy, right):
    assert properties.threshold_ignores_the_test_pairs(accuracy) == right


def test_a_loaded_gan_keeps_its_methods(tmp_path):
    """keras#20579: after loading, a GAN was a plain model."""
    small_gan().save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert isinstance(loaded, GAN) and loaded.generate(2, seed=0).shape == (2, *SHAPE)
    loaded.fit(images(8), verbose=0)
