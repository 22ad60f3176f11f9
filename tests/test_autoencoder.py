"""The autoencoder's losses and what it learns, on the backend of this process."""

import keras
import numpy as np
import pytest
from sklearn.decomposition import PCA

from dlarch_keras import Autoencoder
from dlarch_keras.datasets import load_mnist
from dlarch_keras.networks import dense_decoder, dense_encoder
from tests.support.architectures import SHAPE, images, small_autoencoder


def test_losses_by_hand():
    """One pixel, x = .25. Output .75: MSE .25. Logit 0, so p = .5: cross-entropy log 2 whatever x is."""

    def constant(value):
        code = keras.Input((1,))
        dense = keras.layers.Dense(1, kernel_initializer="zeros", bias_initializer=keras.initializers.Constant(value))
        return keras.Model(code, keras.layers.Reshape((1, 1, 1))(dense(code)))

    encoder = dense_encoder((1, 1, 1), 1, ())
    x = np.full((4, 1, 1, 1), 0.25, "float32")
    for loss, value, expected in (("mse", 0.75, 0.25), ("binary_crossentropy", 0.0, np.log(2))):
        model = Autoencoder(encoder, constant(value), loss)
        model.compile()
        np.testing.assert_allclose(model.evaluate(x, verbose=0), expected, rtol=1e-6)
        np.testing.assert_allclose(model.fit(x, verbose=0).history["loss"], [expected], rtol=1e-6)
    np.testing.assert_allclose(model.decode(np.zeros((1, 1), "float32")), [[[[0.5]]]], atol=2e-3)


def test_a_linear_autoencoder_finds_the_subspace_of_pca():
    """Baldi & Hornik 1989. Six components of MNIST: the gap to the seventh is wide enough to converge in seconds."""
    (x, _), _ = load_mnist()
    rows = PCA(20).fit_transform(x[:1000].reshape(1000, -1)).astype("float32")
    rows /= rows.std()
    pca = PCA(6).fit(rows)
    expected = np.mean((rows - pca.inverse_transform(pca.transform(rows))) ** 2)
    model = Autoencoder(
        dense_encoder((20,), 6, (), seed=0),
        dense_decoder((20,), 6, (), output_activation=None, seed=9),
        data_range=None,
    )
    model.compile(keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(5e-2, decay_steps=400)))
    model.fit(rows, batch_size=250, epochs=100, verbose=0)
    np.testing.assert_allclose(model.reconstruction_error(rows).mean(), expected, rtol=0.01)
    learned, _ = np.linalg.qr(model.decoder.get_weights()[0].T)
    cosines = np.linalg.svd(learned.T @ pca.components_.T, compute_uv=False)
    assert np.degrees(np.arccos(cosines.clip(-1, 1))).max() < 5  # the principal angles between the two subspaces


def test_the_mse_falls_and_the_methods_agree():
    model, x = small_autoencoder(), images(64)
    losses = model.fit(x, epochs=30, batch_size=16, verbose=0).history["loss"]
    assert losses[-1] < 0.9 * losses[0]
    codes = model.encode(x)
    assert codes.shape == (64, 3)
    reconstructions = model.reconstruct(x)
    np.testing.assert_allclose(reconstructions, model.decode(codes), atol=1e-6)
    errors = model.reconstruction_error(x)
    assert errors.shape == (64,)
    np.testing.assert_allclose(errors, ((x - reconstructions) ** 2).mean(axis=(1, 2, 3)), rtol=1e-5)
    np.testing.assert_allclose(errors.mean(), model.evaluate(x, verbose=0), rtol=1e-4)


class MeanPenalty(keras.layers.Layer):
    def call(self, x):
        self.add_loss(0.1 * keras.ops.mean(keras.ops.abs(x)))
        return x


