"""SRGAN: its losses by hand, tiles without seams, and what it learns."""

import keras
import numpy as np
import pytest
from keras import layers
from skimage.data import astronaut

from dlarch_keras import SRGAN, srgan
from dlarch_keras.core import forward
from dlarch_keras.images.resampling import downscale, luminance
from dlarch_keras.networks.upscaling import DepthToSpace, upscale
from tests.support.architectures import (
    compiled,
    feature_network,
    large,
    small,
    small_srgan,
    srgan_networks,
)
from tests.support.small_networks import number, sigmoid, softplus


@pytest.fixture(scope="module")
def model():
    """For the tests that change nothing."""
    return small_srgan()


def test_depth_to_space_by_hand():
    """Two colours: the four pixels of a square lie one after the other, each with its colours."""
    x = np.arange(8, dtype="float32").reshape(1, 1, 1, 8)
    made = keras.ops.convert_to_numpy(DepthToSpace(2)(x))
    np.testing.assert_array_equal(made[0, :, :, 0], [[0, 2], [4, 6]])
    np.testing.assert_array_equal(made[0, :, :, 1], [[1, 3], [5, 7]])


def test_depth_to_space_needs_whole_squares():
    with pytest.raises(ValueError, match="a multiple of 4 channels"):
        DepthToSpace(2)(np.zeros((2, 3, 3, 6), "float32"))


@pytest.mark.parametrize(("channels", "scale"), [(1, 2), (3, 3), (1, 4)])
def test_a_fresh_generator_repeats_pixels(channels, scale):
    """Nearly: what it adds has yet to be learned."""
    x = small(2, channels)
    made = forward(srgan.subpixel_generator(channels, scale, 8, 2, seed=0), x)
    assert made.shape == (2, 6 * scale, 5 * scale, channels)
    assert np.abs(made - x.repeat(scale, axis=1).repeat(scale, axis=2)).max() < 0.3


def test_tiles_leave_no_seams():
    """Equal to the whole picture at once, right up to its border."""
    generator = srgan.subpixel_generator(1, 3, 4, 2, seed=0)
    for (height, width), tiles in {(4, 5): [1], (23, 31): [7, 16, 64]}.items():
        x = np.random.default_rng(0).random((2, height, width, 1), "float32")
        whole = forward(generator, x).clip(0, 1)
        for tile in tiles:
            np.testing.assert_allclose(upscale(generator, x, tile), whole, atol=1e-5)


def test_layers_that_see_further_leave_no_seams_either():
    """Whose reach is unknown, or who are called twice, by themselves or within a network."""
    x = np.random.default_rng(0).random((1, 20, 24, 1)).astype("float32")
    small_picture = keras.Input((None, None, 1))
    twice = layers.Conv2D(4, 5, padding="same", kernel_initializer=keras.initializers.GlorotUniform(0))
    first = layers.Conv2D(4, 1, kernel_initializer=keras.initializers.GlorotUniform(1))(small_picture)
    shared = keras.Model(small_picture, DepthToSpace(2)(twice(twice(first))))
    blurred = layers.UpSampling2D(2, interpolation="bilinear")(first)
    last = layers.Conv2D(1, 1, kernel_initializer=keras.initializers.GlorotUniform(2))
    wide = layers.Conv2D(4, 5, padding="same", kernel_initializer=keras.initializers.GlorotUniform(3))
    inner = keras.Sequential([keras.Input((None, None, 4)), wide])
    nested = keras.Model(small_picture, DepthToSpace(2)(inner(inner(first))))
    for generator in (shared, nested, keras.Model(small_picture, last(blurred))):
        np.testing.assert_allclose(upscale(generator, x, 7), forward(generator, x).clip(0, 1), atol=1e-5)


def test_upscale(model):
    made = model.upscale(small())
    assert made.shape == large().shape and made.min() >= 0 and made.max() <= 1
    assert model.upscale(small(1)[:, :4, :3]).shape == (1, 8, 6, 1)


def test_a_generator_of_luminance_enlarges_colour(model):
    picture = astronaut()[None, :24, :20].astype("float32") / 255
    made = model.upscale(picture)
    assert made.shape == (1, 48, 40, 3)
    own = model.upscale(luminance(picture))
    within = (made > 0.001).all(axis=-1) & (made < 0.999).all(axis=-1)  # clipping changes the luminance
    np.testing.assert_allclose(luminance(made)[within], own[within], atol=1e-3)


