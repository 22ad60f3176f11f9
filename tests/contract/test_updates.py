"""Each optimizer of an architecture moves every weight of its own network, and none of another."""

import keras
import numpy as np
import pytest

from tests.support.architectures import ARCHITECTURES, VARIANTS, compiled

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
