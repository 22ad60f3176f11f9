"""The GAN's losses and updates against hand-worked values, and its doors, on the backend of this process."""

import keras
import numpy as np
import pytest
from keras import layers

from dlarch_keras import GAN, gan, networks
from dlarch_keras.adversarial import cross_entropy
from tests import properties
from tests.bad_input import bad_arrays

SHAPE, CLASSES = (6, 5, 1), 4


def images(n=32):
    return np.random.default_rng(0).random((n, *SHAPE)).astype("float32")


def labels(n=32):
    return np.arange(n) % CLASSES


def small_nets(condition_dim=0, batch_normalization=True):
    """Convolutional networks with BatchNorm, or dense ones without it."""
    if batch_normalization:
        return (
            gan.convolutional_generator(SHAPE, 3, (8, 8, 4), condition_dim, seed=0),
            gan.convolutional_discriminator(SHAPE, (4, 8), condition_dim=condition_dim, seed=100),
        )
    return networks.dense_decoder(SHAPE, 3, (8,), seed=0), networks.dense_encoder(SHAPE, 1, (8,), seed=100)


def ending_in_half_precision(kind):
    """A compiled model of this class whose generator computes its last layer as the dtype policy says."""
    code = keras.Input((3,))
    pixels = layers.Reshape(SHAPE)(layers.Dense(int(np.prod(SHAPE)), "sigmoid")(code))
    model = kind(keras.Model(code, pixels), networks.dense_encoder(SHAPE, 1, (8,), seed=100), seed=0)
    model.compile("adam", "adam")
    return model


def small_gan(optimizers=None, condition_dim=0, batch_normalization=True, **arguments):
    model = GAN(*small_nets(condition_dim, batch_normalization), **{"seed": 0, **arguments})
    model.compile(*(optimizers or (keras.optimizers.Adam(1e-2), keras.optimizers.Adam(1e-3))))
    return model


@pytest.fixture(scope="module")
def model():
    """For the tests that change nothing."""
    return small_gan()


def line(slope, name=None):
    """x → slope x, of one number."""
    inputs = keras.Input((1,))
    dense = layers.Dense(1, use_bias=False)
    model = keras.Model(inputs, dense(inputs), name=name)
    dense.set_weights([np.array([[slope]])])
    return model


def number(tensor):
    return float(keras.ops.convert_to_numpy(tensor))


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def test_cross_entropy_by_hand():
    """Target 1 and logit 0: log 2. Target 1 and odds 3 to 1: log 4/3; target 0: log 4. Target .9: between."""
    odds = np.log([[3.0]]).astype("float32")
    assert number(cross_entropy(1.0, np.zeros((2, 1), "float32"))) == pytest.approx(np.log(2))
    assert number(cross_entropy(1.0, odds)) == pytest.approx(np.log(4 / 3), rel=1e-5)
    assert number(cross_entropy(0.0, odds)) == pytest.approx(np.log(4), rel=1e-5)
    assert number(cross_entropy(0.9, odds)) == pytest.approx(0.9 * np.log(4 / 3) + 0.1 * np.log(4), rel=1e-5)


def test_a_discriminator_that_knows_nothing_logs_log_4_and_log_2():
    model = GAN(line(0.5), line(0.0), seed=0)
    model.compile("sgd", "sgd")
    logs = model.evaluate(np.ones((8, 1), "float32"), verbose=0, return_dict=True)
    assert logs == pytest.approx({"generator_loss": np.log(2), "discriminator_loss": np.log(4)}, rel=1e-5)


def test_one_step_by_hand():
    """Generator z → w z, discriminator x → a x: both move against the other as it was before the step."""
    w, a, x, z = 0.5, -2.0, np.array([[1.0], [3.0]], "float32"), np.array([[0.4], [-1.0]], "float32")
    model = GAN(line(w), line(a), average=0.0)
    model.compile(keras.optimizers.SGD(1.0), keras.optimizers.SGD(1.0))
    model.noise = lambda count, training=True: keras.ops.convert_to_tensor(z)
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
    model = GAN(line(1.0), line(1.0), smoothing=0.1)
    fake = np.full((1, 1), -30.0, "float32")  # costs nothing

    def loss(logit):
        return number(model.discriminator_loss(np.full((1, 1), logit, "float32"), fake, None))

    best = np.log(9)
    assert loss(best) < min(loss(best - 0.1), loss(best + 0.1))
    assert loss(best) == pytest.approx(-0.9 * np.log(0.9) - 0.1 * np.log(0.1), rel=1e-4)


