"""What is exported computes what the model computes, without this package, for every architecture."""

import subprocess
import sys

import keras
import numpy as np
import pytest
from packaging.version import Version

from dlarch_keras import Autoencoder
from dlarch_keras.core import Model
from tests.support.architectures import (
    ARCHITECTURES,
    images,
    small_autoencoder,
    small_gan,
    small_siamese,
    small_vae,
)

BACKEND = keras.backend.backend()
needs_saved_model = pytest.mark.skipif(
    BACKEND == "torch", reason="Keras writes no SavedModel on torch without torch-xla"
)
needs_tensorflow = pytest.mark.skipif(BACKEND != "tensorflow", reason="TensorFlow's own")


def exported(model, folder, x, **arguments):
    """What the file that a model is exported to computes of arrays; on torch, of arrays of the shape of `x` alone."""
    if BACKEND == "torch":
        import torch

        specs = keras.tree.map_structure(lambda array: keras.InputSpec(shape=array.shape, dtype="float32"), x)
        model.export(folder / "model.pt2", format="torch", verbose=False, input_signature=[specs])
        program = torch.export.load(folder / "model.pt2").module()
        return lambda x: program(keras.tree.map_structure(torch.tensor, x)).detach().numpy()
    import tensorflow as tf

    model.export(folder / "model", verbose=False, **arguments)
    artifact = tf.saved_model.load(folder / "model")  # has the variables: it must live as long as what it computes
    return lambda x: artifact.serve(x).numpy()


def inputs(name, model, n):
    """What `call` takes: of a conditional VAE, images and one row of numbers a label."""
    x, y = ARCHITECTURES[name].data(n)
    return [x, np.eye(model.condition_dim, dtype="float32")[y]] if name == "conditional VAE" else x


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_what_is_exported_computes_what_the_model_computes(name, tmp_path):
    model = ARCHITECTURES[name].make()
    serve = exported(model, tmp_path, inputs(name, model, 5))
    for count in (5,) if BACKEND == "torch" else (5, 1):
        x = inputs(name, model, count)
        expected = keras.ops.convert_to_numpy(model(x, training=False))
        np.testing.assert_allclose(serve(x), expected, rtol=1e-5, atol=1e-6)


def test_networks_may_be_sequential(tmp_path):
    layers = keras.layers
    encoder = keras.Sequential([keras.Input((4,)), layers.Dense(2)])
    model = Autoencoder(encoder, keras.Sequential([keras.Input((2,)), layers.Dense(4)]), data_range=None)
    model.compile()
    x = np.ones((3, 4), "float32")
    np.testing.assert_allclose(exported(model, tmp_path, x)(x), model.reconstruct(x), rtol=1e-5)


def test_a_trained_gan_is_exported_by_the_generator_that_it_draws_with(tmp_path):
    model = small_gan()
    model.fit(ARCHITECTURES["GAN"].data(16)[0], batch_size=8, verbose=0)
    codes = np.random.default_rng(0).standard_normal((1, model.latent_dim), "float32")
    made = exported(model.averaged_generator, tmp_path, codes)(codes)
    np.testing.assert_allclose(made, model.decode(codes), atol=1e-6)


def test_a_vaes_decoder_is_exported_by_itself(tmp_path):
    model = small_vae()
    codes = np.random.default_rng(0).standard_normal((1, model.latent_dim), "float32")
    logits = exported(model.decoder, tmp_path, codes)(codes)
    np.testing.assert_allclose(1 / (1 + np.exp(-logits)), model.decode(codes), atol=1e-6)


def test_a_siamese_network_is_exported_with_its_distance(tmp_path):
    model = small_siamese()
    a, b = images(4), images(4, seed=1)
    one = model.embedding.input
    serve = exported(model, tmp_path, (a, b), input_signature=[(one, one)])
    np.testing.assert_allclose(serve((a, b)), model.distance(a, b), rtol=1e-4)


@needs_tensorflow
@pytest.mark.skipif(Version(keras.__version__) < Version("3.13"), reason="Keras writes LiteRT from 3.13 on")
@pytest.mark.filterwarnings("ignore::UserWarning")  # TensorFlow's: its interpreter is to move to another package
def test_a_generator_for_a_phone(tmp_path):
    import tensorflow as tf

    model = small_gan()
    model.averaged_generator.export(str(tmp_path / "generator.tflite"), format="litert", verbose=False)
    interpreter = tf.lite.Interpreter(str(tmp_path / "generator.tflite"))
    interpreter.allocate_tensors()
    codes = np.random.default_rng(0).standard_normal((1, model.latent_dim), "float32")
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], codes)
    interpreter.invoke()
    pixels = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    np.testing.assert_allclose(pixels, model.decode(codes), atol=1e-5)


@needs_saved_model
def test_a_saved_model_is_loaded_exported_and_served_by_tensorflow_alone(tmp_path):
    model, x = ARCHITECTURES["autoencoder"].make(), ARCHITECTURES["autoencoder"].data(4)[0]
    model.save(tmp_path / "model.keras")
    keras.saving.load_model(tmp_path / "model.keras").export(tmp_path / "model", verbose=False)
    np.save(tmp_path / "x.npy", x)
    code = (
        "import os, sys; sys.modules['keras'] = sys.modules['dlarch_keras'] = None\n"
        "import numpy as np, tensorflow as tf; os.chdir(sys.argv[1])\n"
        "model = tf.saved_model.load('model'); np.save('y.npy', model.serve(np.load('x.npy')))"
    )
    result = subprocess.run([sys.executable, "-c", code, tmp_path], capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stderr[-3000:]
    np.testing.assert_allclose(np.load(tmp_path / "y.npy"), model.predict(x, verbose=0), rtol=1e-5, atol=1e-6)


@needs_tensorflow
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_tensorflows_own_functions_find_what_call_takes(name, tmp_path):
    import tensorflow as tf

    model = ARCHITECTURES[name].make()
    given = inputs(name, model, 4)
    tf.saved_model.save(model, tmp_path / "model")
    loaded = tf.saved_model.load(tmp_path / "model")  # has the variables, as above
    serve = loaded.signatures["serving_default"]
    by_rank = {len(array.shape): tf.constant(array) for array in keras.tree.flatten(given)}
    names = serve.structured_input_signature[1]
    (outputs,) = serve(**{name: by_rank[len(spec.shape)] for name, spec in names.items()}).values()
    np.testing.assert_allclose(outputs, model(given), rtol=1e-4, atol=1e-6)


@needs_tensorflow
@pytest.mark.filterwarnings("ignore::UserWarning")  # TensorFlow's: its interpreter is to move to another package
def test_tensorflows_converter_takes_a_model():
    import tensorflow as tf

    assert len(tf.lite.TFLiteConverter.from_keras_model(small_autoencoder()).convert()) > 1000


def test_where_no_network_says_what_call_takes_the_user_must(tmp_path):
    class Doubled(Model):
        def call(self, x):
            return 2 * x

    with pytest.raises(ValueError, match="`input_signature` must say what Doubled"):
        Doubled().export(tmp_path / "model")
