"""Data is the same, and as good or bad, by whichever way it comes in: as an array, list, column, stream or batch."""

import functools
import subprocess
import sys

import keras
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from dlarch_keras import Autoencoder, DenoisingAutoencoder, NTXentLoss, SiameseNetwork, TripletLoss
from dlarch_keras.denoising_autoencoder import GaussianCorruption, SaltAndPepperCorruption
from dlarch_keras.networks import dense_decoder, dense_encoder
from tests.support import architectures
from tests.support.architectures import (
    ARCHITECTURES,
    CLASSES,
    SHAPE,
    VARIANTS,
    constructor_arguments,
    frozen,
    images,
    labels,
    pairs,
    small_autoencoder,
    small_conditional_vae,
    small_denoiser,
    small_gan,
    small_siamese,
    small_vae,
)

# Keras's, which shuffles no stream, and stops where a generator does.
pytestmark = pytest.mark.filterwarnings("ignore:`shuffle=True` was passed", "ignore:Your input ran out of data")
BACKEND = keras.backend.backend()
CONDITIONAL = {name: VARIANTS[name] for name in ("GAN, conditional", "WGAN-GP, conditional")}
CONDITIONAL["conditional VAE"] = ARCHITECTURES["conditional VAE"]
X, Y = images(), labels()


class Batches(keras.utils.PyDataset):
    def __init__(self, batches):
        super().__init__()
        self.batches = batches

    def __len__(self):
        return len(self.batches)

    def __getitem__(self, index):
        return self.batches[index]


def generator(batches):
    yield from batches


def dataset(batches):
    import tensorflow as tf

    return tf.data.Dataset.from_tensor_slices(
        tuple(np.concatenate(parts) for parts in zip(*batches))  # of equal batches
    ).batch(len(batches[0][0]))


def loader(batches):
    import torch

    parts = [torch.from_numpy(np.concatenate(parts)) for parts in zip(*batches)]
    return torch.utils.data.DataLoader(torch.utils.data.TensorDataset(*parts), batch_size=len(batches[0][0]))


STREAMS = {"PyDataset": Batches, "generator": generator}
STREAMS |= {"tensorflow": {"tf.data": dataset}, "torch": {"DataLoader": loader}}.get(BACKEND, {})


def batches(*arrays, size=8):
    arrays = [array for array in arrays if array is not None]
    return [tuple(array[start : start + size] for array in arrays) for start in range(0, len(arrays[0]), size)]


@functools.cache
def untrained(name):
    """For tests that change nothing."""
    return frozen({**ARCHITECTURES, **VARIANTS}[name].make(), run_eagerly=BACKEND == "tensorflow")


def call_inputs(name, x, y):
    return [x, y] if name in CONDITIONAL else x


# Values


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_pixels_up_to_255_are_refused_by_every_way(name):
    model, (x, y) = untrained(name), ARCHITECTURES[name].data(16)
    bad, quiet = x * 255, {"verbose": 0}
    calls = [
        lambda: model.train_on_batch(bad, y),
        lambda: model.test_on_batch(bad, y),
        lambda: model.predict_on_batch(call_inputs(name, bad, y)),
        *(
            functools.partial(call, stream(batches(bad, y)), **quiet)
            for call in (model.fit, model.evaluate, model.predict)
            for stream in STREAMS.values()
        ),
        *(
            functools.partial(model.fit, x, y, validation_data=stream(batches(bad, y)), **quiet)
            for stream in STREAMS.values()
        ),
    ]
    for call in calls:
        with pytest.raises(ValueError, match=r"`x` must lie within \[0, 1\], got"):
            call()


