"""pix2pix: its losses against hand-worked values, and what its networks see."""

import functools

import keras
import numpy as np
import pytest
from keras import layers

from dlarch_keras import Pix2Pix, pix2pix
from dlarch_keras.core import forward, input_gradient
from tests.support.architectures import compiled, pix2pix_networks, small_pix2pix, sources, targets
from tests.support.small_networks import number, sigmoid, softplus


@pytest.fixture(scope="module")
def model():
    """For the tests that change nothing."""
    return small_pix2pix()


def one_pixel_model(bias, source_slope, image_slope, **arguments):
    """Generator: σ(bias) whatever the source. Discriminator: source_slope · source + image_slope · image."""
    source, image = keras.Input((1, 1, 1)), keras.Input((1, 1, 1))
    last = layers.Dense(1, "sigmoid", kernel_initializer="zeros")
    generator = keras.Model(source, last(source))
    last.set_weights([np.zeros((1, 1)), np.array([bias])])
    slopes = layers.Dense(1, use_bias=False)
    discriminator = keras.Model([source, image], slopes(layers.Concatenate()([source, image])))
    slopes.set_weights([np.array([[source_slope], [image_slope]])])
    return Pix2Pix(generator, discriminator, **arguments)


def pixel(value):
    return np.full((1, 1, 1, 1), value, "float32")


def test_one_step_by_hand():
    """Source .6, target .9, fake σ(0) = .5; both networks move against the other as it was before the step."""
    a, b, weight = 1.5, -2.0, 10.0
    model = one_pixel_model(0.0, a, b, l1_weight=weight)
    compiled(model, keras.optimizers.SGD, (0.1, 0.01))
    logs = model.train_on_batch(pixel(0.6), pixel(0.9), return_dict=True)
    real, fake = 0.6 * a + 0.9 * b, 0.6 * a + 0.5 * b
    assert logs == pytest.approx(
        {
            "generator_loss": softplus(-fake),
            "l1_loss": 0.4,
            "discriminator_loss": (softplus(-real) + softplus(fake)) / 2,
        },
        rel=1e-5,
    )
    slope = 0.25 * (-sigmoid(-fake) * b - weight)  # σ'(0) = ¼; |.9 - fake| falls as the fake grows
    assert model.generator.get_weights()[1].item() == pytest.approx(-0.1 * slope, rel=1e-4)
    by_a = (-sigmoid(-real) * 0.6 + sigmoid(fake) * 0.6) / 2
    by_b = (-sigmoid(-real) * 0.9 + sigmoid(fake) * 0.5) / 2
    np.testing.assert_allclose(
        model.discriminator.get_weights()[0].ravel(), [a - 0.01 * by_a, b - 0.01 * by_b], rtol=1e-5
    )


def test_a_discriminator_that_knows_nothing_logs_log_2():
    model = one_pixel_model(0.0, 0.0, 0.0)
    compiled(model, keras.optimizers.SGD)
    logs = model.evaluate(pixel(0.6), pixel(0.9), verbose=0, return_dict=True)
    assert logs == pytest.approx(
        {"generator_loss": np.log(2), "l1_loss": 0.4, "discriminator_loss": np.log(2)}, rel=1e-5
    )


def test_l1_is_a_mean(model):
    """Of pixels and channels, however many there are."""
    _, l1, fake = model.generator_losses(*map(keras.ops.convert_to_tensor, (sources(2), targets(2))))
    assert number(l1) == pytest.approx(np.abs(targets(2) - keras.ops.convert_to_numpy(fake)).mean(), rel=1e-5)


def test_it_learns_a_translation():
    """Light becomes red, dark becomes blue."""
    source = (sources(64) > 0.5).astype("float32")
    target = np.concatenate([source, 0 * source, 1 - source], axis=-1)
    model = compiled(small_pix2pix(), functools.partial(keras.optimizers.Adam, beta_1=0.5))
    before = np.abs(model.translate(source[:8]) - target[:8]).mean()
    model.fit(source, target, batch_size=4, epochs=15, verbose=0)
    assert np.abs(model.translate(source[:8]) - target[:8]).mean() < 0.08 < 0.3 < before


def test_translate(model):
    images = model.translate(sources())
    assert images.shape == targets().shape and images.min() >= 0 and images.max() <= 1
    np.testing.assert_array_equal(images, model.translate(sources()))
    np.testing.assert_allclose(model.predict(sources(), verbose=0), images, atol=1e-6)


