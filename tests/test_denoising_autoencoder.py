"""The denoising autoencoder's loss and its corruptions, on the backend of this process."""

import keras
import numpy as np
import pytest

from dlarch_keras import DenoisingAutoencoder
from dlarch_keras.denoising_autoencoder import GaussianCorruption, MaskingCorruption, SaltAndPepperCorruption
from dlarch_keras.networks import dense_decoder, dense_encoder
from tests.support.architectures import CORRUPTIONS, images, small_denoiser


def corrupted(layer, x):
    return keras.ops.convert_to_numpy(layer(x, training=True))


@pytest.mark.parametrize("kind", CORRUPTIONS)
def test_corruption_acts_in_training_only_and_anew_each_time(kind):
    layer, x = CORRUPTIONS[kind](), images()
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(layer(x)), x)
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(layer(x, training=False)), x)
    first, second = corrupted(layer, x), corrupted(layer, x)
    assert first.shape == x.shape and first.dtype == np.float32
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(first, corrupted(CORRUPTIONS[kind](), x))


def test_gaussian_noise_has_the_standard_deviation_asked_for():
    grey = np.full((1000, 10, 10, 1), 0.5, "float32")
    noise = corrupted(GaussianCorruption(0.3, data_range=None, seed=0), grey) - 0.5
    assert abs(noise.mean()) < 0.004 and abs(noise.std() - 0.3) < 0.003  # about 4 standard errors of 100,000 draws
    clipped = corrupted(GaussianCorruption(0.3, seed=0), grey)
    np.testing.assert_allclose(clipped, (noise + 0.5).clip(0, 1), atol=1e-6)


def test_a_pair_of_standard_deviations_is_a_range_that_each_example_draws_from():
    grey = np.full((2000, 400), 0.5, "float32")
    each = (corrupted(GaussianCorruption((0.1, 0.5), data_range=None, seed=0), grey) - 0.5).std(axis=1)
    assert each.min() > 0.08 and each.max() < 0.56
    np.testing.assert_allclose(np.percentile(each, [25, 50, 75]), [0.2, 0.3, 0.4], atol=0.03)


def test_masking_sets_its_share_to_zero_and_keeps_the_rest():
    ones = np.ones((1000, 100), "float32")
    masked = corrupted(MaskingCorruption(0.25, seed=0), ones)
    assert set(np.unique(masked)) == {0, 1}
    assert abs((masked == 0).mean() - 0.25) < 0.006


def test_salt_and_pepper_sets_equal_shares_to_zero_and_one():
    grey = np.full((1000, 100), 0.5, "float32")
    spoiled = corrupted(SaltAndPepperCorruption(0.4, seed=0), grey)
    assert set(np.unique(spoiled)) == {0, 0.5, 1}
    for value in (0, 1):
        assert abs((spoiled == value).mean() - 0.2) < 0.006


@pytest.mark.parametrize("rate", [0, 1])
def test_rates_at_their_ends(rate):
    grey = np.full((50, 50), 0.5, "float32")
    assert ((corrupted(MaskingCorruption(rate, seed=0), grey) == 0) == (rate == 1)).all()
    assert ((corrupted(SaltAndPepperCorruption(rate, seed=0), grey) != 0.5) == (rate == 1)).all()


class Darken(keras.layers.Layer):
    """Halves its input in training: a corruption whose loss can be worked by hand."""

    def call(self, x, training=False):
        return x / 2 if training else x


def test_the_loss_compares_the_output_for_the_corrupted_input_with_the_clean_one():
    """Identity networks: x = .8 becomes .4 and stays so, an error of .4² = .16 in training and 0 in evaluation."""
    inputs, code = keras.Input((1,)), keras.Input((1,))
    dense = [keras.layers.Dense(1, kernel_initializer="ones", trainable=False) for _ in range(2)]
    shift = keras.layers.Dense(1, kernel_initializer="ones")  # something to train, at learning rate 0
    model = DenoisingAutoencoder(
        keras.Model(inputs, dense[0](inputs)), keras.Model(code, shift(dense[1](code))), Darken(), data_range=None
    )
    model.compile(keras.optimizers.SGD(0.0))
    x = np.full((8, 1), 0.8, "float32")
    np.testing.assert_allclose(model.fit(x, verbose=0).history["loss"], [0.16], rtol=1e-5)
    np.testing.assert_allclose(model.evaluate(x, verbose=0), 0, atol=1e-12)
    noisy = np.full((8, 1), 0.3, "float32")
    np.testing.assert_allclose(model.evaluate(noisy, x, verbose=0), 0.25, rtol=1e-5)
    history = model.fit(noisy, x, validation_data=(noisy, x), verbose=0).history
    np.testing.assert_allclose(history["loss"], [(0.8 - 0.15) ** 2], rtol=1e-5)
    np.testing.assert_allclose(history["val_loss"], [0.25], rtol=1e-5)


def test_it_removes_noise_that_a_plain_copy_keeps():
    """Rows that are one number repeated: the mean of 20 noisy copies has a twentieth of their error."""
    rng = np.random.default_rng(0)
    clean = np.repeat(rng.random((2000, 1)), 20, axis=1).astype("float32")
    model = DenoisingAutoencoder(
        dense_encoder((20,), 1, (), seed=0),
        dense_decoder((20,), 1, (), output_activation=None, seed=9),
        GaussianCorruption(0.5, data_range=None, seed=0),
        data_range=None,
    )
    model.compile(keras.optimizers.Adam(1e-2))
    model.fit(clean, epochs=20, verbose=0)
    noisy = clean + rng.normal(0, 0.5, clean.shape).astype("float32")
    # The best linear estimate shrinks the row's mean towards the prior's: variance 1/12 against noise .25 / 20.
    best = 1 / (12 + 20 / 0.25)
    assert abs(np.mean((model.reconstruct(noisy) - clean) ** 2) - best) < 0.15 * best


def test_numpys_numbers_are_numbers():
    assert GaussianCorruption(np.float32(0.5), seed=np.int64(3)).get_config()["seed"] == 3
    assert MaskingCorruption(np.float64(0.5)).rate == 0.5


def test_a_target_of_one_pixel_is_not_stretched():
    """In a stream of unknown shapes, where no check at the door can tell."""
    model, x = small_denoiser(), images()
    with pytest.raises(Exception, match=r"(?i)reshape|shape"):
        model.compute_batch_loss(x, x[:, :1, :1])