def test_the_loss_is_bounded_below():
    assert properties.targets_lie_within_0_and_1(GAN(line(1.0), line(1.0), smoothing=0.1))


@pytest.mark.parametrize(
    ("still", "moving"), [("generator", "discriminator"), ("discriminator", "generator")], ids="still {}".format
)
def test_an_update_leaves_the_other_networks_weights_alone(still, moving):
    rates = {still: 0.0, moving: 1e-2}
    model = small_gan([keras.optimizers.SGD(rates[name]) for name in ("generator", "discriminator")])
    networks_of = {name: getattr(model, name) for name in rates}
    before = {name: [keras.ops.convert_to_numpy(v) for v in n.trainable_variables] for name, n in networks_of.items()}
    model.train_on_batch(images())
    for name, network in networks_of.items():
        pairs = zip(before[name], network.trainable_variables)
        same = [np.array_equal(old, keras.ops.convert_to_numpy(new)) for old, new in pairs]
        assert all(same) if name == still else not any(same)


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
    model = GAN(line(1.0), line(1.0), average=0.8, seed=0)
    model.compile(keras.optimizers.SGD(0.1), keras.optimizers.SGD(0.0))
    average = 1.0
    for step in range(1, 60):
        model.train_on_batch(np.ones((4, 1), "float32"))
        average += max(0.2, 9 / (9 + step)) * (model.generator.get_weights()[0].item() - average)
    assert model.averaged_generator.get_weights()[0].item() == pytest.approx(average, rel=1e-4)
    assert abs(average - model.generator.get_weights()[0].item()) > 1e-4
    z = np.ones((1, 1), "float32")
    assert model.decode(z).item() == pytest.approx(average, rel=1e-4)


def test_without_an_average_the_generator_itself_draws():
    model = small_gan(average=0.0)
    codes = np.random.default_rng(0).standard_normal((5, model.latent_dim), "float32")
    for _ in range(2):
        drawn = keras.ops.convert_to_numpy(model.generator(codes, training=False))
        np.testing.assert_allclose(model.decode(codes), drawn, rtol=1e-5, atol=1e-6)
        model.fit(images(), verbose=0)


def test_it_learns_where_the_data_is():
    x = np.random.default_rng(0).normal([[3.0, -1.0]], 0.1, (512, 2)).astype("float32")
    generator = networks.dense_decoder((2,), 2, (16,), output_activation=None, seed=0)
    model = GAN(generator, networks.dense_encoder((2,), 1, (32, 32), seed=1), average=0.98, seed=0)
    model.compile(keras.optimizers.Adam(5e-3, 0.5), keras.optimizers.Adam(5e-3, 0.5))
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
    model = GAN(generator, keras.Model([inputs, condition], layers.Dense(1)(hidden)), average=0.98, seed=0)
    model.compile(keras.optimizers.Adam(1e-2, 0.5), keras.optimizers.Adam(1e-2, 0.5))
    model.fit(x, y, batch_size=64, epochs=60, verbose=0)
    low, high = (model.generate(200, 0, np.full(200, label)).mean() for label in (0, 1))
    assert low < -1 < 1 < high


def test_labels_are_one_hot_rows():
    model, x, y = small_gan(condition_dim=CLASSES), images(), labels()
    rows = np.eye(CLASSES, dtype="float32")[y]
    np.testing.assert_array_equal(model.generate(32, 0, y), model.generate(32, 0, rows))
    assert model.evaluate(x, y, verbose=0) == model.evaluate(x, rows, verbose=0)
    assert not np.array_equal(model.generate(32, 0, y), model.generate(32, 0, (y + 1) % CLASSES))
    model.fit(x, y, verbose=0)


