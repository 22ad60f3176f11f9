"""Each optimizer of an architecture moves every weight of its own network, and none of another."""

import keras
import numpy as np
import pytest

from tests.support.architectures import ARCHITECTURES, SEPARATE, VARIANTS, compiled

CASES = {**ARCHITECTURES, "SRGAN, features": VARIANTS["SRGAN, features"]}
# The discriminator's last bias cancels between real examples and fakes: only rounding moves it.
CANCELS = {("WGAN-GP", "discriminator")}


def values(network):
    return [keras.ops.convert_to_numpy(variable) for variable in network.trainable_variables]


@pytest.mark.parametrize("name", CASES)
def test_every_weight_moves_by_its_own_optimizer_alone(name):
    make, data = CASES[name]
    x, y = data(8)
    for still in ("generator", "discriminator") if "GAN" in name or name == "pix2pix" else (None,):
        model = compiled(make(), keras.optimizers.SGD, run_eagerly=True)
        networks = {each: getattr(model, each) for each in model.networks_with_optimizers} or {"all": model}
        for network in networks:
            optimizer = model.optimizer if still is None else model.optimizer[network]
            optimizer.learning_rate = 0.0 if network == still else 1e-2
        before = {each: values(network) for each, network in networks.items()}
        fixed = [weight.copy() for weight in model.features.get_weights()] if name == "SRGAN, features" else []
        model.train_on_batch(x, y)
        for each, old in before.items():
            unchanged = [np.array_equal(*pair) for pair in zip(old, values(networks[each]), strict=True)]
            if (name, each) in CANCELS:
                unchanged.pop()
            assert all(unchanged) if each == still else not any(unchanged), (each, still)
        for one, another in zip(fixed, model.features.get_weights() if fixed else []):
            np.testing.assert_array_equal(one, another)  # what a picture's features are does not change


@pytest.mark.parametrize("name", SEPARATE)
def test_the_layers_own_losses_count(name):
    """An L2 penalty of .5 on a kernel w adds w to its slope: with a rate of .1, a step ends .1 w nearer to 0."""
    make, data = SEPARATE[name]
    x, y = data(8)

    def kernels_of_a_step(penalised=None):
        model = compiled(make(), keras.optimizers.SGD, (0.1, 0.1), run_eagerly=True)
        kernels = [network.trainable_variables[0] for network in model.layers if network.trainable_variables]
        before = [keras.ops.convert_to_numpy(kernel) for kernel in kernels]
        if penalised is not None:
            kernels[penalised].regularizer = keras.regularizers.L2(0.5)
        model.train_on_batch(x, y)
        return before, [keras.ops.convert_to_numpy(kernel) for kernel in kernels]

    before, plain = kernels_of_a_step()
    for number, (w, after) in enumerate(zip(before, plain)):
        _, penalised = kernels_of_a_step(number)
        np.testing.assert_allclose(penalised[number], after - 0.1 * w, rtol=1e-4, atol=1e-6)