@pytest.mark.parametrize("name", ARCHITECTURES)
@pytest.mark.parametrize("kind", STREAMS)
def test_a_look_at_a_stream_costs_it_no_batch(name, kind):
    model, (x, y) = untrained(name), ARCHITECTURES[name].data(16)
    parts, count = batches(x, y), []
    counting = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: count.append(batch))
    model.fit(STREAMS[kind](parts), callbacks=[counting], verbose=0)
    assert count == [0, 1]
    model.fit(Batches(parts), validation_data=STREAMS[kind](parts), verbose=0)
    expected = model.predict(call_inputs(name, x, y), batch_size=8, verbose=0)
    np.testing.assert_allclose(model.predict(STREAMS[kind](parts), verbose=0), expected, rtol=1e-5)
    logged = [model.evaluate(data, verbose=0) for data in (STREAMS[kind](parts), Batches(parts))]
    np.testing.assert_allclose(*logged)


@pytest.mark.parametrize("name", CONDITIONAL)
@pytest.mark.parametrize("shift", [1, -1])
def test_a_label_that_is_no_class_is_refused_or_ends_training(name, shift):
    """In a stream's first batch, and in a later one, where a row of zeros would be one more class."""
    model = CONDITIONAL[name].make()
    good = batches(X[:16], Y[:16])
    bad = batches(X[:16], Y[:16] + shift)
    for stream in STREAMS.values():
        with pytest.raises(ValueError, match=f"`y` must hold labels from 0 to {CLASSES - 1}, got"):
            model.fit(stream(bad), verbose=0)
    with pytest.raises(FloatingPointError, match="after batch 3"):
        model.fit(Batches([*good, *bad]), shuffle=False, verbose=0)


@pytest.mark.parametrize("name", ["VAE", "autoencoder"])
@pytest.mark.parametrize("kind", [*STREAMS, "arrays"])
def test_a_target_of_its_own_is_what_is_learned(name, kind):
    noisy, clean = images(16), images(16, seed=1)
    model = untrained(name)
    data = (noisy, clean) if kind == "arrays" else (STREAMS[kind](batches(noisy, clean)),)
    logged = model.evaluate(*data, verbose=0, return_dict=True)["loss"]
    if name == "autoencoder":
        expected = np.mean((clean - model.reconstruct(noisy)) ** 2)
    else:
        expected = model.evaluate(clean, verbose=0, return_dict=True)["loss"]
        assert logged == pytest.approx(expected, rel=0.1) and logged != pytest.approx(expected, rel=1e-5)
        return
    assert logged == pytest.approx(expected, rel=1e-5)


def test_a_vae_denoises_what_it_was_given_in_pairs():
    """Under the Gaussian likelihood the reconstruction loss is half the squared distance to the clean image."""
    noisy, clean = images(16), images(16, seed=1)
    model = small_vae(likelihood="gaussian")
    z_mean, z_log_var = model.encoder(noisy)
    codes = z_mean + keras.ops.exp(z_log_var / 2) * keras.random.normal(z_mean.shape, seed=1)  # as `test_step` does
    distances = (clean - keras.ops.convert_to_numpy(model.decoder(codes))) ** 2
    loss = model.evaluate(noisy, clean, verbose=0, return_dict=True)["reconstruction_loss"]
    assert loss == pytest.approx(np.sum(distances) / 32 + 0.5 * np.log(2 * np.pi) * np.prod(SHAPE), rel=1e-5)


@pytest.mark.parametrize("make", [small_autoencoder, small_vae])
def test_an_equal_target_is_no_target(make):
    logged = [make().evaluate(X[:16], *target, verbose=0) for target in ((), (X[:16],), (X[:16].copy(),))]
    np.testing.assert_allclose(logged[1:], logged[:1] * 2)


# Containers


def as_list(array):
    return list(array)


def as_series(array):
    return pd.Series(array) if array.ndim == 1 else as_list(array)


def as_categories(array):
    return pd.Series(array).map(dict(enumerate("abcd"))).astype("category") if array.ndim == 1 else as_list(array)


