"""The conditional VAE: what its condition does, and its doors, on the backend of this process."""

import keras
import numpy as np
import pytest

from dlarch_keras import ConditionalVAE, networks, vae
from dlarch_keras.conditional_vae import conditional_encoder
from dlarch_keras.networks import conditional_decoder
from tests.bad_input import bad_arrays

SHAPE, CLASSES = (6, 5, 1), 4


def images(n=32):
    return np.random.default_rng(0).random((n, *SHAPE)).astype("float32")


def labels(n=32):
    return np.arange(n) % CLASSES


def small_model(condition_dim=CLASSES, latent_dim=3, **arguments):
    model = ConditionalVAE(
        conditional_encoder(networks.dense_encoder(SHAPE, 16, (), seed=0), latent_dim, condition_dim, 16, seed=0),
        conditional_decoder(
            networks.dense_decoder(SHAPE, latent_dim + condition_dim, (16,), output_activation=None, seed=100),
            condition_dim,
        ),
        **{"seed": 0, **arguments},
    )
    model.compile(keras.optimizers.Adam(1e-2))
    return model


@pytest.fixture(scope="module")
def model():
    """For the tests that change nothing."""
    return small_model()


def test_logged_terms_add_up():
    model, x, y = small_model(beta=2), images(20), labels(20)
    history = model.fit(x, y, validation_data=(x, y), batch_size=8, epochs=2, verbose=0).history
    for prefix in ("", "val_"):
        loss, reconstruction, kl = (np.array(history[prefix + n]) for n in ("loss", "reconstruction_loss", "kl_loss"))
        np.testing.assert_allclose(loss, reconstruction + 2 * kl, rtol=1e-5)


def test_what_the_condition_tells_need_not_be_in_the_code():
    """Four classes of one drawing each: the condition explains everything, and the code falls silent."""
    drawings = np.eye(CLASSES, 30, dtype="float32").reshape(CLASSES, *SHAPE)
    y = labels(400)
    model = small_model()
    history = model.fit(drawings[y], y, epochs=60, verbose=0).history
    assert history["kl_loss"][-1] < 0.05
    assert history["loss"][-1] < 0.5
    for label in range(CLASSES):
        changed = model.change(drawings, np.arange(CLASSES), np.full(CLASSES, label))
        np.testing.assert_allclose(changed, np.repeat(drawings[label][None], CLASSES, 0), atol=0.1)
        np.testing.assert_allclose(model.generate(np.full(3, label), seed=0), changed[:3], atol=0.1)


def test_labels_are_one_hot_rows():
    model, x, y = small_model(), images(), labels()
    rows = np.eye(CLASSES, dtype="float32")[y]
    for method in ("encode", "reconstruct", "elbo", "log_likelihood"):
        np.testing.assert_array_equal(getattr(model, method)(x, condition=y), getattr(model, method)(x, condition=rows))
    np.testing.assert_array_equal(model.change(x, y, y), model.reconstruct(x, y))
    losses = [model.evaluate(x, condition, verbose=0) for condition in (y, rows)]
    assert losses[0] == losses[1]


def test_attributes():
    attributes = np.random.default_rng(1).normal(size=(32, 2)).astype("float32")
    model, x = small_model(condition_dim=2), images()
    model.fit(x, attributes, verbose=0)
    assert model.generate(attributes, seed=0).shape == x.shape
    assert not np.allclose(model.change(x, attributes, attributes + 1), model.reconstruct(x, attributes))


def test_interpolation_keeps_the_condition():
    model, x, y = small_model(), images(4), labels(4)
    lines = model.interpolate(x, x[::-1], 3, condition=y)
    assert lines.shape == (4, 3, *SHAPE)
    np.testing.assert_allclose(lines[:, 0], model.reconstruct(x, y), atol=1e-5)


def test_predict_takes_both():
    model, x, y = small_model(), images(), labels()
    rows = np.eye(CLASSES, dtype="float32")[y]
    outputs = keras.ops.convert_to_numpy(keras.ops.sigmoid(model([x, rows])))
    np.testing.assert_allclose(outputs, model.reconstruct(x, y), atol=1e-5)


