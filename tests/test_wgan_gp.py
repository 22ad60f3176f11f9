"""The WGAN-GP's penalty and updates against hand-worked values, on the backend of this process."""

import functools

import keras
import numpy as np
import pytest

from dlarch_keras import WGANGP, networks
from dlarch_keras.core import input_gradient, value_and_grad
from tests.support.architectures import (
    CLASSES,
    SHAPE,
    compiled,
    gan_networks,
    images,
    labels,
    small_wgan,
    wgan_networks,
)
from tests.support.small_networks import line, linear, number


def penalty_of(discriminator, alpha=0.3):
    model = WGANGP(networks.dense_decoder((4,), 2, (), output_activation=None), discriminator, data_range=None)
    ones = np.ones((3, 4), "float32")
    return lambda: model.gradient_penalty(ones, 0 * ones, None, np.full((3, 1), alpha, "float32"))


def test_the_penalty_of_a_linear_discriminator_is_exact():
    """Length 3: (3 - 1)² = 4, and the gradient 2 (3 - 1) w / 3."""
    discriminator = linear([[1.0], [2.0], [2.0], [0.0]], [0.0])
    value, gradients = value_and_grad(penalty_of(discriminator), discriminator.trainable_variables)
    assert number(value) == pytest.approx(4, rel=1e-5)
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(gradients[0]).ravel(), [4 / 3, 8 / 3, 8 / 3, 0], rtol=1e-4, atol=1e-6
    )


def test_a_flat_discriminator_has_a_finite_gradient():
    discriminator = linear(np.zeros((4, 1)), [0.0])
    value, gradients = value_and_grad(penalty_of(discriminator), discriminator.trainable_variables)
    assert number(value) == pytest.approx(1, abs=1e-4)
    assert all(np.isfinite(keras.ops.convert_to_numpy(gradient)).all() for gradient in gradients)


def test_the_penalty_is_taken_between_real_and_fake():
    """Discriminator x²: slope 2 x at x = alpha, real 1 and fake 0."""
    inputs = keras.Input((1,))
    model = WGANGP(line(1.0), keras.Model(inputs, keras.ops.square(inputs)), data_range=None)
    real, fake, alpha = (np.array(values, "float32")[:, None] for values in ([1, 1, 1], [0, 0, 0], [0, 0.25, 1]))
    penalty = number(model.gradient_penalty(real, fake, None, alpha))
    assert penalty == pytest.approx(np.mean((2 * np.array([0, 0.25, 1]) - 1) ** 2), abs=1e-5)


def test_input_gradient_can_be_differentiated_again():
    """x³: 3 x², summed over x, and its derivative by a weight w in (w x)³."""
    scale = line(2.0)
    x = np.array([[1.0], [2.0]], "float32")
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(input_gradient(lambda x: keras.ops.power(x, 3.0), x)),
        3 * x**2,
        rtol=1e-5,
    )
    value, gradients = value_and_grad(
        lambda: keras.ops.sum(input_gradient(lambda x: keras.ops.power(scale(x), 3.0), x)),
        scale.trainable_variables,
    )
    assert number(value) == pytest.approx(3 * 2**3 * 5, rel=1e-5)  # Σ 3 w³ x²
    assert keras.ops.convert_to_numpy(gradients[0]).item() == pytest.approx(9 * 2**2 * 5, rel=1e-5)


def test_one_step_by_hand():
    """Two steps of the discriminator a x on its halves of the batch, then one of the generator w z."""
    w, a, weight = 0.5, 3.0, 10.0
    x, z = np.array([[1.0], [3.0], [0.0], [2.0]], "float32"), np.array([[0.4], [-1.0]], "float32")
    model = WGANGP(line(w), line(a), discriminator_steps=2, penalty_weight=weight, ema_decay=0.0, data_range=None)
    compiled(model, keras.optimizers.SGD, (0.1, 0.01))
    model.sample_noise = lambda count, training=True: keras.ops.convert_to_tensor(z)
    logs = model.train_on_batch(x, return_dict=True)
    losses, penalties = [], []
    for half in (x[:2], x[2:]):
        penalties.append((abs(a) - 1) ** 2)
        losses.append(np.mean(a * w * z) - np.mean(a * half) + weight * penalties[-1])
        a -= 0.01 * (np.mean(w * z) - np.mean(half) + weight * 2 * (abs(a) - 1) * np.sign(a))
    generator_loss = -np.mean(a * w * z)
    w -= 0.1 * np.mean(-a * z)
    assert model.discriminator.get_weights()[0].item() == pytest.approx(a, rel=1e-4)
    assert model.generator.get_weights()[0].item() == pytest.approx(w, rel=1e-4)
    expected = {"discriminator_loss": np.mean(losses), "gradient_penalty": np.mean(penalties)}
    assert logs == pytest.approx({**expected, "generator_loss": generator_loss}, rel=1e-4)


