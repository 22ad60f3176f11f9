"""Super-resolution: its protocol against known values, its losses by hand, tiles without seams, and its doors."""

import os
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers
from skimage.data import astronaut
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from dlarch_keras import SRGAN, gan, psnr, srgan, ssim
from dlarch_keras.datasets import read_images
from dlarch_keras.core import forward
from tests import properties
from tests.bad_input import bad_arrays

SCALE = 2


def small(n=16, channels=1):
    return np.random.default_rng(0).random((n, 6, 5, channels)).astype("float32")


def large(n=16, channels=1):
    return np.random.default_rng(1).random((n, 12, 10, channels)).astype("float32")


def small_nets(channels=1):
    return (
        srgan.subpixel_generator(channels, SCALE, filters=4, blocks=1, seed=0),
        gan.convolutional_discriminator((12, 10, channels), (4, 4), batch_normalization=False, seed=100),
    )


def feature_network(channels=1):
    picture = keras.Input((None, None, channels))
    return keras.Model(picture, layers.Conv2D(2, 3, kernel_initializer=keras.initializers.GlorotUniform(5))(picture))


def small_model(optimizers=None, **arguments):
    model = SRGAN(*small_nets(), **arguments)
    model.compile(*(optimizers or (keras.optimizers.Adam(1e-2), keras.optimizers.Adam(1e-3))))
    return model


@pytest.fixture(scope="module")
def model():
    """For the tests that change nothing."""
    return small_model()


def number(tensor):
    return float(keras.ops.convert_to_numpy(tensor))


def test_depth_to_space_by_hand():
    """Two colours: the four pixels of a square lie one after the other, each with its colours."""
    x = np.arange(8, dtype="float32").reshape(1, 1, 1, 8)
    made = keras.ops.convert_to_numpy(srgan.DepthToSpace(2)(x))
    np.testing.assert_array_equal(made[0, :, :, 0], [[0, 2], [4, 6]])
    np.testing.assert_array_equal(made[0, :, :, 1], [[1, 3], [5, 7]])


def test_depth_to_space_needs_whole_squares():
    with pytest.raises(ValueError, match="a multiple of 4 channels"):
        srgan.DepthToSpace(2)(np.zeros((2, 3, 3, 6), "float32"))


@pytest.mark.parametrize(("channels", "scale"), [(1, 2), (3, 3), (1, 4)])
def test_a_fresh_generator_repeats_pixels(channels, scale):
    """Nearly: what it adds has yet to be learned."""
    x = small(2, channels)
    made = forward(srgan.subpixel_generator(channels, scale, 8, 2, seed=0), x)
    assert made.shape == (2, 6 * scale, 5 * scale, channels)
    assert np.abs(made - x.repeat(scale, axis=1).repeat(scale, axis=2)).max() < 0.3


def test_shrinking_is_antialiased():
    assert properties.shrinks_by_means(srgan.downscale)


def test_a_slope_survives_shrinking_and_enlarging():
    slope = np.tile(np.linspace(0, 1, 48, dtype="float32")[None, None, :, None], (1, 24, 1, 1))
    there_and_back = srgan.bicubic(srgan.downscale(slope, 3), 3)
    np.testing.assert_allclose(there_and_back[:, :, 9:-9], slope[:, :, 9:-9], atol=1e-4)


def test_luminance_by_hand():
    """ITU-R BT.601: black 16, white 235; red 81.48, green 144.55, blue 40.97 of 255."""
    colors = np.array([[0, 0, 0], [1, 1, 1], [1, 0, 0], [0, 1, 0], [0, 0, 1]], "float32").reshape(1, 1, 5, 3)
    np.testing.assert_allclose(srgan.luminance(colors).ravel() * 255, [16, 235, 81.481, 144.553, 40.966], atol=1e-2)


def test_another_luminance_and_the_same_colours():
    picture = astronaut()[None, :32, :32].astype("float32") / 255
    np.testing.assert_allclose(srgan.with_luminance(picture, srgan.luminance(picture)), picture, atol=1e-5)


def test_the_scores_are_scikit_images():
    """Of pictures in 8 bits with a border shaved, one figure for each."""
    real = (srgan.luminance(astronaut()[None, :60, :48].astype("float32") / 255) * 255).round() / 255
    made = (srgan.bicubic(srgan.downscale(real, 3), 3) * 255).round() / 255
    real, made = (np.concatenate([each, each[:, ::-1] ** 2])[:, 3:-3, 3:-3].astype("float32") for each in (real, made))
    window = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    for number, pair in enumerate(zip(real[..., 0].astype("float64"), made[..., 0].astype("float64"))):
        assert psnr(made, real)[number] == pytest.approx(peak_signal_noise_ratio(*pair, data_range=1))
        assert ssim(made, real)[number] == pytest.approx(structural_similarity(*pair, data_range=1, **window))