def one_pixel_model(**arguments):
    """Generator: every pixel w times the small one, w = .5. Discriminator: 2 · mean of the picture."""
    picture = keras.Input((None, None, 1))
    weights = layers.Dense(4, use_bias=False)
    generator = keras.Model(picture, DepthToSpace(2)(weights(picture)))
    weights.set_weights([np.full((1, 4), 0.5)])
    judged = keras.Input((2, 2, 1))
    slope = layers.Dense(1, use_bias=False)
    discriminator = keras.Model(judged, slope(layers.GlobalAveragePooling2D()(judged)))
    slope.set_weights([np.array([[2.0]])])
    return SRGAN(generator, discriminator, **arguments)


def test_one_step_by_hand():
    """Small .8, made .4, real .9; the generator's four weights have the same slope."""
    weight = 0.3
    model = one_pixel_model(adversarial_weight=weight)
    compiled(model, keras.optimizers.SGD, (0.1, 0.01))
    x, y = np.full((1, 1, 1, 1), 0.8, "float32"), np.full((1, 2, 2, 1), 0.9, "float32")
    logs = model.train_on_batch(x, y, return_dict=True)

    assert logs == pytest.approx(
        {
            "generator_loss": softplus(-0.8),
            "content_loss": 0.5,
            "discriminator_loss": (softplus(-1.8) + softplus(0.8)) / 2,
        },
        rel=1e-5,
    )
    slope = 0.8 / 4 * (-1 - weight * 2 * sigmoid(-0.8))
    np.testing.assert_allclose(model.generator.get_weights()[0], 0.5 - 0.1 * slope, rtol=1e-5)
    slope = (-0.9 * sigmoid(-1.8) + 0.4 * sigmoid(0.8)) / 2
    np.testing.assert_allclose(model.discriminator.get_weights()[0], 2 - 0.01 * slope, rtol=1e-5)


def test_content_by_hand():
    """Pixels .5 apart, features three times a pixel: .2 · .5 + 1.5²."""
    picture = keras.Input((None, None, 1))
    triple = layers.Dense(1, use_bias=False)
    features = keras.Model(picture, triple(picture))
    triple.set_weights([np.array([[3.0]])])
    model = one_pixel_model(features=features, pixel_weight=0.2)
    loss = model.content_loss(np.full((1, 2, 2, 1), 0.9, "float32"), np.full((1, 2, 2, 1), 0.4, "float32"))
    assert number(loss) == pytest.approx(0.1 + 2.25, rel=1e-5)


def test_it_learns_to_enlarge():
    """Smooth pictures: better than repeated pixels by far."""
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:12, :10] / 12
    slopes = rng.uniform(-0.5, 0.5, (200, 2, 1, 1))
    pictures = (0.5 + slopes[:, 0] * (rows - 0.5) + slopes[:, 1] * (columns - 0.5))[..., None].astype("float32")
    shrunk = downscale(pictures, 2)
    model = small_srgan(adversarial_weight=1e-4)

    def error():
        return np.abs(model.upscale(shrunk) - pictures).mean()

    before = error()
    model.fit(shrunk, pictures, batch_size=10, epochs=8, verbose=0)
    assert error() < 0.4 * before


def test_pictures_of_another_size_than_the_discriminators_are_refused(model):
    pictures = np.full((4, 16, 16, 1), 0.5, "float32")
    with pytest.raises(ValueError, match=r"`y` must be an array of floats of shape \(any, 12, 10, 1\)"):
        model.fit(downscale(pictures, 2), pictures)


def test_bad_sizes_are_refused(model):
    with pytest.raises(ValueError, match="`x` must have 1 channels"):
        model.upscale(small(channels=2))
    for scale in (0, 1, 2.5, None):
        with pytest.raises(ValueError, match="`scale` must"):
            srgan.subpixel_generator(1, scale)


def test_networks_that_do_not_fit_are_refused():
    generator, discriminator = srgan_networks()
    picture = keras.Input((None, None, 1))
    same_size = keras.Model(picture, layers.Conv2D(1, 3, padding="same")(picture))
    unsure = keras.Model(discriminator.input, layers.Activation("sigmoid")(discriminator.output))
    seen = keras.Model(discriminator.input, discriminator.layers[1].output)
    fixed = keras.Input((6, 5, 1))
    of_one_size = keras.Model(fixed, generator(fixed))
    for networks, message in [
        ((generator, unsure), "`discriminator` must end in logits"),
        ((same_size, discriminator), "`generator` must enlarge images"),
        ((generator, keras.Model(generator.input, generator.output)), "`discriminator` must have variables of its own"),
        ((of_one_size, discriminator), "`generator` must take any height and width"),
        ((generator, discriminator, seen), "`features` must have variables of its own"),
        ((generator, srgan_networks(3)[1]), "`discriminator` must take what `generator` returns"),
        ((generator, discriminator, feature_network(3)), "`features` must take what `generator` returns"),
    ]:
        with pytest.raises(ValueError, match=message):
            SRGAN(*networks)
