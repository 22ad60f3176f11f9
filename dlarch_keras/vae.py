"""The variational autoencoder: an encoder to a distribution over codes, a decoder to one over images.

Kingma & Welling, "Auto-encoding variational Bayes", ICLR 2014; Rezende, Mohamed & Wierstra, ICML 2014. The builders at
the end turn the networks of `networks.py` into encoders with two outputs.
"""

import keras
import numpy as np
from scipy.special import logsumexp

from . import networks
from .core import validation
from .core import Model, apply_gradients, forward, value_and_grad

LIKELIHOODS = ("bernoulli", "grey", "gaussian")
ROWS = 8192  # codes that are decoded at a time


def kl_divergence(z_mean, z_log_var):
    """KL(N(z_mean, exp z_log_var) || N(0, 1)) in closed form: `(n, latent_dim)` twice → `(n,)`, nats.

    Kingma & Welling 2014, appendix B: ½ Σ (mean² + variance − 1 − log variance).
    """
    excess = keras.ops.expm1(z_log_var) - z_log_var
    return 0.5 * keras.ops.sum(keras.ops.square(z_mean) + excess, axis=-1)


def binarize(x, seed):
    """Black-and-white drawings from grey ones, each pixel white with its grey value as probability.

    Args:
        x: `(n, *shape)` in [0, 1], NumPy.
        seed: integer; the same seed freezes the same drawings. None for others each time. Or a `numpy` generator.

    Returns:
        `(n, *shape)` of zeros and ones, float32.
    """
    x = validation.array("x", x, (None,) * getattr(x, "ndim", 1), 0, 1)
    return (validation.random("seed", seed).random(x.shape, "float32") < x).astype("float32")


