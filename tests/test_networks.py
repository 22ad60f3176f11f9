"""The networks that several architectures share: sizes, seeds, normalisation, and the blocks they are made of."""

import itertools

import keras
import numpy as np
import pytest

from dlarch_keras import Autoencoder, networks
from dlarch_keras.core import forward
from dlarch_keras.networks import (
    convolutional_decoder,
    convolutional_encoder,
    dense_decoder,
    dense_encoder,
    residual_decoder,
    residual_encoder,
)
from tests.support.architectures import images

BUILDERS = {
    "dense encoder": lambda seed: dense_encoder((8, 8, 1), 2, (4, 4), seed=seed),
    "dense decoder": lambda seed: dense_decoder((8, 8, 1), 2, (4, 4), seed=seed),
    "convolutional encoder": lambda seed: convolutional_encoder((8, 8, 1), 2, (4, 4), seed=seed),
    "convolutional decoder": lambda seed: convolutional_decoder((8, 8, 1), 2, (4, 4), seed=seed),
    "residual encoder": lambda seed: residual_encoder(1, (4, 4), blocks=2, seed=seed),
    "residual decoder": lambda seed: residual_decoder(1, (4, 4), blocks=2, seed=seed),
    "image to code": lambda seed: networks.image_to_code(residual_encoder(1, (4,), seed=seed), (8, 8, 1), 2, seed=seed),
    "code to image": lambda seed: networks.code_to_image(residual_decoder(1, (4,), seed=seed), (8, 8, 1), 2, seed=seed),
}


@pytest.mark.parametrize("name", BUILDERS)
def test_the_seed_decides_the_weights(name):
    first, same, other = (BUILDERS[name](seed).get_weights() for seed in (1, 1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(first, same))
    assert not np.array_equal(first[0], other[0])
    kernels = [weight.tobytes() for weight in first if weight.ndim > 1]
    assert len(set(kernels)) == len(kernels) > 1  # no two start alike


@pytest.mark.parametrize("name", BUILDERS)
def test_a_stream_of_seeds_serves_as_a_seed(name):
    """For a trunk and the layers around it as well: each takes what the one before has left."""
    streamed = BUILDERS[name](networks.seed_stream(1)).get_weights()
    if " to " not in name:
        assert all(np.array_equal(a, b) for a, b in zip(streamed, BUILDERS[name](1).get_weights()))
    assert all(np.array_equal(a, b) for a, b in zip(streamed, BUILDERS[name](networks.seed_stream(1)).get_weights()))


def test_a_stream_of_seeds():
    assert list(itertools.islice(networks.seed_stream(7), 3)) == [7, 8, 9]
    assert list(itertools.islice(networks.seed_stream(None), 2)) == [None, None]
    begun = networks.seed_stream(np.int64(3))
    assert next(begun) == 3 and next(networks.seed_stream(begun)) == 4


def test_blocks_normalise_in_place_of_a_bias():
    for normalized in (False, True):
        x, rows = keras.Input((8, 6, 2)), keras.Input((5,))
        for model in (
            keras.Model(rows, networks.dense_block(rows, 3, batch_normalization=normalized)),
            keras.Model(x, networks.conv_block(x, 3, batch_normalization=normalized)),
            keras.Model(x, networks.conv_block(x, 3, 4, 2, transpose=True, batch_normalization=normalized)),
        ):
            names = {type(layer).__name__: layer for layer in model.layers}
            assert ("BatchNormalization" in names) == normalized
            assert all(layer.use_bias != normalized for layer in model.layers if hasattr(layer, "use_bias"))
    assert networks.conv_block(x, 3, 4, 2).shape == (None, 4, 3, 3)
    assert networks.conv_block(x, 3, 4, 2, transpose=True).shape == (None, 16, 12, 3)
    wide = keras.Model(x, networks.conv_block(x, 1, 3, dilation_rate=2, activation=None))
    spot = np.zeros((1, 8, 6, 2), "float32")
    spot[0, 4, 3] = 1
    seen = np.abs(forward(wide, spot) - forward(wide, 0 * spot)).max(axis=(0, 2, 3))
    assert np.flatnonzero(seen).tolist() == [2, 4, 6]


@pytest.mark.parametrize("shape", [(28, 28, 1), (27, 30, 3), (7, 5, 2), (1, 1, 1), (64, 48, 3)])
@pytest.mark.parametrize(
    ("encoder", "decoder"), [(dense_encoder, dense_decoder), (convolutional_encoder, convolutional_decoder)]
)
def test_networks_of_any_image_size(encoder, decoder, shape):
    encoder, decoder = encoder(shape, 4, seed=0), decoder(shape, 4, seed=1)
    x = images(2, shape)
    code = forward(encoder, x)
    assert code.shape == (2, 4)
    outputs = forward(decoder, code)
    assert outputs.shape == x.shape
    assert outputs.min() >= 0
    assert outputs.max() <= 1


@pytest.mark.parametrize("batch_normalization", [True, False])
def test_residual_networks_give_back_any_size(batch_normalization):
    style = {"batch_normalization": batch_normalization, "blocks": 2}
    model = Autoencoder(residual_encoder(2, (4, 6), **style, seed=0), residual_decoder(2, (6, 4), **style, seed=50))
    for size in [(8, 8), (7, 9), (13, 4), (1, 1)]:
        x = images(3, (*size, 2))
        assert model.encode(x).shape == (3, -(-size[0] // 4), -(-size[1] // 4), 6)
        assert model.reconstruct(x).shape == x.shape
        assert model.reconstruction_error(x).shape == (3,)
    model.compile()
    x = images(3, (7, 9, 2))
    model.fit(x, verbose=0)
    np.testing.assert_allclose(model.evaluate(x, verbose=0), model.reconstruction_error(x).mean(), rtol=0.1)


def test_a_residual_network_sees_the_same_at_every_place():
    """An image moved by the network's stride gives an output moved as far, away from the borders."""
    model = Autoencoder(residual_encoder(1, (4, 6), seed=0), residual_decoder(1, (6, 4), seed=50))
    x = images(1, (64, 64, 1))
    moved = np.roll(x, (4, 8), (1, 2))
    inside = np.s_[:, 28:36, 28:36]
    np.testing.assert_allclose(
        model.reconstruct(moved)[inside], np.roll(model.reconstruct(x), (4, 8), (1, 2))[inside], atol=1e-4
    )


def test_hidden_layers_differ_and_are_not_linear():
    network = dense_encoder((16,), 3, (16, 16), seed=0)
    first, second = (layer.get_weights()[0] for layer in network.layers if getattr(layer, "units", 0) == 16)
    assert not np.array_equal(first, second)
    x = images(1, (16,))
    outputs = forward(network, np.concatenate([x, -x]))
    assert not np.allclose(outputs[0], -outputs[1])
