"""The GAN's losses and updates against hand-worked values, on the backend of this process."""

import functools

import keras
import numpy as np
import pytest
from keras import layers

from dlarch_keras import GAN, networks
from dlarch_keras.gan import cross_entropy
from tests.support.architectures import CLASSES, SHAPE, compiled, gan_networks, images, labels, small_gan
from tests.support.small_networks import line, number, sigmoid


def test_cross_entropy_by_hand():
    """Target 1 and logit 0: log 2. Target 1 and odds 3 to 1: log 4/3; target 0: log 4. Target .9: between."""
    odds = np.log([[3.0]]).astype("float32")
    assert number(cross_entropy(1.0, np.zeros((2, 1), "float32"))) == pytest.approx(np.log(2))
    assert number(cross_entropy(1.0, odds)) == pytest.approx(np.log(4 / 3), rel=1e-5)
    assert number(cross_entropy(0.0, odds)) == pytest.approx(np.log(4), rel=1e-5)
    assert number(cross_entropy(0.9, odds)) == pytest.approx(0.9 * np.log(4 / 3) + 0.1 * np.log(4), rel=1e-5)


def test_a_discriminator_that_knows_nothing_logs_log_4_and_log_2():
    model = GAN(line(0.5), line(0.0), data_range=None, seed=0)
    compiled(model, keras.optimizers.SGD)
    logs = model.evaluate(np.ones((8, 1), "float32"), verbose=0, return_dict=True)
    assert logs == pytest.approx({"generator_loss": np.log(2), "discriminator_loss": np.log(4)}, rel=1e-5)


def test_one_step_by_hand():
    """Generator z → w z, discriminator x → a x: both move against the other as it was before the step."""
    w, a, x, z = 0.5, -2.0, np.array([[1.0], [3.0]], "float32"), np.array([[0.4], [-1.0]], "float32")
    model = GAN(line(w), line(a), data_range=None, ema_decay=0.0)
    compiled(model, keras.optimizers.SGD, (1.0, 1.0))
    model.sample_noise = lambda count, training=True: keras.ops.convert_to_tensor(z)
    logs = model.train_on_batch(x, return_dict=True)
    generator_gradient = np.mean(-(1 - sigmoid(a * w * z)) * a * z)
    discriminator_gradient = np.mean(-(1 - sigmoid(a * x)) * x) + np.mean(sigmoid(a * w * z) * w * z)
    assert model.generator.get_weights()[0].item() == pytest.approx(w - generator_gradient, rel=1e-5)
    assert model.discriminator.get_weights()[0].item() == pytest.approx(a - discriminator_gradient, rel=1e-5)
    assert logs["generator_loss"] == pytest.approx(np.mean(-np.log(sigmoid(a * w * z))), rel=1e-5)
    expected = np.mean(-np.log(sigmoid(a * x))) + np.mean(-np.log(1 - sigmoid(a * w * z)))
    assert logs["discriminator_loss"] == pytest.approx(expected, rel=1e-5)


def test_smoothing_moves_the_optimum_of_real_examples_only():
    """With a target of .9 the best logit of a real example is log 9; fakes keep the target 0."""
    model = GAN(line(1.0), line(1.0), data_range=None, label_smoothing=0.1)
    fake = np.full((1, 1), -30.0, "float32")  # costs nothing

    def loss(logit):
        return number(model.discriminator_loss(np.full((1, 1), logit, "float32"), fake, None))

    best = np.log(9)
    assert loss(best) < min(loss(best - 0.1), loss(best + 0.1))
    assert loss(best) == pytest.approx(-0.9 * np.log(0.9) - 0.1 * np.log(0.1), rel=1e-4)


def test_batch_statistics_move_in_training_only():
    model = small_gan()
    statistics = [v for v in model.generator.non_trainable_variables if "moving" in v.path]
    before = [keras.ops.convert_to_numpy(v) for v in statistics]
    model.evaluate(images(), verbose=0)
    model.generate(4)
    assert all(np.array_equal(old, keras.ops.convert_to_numpy(v)) for old, v in zip(before, statistics))
    model.train_on_batch(images())
    assert statistics
    assert not any(np.array_equal(old, keras.ops.convert_to_numpy(v)) for old, v in zip(before, statistics))