def test_logged_values_are_epoch_means():
    model = small_gan((keras.optimizers.SGD(0.0), keras.optimizers.SGD(0.0)), batch_normalization=False)
    model.noise = lambda count, training=True: keras.ops.zeros((count, 3))
    logs = model.fit(images(20), batch_size=8, shuffle=False, verbose=0).history
    held_out = model.evaluate(images(20), batch_size=20, verbose=0, return_dict=True)
    for name, value in held_out.items():
        assert logs[name][0] == pytest.approx(value, rel=1e-4)


def test_held_out_losses_repeat(model):
    assert model.evaluate(images(), verbose=0) == model.evaluate(images(), verbose=0)


def test_generate(model):
    drawn = model.generate(5, seed=1)
    assert drawn.shape == (5, *SHAPE) and drawn.dtype == "float32" and 0 <= drawn.min() < drawn.max() <= 1
    np.testing.assert_array_equal(drawn, model.generate(5, seed=1))
    assert not np.array_equal(drawn, model.generate(5, seed=2))
    assert not np.array_equal(model.generate(5), model.generate(5))
    z = np.random.default_rng(1).standard_normal((5, 3), "float32")
    np.testing.assert_array_equal(drawn, model.decode(z))


def test_predict_gives_the_discriminators_logits(model):
    np.testing.assert_allclose(
        model.predict(images(), verbose=0), keras.ops.convert_to_numpy(model.discriminator(images())), atol=1e-5
    )


@pytest.mark.parametrize("condition_dim", [0, CLASSES])
@pytest.mark.parametrize("shape", [(28, 28, 1), (64, 64, 3), (33, 20, 3), (8, 8, 2)], ids=str)
def test_builders_make_networks_of_any_image_size(shape, condition_dim):
    generator = gan.convolutional_generator(shape, 7, condition_dim=condition_dim)
    model = GAN(generator, gan.convolutional_discriminator(shape, condition_dim=condition_dim))
    assert model.latent_dim == 7 and model.condition_dim == condition_dim
    condition = np.zeros((2, condition_dim), "float32") if condition_dim else None
    assert model.generate(2, condition=condition).shape == (2, *shape)


@pytest.mark.parametrize(("batch_normalization", "count"), [(True, 2), (False, 0)])
def test_all_convolutions_but_the_first_are_normalised_or_none(batch_normalization, count):
    network = gan.convolutional_discriminator(SHAPE, (2, 3, 4), batch_normalization)
    normalized = [layer for layer in network.layers if isinstance(layer, layers.BatchNormalization)]
    assert [layer.gamma.shape[0] for layer in normalized] == [3, 4][:count]


def test_the_same_seed_gives_the_same_networks():
    for first, second in zip(small_nets(CLASSES), small_nets(CLASSES)):
        for a, b in zip(first.get_weights(), second.get_weights()):
            np.testing.assert_array_equal(a, b)


