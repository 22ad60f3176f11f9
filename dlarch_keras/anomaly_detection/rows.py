"""The network that copies a table's encoded rows, and its training on the rows that have looked typical so far."""

import contextlib

import keras
import numpy as np

from ..core import forward
from ..denoising_autoencoder import DenoisingAutoencoder, GaussianCorruption
from ..networks import dense_decoder, dense_encoder, seed_stream

ROWS = 8192  # scored at a time, always this many: a matrix product of another shape may round otherwise
ROUNDS = 4  # of training, between which rows are trimmed


def row_autoencoder(width, latent_dim, hidden_units, noise, seed):
    """A dense `DenoisingAutoencoder` of rows `(n, width)`, in float32 whatever the dtype policy, as scores must be.

    Args:
        width: number of encoded columns.
        latent_dim, hidden_units, noise: as in `AnomalyDetector`.
        seed: integer.
    """
    seeds, policy = seed_stream(seed), keras.config.dtype_policy()
    latent_dim = int(latent_dim or -(-width // 2))
    keras.config.set_dtype_policy("float32")
    try:
        corruption = GaussianCorruption(noise, data_range=None, seed=next(seeds))
        encoder = dense_encoder((width,), latent_dim, hidden_units, "silu", seed=seeds)
        decoder = dense_decoder((width,), latent_dim, hidden_units[::-1], "silu", output_activation=None, seed=seeds)
        return DenoisingAutoencoder(encoder, decoder, corruption, data_range=None)
    finally:
        keras.config.set_dtype_policy(policy)


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
        residuals = encoded - forward(autoencoder, encoded, ROWS)
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