def test_the_moving_average_by_hand():
    """The first steps weigh 9/10, 9/11, ...; later ones 1 - average. It draws, and the generator itself does not."""
    model = GAN(line(1.0), line(1.0), data_range=None, ema_decay=0.8, seed=0)
    compiled(model, keras.optimizers.SGD, (0.1, 0.0))
    average = 1.0
    for step in range(1, 60):
        model.train_on_batch(np.ones((4, 1), "float32"))
        average += max(0.2, 9 / (9 + step)) * (model.generator.get_weights()[0].item() - average)
    assert model.averaged_generator.get_weights()[0].item() == pytest.approx(average, rel=1e-4)
    assert abs(average - model.generator.get_weights()[0].item()) > 1e-4
    z = np.ones((1, 1), "float32")
    assert model.decode(z).item() == pytest.approx(average, rel=1e-4)


def test_without_an_average_the_generator_itself_draws():
    model = small_gan(ema_decay=0.0)
    codes = np.random.default_rng(0).standard_normal((5, model.latent_dim), "float32")
    for _ in range(2):
        drawn = keras.ops.convert_to_numpy(model.generator(codes, training=False))
        np.testing.assert_allclose(model.decode(codes), drawn, rtol=1e-5, atol=1e-6)
        model.fit(images(), verbose=0)


def test_it_learns_where_the_data_is():
    x = np.random.default_rng(0).normal([[3.0, -1.0]], 0.1, (512, 2)).astype("float32")
    generator = networks.dense_decoder((2,), 2, (16,), output_activation=None, seed=0)
    model = GAN(generator, networks.dense_encoder((2,), 1, (32, 32), seed=1), ema_decay=0.98, data_range=None, seed=0)
    compiled(model, functools.partial(keras.optimizers.Adam, beta_1=0.5), (5e-3, 5e-3))
    far = np.abs(model.generate(500, 0).mean(axis=0) - x.mean(axis=0)).max()
    model.fit(x, batch_size=64, epochs=40, verbose=0)
    near = np.abs(model.generate(500, 0).mean(axis=0) - x.mean(axis=0)).max()
    assert near < 0.5 < 2 < far


def test_a_conditional_gan_learns_what_each_class_is():
    x = np.repeat([[-2.0], [2.0]], 256, axis=0).astype("float32") + 0.1
    y = np.repeat([0, 1], 256)
    generator = networks.conditional_decoder(networks.dense_decoder((1,), 4, (), output_activation=None, seed=0), 2)
    inputs, condition = keras.Input((1,)), keras.Input((2,))
    hidden = layers.Dense(32, "relu")(layers.Concatenate()([inputs, condition]))
    keras.utils.set_random_seed(0)
    model = GAN(
        generator, keras.Model([inputs, condition], layers.Dense(1)(hidden)), ema_decay=0.98, data_range=None, seed=0
    )
    compiled(model, functools.partial(keras.optimizers.Adam, beta_1=0.5), (1e-2, 1e-2))
    model.fit(x, y, batch_size=64, epochs=60, verbose=0)
    low, high = (model.generate(200, 0, np.full(200, label)).mean() for label in (0, 1))
    assert low < -1 < 1 < high


def test_labels_are_one_hot_rows():
    model, x, y = small_gan(condition_dim=CLASSES), images(), labels()
    rows = np.eye(CLASSES, dtype="float32")[y]
    np.testing.assert_array_equal(model.generate(32, 0, y), model.generate(32, 0, rows))
    assert model.evaluate(x, y, verbose=0) == model.evaluate(x, rows, verbose=0)
    assert not np.array_equal(model.generate(32, 0, y), model.generate(32, 0, (y + 1) % CLASSES))


@pytest.mark.parametrize("condition_dim", [0, CLASSES])
@pytest.mark.parametrize("shape", [(28, 28, 1), (64, 64, 3), (33, 20, 3), (8, 8, 2)], ids=str)
def test_builders_make_networks_of_any_image_size(shape, condition_dim):
    generator = networks.convolutional_generator(shape, 7, condition_dim=condition_dim)
    model = GAN(generator, networks.convolutional_discriminator(shape, condition_dim=condition_dim))
    assert model.latent_dim == 7 and model.condition_dim == condition_dim
    condition = np.zeros((2, condition_dim), "float32") if condition_dim else None
    assert model.generate(2, condition=condition).shape == (2, *shape)


@pytest.mark.parametrize(("batch_normalization", "count"), [(True, 2), (False, 0)])
def test_all_convolutions_but_the_first_are_normalised_or_none(batch_normalization, count):
    network = networks.convolutional_discriminator(SHAPE, (2, 3, 4), batch_normalization)
    normalized = [layer for layer in network.layers if isinstance(layer, layers.BatchNormalization)]
    assert [layer.gamma.shape[0] for layer in normalized] == [3, 4][:count]