SET5 = Path(os.environ.get("DLARCH_DATA_DIR") or "data") / "set5"


@pytest.mark.skipif(not SET5.is_dir(), reason="needs Set5 under DLARCH_DATA_DIR")
def test_bicubic_scores_30_39_on_set5():
    """The protocol is the field's: luminance in 8 bits, border of 3 shaved, mean of five figures in decibels."""
    figures = []
    for picture in read_images(SET5).values():
        rows, columns = (side // 3 * 3 for side in picture.shape[:2])
        real = (srgan.luminance(picture[None, :rows, :columns]) * 255).round() / 255
        small = (srgan.downscale(real, 3) * 255).round() / 255
        made = (srgan.bicubic(small, 3) * 255).round() / 255
        figures.append(psnr(made[:, 3:-3, 3:-3].astype("float32"), real[:, 3:-3, 3:-3].astype("float32"))[0])
    assert np.mean(figures) == pytest.approx(30.39, abs=0.005)


@pytest.mark.parametrize("tile", [1, 7, 16, 64])
def test_tiles_leave_no_seams(tile):
    """Equal to the whole picture at once, right up to its border."""
    generator = srgan.subpixel_generator(1, 3, 4, 2, seed=0)
    x = np.random.default_rng(0).random((2, 23, 31, 1)).astype("float32")
    whole = forward(generator, x).clip(0, 1)
    np.testing.assert_allclose(srgan.upscale(generator, x, tile), whole, atol=1e-5)


def test_layers_that_see_further_leave_no_seams_either():
    """Whose reach is unknown, or who are called twice, by themselves or within a network."""
    x = np.random.default_rng(0).random((1, 20, 24, 1)).astype("float32")
    small_picture = keras.Input((None, None, 1))
    twice = layers.Conv2D(4, 5, padding="same", kernel_initializer=keras.initializers.GlorotUniform(0))
    first = layers.Conv2D(4, 1, kernel_initializer=keras.initializers.GlorotUniform(1))(small_picture)
    shared = keras.Model(small_picture, srgan.DepthToSpace(2)(twice(twice(first))))
    blurred = layers.UpSampling2D(2, interpolation="bilinear")(first)
    last = layers.Conv2D(1, 1, kernel_initializer=keras.initializers.GlorotUniform(2))
    wide = layers.Conv2D(4, 5, padding="same", kernel_initializer=keras.initializers.GlorotUniform(3))
    inner = keras.Sequential([keras.Input((None, None, 4)), wide])
    nested = keras.Model(small_picture, srgan.DepthToSpace(2)(inner(inner(first))))
    for generator in (shared, nested, keras.Model(small_picture, last(blurred))):
        np.testing.assert_allclose(srgan.upscale(generator, x, 7), forward(generator, x).clip(0, 1), atol=1e-5)


def test_upscale(model):
    made = model.upscale(small())
    assert made.shape == large().shape and made.min() >= 0 and made.max() <= 1
    assert model.upscale(small(1)[:, :4, :3]).shape == (1, 8, 6, 1)


def test_a_generator_of_luminance_enlarges_colour(model):
    picture = astronaut()[None, :24, :20].astype("float32") / 255
    made = model.upscale(picture)
    assert made.shape == (1, 48, 40, 3)
    own = model.upscale(srgan.luminance(picture))
    within = (made > 0.001).all(axis=-1) & (made < 0.999).all(axis=-1)  # clipping changes the luminance
    np.testing.assert_allclose(srgan.luminance(made)[within], own[within], atol=1e-3)


def one_pixel_model(**arguments):
    """Generator: every pixel w times the small one, w = .5. Discriminator: 2 · mean of the picture."""
    picture = keras.Input((None, None, 1))
    weights = layers.Dense(4, use_bias=False)
    generator = keras.Model(picture, srgan.DepthToSpace(2)(weights(picture)))
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
    model.compile(keras.optimizers.SGD(0.1), keras.optimizers.SGD(0.01))
    x, y = np.full((1, 1, 1, 1), 0.8, "float32"), np.full((1, 2, 2, 1), 0.9, "float32")
    logs = model.train_on_batch(x, y, return_dict=True)

    def softplus(x):
        return np.log1p(np.exp(x))

    def sigmoid(x):
        return 1 / (1 + np.exp(-x))

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


def test_the_feature_network_does_not_learn():
    model = small_model(features=feature_network())
    before = model.features.get_weights()
    model.fit(small(), large(), batch_size=8, verbose=0)
    for old, new in zip(before, model.features.get_weights()):
        np.testing.assert_array_equal(old, new)


def test_it_learns_to_enlarge():
    """Smooth pictures: better than repeated pixels by far."""
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:12, :10] / 12
    slopes = rng.uniform(-0.5, 0.5, (200, 2, 1, 1))
    pictures = (0.5 + slopes[:, 0] * (rows - 0.5) + slopes[:, 1] * (columns - 0.5))[..., None].astype("float32")
    shrunk = srgan.downscale(pictures, SCALE)
    model = small_model(adversarial_weight=1e-4)

    def error():
        return np.abs(model.upscale(shrunk) - pictures).mean()

    before = error()
    model.fit(shrunk, pictures, batch_size=10, epochs=8, verbose=0)
    assert error() < 0.4 * before