def test_an_image_is_translated_the_same_alone_and_among_others(model):
    """In training as well, which batch statistics would spoil: the batch-size-1 trap."""
    np.testing.assert_allclose(model.translate(sources())[3:4], model.translate(sources()[3:4]), atol=1e-5)
    among, alone = (keras.ops.convert_to_numpy(model(x, training=True)) for x in (sources(), sources()[3:4]))
    np.testing.assert_allclose(among[3:4], alone, atol=1e-5)


def test_an_image_that_shrinks_to_one_pixel_still_counts():
    """Normalising one pixel by itself leaves 0: neither the innermost layer nor one before it may."""
    generator = pix2pix.unet_generator((8, 8, 1), 1, (4, 4, 4, 4), seed=0)
    for position in (2, 3):
        layer = [layer for layer in generator.layers if isinstance(layer, layers.LeakyReLU)][position]
        code = keras.Model(generator.input, layer.output)
        codes = forward(code, np.random.default_rng(0).random((5, 8, 8, 1)).astype("float32"))
        assert codes.shape == (5, 1, 1, 4) and codes.std(axis=0).min() > 1e-4


def test_the_first_and_the_innermost_layer_are_not_normalised():
    generator = pix2pix.unet_generator((64, 64, 1), 1, (4, 5, 6), seed=0)
    normalised = [layer.groups for layer in generator.layers if isinstance(layer, layers.GroupNormalization)]
    assert normalised == [5, 5, 4]  # one of the encoder's, two of the decoder's, channel by channel


@pytest.mark.parametrize("shape", [(64, 64, 1), (33, 50, 3), (5, 16, 1)])
def test_networks_of_any_image_size(shape):
    generator = pix2pix.unet_generator(shape, 3, (4, 4, 4), seed=0)
    discriminator = pix2pix.patch_discriminator(shape, 3, (4, 4), seed=0)
    made = forward(generator, np.zeros((2, *shape), "float32"))
    assert made.shape == (2, *shape[:2], 3)
    logits = forward(discriminator, [np.zeros((2, *shape), "float32"), made])
    assert logits.shape == (2, -(-shape[0] // 2), -(-shape[1] // 2), 1)


@pytest.mark.parametrize(("filters", "patch"), [((4, 4), 16), ((4, 4, 4), 34), ((4, 4, 4, 4), 70)])
def test_a_logit_sees_a_patch_of_so_many_pixels(filters, patch):
    """The pixels that a logit in the middle has a slope by, without normalisation, which tells of the whole image."""

    def bare(layer):
        return (
            layers.Identity()
            if isinstance(layer, layers.GroupNormalization)
            else type(layer).from_config(layer.get_config())
        )

    shape = (96, 96, 1)
    network = keras.models.clone_model(pix2pix.patch_discriminator(shape, 1, filters), clone_function=bare)
    row, column = (length // 2 for length in network.output_shape[1:3])

    def middle(image):
        return network([keras.ops.zeros_like(image), image])[:, row, column]

    slope = keras.ops.convert_to_numpy(input_gradient(middle, np.random.default_rng(0).random((1, *shape), "float32")))
    for seen in (np.abs(slope).max(axis=(0, 2, 3)) > 0, np.abs(slope).max(axis=(0, 1, 3)) > 0):
        assert np.flatnonzero(seen)[-1] - np.flatnonzero(seen)[0] + 1 == patch


def test_networks_that_do_not_fit_are_refused():
    generator, discriminator = pix2pix_networks()
    other_discriminator = pix2pix.patch_discriminator((10, 8, 1), 3, (4, 6))
    logit = keras.Model(discriminator.inputs, layers.GlobalAveragePooling2D()(discriminator.output))
    unsure = keras.Model(discriminator.inputs, layers.Activation("sigmoid")(discriminator.output))
    flat = keras.Model(generator.input, layers.Flatten()(generator.output))
    source = keras.Input((10, 7, 1))
    unbounded = keras.Model(source, layers.Dense(3)(source))
    for networks, message in [
        ((discriminator, discriminator), "`generator` must have 1 input"),
        ((generator, generator), "`discriminator` must have 2 inputs"),
        ((generator, other_discriminator), "`discriminator` must take what `generator` takes and returns"),
        ((generator, logit), "`discriminator` must return one logit for each patch"),
        ((generator, unsure), "`discriminator` must end in logits"),
        ((flat, discriminator), "`generator` must turn images into images"),
        ((unbounded, discriminator), "`generator` must return"),
    ]:
        with pytest.raises(ValueError, match=message):
            Pix2Pix(*networks)