def test_predict_gives_the_discriminators_logits():
    model = small_gan()
    logits = keras.ops.convert_to_numpy(model.discriminator(images()))
    np.testing.assert_allclose(model.predict(images(), verbose=0), logits, atol=1e-5)
    model = small_gan(condition_dim=CLASSES)
    rows = np.eye(CLASSES, dtype="float32")[labels()]
    logits = keras.ops.convert_to_numpy(model.discriminator([images(), rows]))
    for condition in (labels(), rows):
        np.testing.assert_allclose(model.predict([images(), condition], verbose=0), logits, atol=1e-5)


def test_a_batch_of_one_is_refused_with_batch_normalization():
    model = small_gan()
    assert model.min_batch_size == 2 and small_gan(batch_normalization=False).min_batch_size == 1
    for call in (
        lambda: model.fit(images(8), batch_size=1, verbose=0),
        lambda: model.fit(images(9), batch_size=8, verbose=0),
        lambda: model.fit(images(33), verbose=0),
        lambda: model.fit(images(37), validation_split=0.1, verbose=0),  # 33 are left
        lambda: model.train_on_batch(images(1)),
    ):
        with pytest.raises(ValueError, match="`batch_size` must leave 2 or more examples"):
            call()
    compiled(model, run_eagerly=True).fit(images(33), validation_split=0.1, verbose=0)
    small_gan(batch_normalization=False).fit(images(9), batch_size=8, verbose=0)


def test_pixels_from_minus_one_to_one_go_with_a_tanh():
    """DCGAN's convention."""
    generator = networks.dense_decoder(SHAPE, 3, (8,), output_activation="tanh", seed=0)
    model = compiled(GAN(generator, gan_networks()[1], data_range=(-1, 1), seed=0))
    model.fit(2 * images() - 1, verbose=0)
    assert -1 <= model.generate(50, 0).min() < 0
    with pytest.raises(ValueError, match=r"`x` must lie within \[-1, 1\]"):
        model.fit(images() + 1, verbose=0)


def test_without_an_average_weights_set_later_count():
    generator, discriminator = gan_networks()
    model = GAN(generator, discriminator, ema_decay=0.0)
    generator.set_weights([weight + 0.1 for weight in generator.get_weights()])
    codes = np.ones((2, 3), "float32")
    np.testing.assert_allclose(model.decode(codes), keras.ops.convert_to_numpy(generator(codes)), atol=1e-6)


def test_spectral_normalization_trains():
    """Its layer assigns its kernel at every call, also within the discriminator's loss."""
    inputs = keras.Input(SHAPE)
    dense = layers.SpectralNormalization(layers.Dense(1))
    model = GAN(gan_networks()[0], keras.Model(inputs, dense(layers.Flatten()(inputs))))
    compiled(model, keras.optimizers.SGD)
    before = model.discriminator.get_weights()[0].copy()
    assert np.isfinite(model.train_on_batch(images())).all()
    assert not np.array_equal(model.discriminator.get_weights()[0], before)


def test_a_discriminator_of_any_image_size_fits():
    inputs = keras.Input((None, None, 1))
    features = layers.GlobalMaxPooling2D()(layers.Conv2D(4, 3)(inputs))
    model = GAN(gan_networks()[0], keras.Model(inputs, layers.Dense(1)(features)))
    compiled(model, keras.optimizers.SGD)
    assert np.isfinite(model.train_on_batch(images())).all()


def test_networks_that_do_not_fit_are_refused():
    generator, discriminator = gan_networks(batch_normalization=False)
    conditional_generator, conditional_discriminator = gan_networks(CLASSES)
    sigmoid_end = keras.Sequential([keras.Input(SHAPE), layers.Flatten(), layers.Dense(1, "sigmoid")])
    for arguments, message in [
        ((networks.dense_decoder((6, 6, 1), 3), discriminator), "`discriminator` must take what `generator` returns"),
        ((networks.dense_decoder(SHAPE, 3, output_activation="tanh"), discriminator), "`generator` must return"),
        ((networks.dense_decoder(SHAPE, 3, output_activation=None), discriminator), "`generator` must return"),
        ((generator, networks.dense_encoder(SHAPE, 2)), "`discriminator` must return one number"),
        ((generator, sigmoid_end), "`discriminator` must end in logits"),
        ((conditional_generator, discriminator), "`discriminator` must have 2 inputs"),
        ((generator, conditional_discriminator), "`discriminator` must have 1 input"),
        (
            (conditional_generator, networks.convolutional_discriminator(SHAPE, condition_dim=2)),
            "`discriminator` must take what `generator` returns, and its condition",
        ),
        ((networks.residual_decoder(1), discriminator), "`generator` must take codes"),
    ]:
        with pytest.raises(ValueError, match=message):
            GAN(*arguments)