@pytest.mark.parametrize("name", [*ARCHITECTURES, *CONDITIONAL])
@pytest.mark.parametrize("container", [as_list, as_series, as_categories])
def test_lists_and_pandas_columns_are_arrays(name, container):
    model, (x, y) = untrained(name), {**ARCHITECTURES, **VARIANTS}[name].data(16)
    given = [container(part) for part in (x, y) if part is not None]
    expected = model.evaluate(x, y, verbose=0)
    np.testing.assert_allclose(model.evaluate(*given, verbose=0), expected)
    np.testing.assert_allclose(model.test_on_batch(*given), expected, rtol=1e-6)
    model.fit(*given, validation_data=tuple(given), verbose=0)
    predicted = model.predict(call_inputs(name, given[0], given[-1]), verbose=0)
    np.testing.assert_allclose(predicted, model.predict(call_inputs(name, x, y), verbose=0), rtol=1e-5)


@pytest.mark.parametrize("name", ["autoencoder", "conditional VAE"])
@pytest.mark.parametrize("container", [list, pd.Series])
def test_weights_may_be_lists_and_columns(name, container):
    model, (x, y) = untrained(name), ARCHITECTURES[name].data(16)
    weights = np.linspace(0, 2, 16, dtype="float32")
    expected = model.evaluate(x, y, sample_weight=weights, verbose=0)
    assert model.evaluate(x, y, sample_weight=container(weights), verbose=0) == pytest.approx(expected)
    model.fit(x, y, sample_weight=container(weights), verbose=0)


def test_pairs_may_be_lists_and_two_images_are_no_pair():
    (a, b), y = pairs(16)
    model = untrained("Siamese")
    expected = model.evaluate((a, b), y, verbose=0)
    assert model.evaluate([list(a), list(b)], list(y), verbose=0) == pytest.approx(expected)
    np.testing.assert_allclose(model.predict(list(a[:2]), verbose=0), model.embed(a[:2]), rtol=1e-5)


def test_a_data_frame_is_a_table():
    model = small_autoencoder((3,), None, data_range=None)
    table = pd.DataFrame(np.random.default_rng(0).random((16, 3)))
    assert model.evaluate(table, verbose=0) == pytest.approx(model.evaluate(table.to_numpy("float32"), verbose=0))


@pytest.mark.parametrize("name", CONDITIONAL)
def test_one_hot_rows_of_whole_numbers_are_labels(name):
    model, rows = untrained(name), np.eye(CLASSES, dtype="int64")[Y]
    assert model.evaluate(X, rows, verbose=0) == pytest.approx(model.evaluate(X, Y, verbose=0))
    streamed = model.evaluate(Batches(batches(X, rows)), verbose=0)
    assert streamed == pytest.approx(model.evaluate(Batches(batches(X, Y)), verbose=0))


WRONG = {
    "a dictionary": ({"image": X}, r"`x` must be an array, got a dictionary of \['image'\]"),
    "a sparse matrix": (sparse.csr_matrix(X.reshape(32, -1)), r"`x` must be a dense array, got a sparse csr_matrix"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_what_is_no_array_is_named(kind):
    bad, message = WRONG[kind]
    model = untrained("autoencoder")
    for call in (model.fit, model.evaluate, model.predict, model.encode):
        with pytest.raises(ValueError, match=message):
            call(bad)


def test_labels_that_are_none_say_how_to_make_some():
    model = untrained("Siamese")
    for bad, message in (
        (list("abcd") * 8, "numbers classes"),
        (np.eye(CLASSES, dtype="int64")[Y], "argmax"),
        (pd.Series([None, *Y[1:]]).astype("category"), "1 without one"),
    ):
        with pytest.raises(ValueError, match=f"`y` must .*{message}"):
            model.fit(X, bad, verbose=0)


if BACKEND == "tensorflow":  # elsewhere there would be a skipped test, which CI takes for a fault

    def test_a_dataset_says_its_rank_and_holds_no_dictionary():
        import tensorflow as tf

        model = small_autoencoder()
        with pytest.raises(ValueError, match="must have a known rank"):
            model.fit(tf.data.Dataset.from_generator(lambda: iter([X, X]), output_types=tf.float32), verbose=0)
        with pytest.raises(ValueError, match="got a dictionary of"):
            model.fit(tf.data.Dataset.from_tensor_slices({"image": X, "label": Y}).batch(8), verbose=0)


# Batches that a loss says nothing about


@pytest.mark.parametrize("loss", [NTXentLoss(), TripletLoss()])
def test_batches_without_two_of_a_class_do_not_count(loss):
    model = small_siamese(loss, batch_normalization=False)
    together, alone = (X[:8], Y[:8] % 2), (X[8:16], np.arange(8))
    expected = model.evaluate(*together, verbose=0)
    assert expected > 0
    assert model.evaluate(Batches([together, alone]), verbose=0) == pytest.approx(expected)
    assert np.isnan(model.evaluate(Batches([alone, alone]), verbose=0))
    history = model.fit(Batches([alone]), validation_data=alone, verbose=0).history
    assert np.isnan([*history["loss"], *history["val_loss"]]).all()


# Networks and layers that cannot return what the data has


@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "relu", "softplus", "softmax", keras.layers.ReLU()])
def test_a_decoder_that_cannot_return_table_rows_is_refused(activation):
    code = keras.Input((3,))
    decoder = keras.Model(code, keras.layers.Dense(5)(code))
    last = keras.layers.Activation(activation) if isinstance(activation, str) else activation
    outputs = last(decoder.output)
    with pytest.raises(ValueError, match="`decoder` must return values of the data's range, None, got"):
        Autoencoder(dense_encoder((5,), 3), keras.Model(code, outputs), data_range=None)


