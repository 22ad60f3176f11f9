"""Every architecture trains in half precision: its own networks, and networks whose last layer is in 16 bits, too."""

import importlib

import keras
import numpy as np
import pytest

from tests.support import copied
from tests.support.architectures import ARCHITECTURES, VARIANTS

CASES = {**ARCHITECTURES, "SRGAN, features": VARIANTS["SRGAN, features"]}


def dtypes(model):
    return {keras.backend.standardize_dtype(weight.dtype) for weight in model.weights}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_it_trains_in_mixed_precision(name, policy):
    keras.config.set_dtype_policy(policy)
    model = CASES[name].make()
    x, y = CASES[name].data(16)
    history = model.fit(x, y, validation_data=(x, y), batch_size=8, verbose=0).history
    assert np.isfinite(list(history.values())).all() and dtypes(model) == {"float32"}


@pytest.mark.parametrize("name", copied.MODELS)
@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_networks_of_ones_own_may_end_in_16_bits(name, policy):
    """Those of the package do not."""
    keras.config.set_dtype_policy(policy)
    try:
        model, history = copied.trained(name, importlib.import_module(f"dlarch_keras.{name}"))
    except RuntimeError as error:
        if "grad_weight must be contiguous" not in str(error):
            raise
        pytest.xfail("without AVX-512, torch refuses the gradient of a Keras kernel with one filter in 16 bits")
    assert np.isfinite(list(history.values())).all() and dtypes(model) == {"float32"}
    x = copied.IMAGES[:8]
    y = copied.TARGETS[name][:8] if name in copied.TARGETS else None
    # The logged losses are computed in 32 bits: close to those in full precision, from the same weights.
    losses = model.evaluate(x, y, verbose=0, return_dict=True)
    keras.config.set_dtype_policy("float32")
    full, _ = copied.trained(name, importlib.import_module(f"dlarch_keras.{name}"))
    full.set_weights(model.get_weights())
    assert losses == pytest.approx(full.evaluate(x, y, verbose=0, return_dict=True), rel=0.03, abs=0.01)


OUTPUTS = {
    "autoencoder": ("encode", "reconstruct", "reconstruction_error"),
    "vae": ("encode", "reconstruct", "elbo"),
    "pix2pix": ("translate",),
    "srgan": ("upscale",),
    "siamese": ("embed",),
}


@pytest.mark.parametrize("name", OUTPUTS)
def test_what_comes_out_is_finite_and_in_at_least_32_bits(name):
    keras.config.set_dtype_policy("mixed_bfloat16")
    model = copied.MODELS[name](importlib.import_module(f"dlarch_keras.{name}"))
    for method in OUTPUTS[name]:
        array = getattr(model, method)(copied.IMAGES)
        assert array.dtype in (np.float32, np.float64) and np.isfinite(array).all(), method