def test_the_layers_own_losses_count():
    inputs = keras.Input(SHAPE)
    code = MeanPenalty()(keras.layers.Dense(3)(keras.layers.Flatten()(inputs)))
    sparse = Autoencoder(keras.Model(inputs, code), dense_decoder(SHAPE, 3, (16,), seed=100))
    sparse.compile()
    x = images()
    expected = sparse.reconstruction_error(x).mean() + 0.1 * np.abs(sparse.encode(x)).mean()
    np.testing.assert_allclose(sparse.evaluate(x, batch_size=32, verbose=0), expected, rtol=1e-4)
    np.testing.assert_allclose(sparse.fit(x, batch_size=32, verbose=0).history["loss"], [expected], rtol=1e-4)


def test_training_runs_in_training_mode_and_pixels_stay_in_range():
    shape, x = (4, 4, 1), images(64, (4, 4, 1))
    normalized = dense_encoder(shape, 2, (8,), batch_normalization=True, seed=0)
    model = Autoencoder(normalized, dense_decoder(shape, 2, (), output_activation=None, seed=1))
    model.compile(keras.optimizers.SGD(0.1))
    start = normalized.get_weights()
    model.fit(x, verbose=0)
    assert not any(np.array_equal(a, b) for a, b in zip(start, normalized.get_weights()))  # statistics as well
    far = np.full((1, 2), 100, "float32")
    assert np.abs(model.decoder.predict(far, verbose=0)).max() > 1
    assert model.decode(far).min() >= 0
    assert model.decode(far).max() <= 1


def test_a_layer_in_both_networks_is_refused():
    """Keras would save such a model and not load it."""
    shared = keras.layers.Dense(4)
    first, second = keras.Input((4,)), keras.Input((4,))
    with pytest.raises(ValueError, match="`decoder` must have variables of its own"):
        Autoencoder(keras.Model(first, shared(first)), keras.Model(second, shared(second)))


@pytest.mark.parametrize(
    "ending", [keras.ops.sigmoid, keras.Sequential([keras.Input((4,)), keras.layers.Dense(4, "sigmoid")])]
)
def test_a_sigmoid_is_found_however_it_is_written(ending):
    code = keras.Input((2,))
    decoder = keras.Model(code, ending(keras.layers.Dense(4)(code)))
    with pytest.raises(ValueError, match="`decoder` must end in logits"):
        Autoencoder(dense_encoder((4,), 2, ()), decoder, "binary_crossentropy")


def test_values_may_be_of_any_range_that_is_named():
    """Table rows, which have none; pixels from -1 to 1, with a tanh at the end."""
    rows = 100 * images(shape=(7,)) - 50
    model = small_autoencoder((7,), output_activation=None, data_range=None)
    model.fit(rows, verbose=0)
    assert model.reconstruct(rows).shape == (32, 7)
    signed = small_autoencoder(output_activation="tanh", data_range=(-1, 1))
    signed.fit(2 * images() - 1, verbose=0)
    with pytest.raises(ValueError, match=r"`x` must lie within \[-1, 1\]"):
        signed.fit(2 * images(), verbose=0)
    with pytest.raises(ValueError, match="`x` must lie within"):
        small_autoencoder((7,), output_activation=None).fit(rows, verbose=0)


def test_y_may_be_x():
    model, x = small_autoencoder(), images()
    model.fit(x, x, validation_data=(x, x), verbose=0)


def test_networks_that_do_not_fit_are_refused():
    encoder, decoder = dense_encoder(SHAPE, 3), dense_decoder(SHAPE, 3)
    for arguments, message in [
        ((encoder, dense_decoder(SHAPE, 4)), "`decoder` must take what `encoder` returns"),
        ((encoder, dense_decoder((6, 6, 1), 3)), "`encoder` must take what `decoder` returns"),
        ((encoder, decoder, "binary_crossentropy"), "`decoder` must end in logits"),
        ((encoder, dense_decoder(SHAPE, 3, output_activation="tanh")), "`decoder` must return values"),
    ]:
        with pytest.raises(ValueError, match=message):
            Autoencoder(*arguments)
