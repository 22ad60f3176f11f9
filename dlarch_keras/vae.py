"""The variational autoencoder: an encoder to a distribution over codes, a decoder to one over images.

    maximise  E_q log p(x | z) - KL(q(z | x) || N(0, 1)),   q(z | x) = N(z_mean, exp z_log_var)

Kingma & Welling, "Auto-encoding variational Bayes", ICLR 2014; Rezende, Mohamed & Wierstra, ICML 2014.
`networks.variational` makes encoders with two outputs.
"""

import keras
import numpy as np
from keras import ops

from .core import Model, apply_gradients, forward, validation, value_and_grad
from .core.conditions import condition_rows, join


@keras.saving.register_keras_serializable("dlarch_keras")
class VAE(Model):
    """Maximises the evidence lower bound; with another `beta` than 1, the objective of the β-VAE (Higgins et al. 2017).

    What it logs is in nats per image, summed over elements and averaged over images, and adds up:
    `loss = reconstruction_loss + beta * kl_loss`, without the warm-up; the layers' own losses count in the gradient
    only. Held-out data is scored with noise that stays the same from call to call. `fit(x, y)` learns p(y | x) of
    another target than the input, such as clean images of noisy ones. Networks with a second input,
    `(n, condition_dim)`, make it a model of images given a condition, see `ConditionalVAE`, and y is that.

    Args:
        encoder: built `keras.Model`, `(n, *shape)` → `[z_mean, z_log_var]`, each `(n, latent_dim)`.
        decoder: built `keras.Model`, `(n, latent_dim)` → `(n, *shape)`: logits, or means under "gaussian".
        beta: weight of the KL term.
        likelihood: "bernoulli": black or white pixels; a grey value is the probability of white, sampled anew at every
            step. "soft_bernoulli": the same cross-entropy of the grey values themselves, in wide use, and no density.
            "gaussian": normal around the decoder's means.
        stddev: of the Gaussian likelihood.
        warmup_steps: training steps over which the KL term's weight in the gradient rises from 0 to `beta`.
        data_range: (low, high) of the data; None, under "gaussian", for values without bounds.
        seed: integer, or None for different codes and samples in each process.

    Raises:
        ValueError: for networks that do not fit each other, an encoder without two outputs, settings out of range.
    """

    def __init__(
        self,
        encoder,
        decoder,
        beta=1.0,
        likelihood="bernoulli",
        stddev=1.0,
        warmup_steps=0,
        data_range=(0, 1),
        seed=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.encoder = encoder
        self.decoder = decoder
        self.beta = validation.number("beta", beta)
        self.likelihood = likelihood
        self.stddev = validation.number("stddev", stddev, above=0)
        self.warmup_steps = validation.non_negative_int("warmup_steps", warmup_steps)
        self.data_range = validation.data_range(data_range)
        self.seed = None if seed is None else validation.non_negative_int("seed", seed)
        self.seed_generator = keras.random.SeedGenerator(self.seed)
        self.track("loss", "reconstruction_loss", "kl_loss")
        _check_networks(self)
        self.latent_dim = encoder.output_shape[0][-1]
        self.condition_dim = encoder.inputs[1].shape[-1] if len(encoder.inputs) > 1 else 0  # classes or attributes
        self.target_is_input = not self.condition_dim

    def train_step(self, data):
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)

        def objective():
            reconstruction, kl = self.compute_batch_losses(x, y, sample_weight, training=True)
            return reconstruction + self.kl_weight() * kl + sum(self.losses), reconstruction, kl

        (_, reconstruction, kl), gradients = value_and_grad(objective, self.trainable_variables)
        apply_gradients(self.optimizer, gradients, self.trainable_variables)
        loss = reconstruction + self.beta * kl
        return self.log(ops.shape(x)[0], loss=loss, reconstruction_loss=reconstruction, kl_loss=kl)

    def compute_batch_losses(self, x, y=None, sample_weight=None, training=False):
        """Reconstruction loss and KL term of a batch, two scalars in nats per image."""
        condition = condition_rows(y, self.condition_dim)
        target = x if y is None or self.condition_dim else y
        x, target = ops.cast(x, "float32"), ops.cast(target, "float32")
        seed = self.seed_generator if training else 0  # held-out scores must not change from call to call
        if self.likelihood == "bernoulli":
            uniform = keras.random.uniform(ops.shape(x), dtype="float32", seed=seed)
            x, target = ops.cast(uniform < x, "float32"), ops.cast(uniform < target, "float32")
        z_mean, z_log_var = self.encoder(join(x, condition), training=training)
        z_mean, z_log_var = ops.cast(z_mean, "float32"), ops.cast(z_log_var, "float32")
        noise = keras.random.normal(ops.shape(z_mean), dtype="float32", seed=seed if training else 1)
        z = z_mean + ops.exp(0.5 * z_log_var) * noise
        reconstruction = -self.log_probability(target, self.decoder(join(z, condition), training=training))
        weights = 1.0 if sample_weight is None else ops.reshape(ops.cast(sample_weight, "float32"), (-1,))
        return ops.mean(weights * reconstruction), ops.mean(weights * kl_divergence(z_mean, z_log_var))

    def log_probability(self, x, outputs):
        """log p(x | z) from the decoder's outputs: two tensors `(n, *shape)` → `(n,)`, nats."""
        x, outputs = ops.cast(x, "float32"), ops.cast(outputs, "float32")
        if self.likelihood == "gaussian":
            constant = np.log(self.stddev) + 0.5 * np.log(2 * np.pi)
            elements = -0.5 * ops.square((x - outputs) / self.stddev) - constant
        else:
            elements = -ops.binary_crossentropy(x, outputs, from_logits=True)
        return ops.sum(elements, axis=tuple(range(1, len(x.shape))))

    def kl_weight(self):
        """Weight of the KL term in this training step's gradient."""
        if not self.warmup_steps:
            return self.beta
        share = (ops.cast(self.optimizer.iterations, "float32") + 1) / self.warmup_steps
        return self.beta * ops.minimum(share, 1.0)

    def test_step(self, data):
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        reconstruction, kl = self.compute_batch_losses(x, y, sample_weight)
        loss = reconstruction + self.beta * kl
        return self.log(ops.shape(x)[0], loss=loss, reconstruction_loss=reconstruction, kl_loss=kl)

    def call(self, inputs, training=False):
        """The decoder's output for the mean code of `x`, or of `[x, condition]`: logits, or means under "gaussian"."""
        x, y = inputs if self.condition_dim else (inputs, None)
        condition = condition_rows(y, self.condition_dim)
        z_mean, _ = self.encoder(join(x, condition), training=training)
        return self.decoder(join(z_mean, condition), training=training)

    def posterior(self, x, condition=None):
        """Mean and log variance of q(z | x), of grey pixels as they are: `(n, *shape)` → `(n, latent_dim)` twice."""
        x = validation.data("x", x, self.decoder.output_shape, self.data_range)
        condition = validation.condition("condition", condition, self.condition_dim, len(x))
        return tuple(forward(self.encoder, join(x, condition)))

    def encode(self, x, condition=None):
        """The mean code of each image: `(n, *shape)` → `(n, latent_dim)`, NumPy; no noise."""
        return self.posterior(x, condition)[0]

    def decode(self, z, condition=None):
        """The mean image of each code: `(n, latent_dim)` → `(n, *shape)`, NumPy, within `data_range`."""
        z = validation.array("z", z, (None, self.latent_dim))
        condition = validation.condition("condition", condition, self.condition_dim, len(z))
        outputs = forward(self.decoder, join(z, condition))
        if self.likelihood != "gaussian":
            outputs = ops.convert_to_numpy(ops.sigmoid(outputs))
        return outputs.clip(*self.data_range) if self.data_range else outputs

    def reconstruct(self, x, condition=None):
        """`decode(encode(x))`: `(n, *shape)` → the same shape, NumPy."""
        return self.decode(self.encode(x, condition), condition)

    def generate(self, n, seed=None, condition=None):
        """Mean images of `n` codes sampled from the prior: `(n, *shape)`, NumPy. The same `seed`, the same images."""
        n, rng = validation.positive_int("n", n), validation.random("seed", seed)
        return self.decode(rng.standard_normal((n, self.latent_dim), "float32"), condition)

    def interpolate(self, a, b, steps=8, condition=None):
        """Images between the mean codes of `a` and `b`, ends included: `(n, *shape)` twice → `(n, steps, *shape)`."""
        a = validation.data("a", a, self.decoder.output_shape, self.data_range)
        b = validation.data("b", b, a.shape, self.data_range)
        share = np.linspace(0, 1, validation.positive_int("steps", steps, 2), dtype="float32")[:, None]
        start, end = self.encode(a, condition)[:, None], self.encode(b, condition)[:, None]
        codes = ((1 - share) * start + share * end).reshape(-1, self.latent_dim)
        condition = None if condition is None else np.repeat(np.asarray(condition), steps, axis=0)
        return self.decode(codes, condition).reshape(len(a), steps, *a.shape[1:])

    def elbo(self, x, samples=1, seed=0, condition=None):
        """Evidence lower bound of each image: `(n,)` nats. See `metrics.likelihood.evidence_bounds`."""
        from .metrics.likelihood import evidence_bounds  # here, so that this file works without metrics/

        return evidence_bounds(self, x, samples, seed, condition)[0]

    def log_likelihood(self, x, samples=500, seed=0, condition=None):
        """Importance-weighted estimate of log p(x), a bound that rises with `samples` on average: `(n,)` nats."""
        from .metrics.likelihood import evidence_bounds

        return evidence_bounds(self, x, samples, seed, condition)[1]

    def check_data(self, x, y=None):
        x = validation.data("x", x, self.decoder.output_shape, self.data_range)
        if self.condition_dim:
            return x, validation.labels_or_attributes("y", y, self.condition_dim, x.shape[0])
        return x, None if y is None else validation.data("y", y, x.shape, self.data_range)


