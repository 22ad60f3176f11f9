"""What a table's encoded rows are compared with: a network that copies them, and the typical rows nearest to them."""

import contextlib

import keras
import numpy as np

from ..denoising_autoencoder import DenoisingAutoencoder, GaussianCorruption
from ..networks import dense_decoder, dense_encoder, seed_stream
from .precision import single_precision

ROWS = 4096  # in memory at a time
REFERENCES = 500  # typical rows that others are compared with


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


def typical_rows(encoded, trim):
    """All rows but the share `trim` with the most extreme values: those with the largest sums of log(1 + value²)."""
    extremes = np.log1p(encoded**2).sum(axis=1)
    return encoded[np.argsort(extremes, kind="stable")[: max(1, round((1 - trim) * len(encoded)))]]


@single_precision()
def train(autoencoder, rows, steps, batch_size, learning_rate, seed):
    """Train a `row_autoencoder` on rows, `(n, width)`, float32.

    Args:
        autoencoder: `DenoisingAutoencoder`.
        rows: `(n, width)`, float32.
        steps, batch_size, learning_rate: as in `AnomalyDetector`.
        seed: integer, for the order of the rows.

    Returns:
        `(width,)`: the standard deviation of the rows' residuals.
    """
    rng = np.random.default_rng(seed)
    several = 1 if keras.backend.backend() == "torch" else 50
    schedule = keras.optimizers.schedules.CosineDecay(learning_rate, steps)
    autoencoder.compile(keras.optimizers.Adam(schedule), steps_per_execution=several)
    size = steps * batch_size
    order = np.concatenate([rng.permutation(len(rows)) for _ in range(-(-size // len(rows)))])[:size]
    with contextlib.suppress(FloatingPointError):  # then the residuals are not finite, either
        for start in range(0, size, 250 * batch_size):  # no more in memory at a time
            part = rows[order[start : start + 250 * batch_size]]
            autoencoder.fit(part, batch_size=batch_size, shuffle=False, verbose=0)
    scale = (rows - reconstruct(autoencoder, rows)).std(axis=0) + np.float32(1e-6)
    if not np.isfinite(scale).all():
        raise ValueError(
            f"`learning_rate` and `noise` must be small enough for training to converge, got {learning_rate} "
            f"and {autoencoder.corruption.stddev}: the residuals are not finite."
        )
    return scale


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


def surprise(values, residuals, scale):
    """How strange each encoded column is: log(1 + max(value², (residual / scale)²)), `(n, width)`."""
    return np.log1p(np.maximum(np.abs(values), np.abs(residuals) / scale) ** 2)


def differences(rows, references, neighbours):
    """Squared differences to the nearest reference rows, the mean over these: `(n, width)` → the same shape.

    Each row's to the last bit as if it were alone, as in `reconstruct`.

    Args:
        rows: `(n, width)`, at most `ROWS`.
        references: `(m, width)`.
        neighbours: how many, at most m.
    """
    lengths = np.square(references).sum(axis=1)
    distances = lengths - 2 * (rows[:, None] @ references.T)[:, 0]  # squared, less the row's own length
    nearest = np.sort(np.argpartition(distances, neighbours - 1, axis=1)[:, :neighbours], axis=1)
    return sum(np.square(rows - references[column]) for column in nearest.T) / np.float32(neighbours)


def by_column(encoded, owners, columns):
    """Sums over the encoded columns that come from the same column of the table: `(n, encoded)` → `(n, columns)`.

    Args:
        encoded: `(n, encoded)`.
        owners: `(encoded,)`: which of the table's columns each comes from.
        columns: number of the table's columns.
    """
    order = np.argsort(owners, kind="stable")
    owners, starts = np.unique(owners[order], return_index=True)
    sums = np.zeros((len(encoded), columns))
    sums[:, owners] = np.add.reduceat(encoded.take(order, axis=1), starts, axis=1, dtype="float64")
    return sums
