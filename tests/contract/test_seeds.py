"""The same seed gives the same weights, and the same training to the last bit, for every architecture."""

import keras
import numpy as np
import pytest

from tests.support.architectures import ARCHITECTURES, VARIANTS, assert_same, compiled


@pytest.mark.parametrize("name", ARCHITECTURES | VARIANTS)
def test_the_same_seeds_give_the_same_weights(name):
    """Nothing is drawn from Keras's own random state, which has moved on in between."""
    make, _ = (ARCHITECTURES | VARIANTS)[name]
    assert_same(make().get_weights(), make().get_weights())


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_the_same_seeds_give_the_same_run_to_the_last_bit(name):
    make, data = ARCHITECTURES[name]
    models = [compiled(make(), run_eagerly=True) for _ in range(2)]
    for model in models:
        keras.utils.set_random_seed(0)  # for the order of the examples, which Keras draws from the global state
        model.fit(*data(32), batch_size=8, verbose=0)
    assert_same(*models)


@pytest.mark.parametrize("name", ["VAE", "GAN", "GAN, conditional", "WGAN-GP", "conditional VAE"])
def test_what_is_generated_follows_its_seed(name):
    """An integer of Python's or NumPy's; without one, something else each time."""
    make, data = (ARCHITECTURES | VARIANTS)[name]
    model, condition = make(), data(5)[1]
    first = model.generate(5, 1, condition)
    np.testing.assert_array_equal(first, model.generate(5, np.int64(1), condition))
    for other in (model.generate(5, 2, condition), model.generate(5, condition=condition)):
        assert other.shape == first.shape and not np.array_equal(first, other)
    assert first.dtype == "float32" and 0 <= first.min() < first.max() <= 1
    codes = np.random.default_rng(1).standard_normal((5, model.latent_dim), "float32")
    np.testing.assert_array_equal(first, model.decode(codes, condition))
