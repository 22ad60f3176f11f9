"""The conditional VAE: what its condition does, on the backend of this process."""

import keras
import numpy as np
import pytest

from dlarch_keras import ConditionalVAE, networks
from dlarch_keras.networks import conditional_decoder, variational
from dlarch_keras.networks.variational import conditional_encoder
from tests.support.architectures import CLASSES, SHAPE, images, labels, small_conditional_vae


def test_what_the_condition_tells_need_not_be_in_the_code():
    """Four classes of one drawing each: the condition explains everything, and the code falls silent."""
    drawings = np.eye(CLASSES, 30, dtype="float32").reshape(CLASSES, *SHAPE)
    y = labels(400)
    model = small_conditional_vae()
    history = model.fit(drawings[y], y, epochs=60, verbose=0).history
    assert history["kl_loss"][-1] < 0.05
    assert history["loss"][-1] < 0.5
    for label in range(CLASSES):
        changed = model.change(drawings, np.arange(CLASSES), np.full(CLASSES, label))
        np.testing.assert_allclose(changed, np.repeat(drawings[label][None], CLASSES, 0), atol=0.1)
        np.testing.assert_allclose(model.generate(3, 0, np.full(3, label)), changed[:3], atol=0.1)


def test_labels_are_one_hot_rows():
    model, x, y = small_conditional_vae(), images(), labels()
    rows = np.eye(CLASSES, dtype="float32")[y]
    for method in ("encode", "reconstruct", "elbo", "log_likelihood"):
        np.testing.assert_array_equal(getattr(model, method)(x, condition=y), getattr(model, method)(x, condition=rows))
    np.testing.assert_array_equal(model.change(x, y, y), model.reconstruct(x, y))
    losses = [model.evaluate(x, condition, verbose=0) for condition in (y, rows)]
    assert losses[0] == losses[1]


def test_attributes():
    attributes = np.random.default_rng(1).normal(size=(32, 2)).astype("float32")
    model, x = small_conditional_vae(condition_dim=2), images()
    model.fit(x, attributes, verbose=0)
    assert model.generate(32, 0, attributes).shape == x.shape
    assert not np.allclose(model.change(x, attributes, attributes + 1), model.reconstruct(x, attributes))


def test_interpolation_keeps_the_condition():
    model, x, y = small_conditional_vae(), images(4), labels(4)
    lines = model.interpolate(x, x[::-1], 3, condition=y)
    assert lines.shape == (4, 3, *SHAPE)
    np.testing.assert_allclose(lines[:, 0], model.reconstruct(x, y), atol=1e-5)


def test_logged_terms_add_up():
    model, x, y = small_conditional_vae(beta=2), images(20), labels(20)
    history = model.fit(x, y, validation_data=(x, y), batch_size=8, epochs=2, verbose=0).history
    for prefix in ("", "val_"):
        loss, reconstruction, kl = (np.array(history[prefix + n]) for n in ("loss", "reconstruction_loss", "kl_loss"))
        np.testing.assert_allclose(loss, reconstruction + 2 * kl, rtol=1e-5)


def test_predict_takes_images_and_conditions():
    model, x, y = small_conditional_vae(), images(), labels()
    for condition in (y, np.eye(CLASSES, dtype="float32")[y]):
        outputs = keras.ops.convert_to_numpy(keras.ops.sigmoid(model.predict([x, condition], verbose=0)))
        np.testing.assert_allclose(outputs, model.reconstruct(x, y), atol=1e-5)


def test_networks_that_do_not_fit_are_refused():
    decoder = networks.dense_decoder(SHAPE, 3 + CLASSES, output_activation=None)
    encoder = conditional_encoder(networks.dense_encoder(SHAPE, 16), 3, CLASSES)
    for arguments, message in [
        ((variational.dense_encoder(SHAPE, 3), conditional_decoder(decoder, CLASSES)), "`encoder` must have 2 inputs"),
        ((encoder, decoder), "`decoder` must have 2 inputs"),
        ((encoder, conditional_decoder(decoder, 2)), "`decoder` must take what `encoder` returns"),
        (
            (conditional_encoder(networks.dense_encoder(SHAPE, 16), 3, 5), conditional_decoder(decoder, CLASSES)),
            "`decoder` must take what `encoder` returns, and its condition",
        ),
    ]:
        with pytest.raises(ValueError, match=message):
            ConditionalVAE(*arguments)


def test_a_decoder_without_room_for_a_code_is_refused():
    with pytest.raises(ValueError, match="`trunk` must take a code beside 4 conditions"):
        conditional_decoder(networks.dense_decoder(SHAPE, CLASSES), CLASSES)