def test_save_load_and_resume(tmp_path):
    """Both optimizers, the moving average, BatchNorm's statistics and the state of the noise."""

    def fit(model, epochs):
        model.fit(images(), labels(), batch_size=8, epochs=epochs, shuffle=False, verbose=0)

    def make():
        return small_gan(condition_dim=CLASSES)

    assert properties.resumes_where_it_stopped(make, fit, tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert [float(o.learning_rate) for o in loaded.optimizer.optimizers] == pytest.approx([1e-2, 1e-3])
    assert loaded.generate(3, 0, [0, 1, 2]).shape == (3, *SHAPE)


@pytest.mark.parametrize("kind", bad_arrays(images()))
@pytest.mark.parametrize("method", ["fit", "evaluate", "predict"])
def test_bad_images_are_refused(model, method, kind):
    with pytest.raises(ValueError, match="`x` must"):
        getattr(model, method)(bad_arrays(images())[kind])


@pytest.mark.parametrize("kind", bad_arrays(np.zeros((4, 3), "float32"), bounded=False))
def test_bad_codes_are_refused(model, kind):
    with pytest.raises(ValueError, match="`z` must"):
        model.decode(bad_arrays(np.zeros((4, 3), "float32"), bounded=False)[kind])


@pytest.mark.parametrize("n", [0, -1, 2.0, True, None, "5"])
def test_bad_numbers_of_examples_are_refused(model, n):
    with pytest.raises(ValueError, match="`n` must be a whole number of at least 1"):
        model.generate(n)


def test_conditions_are_refused_where_there_are_none(model):
    with pytest.raises(ValueError, match="`y` must be left out"):
        model.fit(images(), labels())
    with pytest.raises(ValueError, match="`condition` must be left out"):
        model.generate(4, condition=labels(4))


@pytest.mark.parametrize("bad", [None, labels(5), labels(4) + CLASSES, labels(4) - 1, ["a"] * 4], ids=str)
def test_bad_conditions_are_refused(bad):
    model = small_gan(condition_dim=CLASSES)
    with pytest.raises(ValueError, match="`condition` must"):
        model.generate(4, condition=bad)
    with pytest.raises(ValueError, match="`y` must"):
        model.fit(images(4), bad)


@pytest.mark.parametrize(("count", "batch_size"), [(8, 1), (9, 8), (33, None)])
def test_a_batch_of_one_is_refused_with_batch_normalization(model, count, batch_size):
    with pytest.raises(ValueError, match="`batch_size` must leave 2 or more examples"):
        model.fit(images(count), batch_size=batch_size, verbose=0)
    small_gan(batch_normalization=False).fit(images(count), batch_size=batch_size, verbose=0)


def test_the_rows_kept_for_validation_do_not_count(model):
    with pytest.raises(ValueError, match="`batch_size` must leave 2 or more examples"):
        model.fit(images(37), validation_split=0.1, verbose=0)  # 33 are left
    small_gan().fit(images(33), validation_split=0.1, verbose=0)


def test_a_batch_of_one_is_refused_at_a_step(model):
    with pytest.raises(ValueError, match="`batch_size` must leave 2 or more examples"):
        model.train_on_batch(images(1))


@pytest.mark.parametrize("condition_dim", [0, CLASSES])
def test_weights_are_refused(condition_dim):
    model = small_gan(condition_dim=condition_dim)
    y = labels() if condition_dim else None
    for arguments in ({"sample_weight": np.ones(32)}, {"class_weight": {0: 1.0, 1: 2.0}}):
        for method in (model.fit, model.evaluate)[: 2 - ("class_weight" in arguments)]:
            with pytest.raises(ValueError, match="`class_weight` must"):
                method(images(), y, verbose=0, **arguments)


def test_a_conditional_one_predicts_from_examples_and_conditions():
    model = small_gan(condition_dim=CLASSES)
    rows = np.eye(CLASSES, dtype="float32")[labels()]
    logits = keras.ops.convert_to_numpy(model.discriminator([images(), rows]))
    for condition in (labels(), rows):
        np.testing.assert_allclose(model.predict([images(), condition], verbose=0), logits, atol=1e-5)
    with pytest.raises(ValueError, match=r"`x` must be \[examples, condition\]"):
        model.predict(images())
    with pytest.raises(ValueError, match="`y` must"):
        model.predict([images(), labels() + 1])


def test_without_an_average_weights_set_later_count():
    generator, discriminator = small_nets()
    model = GAN(generator, discriminator, average=0.0)
    generator.set_weights([weight + 0.1 for weight in generator.get_weights()])
    codes = np.ones((2, 3), "float32")
    np.testing.assert_allclose(model.decode(codes), keras.ops.convert_to_numpy(generator(codes)), atol=1e-6)


def test_spectral_normalization_trains():
    """Its layer assigns its kernel at every call, also within the discriminator's loss."""
    inputs = keras.Input(SHAPE)
    dense = layers.SpectralNormalization(layers.Dense(1))
    model = GAN(small_nets()[0], keras.Model(inputs, dense(layers.Flatten()(inputs))))
    model.compile("sgd", "sgd")
    before = model.discriminator.get_weights()[0].copy()
    assert np.isfinite(model.train_on_batch(images())).all()
    assert not np.array_equal(model.discriminator.get_weights()[0], before)


def test_a_discriminator_of_any_image_size_fits():
    inputs = keras.Input((None, None, 1))
    features = layers.GlobalMaxPooling2D()(layers.Conv2D(4, 3)(inputs))
    model = GAN(small_nets()[0], keras.Model(inputs, layers.Dense(1)(features)))
    model.compile("sgd", "sgd")
    assert np.isfinite(model.train_on_batch(images())).all()


@pytest.mark.parametrize("seed", [-1, 1.5, "a"])
def test_bad_seeds_are_refused(model, seed):
    with pytest.raises(ValueError, match="`seed` must be an integer"):
        model.generate(2, seed)
    with pytest.raises(ValueError, match="`seed` must be a whole number"):
        GAN(*small_nets(), seed=seed)


def test_seeds_of_numpy_are_integers_too():
    noise = [GAN(*small_nets(), seed=seed).noise(2) for seed in (3, np.int64(3))]
    np.testing.assert_array_equal(*map(keras.ops.convert_to_numpy, noise))


@pytest.mark.parametrize("build", [gan.convolutional_generator, gan.convolutional_discriminator])
@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("image_shape", [None, 28, "28", (28, 28), (28, 28, 0), (28, 28, 1, 1), (28, 28.0, 1), (None, None, 1)]),
        ("filters", [None, 8, (), (8, 0), (8, 1.5), ("8",), (True, 8)]),
        ("condition_dim", [None, -1, 1.0, "1"]),
    ],
    ids=["image_shape", "filters", "condition_dim"],
)
def test_builders_refuse_bad_sizes(build, name, values):
    for value in values:
        with pytest.raises(ValueError, match=f"`{name}` must be"):
            build(**{"image_shape": SHAPE} | {name: value})