def test_it_learns_where_the_data_is():
    x = np.random.default_rng(0).normal([[3.0, -1.0]], 0.1, (640, 2)).astype("float32")
    generator = networks.dense_decoder((2,), 2, (16,), output_activation=None, seed=0)
    discriminator = networks.dense_encoder((2,), 1, (32, 32), seed=1)
    model = WGANGP(generator, discriminator, ema_decay=0.9, data_range=None, seed=0)
    compiled(model, functools.partial(keras.optimizers.Adam, beta_1=0.5), (5e-3, 5e-3))
    far = np.abs(model.generate(500, 0).mean(axis=0) - x.mean(axis=0)).max()
    model.fit(x, batch_size=320, epochs=150, verbose=0)
    near = np.abs(model.generate(500, 0).mean(axis=0) - x.mean(axis=0)).max()
    assert near < 0.5 < 2 < far


def test_a_conditional_one_trains_and_draws():
    model = small_wgan(condition_dim=CLASSES)
    model.fit(images(), labels(), verbose=0)
    assert model.generate(4, 0, labels(4)).shape == (4, *SHAPE)
    assert not np.array_equal(model.generate(4, 0, labels(4)), model.generate(4, 0, labels(4)[::-1].copy()))


def test_every_step_of_the_discriminator_has_its_own_examples_and_conditions():
    """The condition of an example is its first pixel."""
    seen, x = [], images(7)
    model = small_wgan(condition_dim=1, discriminator_steps=3)
    compiled(model, keras.optimizers.SGD, run_eagerly=True)
    discriminator_loss = model.discriminator_loss

    def watched_loss(real, fake, condition, **arguments):
        seen.append([keras.ops.convert_to_numpy(each) for each in (real, condition)])
        return discriminator_loss(real, fake, condition, **arguments)

    model.discriminator_loss = watched_loss
    model.train_on_batch(x, x[:, 0, 0])
    assert [len(real) for real, _ in seen] == [3, 3, 3]
    for start, (real, condition) in zip((0, 2, 4), seen):
        np.testing.assert_array_equal(real, x[start : start + 3])
        np.testing.assert_array_equal(condition, real[:, 0, 0])


def test_a_short_last_batch_of_a_stream_does_no_harm():
    """TensorFlow does not know a batch's size when it compiles the step; the others refuse one that is too small."""
    import tensorflow as tf

    model = WGANGP(*gan_networks(batch_normalization=False), discriminator_steps=5, seed=0)
    compiled(model)
    stream = tf.data.Dataset.from_tensor_slices(images(34)).batch(16)
    if keras.backend.backend() != "tensorflow":
        with pytest.raises(ValueError, match="`batch_size` must leave 5 or more examples"):
            model.fit(stream, shuffle=False, verbose=0)
        return
    history = model.fit(stream, epochs=2, shuffle=False, verbose=0).history
    assert np.isfinite([*history.values()]).all()
    assert all(np.isfinite(weight).all() for weight in model.get_weights())


def test_batches_too_small_for_the_discriminators_steps_are_refused():
    model = small_wgan()
    assert model.min_batch_size == 4
    for call in (
        lambda: model.fit(images(8), batch_size=2, verbose=0),
        lambda: model.fit(images(9), batch_size=8, verbose=0),
        lambda: model.fit(images(74), validation_split=0.1, verbose=0),  # the rows kept for validation do not count
        lambda: model.train_on_batch(images(3)),
    ):
        with pytest.raises(ValueError, match="`batch_size` must leave 4 or more examples"):
            call()


def test_a_discriminator_with_batch_normalization_is_refused():
    generator, _ = wgan_networks()
    discriminator = networks.convolutional_encoder(SHAPE, 1, (4,), batch_normalization=True)
    with pytest.raises(ValueError, match="`discriminator` must score each example by itself"):
        WGANGP(generator, discriminator)


def test_networks_that_do_not_fit_are_refused():
    generator, _ = wgan_networks()
    with pytest.raises(ValueError, match="`discriminator` must take what `generator` returns"):
        WGANGP(generator, networks.convolutional_discriminator((8, 8, 1)))