def kl_divergence(z_mean, z_log_var):
    """KL(N(z_mean, exp z_log_var) || N(0, 1)) in closed form: `(n, latent_dim)` twice → `(n,)`, nats.

    Kingma & Welling 2014, appendix B: ½ Σ (mean² + variance − 1 − log variance).
    """
    excess = ops.expm1(z_log_var) - z_log_var  # variance - 1 - log variance
    return 0.5 * ops.sum(ops.square(z_mean) + excess, axis=-1)


def _check_networks(model):
    encoder, decoder = model.encoder, model.decoder
    validation.choice("likelihood", model.likelihood, ("bernoulli", "soft_bernoulli", "gaussian"))
    inputs = 1 + (len(getattr(encoder, "inputs", [None])) > 1)
    validation.network("encoder", encoder, inputs, outputs=2)
    validation.network("decoder", decoder, inputs)
    validation.no_shared_layers("encoder", encoder, "decoder", decoder)
    z_mean, z_log_var = encoder.output_shape
    if len(z_mean) != 2 or z_mean != z_log_var:
        raise ValueError(f"`encoder` must return two outputs of shape (n, latent_dim), got {z_mean}, {z_log_var}.")
    taken = [tensor.shape for tensor in decoder.inputs]
    condition = [tensor.shape for tensor in encoder.inputs[1:]]
    validation.shapes("decoder", "take what `encoder` returns, and its condition", taken, [z_mean, *condition])
    validation.shapes("decoder", "return images", decoder.output_shape, encoder.inputs[0].shape)
    if model.likelihood == "gaussian":
        validation.output_range("decoder", decoder, model.data_range)
    else:
        validation.probabilities("likelihood", model.likelihood, model.data_range)
        validation.logits("decoder", decoder)
