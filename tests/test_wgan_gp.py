"""The WGAN-GP's penalty and updates against hand-worked values, and its doors, on the backend of this process."""

import keras
import numpy as np
import pytest
from keras import layers

from dlarch_keras import WGANGP, gan, networks
from dlarch_keras.core import input_gradient, value_and_grad
from tests import properties, test_gan
from tests.bad_input import bad_arrays
from tests.test_gan import CLASSES, SHAPE, images, labels, line, number


def small_nets(condition_dim=0):
    """The GAN's generator, and a critic without BatchNorm."""
    critic = gan.convolutional_discriminator(SHAPE, (4, 8), False, condition_dim, seed=100)
    return test_gan.small_nets(condition_dim)[0], critic


def small_wgan(optimizers=None, condition_dim=0, **arguments):
    model = WGANGP(*small_nets(condition_dim), **{"seed": 0, "critic_steps": 2, **arguments})
    model.compile(*(optimizers or (keras.optimizers.Adam(1e-3), keras.optimizers.Adam(1e-3))))
    return model


@pytest.fixture(scope="module")
def model():
    """For the tests that change nothing."""
    return small_wgan()


def linear_critic(weights):
    """x → w · x, whose slope is the length of w everywhere."""
    inputs = keras.Input((len(weights),))
    dense = layers.Dense(1)
    model = keras.Model(inputs, dense(inputs))
    dense.set_weights([np.array(weights)[:, None], np.zeros(1)])
    return model


def penalty_of(critic, share=0.3):
    model = WGANGP(networks.dense_decoder((4,), 2, (), output_activation=None), critic)
    ones = np.ones((3, 4), "float32")
    return lambda: model.gradient_penalty(ones, 0 * ones, None, np.full((3, 1), share, "float32"))


def test_the_penalty_of_a_linear_critic_is_exact():
    """Length 3: (3 - 1)² = 4, and the gradient 2 (3 - 1) w / 3."""
    critic = linear_critic([1.0, 2.0, 2.0, 0.0])
    value, gradients = value_and_grad(penalty_of(critic), critic.trainable_variables)
    assert number(value) == pytest.approx(4, rel=1e-5)
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(gradients[0]).ravel(), [4 / 3, 8 / 3, 8 / 3, 0], rtol=1e-4, atol=1e-6
    )


def test_a_flat_critic_has_a_finite_gradient():
    critic = linear_critic([0.0, 0.0, 0.0, 0.0])
    value, gradients = value_and_grad(penalty_of(critic), critic.trainable_variables)
    assert number(value) == pytest.approx(1, abs=1e-4)
    assert all(np.isfinite(keras.ops.convert_to_numpy(gradient)).all() for gradient in gradients)


def test_the_penalty_is_taken_between_real_and_fake():
    """Critic x²: slope 2 x at x = share, real 1 and fake 0."""
    inputs = keras.Input((1,))
    model = WGANGP(line(1.0), keras.Model(inputs, keras.ops.square(inputs)))
    real, fake, share = (np.array(values, "float32")[:, None] for values in ([1, 1, 1], [0, 0, 0], [0, 0.25, 1]))
    penalty = number(model.gradient_penalty(real, fake, None, share))
    assert penalty == pytest.approx(np.mean((2 * np.array([0, 0.25, 1]) - 1) ** 2), abs=1e-5)