@pytest.mark.parametrize("latent_dim", [None, 0, 2.0])
def test_a_code_must_have_a_length(latent_dim):
    with pytest.raises(ValueError, match="`latent_dim` must be a whole number of at least 1"):
        gan.convolutional_generator(SHAPE, latent_dim)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_it_trains_in_mixed_precision(policy):
    """Also with a generator that ends in half precision: those of the package do not."""
    assert properties.trains_with_policy(policy, small_gan, images())
    assert properties.trains_with_policy(policy, lambda: ending_in_half_precision(GAN), images())


@pytest.mark.parametrize("name", ["generator", "discriminator"])
def test_both_optimizers_are_needed(name):
    model = GAN(*small_nets())
    optimizers = {"generator_optimizer": "adam", "discriminator_optimizer": "adam", f"{name}_optimizer": None}
    with pytest.raises(ValueError, match=f"`{name}_optimizer` must be an optimizer"):
        model.compile(**optimizers)


def test_networks_that_do_not_fit_are_refused():
    generator, discriminator = small_nets(batch_normalization=False)
    conditional_generator, conditional_discriminator = small_nets(CLASSES)
    sigmoid_end = keras.Sequential([keras.Input(SHAPE), layers.Flatten(), layers.Dense(1, "sigmoid")])
    for arguments, message in [
        ((generator, "discriminator"), "`discriminator` must be a keras.Model"),
        ((generator, keras.Sequential([layers.Dense(1)])), "`discriminator` must be built"),
        ((None, discriminator), "`generator` must be a keras.Model"),
        ((networks.dense_decoder((6, 6, 1), 3), discriminator), "`discriminator` must take what `generator` returns"),
        ((networks.dense_decoder(SHAPE, 3, output_activation="tanh"), discriminator), "`generator` must return pixels"),
        ((generator, networks.dense_encoder(SHAPE, 2)), "`discriminator` must return one number"),
        ((generator, sigmoid_end), "`discriminator` must end in logits"),
        ((conditional_generator, discriminator), "`discriminator` must have 2 inputs"),
        ((generator, conditional_discriminator), "`discriminator` must have 1 input"),
        (
            (conditional_generator, gan.convolutional_discriminator(SHAPE, condition_dim=2)),
            "`discriminator` must take conditions of `generator`'s shape",
        ),
        ((networks.code_to_image(networks.residual_decoder(1), SHAPE, 3), None), "`discriminator` must be a keras"),
        ((networks.residual_decoder(1), discriminator), "`generator` must take codes of shape"),
    ]:
        with pytest.raises(ValueError, match=message):
            GAN(*arguments)


@pytest.mark.parametrize("name", ["smoothing", "average"])
@pytest.mark.parametrize("value", [-0.1, 1.0, np.nan, "0.1", None, True])
def test_bad_settings_are_refused(name, value):
    with pytest.raises(ValueError, match=f"`{name}` must be"):
        GAN(*small_nets(), **{name: value})
