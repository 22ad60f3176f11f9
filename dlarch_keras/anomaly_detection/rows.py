"""The network that copies a table's encoded rows, and its training on the rows that have looked typical so far."""

import contextlib

import keras
import numpy as np

from ..denoising_autoencoder import DenoisingAutoencoder, GaussianCorruption
from ..networks import dense_decoder, dense_encoder, seed_stream
from .precision import single_precision

ROWS = 4096  # in memory at a time
ROUNDS = 4  # of training, between which rows are trimmed


@single_precision()
def row_autoencoder(width, latent_dim, hidden_units, noise, seed):
    """A dense `DenoisingAutoencoder` of rows `(n, width)`.

    Args:
        width: number of encoded columns.
        latent_dim, hidden_units, noise: as in `AnomalyDetector`.
        seed: integer.
    """
    seeds, latent_dim = seed_stream(seed), int(latent_dim or -(-width // 2))
    corruption = GaussianCorruption(noise, data_range=None, seed=next(seeds))
    encoder = dense_encoder((width,), latent_dim, hidden_units, "silu", seed=seeds)
    decoder = dense_decoder((width,), latent_dim, hidden_units[::-1], "silu", output_activation=None, seed=seeds)
    return DenoisingAutoencoder(encoder, decoder, corruption, data_range=None)


def reconstruct(autoencoder, rows):
    """What a `row_autoencoder` makes of rows, `(n, width)` → the same shape, each to the last bit as if alone.

    In NumPy, since Keras takes longer to start than one row needs; and as n products of one row each, since a product
    of more rows may round otherwise.
    """
    weights = autoencoder.get_weights()
    kernels, biases = weights[::2], weights[1::2]
    linear = (len(kernels) // 2 - 1, len(kernels) - 1)  # the code and the output
    parts = []
    for start in range(0, len(rows), ROWS):
        x = rows[start : start + ROWS, None, :]
        for position, (kernel, bias) in enumerate(zip(kernels, biases)):
            x = x @ kernel + bias
            if position not in linear:
                with np.errstate(over="ignore"):  # 1 / (1 + exp(100)) is 0
                    x /= 1 + np.exp(-x)
        parts.append(x[:, 0])
    return np.concatenate(parts)


@single_precision()
def train_on_typical_rows(autoencoder, encoded, trim, steps, batch_size, learning_rate, seed):
    """Train in rounds; before each, the rows with the highest scores so far are left out.

    Args:
        autoencoder: `DenoisingAutoencoder`.
        encoded: `(n, encoded)`, float32.
        trim, steps, batch_size, learning_rate: as in `AnomalyDetector`.
        seed: integer, for the order of the rows.

    Returns:
        `(encoded,)`: the standard deviation of the residuals.
    """
    rng = np.random.default_rng(seed)
    several = 1 if keras.backend.backend() == "torch" else 50
    schedule = keras.optimizers.schedules.CosineDecay(learning_rate, steps)
    autoencoder.compile(keras.optimizers.Adam(schedule), steps_per_execution=several)
    kept = max(1, round((1 - trim) * len(encoded)))
    scores = np.log1p(encoded**2).sum(axis=1)
    for part in np.array_split(np.arange(steps), min(ROUNDS, steps)):
        typical = np.argsort(scores, kind="stable")[:kept]
        size = len(part) * batch_size
        order = np.concatenate([rng.permutation(typical) for _ in range(-(-size // kept))])[:size]
        with contextlib.suppress(FloatingPointError):  # then the residuals are not finite, either
            autoencoder.fit(encoded[order], batch_size=batch_size, shuffle=False, verbose=0)
        residuals = encoded - reconstruct(autoencoder, encoded)
        scale = residuals.std(axis=0) + np.float32(1e-6)
        if not np.isfinite(scale).all():
            raise ValueError(
                f"`learning_rate` and `noise` must be small enough for training to converge, got {learning_rate} "
                f"and {autoencoder.corruption.stddev}: the residuals are not finite."
            )
        scores = surprise(encoded, residuals, scale).sum(axis=1)
    return scale


def surprise(values, residuals, scale):
    """What each encoded column adds to the anomaly score: log(1 + max(value², (residual / scale)²)), `(n, encoded)`."""
    return np.log1p(np.maximum(np.abs(values), np.abs(residuals) / scale) ** 2)