def test_shares_are_uniform():
    assert properties.interpolates_between_real_and_fake(small_wgan())


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
    """Two steps of the critic a x on its halves of the batch, then one of the generator w z."""
    w, a, weight = 0.5, 3.0, 10.0
    x, z = np.array([[1.0], [3.0], [0.0], [2.0]], "float32"), np.array([[0.4], [-1.0]], "float32")
    model = WGANGP(line(w), line(a), critic_steps=2, penalty_weight=weight, average=0.0)
    model.compile(keras.optimizers.SGD(0.1), keras.optimizers.SGD(0.01))
    model.noise = lambda count, training=True: keras.ops.convert_to_tensor(z)
    logs = model.train_on_batch(x, return_dict=True)
    losses, penalties = [], []
    for half in (x[:2], x[2:]):
        penalties.append((abs(a) - 1) ** 2)
        losses.append(np.mean(a * w * z) - np.mean(a * half) + weight * penalties[-1])
        a -= 0.01 * (np.mean(w * z) - np.mean(half) + weight * 2 * (abs(a) - 1) * np.sign(a))
    generator_loss = -np.mean(a * w * z)
    w -= 0.1 * np.mean(-a * z)
    assert model.critic.get_weights()[0].item() == pytest.approx(a, rel=1e-4)
    assert model.generator.get_weights()[0].item() == pytest.approx(w, rel=1e-4)
    assert logs == pytest.approx(
        {"critic_loss": np.mean(losses), "gradient_penalty": np.mean(penalties), "generator_loss": generator_loss},
        rel=1e-4,
    )


def test_fakes_are_made_outside_the_critics_gradient():
    assert properties.makes_fakes_outside_the_critics_gradient(WGANGP)


@pytest.mark.parametrize(("still", "moving"), [("generator", "critic"), ("critic", "generator")], ids="still {}".format)
def test_an_update_leaves_the_other_networks_weights_alone(still, moving):
    rates = {still: 0.0, moving: 1e-2}
    model = small_wgan([keras.optimizers.SGD(rates[name]) for name in ("generator", "critic")])
    before = {name: [keras.ops.convert_to_numpy(v) for v in getattr(model, name).trainable_variables] for name in rates}
    model.train_on_batch(images())
    for name, old in before.items():
        new = [keras.ops.convert_to_numpy(v) for v in getattr(model, name).trainable_variables]
        unchanged = [np.array_equal(*pair) for pair in zip(old, new)]
        # The critic's last bias cancels between real and fake: only rounding moves it.
        assert all(unchanged) if name == still else not any(unchanged[:-1])


def test_it_learns_where_the_data_is():
    x = np.random.default_rng(0).normal([[3.0, -1.0]], 0.1, (640, 2)).astype("float32")
    generator = networks.dense_decoder((2,), 2, (16,), output_activation=None, seed=0)
    model = WGANGP(generator, networks.dense_encoder((2,), 1, (32, 32), seed=1), average=0.9, seed=0)
    model.compile(keras.optimizers.Adam(5e-3, 0.5), keras.optimizers.Adam(5e-3, 0.5))
    far = np.abs(model.generate(500, 0).mean(axis=0) - x.mean(axis=0)).max()
    model.fit(x, batch_size=320, epochs=150, verbose=0)
    near = np.abs(model.generate(500, 0).mean(axis=0) - x.mean(axis=0)).max()
    assert near < 0.5 < 2 < far


def test_a_conditional_one_trains_and_draws():
    model = small_wgan(condition_dim=CLASSES)
    model.fit(images(), labels(), verbose=0)
    assert model.generate(4, 0, labels(4)).shape == (4, *SHAPE)
    assert not np.array_equal(model.generate(4, 0, labels(4)), model.generate(4, 0, labels(4)[::-1].copy()))


def test_every_share_keeps_its_conditions():
    """The condition of an example is its first pixel."""
    seen, x = [], images(7)
    model = small_wgan(condition_dim=1, critic_steps=3)
    model.compile("sgd", "sgd", run_eagerly=True)
    critic_loss = model.critic_loss

    def watched_loss(real, fake, condition, **arguments):
        seen.append([keras.ops.convert_to_numpy(each) for each in (real, condition)])
        return critic_loss(real, fake, condition, **arguments)

    model.critic_loss = watched_loss
    model.train_on_batch(x, x[:, 0, 0])
    assert [len(real) for real, _ in seen] == [3, 3, 3]
    for start, (real, condition) in zip((0, 2, 4), seen):
        np.testing.assert_array_equal(real, x[start : start + 3])
        np.testing.assert_array_equal(condition, real[:, 0, 0])


