"""The VAE's mathematics against hand-worked values, on the backend of this process."""

import keras
import numpy as np
import pytest

from dlarch_keras import VAE, networks
from dlarch_keras.core import forward
from dlarch_keras.metrics import likelihood
from dlarch_keras.metrics.likelihood import binarize
from dlarch_keras.networks import variational
from dlarch_keras.vae import kl_divergence
from tests.support.architectures import CLASSES, SHAPE, images, labels, small_conditional_vae, small_vae
from tests.support.small_networks import constant_encoder, linear

PIXELS = 30


def test_kl_by_hand():
    """One unit: N(0,1) → 0; N(1,1) → ½; N(0,4) → ½ (4 - 1 - log 4); units add up."""
    z_mean = np.array([[0, 0], [1, 0], [0, 0], [1, 0]], "float32")
    z_log_var = np.log([[1, 1], [1, 1], [4, 1], [1, 4]]).astype("float32")
    wide = 0.5 * (3 - np.log(4))
    kl = keras.ops.convert_to_numpy(kl_divergence(z_mean, z_log_var))
    np.testing.assert_allclose(kl, [0, 0.5, wide, 0.5 + wide], atol=1e-6)
    tiny = keras.ops.convert_to_numpy(kl_divergence(np.zeros((1, 1), "float32"), np.full((1, 1), 1e-3, "float32")))
    np.testing.assert_allclose(tiny, 0.25e-6, rtol=1e-2)  # ¼ v² for small v: nothing cancels away


def test_kl_against_monte_carlo():
    rng = np.random.default_rng(0)
    z_mean, z_log_var = rng.normal(size=(5, 4)), rng.normal(size=(5, 4))
    noise = rng.standard_normal((100_000, 5, 4))
    z = z_mean + np.exp(z_log_var / 2) * noise
    log_ratios = 0.5 * (z**2 - noise**2 - z_log_var).sum(axis=2)
    standard_error = log_ratios.std(axis=0) / np.sqrt(len(noise))
    kl = keras.ops.convert_to_numpy(kl_divergence(z_mean.astype("float32"), z_log_var.astype("float32")))
    assert (np.abs(log_ratios.mean(axis=0) - kl) < 3 * standard_error).all()


def test_likelihoods_by_hand():
    """Logits 0: log 2 a pixel, summed. A Gaussian at distance d: ½ (d/s)² + log s + ½ log 2π."""
    x, zeros = images(3), np.zeros((3, *SHAPE), "float32")
    coins = small_vae().log_probability(binarize(x, 1), zeros)
    np.testing.assert_allclose(keras.ops.convert_to_numpy(coins), -PIXELS * np.log(2), rtol=1e-5)
    normal = small_vae(likelihood="gaussian", stddev=0.5).log_probability(zeros + 1, zeros)
    expected = -PIXELS * (0.5 * 4 + np.log(0.5) + 0.5 * np.log(2 * np.pi))
    np.testing.assert_allclose(keras.ops.convert_to_numpy(normal), expected, rtol=1e-5)


@pytest.mark.parametrize("arguments", [{}, {"beta": 4}, {"warmup_steps": 3}, {"likelihood": "soft_bernoulli"}], ids=str)
def test_logged_terms_add_up(arguments):
    model, x = small_vae(**arguments), images(20)
    history = model.fit(x, validation_data=(x, None), batch_size=8, epochs=3, verbose=0).history
    assert sorted(history) == sorted(
        prefix + name for prefix in ("", "val_") for name in ("loss", "reconstruction_loss", "kl_loss")
    )
    beta = arguments.get("beta", 1)
    for prefix in ("", "val_"):
        loss, reconstruction, kl = (np.array(history[prefix + n]) for n in ("loss", "reconstruction_loss", "kl_loss"))
        np.testing.assert_allclose(loss, reconstruction + beta * kl, rtol=1e-5)
        assert (kl > 0).all()
    again = model.evaluate(x, batch_size=8, return_dict=True, verbose=0)
    np.testing.assert_allclose([history["val_" + name][-1] for name in again], list(again.values()), rtol=1e-5)


def test_the_logged_loss_is_minus_the_elbo():
    model, x = small_vae(latent_dim=2), binarize(images(400), 1)
    logged = model.evaluate(x, batch_size=400, verbose=0, return_dict=True)["loss"]
    bounds = np.stack([model.elbo(x, seed=seed) for seed in range(20)])
    spread = bounds.std(axis=0).mean() / np.sqrt(len(x))
    assert abs(-bounds.mean() - logged) < 5 * spread