def test_counts_may_be_decoded_by_a_relu():
    decoder = dense_decoder((5,), 3, output_activation="relu")
    assert Autoencoder(dense_encoder((5,), 3), decoder, data_range=(0, np.inf)).decode(-np.ones((2, 3))).min() >= 0


@pytest.mark.parametrize("corruption", [GaussianCorruption(0.3), SaltAndPepperCorruption(0.1)])
@pytest.mark.parametrize("data_range", [None, (-1, 1)])
def test_a_corruption_for_other_data_is_refused(corruption, data_range):
    activation = None if data_range is None else "tanh"
    with pytest.raises(ValueError, match="`corruption` must return data in"):
        small_denoiser(corruption, data_range=data_range, output_activation=activation)


def test_a_corruption_has_the_range_of_its_data():
    keras.utils.set_random_seed(0)
    x = keras.ops.convert_to_tensor(2 * images(64) - 1)
    noisy = GaussianCorruption(0.9, (-1, 1), seed=0)(x, training=True)
    salted = SaltAndPepperCorruption(1.0, (-1, 1), seed=0)(x, training=True)
    assert keras.ops.convert_to_numpy(keras.ops.min(noisy)) == -1
    assert set(np.unique(keras.ops.convert_to_numpy(salted))) == {-1, 1}
    model = small_denoiser(GaussianCorruption(0.3, (-1, 1)), data_range=(-1, 1), output_activation="tanh")
    assert isinstance(model, DenoisingAutoencoder)
    with pytest.raises(ValueError, match="`data_range` must be a pair"):
        SaltAndPepperCorruption(0.1, None)


# Keras set to something else


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_it_trains_where_numbers_have_64_bits(name):
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    try:
        model, (x, y) = ARCHITECTURES[name].make(), ARCHITECTURES[name].data(16)
        history = model.fit(x, y, validation_data=(x, y), verbose=0).history
        assert np.isfinite(list(history.values())).all()
        assert np.isfinite(model.predict(call_inputs(name, x, y), verbose=0)).all()
    finally:
        keras.config.set_floatx("float32")


def test_channels_come_last():
    keras.config.set_image_data_format("channels_first")
    try:
        for make in (small_gan, small_autoencoder, architectures.small_pix2pix, architectures.small_srgan):
            with pytest.raises(ValueError, match="must be 'channels_last'"):
                make()
    finally:
        keras.config.set_image_data_format("channels_last")