def test_a_short_last_batch_of_a_stream_does_no_harm():
    """TensorFlow does not know a batch's size when it compiles the step; the others refuse one that is too small."""
    import tensorflow as tf

    model = WGANGP(*test_gan.small_nets(batch_normalization=False), critic_steps=5, seed=0)
    model.compile("adam", "adam")
    stream = tf.data.Dataset.from_tensor_slices(images(34)).batch(16)
    if keras.backend.backend() != "tensorflow":
        with pytest.raises(ValueError, match="`batch_size` must leave 5 or more examples"):
            model.fit(stream, shuffle=False, verbose=0)
        return
    history = model.fit(stream, epochs=2, shuffle=False, verbose=0).history
    assert np.isfinite([*history.values()]).all()
    assert all(np.isfinite(weight).all() for weight in model.get_weights())


def test_held_out_losses_repeat(model):
    assert model.evaluate(images(), verbose=0) == model.evaluate(images(), verbose=0)


def test_save_load_and_resume(tmp_path):
    def fit(model, epochs):
        model.fit(images(), batch_size=8, epochs=epochs, shuffle=False, verbose=0)

    assert properties.resumes_where_it_stopped(small_wgan, fit, tmp_path / "model.keras")


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_it_trains_in_mixed_precision(policy):
    assert properties.trains_with_policy(policy, small_wgan, images())
    assert properties.trains_with_policy(policy, lambda: test_gan.ending_in_half_precision(WGANGP), images())


@pytest.mark.parametrize("kind", bad_arrays(images()))
@pytest.mark.parametrize("method", ["fit", "evaluate"])
def test_bad_images_are_refused(model, method, kind):
    with pytest.raises(ValueError, match="`x` must"):
        getattr(model, method)(bad_arrays(images())[kind])


def test_the_rows_kept_for_validation_do_not_count(model):
    with pytest.raises(ValueError, match="`batch_size` must leave 4 or more examples"):
        model.fit(images(74), validation_split=0.1, verbose=0)


@pytest.mark.parametrize(("count", "batch_size"), [(8, 2), (9, 8)])
def test_batches_too_small_for_the_critics_steps_are_refused(model, count, batch_size):
    with pytest.raises(ValueError, match="`batch_size` must leave 4 or more examples"):
        model.fit(images(count), batch_size=batch_size, verbose=0)


def test_a_critic_with_batch_normalization_is_refused():
    generator, _ = small_nets()
    critic = networks.convolutional_encoder(SHAPE, 1, (4,), batch_normalization=True)
    with pytest.raises(ValueError, match="`critic` must score each example by itself"):
        WGANGP(generator, critic)


@pytest.mark.parametrize("name", ["generator", "critic"])
def test_both_optimizers_are_needed(name):
    model = WGANGP(*small_nets())
    optimizers = {"generator_optimizer": "adam", "critic_optimizer": "adam", f"{name}_optimizer": None}
    with pytest.raises(ValueError, match=f"`{name}_optimizer` must be an optimizer"):
        model.compile(**optimizers)


def test_networks_that_do_not_fit_are_refused():
    generator, _ = small_nets()
    with pytest.raises(ValueError, match="`critic` must take what `generator` returns"):
        WGANGP(generator, gan.convolutional_discriminator((8, 8, 1)))


@pytest.mark.parametrize(
    ("name", "values"),
    {
        "critic_steps": [0, -1, 1.0, True, None],
        "penalty_weight": [-1, np.nan, "1", None],
        "average": [1.0, -0.1],
    }.items(),
)
def test_bad_settings_are_refused(name, values):
    for value in values:
        with pytest.raises(ValueError, match=f"`{name}` must be"):
            WGANGP(*small_nets(), **{name: value})