def test_beta_and_warm_up_weigh_the_kl_term_in_the_gradient():
    x, starts = images(32), {}
    for name, arguments in {
        "one": {},
        "none": {"beta": 0},
        "warm": {"warmup_steps": 1_000_000},
        "warm at once": {"warmup_steps": 1},
    }.items():
        model = small_vae(**arguments)
        model.compile(keras.optimizers.SGD(0.01))
        model.fit(x, batch_size=32, epochs=1, shuffle=False, verbose=0)
        starts[name] = np.concatenate([weights.ravel() for weights in model.get_weights()])
    np.testing.assert_allclose(starts["warm"], starts["none"], atol=1e-6)
    np.testing.assert_allclose(starts["warm at once"], starts["one"], atol=1e-6)
    assert np.abs(starts["one"] - starts["none"]).max() > 1e-4


@pytest.mark.parametrize("samples", [1, 7])
def test_a_linear_gaussian_model_with_its_true_posterior_gives_the_evidence(samples):
    """x = z W + b + s e, W's rows orthogonal: the posterior has independent units, and every code the same weight."""
    rng = np.random.default_rng(1)
    weights = np.linalg.qr(rng.normal(size=(6, 2)))[0].T * [[2.0], [0.7]]
    bias, stddev = rng.normal(size=6), 0.8
    x = (rng.normal(size=(50, 2)) @ weights + bias + stddev * rng.normal(size=(50, 6))).astype("float32")
    covariance = weights.T @ weights + stddev**2 * np.eye(6)
    deviation = x - bias
    evidence = -0.5 * (
        (deviation @ np.linalg.inv(covariance) * deviation).sum(axis=1) + np.linalg.slogdet(2 * np.pi * covariance)[1]
    )
    variance = 1 / (1 + (weights**2).sum(axis=1) / stddev**2)
    gain = weights.T * variance / stddev**2
    inputs = keras.Input((6,))
    mean = keras.layers.Dense(2)
    spread = keras.layers.Dense(2)
    encoder = keras.Model(inputs, [mean(inputs), spread(inputs)])
    mean.set_weights([gain, -bias @ gain])
    spread.set_weights([np.zeros((6, 2)), np.log(variance)])
    decoder = linear(weights, bias)
    exact = VAE(encoder, decoder, likelihood="gaussian", stddev=stddev, data_range=None)
    np.testing.assert_allclose(exact.log_likelihood(x, samples), evidence, atol=1e-3)
    bounds = exact.elbo(x, 4000)
    np.testing.assert_allclose(bounds.mean(), evidence.mean(), atol=1e-2)
    # A posterior that is too wide: the bound is lower, and importance weighting makes up for it.
    spread.set_weights([np.zeros((6, 2)), np.log(variance * 3)])
    assert (exact.elbo(x, 4000) < evidence - 0.3).all()
    np.testing.assert_allclose(exact.log_likelihood(x, 4000).mean(), evidence.mean(), atol=1e-2)


def test_training_a_linear_vae_finds_the_evidence_of_probabilistic_pca():
    """Lucas et al. 2019: the optimum of a linear VAE is the maximum-likelihood solution of Tipping & Bishop 1999."""
    rng = np.random.default_rng(0)
    x = (rng.normal(size=(500, 2)) * [2.0, 1.2]) @ np.eye(2, 4) + 0.5 * rng.normal(size=(500, 4))
    x = (x - x.mean(axis=0)).astype("float32")
    variances = np.linalg.eigvalsh(np.cov(x.T, bias=True))[::-1]
    explained = np.maximum(variances[:2], 0.25)
    best = -0.5 * (np.log(2 * np.pi * np.r_[explained, 0.25, 0.25]) + np.r_[variances / np.r_[explained, 0.25, 0.25]])
    model = VAE(
        variational.dense_encoder((4,), 2, (), seed=0),
        networks.dense_decoder((4,), 2, (), output_activation=None, seed=9),
        likelihood="gaussian",
        stddev=0.5,
        data_range=None,
        seed=0,
    )
    model.compile(keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(3e-2, 1500)))
    model.fit(np.tile(x, (100, 1)), batch_size=500, epochs=15, shuffle=False, verbose=0)
    np.testing.assert_allclose(model.log_likelihood(x, 200).mean(), best.sum(), atol=1e-2)
    np.testing.assert_allclose(model.elbo(x, 200).mean(), best.sum(), atol=2e-2)


