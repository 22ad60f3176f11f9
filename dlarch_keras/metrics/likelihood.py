"""What a latent-variable model makes of its code, and how probable it finds an image."""

import numpy as np
from keras import ops
from scipy.special import logsumexp

from dlarch_keras.core import validation

CODES = 8192  # sampled at a time
DECODED = 1024  # codes decoded at a time


def active_units(z_mean, threshold=0.01):
    """Number of code units whose posterior mean depends on the image: its variance exceeds `threshold`.

    Args:
        z_mean: `(n, latent_dim)`, posterior means of held-out images, two or more.
        threshold: 0.01 in Burda et al. 2016, section 5.2.

    Returns:
        Integer from 0 to `latent_dim`.

    Raises:
        ValueError: for anything but such an array.
    """
    z_mean = validation.array("z_mean", z_mean, (None, None))
    if len(z_mean) < 2:
        raise ValueError(f"`z_mean` must have at least 2 rows to vary, got {len(z_mean)}.")
    return int((z_mean.var(axis=0) > validation.number("threshold", threshold)).sum())


def evidence_bounds(z_mean, z_log_var, log_probability, samples, random):
    """Two lower bounds of log p(x) from codes z ~ q(z | x) = N(z_mean, exp z_log_var), under the prior N(0, 1).

    Args:
        z_mean, z_log_var: `(n, latent_dim)`, NumPy.
        log_probability: function of row numbers `(m,)` and codes `(m, latent_dim)` → log p(x[row] | code), `(m,)`.
        samples: k, codes sampled for each image.
        random: `numpy.random.Generator`.

    Returns:
        `(elbo, importance_weighted)`, each `(n,)`, nats: the mean of log p(x | z) minus the KL term in closed form; and
        log 1/k Σ p(x | z) p(z) / q(z | x), on average a bound that rises with k (Burda et al. 2016).
    """
    samples = validation.positive_int("samples", samples)
    kl = 0.5 * (z_mean**2 + np.expm1(z_log_var) - z_log_var).sum(axis=1)
    elbo, weighted = [], []
    few = max(1, CODES // samples)  # images at a time
    for start in range(0, len(z_mean), few):
        part = slice(start, start + few)
        noise = random.standard_normal((len(z_mean[part]), samples, z_mean.shape[1]), "float32")
        z = z_mean[part, None] + np.exp(0.5 * z_log_var[part, None]) * noise
        log_ratios = 0.5 * (noise**2 + z_log_var[part, None] - z**2).sum(axis=2, dtype="float64")  # p(z) / q(z | x)
        rows = np.repeat(np.arange(len(z_mean))[part], samples)
        log_p = _in_parts(log_probability, rows, z.reshape(len(rows), -1)).reshape(-1, samples)
        elbo.append(log_p.mean(axis=1) - kl[part])
        weighted.append(logsumexp(log_p + log_ratios, axis=1) - np.log(samples))
    return np.concatenate(elbo), np.concatenate(weighted)


def _in_parts(log_probability, rows, codes):
    parts = [slice(start, start + DECODED) for start in range(0, len(codes), DECODED)]
    values = [ops.convert_to_numpy(log_probability(rows[part], codes[part])) for part in parts]
    return np.concatenate(values).astype("float64")