def test_save_load_and_resume(tmp_path):
    model, x, y = small_model(), images(), labels()
    model.fit(x, y, epochs=2, verbose=0, shuffle=False)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    for each in (model, loaded):
        each.fit(x, y, epochs=2, verbose=0, shuffle=False)
    np.testing.assert_array_equal(loaded.reconstruct(x, y), model.reconstruct(x, y))


BAD_CONDITIONS = {
    "none": None,
    "too many": labels(33),
    "a class too high": np.full(32, CLASSES),
    "below zero": labels() - 1,
    "a column": labels()[:, None],
    "text": np.array(["a"] * 32),
    "too few attributes": np.zeros((32, 3), "float32"),
    "NaN": np.full((32, CLASSES), np.nan, "float32"),
    "booleans": labels() > 1,
    "floats for labels": labels().astype("float32"),
}


@pytest.mark.parametrize("kind", BAD_CONDITIONS)
@pytest.mark.parametrize("method", ["fit", "evaluate", "encode", "posterior", "reconstruct", "elbo", "log_likelihood"])
def test_bad_conditions_are_refused(model, method, kind):
    name = "y" if method in ("fit", "evaluate") else "condition"
    with pytest.raises(ValueError, match=f"`{name}` must"):
        getattr(model, method)(images(), **{name: BAD_CONDITIONS[kind]})


@pytest.mark.parametrize("kind", sorted(set(BAD_CONDITIONS) - {"none", "too many"}))
def test_bad_conditions_of_generate_and_change_are_refused(model, kind):
    x, y = images(), labels()
    for call in (
        lambda: model.generate(BAD_CONDITIONS[kind]),
        lambda: model.change(x, BAD_CONDITIONS[kind], y),
        lambda: model.decode(np.zeros((32, 3), "float32"), BAD_CONDITIONS[kind]),
    ):
        with pytest.raises(ValueError, match="`condition` must"):
            call()
    with pytest.raises(ValueError, match="`new_condition` must"):
        model.change(x, y, BAD_CONDITIONS[kind])


@pytest.mark.parametrize("bad", [3, None, [], np.zeros((0, CLASSES), "float32")], ids=str)
def test_conditions_that_are_no_array_are_refused_by_generate(model, bad):
    with pytest.raises(ValueError, match="`condition` must"):
        model.generate(bad)


@pytest.mark.parametrize("kind", bad_arrays(images()))
@pytest.mark.parametrize("method", ["fit", "evaluate", "encode", "elbo"])
def test_bad_images_are_refused(model, method, kind):
    with pytest.raises(ValueError, match="`x` must"):
        getattr(model, method)(bad_arrays(images())[kind], labels())


def test_networks_that_do_not_fit_are_refused():
    decoder = networks.dense_decoder(SHAPE, 3 + CLASSES, output_activation=None)
    encoder = conditional_encoder(networks.dense_encoder(SHAPE, 16), 3, CLASSES)
    for arguments, message in [
        ((vae.dense_encoder(SHAPE, 3), conditional_decoder(decoder, CLASSES)), "`encoder` must have 2 inputs"),
        ((encoder, decoder), "`decoder` must have 2 inputs"),
        ((encoder, conditional_decoder(decoder, 2)), "`decoder` must take codes"),
        (
            (conditional_encoder(networks.dense_encoder(SHAPE, 16), 3, 5), conditional_decoder(decoder, CLASSES)),
            "`decoder` must take conditions",
        ),
    ]:
        with pytest.raises(ValueError, match=message):
            ConditionalVAE(*arguments)


def test_a_decoder_without_room_for_a_code_is_refused():
    with pytest.raises(ValueError, match="`trunk` must take a code beside 4 conditions"):
        conditional_decoder(networks.dense_decoder(SHAPE, CLASSES), CLASSES)