def test_the_bound_rises_with_the_samples_towards_the_evidence():
    x = binarize(images(100), 1)
    model = small_vae()
    model.fit(x, epochs=20, verbose=0)
    bounds = [model.elbo(x, 200).mean(), *(model.log_likelihood(x, k).mean() for k in (1, 10, 100, 1000))]
    errors = 4 * model.elbo(x, 1).std() / 10  # of a mean over 100 images with one code each
    assert abs(bounds[0] - bounds[1]) < errors
    assert bounds[0] < bounds[2] < bounds[3] < bounds[4] + 1e-3


def test_dead_units_leave_the_bound_unchanged():
    weights = np.random.default_rng(0).normal(size=(2, 6))
    x = binarize(images(200, (6,)), 1)
    live = VAE(constant_encoder((6,), [0.5, -1], [0.2, 0.1]), linear(weights, np.zeros(6)))
    more = VAE(
        constant_encoder((6,), [0.5, -1, 0, 0], [0.2, 0.1, 0, 0]),
        linear(np.concatenate([weights, np.zeros((2, 6))]), np.zeros(6)),
    )
    for method in ("elbo", "log_likelihood"):
        a, b = (getattr(model, method)(x, 2000) for model in (live, more))
        assert abs(a.mean() - b.mean()) < 0.02, method
    dead = VAE(constant_encoder((6,), [0, 0], [0, 0]), linear(np.zeros((2, 6)), np.zeros(6)))
    for method in ("elbo", "log_likelihood"):
        np.testing.assert_allclose(getattr(dead, method)(x), -6 * np.log(2), rtol=1e-5)


def test_scores_repeat_and_follow_their_seed():
    model, x = small_vae(), images()
    assert np.array_equal(model.elbo(x), model.elbo(x))
    assert np.array_equal(model.encode(x), model.encode(x))
    assert not np.array_equal(model.elbo(x, seed=0), model.elbo(x, seed=1))
    assert model.evaluate(x, verbose=0) == model.evaluate(x, verbose=0)
    assert np.array_equal(binarize(x, 3), binarize(x, 3))
    np.testing.assert_allclose(np.mean([binarize(x, seed) for seed in range(2000)], axis=0), x, atol=0.06)


def test_many_codes_are_scored_piece_by_piece(monkeypatch):
    model, x = small_vae(), images(10)
    whole = model.log_likelihood(x, 50)
    monkeypatch.setattr(likelihood, "CODES", 120)
    np.testing.assert_allclose(model.log_likelihood(x, 50), whole, rtol=1e-5)
    monkeypatch.setattr(likelihood, "CODES", 7)  # fewer than one image's codes
    np.testing.assert_allclose(model.log_likelihood(x, 50), whole, rtol=1e-5)


def test_improbable_images_have_finite_scores():
    decoder = linear(np.zeros((1, 4)), np.full(4, 1000.0))
    model = VAE(constant_encoder((4,), [0], [0]), decoder)
    np.testing.assert_allclose(model.log_likelihood(np.zeros((2, 4), "float32"), 20), -4000, rtol=1e-5)


def test_generate_decode_reconstruct_and_interpolate():
    model, x = small_vae(), images(4)
    assert np.array_equal(model.generate(5, seed=1), model.generate(5, seed=1))
    assert model.generate(5).shape == (5, *SHAPE)
    assert 0 <= model.generate(50, seed=1).min() <= model.generate(50, seed=1).max() <= 1
    z_mean, z_log_var = model.posterior(x)
    assert z_mean.shape == z_log_var.shape == (4, 3)
    np.testing.assert_array_equal(model.encode(x), z_mean)
    np.testing.assert_allclose(model.reconstruct(x), model.decode(z_mean))
    lines = model.interpolate(x, x[::-1], steps=5)
    assert lines.shape == (4, 5, *SHAPE)
    np.testing.assert_allclose(lines[:, 0], model.reconstruct(x), atol=1e-5)
    np.testing.assert_allclose(lines[:, -1], model.reconstruct(x[::-1]), atol=1e-5)
    np.testing.assert_allclose(lines[:, 2], model.decode((z_mean + z_mean[::-1]) / 2), atol=1e-5)