@keras.saving.register_keras_serializable("dlarch_keras")
class VAE(Model):
    """Maximises the evidence lower bound; with another `beta` than 1, the objective of the β-VAE (Higgins et al. 2017).

    What it logs is in nats per image, summed over elements and averaged over images, and adds up:
    `loss = reconstruction_loss + beta * kl_loss`; losses of the layers themselves enter the gradient only.
    Held-out data is scored with noise that stays the same from call to call and from batch to batch.

    Args:
        encoder: built `keras.Model`, `(n, *shape)` → `[z_mean, z_log_var]`, each `(n, latent_dim)`.
        decoder: built `keras.Model`, `(n, latent_dim)` → `(n, *shape)`: logits, or means under "gaussian".
        beta: weight of the KL term.
        likelihood: of an image given its code. "bernoulli": black or white pixels; a grey value is the probability of
            white, and drawn anew at every step of training. "grey": the same cross-entropy taken of the grey values
            themselves: its expectation over such draws, in wide use, and no density of grey images.
            "gaussian": normal around the decoder's means.
        stddev: of the Gaussian likelihood.
        warmup_steps: training steps over which the KL term's weight in the gradient rises from 0 to `beta`. The
            logged loss always has `beta` itself.
        seed: integer, or None for other codes and drawings in each process.

    Raises:
        ValueError: for networks that do not fit each other, an encoder without two outputs, settings out of range.
    """

    target_is_input = True
    inputs_a_network = 1

    def __init__(
        self, encoder, decoder, beta=1.0, likelihood="bernoulli", stddev=1.0, warmup_steps=0, seed=None, **kwargs
    ):
        super().__init__(**kwargs)
        self._check_networks(encoder, decoder)
        if likelihood not in LIKELIHOODS:
            raise ValueError(f"`likelihood` must be one of {LIKELIHOODS}, got {likelihood!r}.")
        if likelihood != "gaussian":
            validation.logits("decoder", decoder)
        self.encoder = encoder
        self.decoder = decoder
        self.beta = validation.number("beta", beta)
        self.likelihood = likelihood
        self.stddev = validation.number("stddev", stddev, above=0)
        self.warmup_steps = validation.whole("warmup_steps", warmup_steps, 0)
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.trackers = {name: keras.metrics.Mean(name=name) for name in ("loss", "reconstruction_loss", "kl_loss")}

    def _check_networks(self, encoder, decoder):
        validation.network("encoder", encoder, outputs=2, inputs=self.inputs_a_network)
        validation.network("decoder", decoder, inputs=self.inputs_a_network)
        _check_shapes(encoder, decoder)
        validation.apart("encoder", encoder, "decoder", decoder)

    def call(self, x, training=False):
        return self.decoder(self.encoder(x, training=training)[0], training=training)

    def condition(self, y):
        """What both networks are told besides: nothing; for a subclass to override."""
        return None

    def losses_of(self, x, y=None, sample_weight=None, training=False):
        """Reconstruction loss and KL term of a batch, two scalars in nats per image."""
        condition = self.condition(y)
        seed = self.seed_generator if training else 0  # held-out scores must not change from call to call
        x = keras.ops.cast(x, "float32")
        if self.likelihood == "bernoulli":
            x = keras.ops.cast(keras.random.uniform(keras.ops.shape(x), seed=seed) < x, "float32")
        outputs = self.encoder(_joined(x, condition), training=training)
        z_mean, z_log_var = (keras.ops.cast(output, "float32") for output in outputs)
        noise = keras.random.normal(keras.ops.shape(z_mean), seed=seed if training else 1)
        z = z_mean + keras.ops.exp(0.5 * z_log_var) * noise
        log_likelihood = self.log_probability(x, self.decoder(_joined(z, condition), training=training))
        weights = 1.0 if sample_weight is None else keras.ops.reshape(keras.ops.cast(sample_weight, "float32"), (-1,))
        return -keras.ops.mean(weights * log_likelihood), keras.ops.mean(weights * kl_divergence(z_mean, z_log_var))

    def log_probability(self, x, outputs):
        """log p(x | z) from the decoder's outputs: two tensors `(n, *shape)` → `(n,)`, nats."""
        x, outputs = (keras.ops.cast(tensor, "float32") for tensor in (x, outputs))
        if self.likelihood == "gaussian":
            constant = np.log(self.stddev) + 0.5 * np.log(2 * np.pi)
            elements = -0.5 * keras.ops.square((x - outputs) / self.stddev) - constant
        else:
            elements = -keras.ops.binary_crossentropy(x, outputs, from_logits=True)
        return keras.ops.sum(elements, axis=tuple(range(1, len(x.shape))))

    def kl_weight(self):
        """Weight of the KL term in this training step's gradient."""
        if not self.warmup_steps:
            return self.beta
        share = (keras.ops.cast(self.optimizer.iterations, "float32") + 1) / self.warmup_steps
        return self.beta * keras.ops.minimum(share, 1.0)

    def objective(self, reconstruction, kl, weight):
        """What is minimised: minus the bound, for `weight` 1."""
        return reconstruction + weight * kl

    def train_step(self, data):
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)

        def loss():
            reconstruction, kl = self.losses_of(x, y, sample_weight, training=True)
            return self.objective(reconstruction, kl, self.kl_weight()) + sum(self.losses), reconstruction, kl

        (_, reconstruction, kl), gradients = value_and_grad(loss, self.trainable_variables)
        apply_gradients(self.optimizer, gradients, self.trainable_variables)
        return self._logged(reconstruction, kl, keras.ops.shape(x)[0])

    def test_step(self, data):
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        return self._logged(*self.losses_of(x, y, sample_weight), keras.ops.shape(x)[0])

    def _logged(self, reconstruction, kl, count):
        values = {
            "loss": self.objective(reconstruction, kl, self.beta),
            "reconstruction_loss": reconstruction,
            "kl_loss": kl,
        }
        for name, value in values.items():
            self.trackers[name].update_state(value, sample_weight=count)
        return {name: tracker.result() for name, tracker in self.trackers.items()}

    @property
    def latent_dim(self):
        return self.encoder.output_shape[0][-1]

    @property
    def _range(self):
        # Pixels and probabilities lie within [0, 1]; table rows under a Gaussian may be anything.
        return () if self.likelihood == "gaussian" and len(self.decoder.output_shape) != 4 else (0, 1)

    def check_data(self, x, y=None):
        self._checked_images("x", x)
        alike = isinstance(y, keras.KerasTensor) and y.shape == x.shape  # within a step there is no telling more
        if y is not None and y is not x and not alike:
            raise ValueError("`y` must be left out: what a VAE explains is its input `x`.")

    def _checked_images(self, name, x):
        return validation.array(name, x, self.decoder.output_shape, *self._range)

    def _checked_condition(self, condition, count):
        if condition is not None:
            raise ValueError("`condition` must be left out: this VAE has none.")

    def posterior(self, x, condition=None):
        """Mean and log variance of q(z | x): `(n, *shape)` → `(n, latent_dim)` twice, NumPy.

        Grey pixels go in as they are, also under "bernoulli"; pass `binarize(x, seed)` for drawn ones.
        """
        x = self._checked_images("x", x)
        return tuple(forward(self.encoder, _joined(x, self._checked_condition(condition, len(x)))))

    def encode(self, x, condition=None):
        """The mean code of each image: `(n, *shape)` → `(n, latent_dim)`, NumPy; no noise."""
        return self.posterior(x, condition)[0]

    def decode(self, z, condition=None):
        """The mean image of each code: `(n, latent_dim)` → `(n, *shape)`, NumPy; pixels within [0, 1]."""
        z = validation.array("z", z, (None, self.latent_dim))
        outputs = forward(self.decoder, _joined(z, self._checked_condition(condition, len(z))))
        if self.likelihood != "gaussian":
            outputs = keras.ops.convert_to_numpy(keras.ops.sigmoid(outputs))
        return outputs.clip(*self._range) if self._range else outputs

    def reconstruct(self, x, condition=None):
        """`decode(encode(x))`: `(n, *shape)` → the same shape, NumPy."""
        return self.decode(self.encode(x, condition), condition)

    def generate(self, n, seed=None):
        """Mean images of `n` codes drawn from the prior: → `(n, *shape)`, NumPy. The same `seed`, the same images."""
        return self.decode(self._prior(validation.whole("n", n, 1), seed))

    def _prior(self, n, seed):
        return validation.random("seed", seed).standard_normal((n, self.latent_dim), "float32")

    def interpolate(self, a, b, steps=8, condition=None):
        """Images on the straight line between the mean codes of `a` and `b`, both ends included.

        Args:
            a, b: `(n, *shape)`, as many of one as of the other.
            steps: images on each line, 2 or more.

        Returns:
            `(n, steps, *shape)`, NumPy.
        """
        a, b = self._checked_images("a", a), self._checked_images("b", b)
        if len(a) != len(b):
            raise ValueError(f"`b` must hold as many images as `a`, got {len(b)} and {len(a)}.")
        share = np.linspace(0, 1, validation.whole("steps", steps, 2), dtype="float32")[:, None]
        start, end = (self.encode(x, condition)[:, None] for x in (a, b))
        codes = (1 - share) * start + share * end
        if condition is not None:
            condition = np.repeat(np.asarray(condition), steps, axis=0)
        return self.decode(codes.reshape(-1, self.latent_dim), condition).reshape(len(a), steps, *a.shape[1:])

    def elbo(self, x, samples=1, seed=0, condition=None):
        """Evidence lower bound of each image: the KL term in closed form, log p(x | z) averaged over codes.

        Args:
            x: `(n, *shape)`. Under "bernoulli", grey pixels are drawn to black or white by `seed` once.
            samples: codes drawn for each image.
            seed: integer; the same seed repeats the result. None for other draws each time.

        Returns:
            `(n,)`, nats. `beta` has no part in it.

        Raises:
            ValueError: under the "grey" likelihood, which is no density of images.
        """
        terms = [
            log_likelihoods.mean(axis=1) - kl for log_likelihoods, _, kl in self._sampled(x, samples, seed, condition)
        ]
        return np.concatenate(terms)

    def log_likelihood(self, x, samples=500, seed=0, condition=None):
        """Importance-weighted estimate of log p(x), on average a bound that rises with `samples` (Burda et al. 2016).

        log 1/k Σ p(x | z) p(z) / q(z | x) over k codes z ~ q(z | x). Args, returns and errors as in `elbo`.
        """
        terms = [
            logsumexp(log_likelihoods + log_ratios, axis=1) - np.log(samples)
            for log_likelihoods, log_ratios, _ in self._sampled(x, samples, seed, condition)
        ]
        return np.concatenate(terms)

    def _sampled(self, x, samples, seed, condition):
        """For a few images at a time: log p(x | z) and log p(z) / q(z | x), `(n, samples)`, and KL terms, `(n,)`."""
        if self.likelihood == "grey":
            raise ValueError(
                '`likelihood` must not be "grey" here: it is no density of images. Use binarize() and "bernoulli".'
            )
        x = self._checked_images("x", x)
        condition = self._checked_condition(condition, len(x))
        samples = validation.whole("samples", samples, 1)
        rng = validation.random("seed", seed)
        if self.likelihood == "bernoulli":
            x = binarize(x, rng)
        z_mean, z_log_var = forward(self.encoder, _joined(x, condition))
        kl = keras.ops.convert_to_numpy(kl_divergence(z_mean, z_log_var))
        few = max(1, ROWS // samples)
        for start in range(0, len(x), few):
            part = slice(start, start + few)
            log_var = z_log_var[part, None]
            noise = rng.standard_normal((len(log_var), samples, self.latent_dim), "float32")
            z = z_mean[part, None] + np.exp(0.5 * log_var) * noise
            log_ratios = 0.5 * (noise**2 + log_var - z**2).sum(axis=2, dtype="float64")
            part_of_condition = condition if condition is None else condition[part]
            yield self._log_likelihoods(x[part], z, part_of_condition), log_ratios, kl[part]

    def _log_likelihoods(self, x, z, condition):
        """log p(x | z) of each code of each image: `(n, *shape)`, `(n, samples, latent_dim)` → `(n, samples)`."""
        n, samples, _ = z.shape
        rows, codes = [], z.reshape(n * samples, -1)
        owner = np.repeat(np.arange(n), samples)
        for start in range(0, len(codes), 1024):
            part = slice(start, start + 1024)
            inputs = _joined(codes[part], condition if condition is None else condition[owner[part]])
            log_probability = self.log_probability(x[owner[part]], self.decoder(inputs, training=False))
            rows.append(keras.ops.convert_to_numpy(log_probability))
        return np.concatenate(rows).reshape(n, samples).astype("float64")


def _joined(x, condition):
    return x if condition is None else [x, condition]


def _check_shapes(encoder, decoder):
    image_shape, (z_mean, z_log_var) = encoder.inputs[0].shape, encoder.output_shape
    if len(z_mean) != 2 or z_mean != z_log_var:
        raise ValueError(f"`encoder` must return two outputs of shape (n, latent_dim), got {z_mean}, {z_log_var}.")
    if decoder.inputs[0].shape != z_mean:
        raise ValueError(
            f"`decoder` must take codes of shape {z_mean}, got an input of shape {decoder.inputs[0].shape}."
        )
    if decoder.output_shape != image_shape:
        raise ValueError(f"`decoder` must return images of shape {image_shape}, got {decoder.output_shape}.")


def gaussian_encoder(network, name="encoder"):
    """An encoder for a VAE from any network `(n, *shape)` → `(n, 2 latent_dim)`: its output's halves are the two.

    Returns:
        `keras.Model`: `(n, *shape)` → `[z_mean, z_log_var]`, each `(n, latent_dim)`.
    """
    inputs = network.inputs if len(network.inputs) > 1 else network.inputs[0]
    return keras.Model(inputs, list(keras.ops.split(network.outputs[0], 2, axis=-1)), name=name)


def dense_encoder(image_shape, latent_dim, hidden_units=(512, 512), **style):
    """`networks.dense_encoder` with the two outputs of a VAE; `style` is what that one takes besides."""
    return gaussian_encoder(networks.dense_encoder(image_shape, 2 * latent_dim, hidden_units, **style))


def convolutional_encoder(image_shape, latent_dim, filters=(32, 64), **style):
    """`networks.convolutional_encoder` with the two outputs of a VAE; `style` is what that one takes besides."""
    return gaussian_encoder(networks.convolutional_encoder(image_shape, 2 * latent_dim, filters, **style))


def residual_encoder(image_shape, latent_dim, filters=(32, 64), hidden_units=(512,), activation="silu", **style):
    """`networks.residual_encoder` and dense layers to the two outputs of a VAE; `style` is what that one takes."""
    trunk = networks.residual_encoder(image_shape[-1], filters, activation=activation, **style)
    seed = style.get("seed")
    return gaussian_encoder(
        networks.image_to_code(trunk, image_shape, 2 * latent_dim, hidden_units, activation, seed=seed)
    )


def residual_decoder(image_shape, latent_dim, filters=(64, 32), hidden_units=(512,), activation="silu", **style):
    """Dense layers from the code to a small image, then `networks.residual_decoder`, to logits.

    Args:
        image_shape: `(height, width, channels)` of any size.
        latent_dim: length of the code.
        hidden_units: width of each dense layer before the small image.
        filters, activation, style: as in `networks.residual_decoder`.
    """
    trunk = networks.residual_decoder(image_shape[-1], filters, activation=activation, output_activation=None, **style)
    return networks.code_to_image(trunk, image_shape, latent_dim, hidden_units, activation, seed=style.get("seed"))