@pytest.mark.parametrize("make", [small_gan, small_vae, small_denoiser])
def test_numpys_integers_are_integers(make, tmp_path):
    """As seeds, sizes and lengths, also in what is saved."""
    seed, shape = np.int64(3), tuple(np.array(SHAPE))
    settings = {"seed": seed} if make is not small_denoiser else {}
    encoder = dense_encoder(shape, np.int64(3), (np.int64(8),), seed=seed)
    decoder = dense_decoder(shape, np.int64(3), (np.int64(8),), seed=seed)
    corruption = GaussianCorruption(np.float32(0.5), seed=seed)
    model = small_denoiser(corruption) if make is small_denoiser else make(**settings)
    Autoencoder(encoder, decoder).save(tmp_path / "autoencoder.keras")
    model.save(tmp_path / "model.keras")
    assert keras.saving.load_model(tmp_path / "model.keras").get_config()["name"] == model.name


# Files


def test_weights_are_loaded_where_dropout_was_added_or_taken_out(tmp_path):
    def make(*layers):
        x = keras.Input((5,))
        return SiameseNetwork(keras.Sequential([x, keras.layers.Dense(3), *layers]), data_range=None)

    for before, after in (((), (keras.layers.Dropout(0.1),)), ((keras.layers.Dropout(0.1),), ())):
        saved, loaded = make(*before), make(*after)
        saved.save_weights(tmp_path / "model.weights.h5")
        loaded.load_weights(tmp_path / "model.weights.h5")
        np.testing.assert_array_equal(loaded.get_weights()[0], saved.get_weights()[0])


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_weights_are_loaded_before_compiling(name, tmp_path):
    make, data = ARCHITECTURES[name]
    model = make()
    model.train_on_batch(*data(16))
    model.save_weights(tmp_path / "model.weights.h5")
    loaded = type(model)(**constructor_arguments(make()))
    loaded.load_weights(tmp_path / "model.weights.h5")
    architectures.assert_same(loaded.get_weights(), model.get_weights())


def test_only_files_of_keras_are_written(tmp_path):
    with pytest.raises(ValueError, match=r"`filepath` must end in \.keras"):
        small_gan().save(tmp_path / "gan.h5")
    assert not list(tmp_path.iterdir())


def test_importing_the_package_is_enough_to_load_a_model(tmp_path):
    for name, (make, _) in {**ARCHITECTURES, **VARIANTS}.items():
        make().save(tmp_path / f"{name}.keras")
    code = (
        "import sys, pathlib, keras, dlarch_keras\n"
        "for file in pathlib.Path(sys.argv[1]).glob('*.keras'): print(type(keras.saving.load_model(file)).__name__)"
    )
    result = subprocess.run([sys.executable, "-c", code, tmp_path], capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stderr[-3000:]
    assert len(result.stdout.split()) == len({**ARCHITECTURES, **VARIANTS})


# A generator that is given other weights


@pytest.mark.parametrize("trained", [False, True])
def test_the_average_starts_anew_from_weights_that_the_generator_is_given(trained):
    model = small_gan()
    if trained:
        model.train_on_batch(X)
    z = images(4, (3,))
    averaged = model.decode(z)
    np.testing.assert_array_equal(model.decode(z), averaged)
    model.generator.set_weights([weight + 0.5 for weight in model.generator.get_weights()])
    own = keras.ops.convert_to_numpy(model.generator(z, training=False))
    np.testing.assert_allclose(model.decode(z), own, rtol=1e-6)
    assert np.abs(averaged - own).max() > 0.01


def test_training_on_from_given_weights_forgets_the_old_average():
    model, other = small_gan(ema_decay=0.999999), [weight + 0.5 for weight in small_gan().generator.get_weights()]
    model.fit(X, batch_size=8, epochs=3, verbose=0)
    model.generator.set_weights(other)
    frozen(model).train_on_batch(X)
    kernel = model.generator.trainable_weights[0].path
    names = [weight.path for weight in model.generator.weights]
    np.testing.assert_allclose(model.averaged_generator.get_weights()[names.index(kernel)], other[names.index(kernel)])


def test_a_conditional_vae_predicts_from_what_fit_takes():
    model = small_conditional_vae()
    expected = model.predict([X, Y], verbose=0)
    for kind, stream in STREAMS.items():
        np.testing.assert_allclose(model.predict(stream(batches(X, Y)), verbose=0), expected, rtol=1e-5, err_msg=kind)
