"""The autoencoder and the networks it is built from, on the backend of this process."""

import keras
import numpy as np
import pytest
from sklearn.decomposition import PCA

from dlarch_keras import Autoencoder
from dlarch_keras.datasets import load_mnist
from dlarch_keras.networks import (
    convolutional_decoder,
    convolutional_encoder,
    dense_decoder,
    dense_encoder,
    residual_decoder,
    residual_encoder,
)
from tests.bad_input import bad_arrays

SHAPE = (6, 5, 1)


def autoencoder(shape=SHAPE, latent_dim=3, output_activation="sigmoid", **arguments):
    model = Autoencoder(
        dense_encoder(shape, latent_dim, (16,), seed=0),
        dense_decoder(shape, latent_dim, (16,), output_activation=output_activation, seed=100),
        **arguments,
    )
    model.compile(keras.optimizers.Adam(1e-2))
    return model


def images(n=32, shape=SHAPE):
    return np.random.default_rng(0).random((n, *shape)).astype("float32")


@pytest.mark.parametrize("shape", [(28, 28, 1), (27, 30, 3), (7, 5, 2), (1, 1, 1), (64, 48, 3)])
@pytest.mark.parametrize(
    ("encoder", "decoder"), [(dense_encoder, dense_decoder), (convolutional_encoder, convolutional_decoder)]
)
def test_networks_of_any_image_size(encoder, decoder, shape):
    encoder, decoder = encoder(shape, 4, seed=0), decoder(shape, 4, seed=1)
    x = images(2, shape)
    code = encoder.predict(x, verbose=0)
    assert code.shape == (2, 4)
    outputs = decoder.predict(code, verbose=0)
    assert outputs.shape == x.shape
    assert outputs.min() >= 0
    assert outputs.max() <= 1


@pytest.mark.parametrize(
    "build", [dense_encoder, dense_decoder, convolutional_encoder, convolutional_decoder], ids=lambda f: f.__name__
)
def test_the_seed_decides_the_weights(build):
    weights = [build((8, 8, 1), 2, seed=seed).get_weights() for seed in (1, 1, 2)]
    assert all(np.array_equal(a, b) for a, b in zip(weights[0], weights[1]))
    assert not np.array_equal(weights[0][0], weights[2][0])


def test_batch_normalization_is_a_choice():
    plain, normalized = (
        dense_encoder((8, 8, 1), 2, (4,), batch_normalization=choice, seed=0) for choice in (False, True)
    )
    assert [layer for layer in normalized.layers if isinstance(layer, keras.layers.BatchNormalization)]
    assert not [layer for layer in plain.layers if isinstance(layer, keras.layers.BatchNormalization)]


@pytest.mark.parametrize("batch_normalization", [True, False])
@pytest.mark.parametrize("size", [(8, 8), (7, 9), (13, 4), (1, 1)])
def test_residual_networks_give_back_any_size(size, batch_normalization):
    style = {"batch_normalization": batch_normalization, "blocks": 2}
    model = Autoencoder(residual_encoder(2, (4, 6), **style, seed=0), residual_decoder(2, (6, 4), **style, seed=50))
    x = images(3, (*size, 2))
    assert model.encode(x).shape == (3, -(-size[0] // 4), -(-size[1] // 4), 6)
    assert model.reconstruct(x).shape == x.shape
    assert model.reconstruction_error(x).shape == (3,)
    model.compile()
    model.fit(x, verbose=0)
    np.testing.assert_allclose(model.evaluate(x, verbose=0), model.reconstruction_error(x).mean(), rtol=0.1)


def test_a_residual_network_sees_the_same_at_every_place():
    """An image moved by the network's stride gives an output moved as far, away from the borders."""
    model = Autoencoder(residual_encoder(1, (4, 6), seed=0), residual_decoder(1, (6, 4), seed=50))
    x = images(1, (64, 64, 1))
    moved = np.roll(x, (4, 8), (1, 2))
    inside = np.s_[:, 28:36, 28:36]
    np.testing.assert_allclose(
        model.reconstruct(moved)[inside], np.roll(model.reconstruct(x), (4, 8), (1, 2))[inside], atol=1e-4
    )


def test_residual_weights_follow_the_seed():
    weights = [residual_encoder(1, (4,), blocks=2, seed=seed).get_weights() for seed in (1, 1, 2)]
    assert all(np.array_equal(a, b) for a, b in zip(weights[0], weights[1]))
    kernels = [w for w in weights[0] if w.ndim == 4 and w.shape[:2] == (3, 3)]
    assert len({kernel.tobytes() for kernel in kernels}) == len(kernels) == 4
    assert not np.array_equal(weights[0][0], weights[2][0])


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
        dense_encoder((20,), 6, (), seed=0), dense_decoder((20,), 6, (), output_activation=None, seed=9)
    )
    model.compile(keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(5e-2, decay_steps=400)))
    model.fit(rows, batch_size=250, epochs=100, verbose=0)
    np.testing.assert_allclose(model.reconstruction_error(rows).mean(), expected, rtol=0.01)
    learned, _ = np.linalg.qr(model.decoder.get_weights()[0].T)
    cosines = np.linalg.svd(learned.T @ pca.components_.T, compute_uv=False)
    assert np.degrees(np.arccos(cosines.clip(-1, 1))).max() < 5  # the principal angles between the two subspaces


