"""What a latent-variable model makes of its code, and how probable it finds an image."""

import numpy as np
from keras import ops
from scipy.special import logsumexp

from dlarch_keras.core import validation
from dlarch_keras.core.conditions import join

CODES = 8192  # sampled at a time
DECODED = 1024  # codes decoded at a time


def active_units(z_mean, threshold=0.01):
    """Number of code units whose posterior mean depends on the image: its variance exceeds `threshold`.

    Args:
        z_mean: `(n, latent_dim)`, posterior means of held-out images, two or more.
        threshold: 0.01 in Burda et al. 2016, section 5.2.

    Returns:
        Integer from 0 to `latent_dim`.
    """
    z_mean = validation.array("z_mean", z_mean, (None, None))
    if len(z_mean) < 2:
        raise ValueError(f"`z_mean` must have at least 2 rows to vary, got {len(z_mean)}.")
    return int((z_mean.var(axis=0) > validation.number("threshold", threshold)).sum())


def binarize(x, seed):
    """Black-and-white images from grey ones, each pixel white with its grey value as probability: NumPy, float32.

    `seed` is an integer, which freezes the images, None for others each time, or a `numpy` generator.
    """
    x = validation.array("x", x, (None,) * getattr(x, "ndim", 1), 0, 1)
    return (validation.random("seed", seed).random(x.shape, "float32") < x).astype("float32")


def evidence_bounds(model, x, samples, seed, condition=None):
    """Two lower bounds of log p(x) from codes z ~ q(z | x), under the prior N(0, 1).

    Args:
        model: `VAE`.
        x: `(n, *shape)`, NumPy; under the "bernoulli" likelihood, grey pixels are sampled to black or white once.
        samples: k, codes sampled for each image.
        seed: integer; the same one repeats the result. None for other codes each time.
        condition: of each image, for a conditional model.

    Returns:
        `(elbo, importance_weighted)`, each `(n,)`, nats: the mean of log p(x | z) minus the KL term in closed form; and
        log 1/k Σ p(x | z) p(z) / q(z | x), on average a bound that rises with k (Burda et al. 2016).

    Raises:
        ValueError: for bad arrays, and under "soft_bernoulli", which is no density of images.
    """
    if model.likelihood == "soft_bernoulli":
        raise ValueError('`likelihood` must be a density of images here: use binarize() and "bernoulli".')
    x = validation.data("x", x, model.decoder.output_shape, model.data_range)
    condition = validation.condition("condition", condition, model.condition_dim, len(x))
    samples, random = validation.positive_int("samples", samples), validation.random("seed", seed)
    if model.likelihood == "bernoulli":
        x = binarize(x, random)
    z_mean, z_log_var = model.posterior(x, condition)
    kl = 0.5 * (z_mean**2 + np.expm1(z_log_var) - z_log_var).sum(axis=1)
    elbo, weighted = [], []
    few = max(1, CODES // samples)  # images at a time
    for start in range(0, len(x), few):
        part = slice(start, start + few)
        noise = random.standard_normal((len(x[part]), samples, z_mean.shape[1]), "float32")
        z = z_mean[part, None] + np.exp(0.5 * z_log_var[part, None]) * noise
        log_ratios = 0.5 * (noise**2 + z_log_var[part, None] - z**2).sum(axis=2, dtype="float64")  # p(z) / q(z | x)
        rows = np.repeat(np.arange(len(x))[part], samples)
        log_p = _log_probability(model, x, condition, rows, z.reshape(len(rows), -1)).reshape(-1, samples)
        elbo.append(log_p.mean(axis=1) - kl[part])
        weighted.append(logsumexp(log_p + log_ratios, axis=1) - np.log(samples))
    return np.concatenate(elbo), np.concatenate(weighted)


def _log_probability(model, x, condition, rows, codes):
    """log p(x[row] | code) of each row number and code, a few at a time: `(m,)`."""
    values = []
    for start in range(0, len(codes), DECODED):
        part = slice(start, start + DECODED)
        given = None if condition is None else condition[rows[part]]
        outputs = model.decoder(join(codes[part], given), training=False)
        values.append(ops.convert_to_numpy(model.log_probability(x[rows[part]], outputs)))
    return np.concatenate(values).astype("float64")