@pytest.mark.parametrize("shape", [(28, 28, 1), (27, 30, 3), (7, 5, 2), (1, 1, 1)])
@pytest.mark.parametrize(
    ("encoder", "decoder"),
    [
        (variational.dense_encoder, networks.dense_decoder),
        (variational.convolutional_encoder, networks.convolutional_decoder),
        (variational.residual_encoder, variational.residual_decoder),
    ],
    ids=["dense", "convolutional", "residual"],
)
def test_networks_of_any_image_size(encoder, decoder, shape):
    logits = {} if decoder is variational.residual_decoder else {"output_activation": None}
    model = VAE(encoder(shape, 4, seed=0), decoder(shape, 4, **logits, seed=100), seed=0)
    x = images(3, shape)
    assert model.reconstruct(x).shape == x.shape
    losses = map(keras.ops.convert_to_numpy, model.compute_batch_losses(x, training=True))
    assert np.isfinite(list(losses)).all()
    assert encoder(shape, 4, seed=0).get_weights()[0].tobytes() == encoder(shape, 4, seed=0).get_weights()[0].tobytes()


def test_any_network_can_become_an_encoder():
    network = keras.Sequential([keras.Input((4,)), keras.layers.Dense(6)])
    encoder = variational.gaussian_encoder(network)
    x = np.ones((2, 4), "float32")
    np.testing.assert_allclose(np.concatenate(forward(encoder, x), axis=1), forward(network, x), rtol=1e-6)


def test_a_vae_takes_networks_with_a_condition():
    """It is all that a conditional one is, but for `change`."""
    model, conditional = small_conditional_vae(kind=VAE), small_conditional_vae()
    x, y = images(), labels()
    assert model.condition_dim == CLASSES and not small_vae().condition_dim
    for each in (model, conditional):
        each.fit(x, y, shuffle=False, verbose=0)
    np.testing.assert_array_equal(model.generate(4, 0, [0, 1, 2, 3]), conditional.generate(4, 0, [0, 1, 2, 3]))
    np.testing.assert_array_equal(model.elbo(x, condition=y), conditional.elbo(x, condition=y))


def test_rows_under_a_gaussian_may_be_anything_finite():
    rows = 100 * images(shape=(7,)) - 50
    model = small_vae((7,), likelihood="gaussian", data_range=None)
    model.fit(rows, verbose=0)
    assert model.reconstruct(rows).shape == (32, 7)
    for settings in ({}, {"likelihood": "gaussian"}):
        with pytest.raises(ValueError, match="`x` must lie within"):
            small_vae((7,), **settings).fit(rows, verbose=0)


def test_networks_and_settings_that_do_not_fit_are_refused():
    encoder = variational.dense_encoder(SHAPE, 3)
    decoder = networks.dense_decoder(SHAPE, 3, output_activation=None)
    wider = networks.dense_decoder(SHAPE, 4, output_activation=None)
    three = variational.dense_encoder(SHAPE, 3)
    image_codes = keras.Model(three.inputs, [keras.layers.Reshape((3, 1))(output) for output in three.outputs])
    for arguments, message in [
        ((networks.dense_encoder(SHAPE, 3), decoder), "`encoder` must have 2 outputs"),
        (
            (encoder, wider),
            "`decoder` must take what `encoder` returns",
        ),
        ((encoder, networks.dense_decoder((6, 6, 1), 3, output_activation=None)), "`decoder` must return images"),
        ((image_codes, decoder), "`encoder` must return two outputs of shape"),
        ((encoder, networks.dense_decoder(SHAPE, 3)), "`decoder` must end in logits"),
    ]:
        with pytest.raises(ValueError, match=message):
            VAE(*arguments)
    with pytest.raises(ValueError, match="`likelihood` must be another one"):
        VAE(encoder, decoder, data_range=None)  # a probability is no number without bounds


def test_images_that_do_not_belong_together_are_refused():
    model, x = small_vae(), images()
    with pytest.raises(ValueError, match="`b` must"):
        model.interpolate(x, x[:3])
    for method in ("elbo", "log_likelihood"):
        with pytest.raises(ValueError, match="`likelihood` must be a density"):
            getattr(small_vae(likelihood="soft_bernoulli"), method)(x)