def test_the_mse_falls_and_the_methods_agree():
    model, x = autoencoder(), images(64)
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


def test_sample_weight():
    """Weights scale an example's loss, in training as in evaluation, with Keras's mean over the batch."""
    x = images()
    weights = np.linspace(0, 2, len(x)).astype("float32")
    model = autoencoder()
    expected = np.mean(weights * model.reconstruction_error(x))
    for shape in ((-1,), (-1, 1)):
        reshaped = weights.reshape(shape)
        np.testing.assert_allclose(model.evaluate(x, sample_weight=reshaped, verbose=0), expected, rtol=1e-4)
    history = model.fit(x, sample_weight=weights, validation_data=(x, None, weights), batch_size=32, verbose=0).history
    np.testing.assert_allclose(history["loss"], [expected], rtol=1e-4)
    np.testing.assert_allclose(history["val_loss"], [np.mean(weights * model.reconstruction_error(x))], rtol=1e-4)
    ignored, absent = autoencoder(), autoencoder()
    for each in (ignored, absent):
        each.compile(keras.optimizers.SGD(0.5))
    ignored.fit(x, sample_weight=np.repeat([2.0, 0.0], 16).astype("float32"), batch_size=32, shuffle=False, verbose=0)
    absent.fit(x[:16], batch_size=32, shuffle=False, verbose=0)
    for a, b in zip(ignored.get_weights(), absent.get_weights()):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


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


def test_hidden_layers_differ_and_are_not_linear():
    network = dense_encoder((16,), 3, (16, 16), seed=0)
    first, second = (layer.get_weights()[0] for layer in network.layers if getattr(layer, "units", 0) == 16)
    assert not np.array_equal(first, second)
    x = images(1, (16,))
    outputs = network.predict(np.concatenate([x, -x]), verbose=0)
    assert not np.allclose(outputs[0], -outputs[1])


def test_save_load_and_resume(tmp_path):
    model, x = autoencoder(reconstruction_loss="mse"), images()
    model.fit(x, epochs=2, verbose=0, shuffle=False)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded.reconstruct(x), model.reconstruct(x))
    for each in (model, loaded):
        each.fit(x, epochs=2, verbose=0, shuffle=False)
    np.testing.assert_array_equal(loaded.reconstruct(x), model.reconstruct(x))


def test_table_rows_may_be_anything_finite():
    rows = 100 * images(shape=(7,)) - 50
    model = autoencoder((7,), output_activation=None)
    model.fit(rows, verbose=0)
    assert model.reconstruct(rows).shape == (32, 7)
    with pytest.raises(ValueError, match="`x` must lie within"):
        autoencoder((7,), output_activation=None, reconstruction_loss="binary_crossentropy").fit(rows, verbose=0)


def test_y_may_be_x_and_nothing_else():
    model, x = autoencoder(), images()
    model.fit(x, x, validation_data=(x, x), verbose=0)
    with pytest.raises(ValueError, match="`y` must be left out"):
        model.fit(x, x[::-1], verbose=0)


METHODS = ["fit", "evaluate", "predict", "encode", "reconstruct", "reconstruction_error"]
BAD = bad_arrays(images())


@pytest.mark.parametrize("kind", BAD)
@pytest.mark.parametrize("method", METHODS)
def test_bad_images_are_refused(method, kind):
    with pytest.raises(ValueError, match="`x` must"):
        getattr(autoencoder(), method)(BAD[kind])


@pytest.mark.parametrize("kind", sorted(set(BAD) - {"None"}))  # None: no validation
def test_bad_validation_images_are_refused(kind):
    with pytest.raises(ValueError, match="`x` must"):
        autoencoder().fit(images(), validation_data=(BAD[kind], None))


@pytest.mark.parametrize("kind", bad_arrays(images(8, (3,)), bounded=False))
def test_bad_codes_are_refused(kind):
    with pytest.raises(ValueError, match="`z` must"):
        autoencoder().decode(bad_arrays(images(8, (3,)), bounded=False)[kind])


@pytest.mark.parametrize("bad", [images(8, (6, 4, 1)), images(8, (6, 5)), (images(8) * 255).astype("uint8")], ids=str)
def test_a_stream_of_bad_batches_is_refused(bad):
    class Stream(keras.utils.PyDataset):
        def __len__(self):
            return 1

        def __getitem__(self, index):
            return (bad,)

    with pytest.raises(ValueError, match="`x` must"):
        autoencoder().fit(Stream(), verbose=0)
    with pytest.raises(ValueError, match="`x` must"):
        autoencoder().evaluate(Stream(), verbose=0)


def test_networks_that_do_not_fit_are_refused():
    encoder, decoder = dense_encoder(SHAPE, 3), dense_decoder(SHAPE, 3)
    for arguments, message in [
        ((encoder, dense_decoder(SHAPE, 4)), "`decoder` must take what `encoder` returns"),
        ((encoder, dense_decoder((6, 6, 1), 3)), "`encoder` must take what `decoder` returns"),
        ((None, decoder), "`encoder` must be a keras.Model"),
        ((encoder, keras.Sequential([keras.layers.Dense(3)])), "`decoder` must be built"),
        ((encoder, decoder, "mae"), "`reconstruction_loss` must be"),
        ((encoder, decoder, "binary_crossentropy"), "`decoder` must end in logits"),
    ]:
        with pytest.raises(ValueError, match=message):
            Autoencoder(*arguments)


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