def test_save_and_load_without_a_feature_network(tmp_path):
    small_model().save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.features is None
    loaded.fit(small(), large(), verbose=0)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_it_trains_in_mixed_precision(policy):
    assert properties.trains_with_policy(policy, lambda: small_model(features=feature_network()), small(), large())


def test_save_load_and_resume(tmp_path):
    def fit(model, epochs):
        model.fit(small(), large(), batch_size=8, epochs=epochs, shuffle=False, verbose=0)

    def make():
        return small_model(features=feature_network(), pixel_weight=0.5)

    assert properties.resumes_where_it_stopped(make, fit, tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.pixel_weight == 0.5 and not loaded.features.trainable_variables
    assert loaded.upscale(small()).shape == large().shape


def test_patches_lie_at_the_same_places():
    """Where both are smooth, a small patch is its large one shrunk."""
    picture = astronaut()[:120, :90].astype("float32") / 255
    low, high = srgan.patch_pairs([picture, picture[:60]], 3, 12, 20, seed=0)
    assert low.shape == (20, 12, 12, 3) and high.shape == (20, 36, 36, 3)
    shrunk = srgan.downscale(high, 3)
    np.testing.assert_allclose(low[:, 2:-2, 2:-2], shrunk[:, 2:-2, 2:-2], atol=1e-5)
    again = srgan.patch_pairs([picture, picture[:60]], 3, 12, 20, seed=0)
    np.testing.assert_array_equal(low, again[0])
    assert not np.array_equal(low, srgan.patch_pairs([picture, picture[:60]], 3, 12, 20, seed=1)[0])


def test_patches_are_shrunk_as_asked():
    """By every second pixel: each small one stands in its large one, at the corner that turning and mirroring left."""
    picture = astronaut()[:60, :44].astype("float32") / 255
    low, high = srgan.patch_pairs([picture], 2, 8, 20, seed=0, shrink=lambda x, scale: x[:, ::scale, ::scale])
    corners = [high[:, row::2, column::2] for row in (0, 1) for column in (0, 1)]
    assert all(any(np.array_equal(small, corner[n]) for corner in corners) for n, small in enumerate(low))
    with pytest.raises(ValueError, match=r"`shrink\(x, scale\)` must"):
        srgan.patch_pairs([picture], 2, 8, 1, shrink=lambda x, scale: x)


def test_patches_are_turned_and_mirrored():
    """All eight forms of a picture without symmetry come."""
    picture = np.arange(36, dtype="float32").reshape(6, 6, 1) / 36
    _, high = srgan.patch_pairs([picture], 2, 3, 100, seed=0)
    assert len({patch.tobytes() for patch in high}) == 8


@pytest.mark.parametrize("function", [srgan.luminance, lambda x: srgan.bicubic(x, 2), lambda x: srgan.downscale(x, 2)])
@pytest.mark.parametrize("kind", sorted(bad_arrays(large(2, 3)).keys() - {"shape"}))
def test_functions_refuse_bad_pictures(function, kind):
    with pytest.raises(ValueError, match="`x` must"):
        function(bad_arrays(large(2, 3))[kind])


def test_a_luminance_that_does_not_fit_is_refused():
    picture = large(1, 3)
    for y in (255 * large(1), large(2), large(1)[:, :-1]):
        with pytest.raises(ValueError, match="`y` must"):
            srgan.with_luminance(picture, y)


@pytest.mark.parametrize("kind", sorted(bad_arrays(small()).keys() - {"shape"}))  # any size is good
def test_bad_pictures_are_refused(model, kind):
    bad = bad_arrays(small())[kind]
    for refuse in (lambda: model.fit(bad, large()), lambda: model.upscale(bad), lambda: model.predict(bad)):
        with pytest.raises(ValueError, match="`x` must"):
            refuse()


@pytest.mark.parametrize("kind", [*bad_arrays(large()), "another number"])
@pytest.mark.parametrize("method", ["fit", "evaluate"])
def test_bad_targets_are_refused(model, method, kind):
    bad = bad_arrays(large()) | {"another number": large(15)}
    with pytest.raises(ValueError, match="`y` must"):
        getattr(model, method)(small(), bad[kind], verbose=0)


def test_pictures_of_another_size_than_the_discriminators_are_refused(model):
    pictures = np.full((4, 16, 16, 1), 0.5, "float32")
    with pytest.raises(ValueError, match=r"`y` must be an array of floats of shape \(any, 12, 10, 1\)"):
        model.fit(srgan.downscale(pictures, SCALE), pictures)


def test_bad_sizes_are_refused(model):
    with pytest.raises(ValueError, match="`x` must have 1 channels"):
        model.upscale(small(channels=2))
    with pytest.raises(ValueError, match="`tile` must"):
        model.upscale(small(), tile=0)
    with pytest.raises(ValueError, match="a height and a width that 4 divides"):
        srgan.downscale(small(), 4)
    for scale in (0, 1.5, None):
        with pytest.raises(ValueError, match="`scale` must"):
            srgan.downscale(small(), scale)
    for scale in (0, 1, 2.5, None):
        with pytest.raises(ValueError, match="`scale` must"):
            srgan.subpixel_generator(1, scale)


def test_bad_patches_are_refused():
    with pytest.raises(ValueError, match="`images` must hold a picture"):
        srgan.patch_pairs([], 2, 4, 1)
    with pytest.raises(ValueError, match=r"`images\[1\]` must"):
        srgan.patch_pairs([large(1)[0], large(1, 3)[0]], 2, 4, 1)
    with pytest.raises(ValueError, match=r"`images\[1\]` must be 12 × 12 pixels or larger"):
        srgan.patch_pairs([np.ones((12, 12, 1)), large(1)[0]], 3, 4, 1)
    for name, value in {"scale": 1, "size": 0, "count": 0, "seed": -1}.items():
        with pytest.raises(ValueError, match=f"`{name}` must"):
            srgan.patch_pairs([large(1)[0]], **{"scale": 2, "size": 4, "count": 1, "seed": 0, name: value})


def test_networks_that_do_not_fit_are_refused():
    generator, discriminator = small_nets()
    picture = keras.Input((None, None, 1))
    same_size = keras.Model(picture, layers.Conv2D(1, 3, padding="same")(picture))
    unsure = keras.Model(discriminator.input, layers.Activation("sigmoid")(discriminator.output))
    seen = keras.Model(discriminator.input, discriminator.layers[1].output)
    fixed = keras.Input((6, 5, 1))
    of_one_size = keras.Model(fixed, generator(fixed))
    for networks, message in [
        ((None, discriminator), "`generator` must be a keras.Model"),
        ((generator, None), "`discriminator` must be a keras.Model"),
        ((generator, unsure), "`discriminator` must end in logits"),
        ((same_size, discriminator), "`generator` must enlarge pictures"),
        ((discriminator, discriminator), "`discriminator` must have variables of its own"),
        ((of_one_size, discriminator), "`generator` must take any height and width"),
        ((generator, discriminator, seen), "`features` must have variables of its own"),
        ((generator, small_nets(3)[1]), "`discriminator` must take what `generator` returns"),
        ((generator, discriminator, feature_network(3)), "`features` must take what `generator` returns"),
        ((generator, discriminator, "VGG"), "`features` must be a keras.Model"),
    ]:
        with pytest.raises(ValueError, match=message):
            SRGAN(*networks)


@pytest.mark.parametrize("name", ["pixel_weight", "adversarial_weight"])
@pytest.mark.parametrize("value", [-1, np.inf, "1", None])
def test_bad_weights_are_refused(name, value):
    with pytest.raises(ValueError, match=f"`{name}` must"):
        SRGAN(*small_nets(), **{name: value})
