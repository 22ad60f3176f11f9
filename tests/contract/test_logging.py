"""What every architecture logs: means over the examples of an epoch, and the same figure for the same held-out data."""

import keras
import numpy as np
import pytest

from tests.support.architectures import (
    ARCHITECTURES,
    SEPARATE,
    VARIANTS,
    assert_same,
    compiled,
    frozen,
    state,
)


@pytest.fixture
def same_noise(monkeypatch):
    """Every example, whatever its batch, is given the same noise."""

    def alike(kind):
        def draw(shape, *_, **__):
            numbers = getattr(np.random.default_rng(0), kind)((1, *shape[1:]), "float32")
            return keras.ops.convert_to_tensor(numbers.repeat(int(shape[0]), axis=0))

        return draw

    monkeypatch.setattr(keras.random, "normal", alike("standard_normal"))
    monkeypatch.setattr(keras.random, "uniform", alike("random"))


@pytest.mark.parametrize("name", SEPARATE)
def test_logged_values_are_means_over_the_epochs_examples(name, same_noise):
    """19 examples in batches of 8, 8 and 3, the last of which counts less: as in one batch of 19."""
    make, data = SEPARATE[name]
    x, y = data(19)
    model = frozen(make(), run_eagerly=True)
    in_batches, whole = (model.fit(x, y, batch_size=size, shuffle=False, verbose=0).history for size in (8, 19))
    assert in_batches.keys() == {tracker.name for tracker in model.metrics}
    for log, value in whole.items():
        assert in_batches[log] == pytest.approx(value, rel=1e-4), log
    in_batches, whole = (model.evaluate(x, y, batch_size=size, verbose=0, return_dict=True) for size in (8, 19))
    assert in_batches == pytest.approx(whole, rel=1e-4)


@pytest.mark.parametrize("name", [*ARCHITECTURES, "Siamese, pairs", "GAN, conditional"])
def test_held_out_losses_repeat_and_move_nothing(name):
    make, data = {**ARCHITECTURES, **VARIANTS}[name]
    model = make()
    x, y = data(16)
    history = model.fit(x, y, validation_data=(x, y), batch_size=8, verbose=0).history
    names = [log for log in history if not log.startswith("val_")]
    assert [f"val_{log}" for log in names] == [log for log in history if log.startswith("val_")]
    before = state(model)
    first, second = (model.evaluate(x, y, batch_size=8, verbose=0, return_dict=True) for _ in range(2))
    assert first == second and first.keys() == set(names)
    assert {f"val_{log}": value for log, value in first.items()} == pytest.approx(
        {log: values[-1] for log, values in history.items() if log.startswith("val_")}, rel=1e-5
    )
    assert_same(before, state(model))


@pytest.mark.parametrize("name", ["autoencoder", "denoising autoencoder", "VAE", "conditional VAE"])
def test_an_examples_loss_is_scaled_by_its_weight(name, same_noise):
    """With the weights 2 and 0 as with the first half alone: what is logged, and where training goes."""
    make, data = ARCHITECTURES[name]
    x, y = data(16)
    half = x[:8], None if y is None else y[:8]
    weights = np.repeat([2.0, 0.0], 8).astype("float32")
    weighted, alone = (compiled(make(), keras.optimizers.SGD, (0.1,), run_eagerly=True) for _ in range(2))
    for shape in ((-1,), (-1, 1)):
        logs = weighted.evaluate(x, y, sample_weight=weights.reshape(shape), verbose=0, return_dict=True)
        assert logs == pytest.approx(alone.evaluate(*half, verbose=0, return_dict=True), rel=1e-4)
    logs = weighted.fit(
        x, y, sample_weight=weights, validation_data=(x, y, weights), batch_size=16, shuffle=False, verbose=0
    ).history
    expected = alone.fit(*half, validation_data=half, batch_size=8, shuffle=False, verbose=0).history
    for log, value in expected.items():
        assert logs[log] == pytest.approx(value, rel=1e-4), log
    assert_same(weighted.get_weights(), alone.get_weights(), rtol=1e-4)
