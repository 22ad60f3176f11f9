"""Mistakes of well-known code, small: the tests of `test_mistakes.py` show that this package's checks catch each."""

import keras
import numpy as np
import pandas as pd

from dlarch_keras import GAN, VAE, WGANGP, AnomalyDetector, Autoencoder, ContrastiveLoss
from dlarch_keras.core import apply_gradients, forward, input_gradient, value_and_grad
from dlarch_keras.core.conditions import join
from dlarch_keras.gan import cross_entropy
from dlarch_keras.images.patches import patch_pairs
from dlarch_keras.metrics.verification import equal_error_rate
from tests.support.toy_models import TinyGAN


class ShowsTheLastBatch(Autoencoder):
    """Logs the last batch's loss as if it were the epoch's (keras.io's WGAN-GP)."""

    def train_step(self, data):
        super().train_step(data)
        return {"last_loss": self.compute_batch_loss(data[0] if isinstance(data, tuple) else data)}

    def fit(self, *args, **kwargs):
        history = super().fit(*args, **kwargs)
        history.history["loss"] = history.history["last_loss"]
        return history


class ShowsTheFirstReplica(Autoencoder):
    """Logs what the first of several devices saw as if it were all that was seen (keras#15509)."""

    def __init__(self, *args, **kwargs):
        import tensorflow as tf

        super().__init__(*args, **kwargs)
        update_state = self.trackers["loss"].update_state

        def update_from_the_first(value, sample_weight):
            number = tf.distribute.get_replica_context().replica_id_in_sync_group
            update_state(value, sample_weight=tf.where(tf.equal(number, 0), sample_weight, 0))

        self.trackers["loss"].update_state = update_from_the_first


@keras.saving.register_keras_serializable("tests")
class SavedWithoutItsSecondOptimizer(TinyGAN):
    """Leaves its second optimizer out of what it saves (keras-io#729)."""

    def compile(self, **kwargs):
        super().compile(**kwargs)
        self.optimizer.optimizers[1].save_own_variables = lambda store: None
        self.optimizer.optimizers[1].load_own_variables = lambda store: None


class LosesItsMethods(GAN):
    """Saves its networks as one, so that what is loaded is no GAN any more (keras#20579)."""

    def save(self, path):
        keras.Model(self.generator.inputs, self.discriminator(self.generator.output)).save(path)


def encoder_with_a_lambda(shape, latent_dim):
    """An encoder that holds Python code, so that it cannot be loaded safely (pyod#328)."""
    inputs = keras.Input(shape)
    x = keras.layers.Lambda(lambda pixels: 2 * pixels - 1)(inputs)
    return keras.Model(inputs, keras.layers.Dense(latent_dim)(keras.layers.Flatten()(x)))


def train_and_test_pooled(train, test):
    """Trains on the test rows as well: no figure is held out (keras.io's VAE)."""
    return np.concatenate([train, test]), test


def validation_rows_reused(validation, test):
    """Tests on the rows that were used to choose (TensorFlow's autoencoder tutorial)."""
    return validation, validation


def test_images_in_the_training_folder(train, test):
    """Trains on a folder and all folders within, that of the test images among them (keras.io's ESPCN)."""
    return {**train, **test}, test


class LossIgnored(Autoencoder):
    """Takes a loss in `compile` and does without it, as a plain `keras.Model` with a `train_step` does."""

    def compile(self, optimizer="adam", loss=None, **kwargs):
        super().compile(optimizer, **kwargs)


class ScoreThatChangesAtEveryCall(AnomalyDetector):
    """Scores noisy copies of the rows, drawn anew each time (alibi-detect#885: sampling instead of the mean)."""

    def score_samples(self, X):
        return super().score_samples(X + np.random.default_rng().normal(0, 0.1, X.shape))


class ThresholdAtTheTrainingMaximum(AnomalyDetector):
    """Alerts on what is stranger than every training row (keras.io's anomaly detection in time series)."""

    def fit(self, X, y=None):
        super().fit(X)
        self.offset_ = self.score_samples(X).min()
        return self


class ScalerFittedOnWhatIsScored(AnomalyDetector):
    """Prepares a table by the table itself, anomalies included: a common shortcut."""

    def score_samples(self, X):
        self.preparation_.fit(pd.DataFrame(X))
        return super().score_samples(X)


def alerts_without_labels(scores, labels):
    """Reports how many alerts there were, and not whether they were right (keras.io's anomaly detection in time)."""
    return np.mean(scores > scores.mean())


def window_around_the_payment(transactions):
    """Mean amount of the customer's three payments around this one: the window looks one payment ahead."""
    return transactions.groupby("customer_id")["amount"].transform(lambda a: a.rolling(3, 1, center=True).mean())


def windows_without_the_last(transactions):
    """Mean amounts of three payments in a row, one window too few: the newest payment is in none (keras-io#329)."""
    amounts = transactions["amount"].to_numpy()
    return pd.DataFrame({"mean_amount": [amounts[start : start + 3].mean() for start in range(len(amounts) - 3)]})


class KLAveragedOverUnits(VAE):
    """Averages the KL term over latent units, so that beta is 1 / latent_dim (a standard Keras textbook)."""

    def compute_batch_losses(self, *args, **kwargs):
        reconstruction, kl = super().compute_batch_losses(*args, **kwargs)
        return reconstruction, kl / self.latent_dim


class KLClamped(VAE):
    """Clamps the KL term to [0, 0] (a well-known outlier library's default)."""

    def compute_batch_losses(self, *args, **kwargs):
        reconstruction, kl = super().compute_batch_losses(*args, **kwargs)
        return reconstruction, keras.ops.clip(kl, 0, 0)


class ReconstructionAveragedOverPixels(VAE):
    """Takes `binary_crossentropy`, a mean, for the sum over pixels (keras#3383)."""

    def compute_batch_losses(self, *args, **kwargs):
        reconstruction, kl = super().compute_batch_losses(*args, **kwargs)
        return reconstruction / np.prod(self.decoder.output_shape[1:]), kl


class BetaOnTheReconstruction(VAE):
    """Multiplies the reconstruction term by beta (a standard generative-modelling textbook)."""

    def kl_weight(self):
        return 1 / self.beta  # in the gradient, but for its length, the same

    def log(self, count, loss, reconstruction_loss, kl_loss):
        loss = self.beta * reconstruction_loss + kl_loss
        return super().log(count, loss=loss, reconstruction_loss=reconstruction_loss, kl_loss=kl_loss)


class LossOfTheLastBatch(VAE):
    """Logs a loss of the last batch beside terms of the whole epoch: they do not add up (keras-io#607, #983)."""

    def log(self, count, **values):
        # Where a step logs what is no metric, Keras shows what the last step returned, and not the metrics.
        return {**super().log(count, **values), "loss": values["loss"], "beta": self.beta}


class NoHeldOutTerms(VAE):
    """Has no `test_step` of its own (keras-io#38, #509)."""

    def test_step(self, data):
        return keras.Model.test_step(self, data)


class NoisyTargets(GAN):
    """Adds noise to the targets, which then reach 1.05: the loss is unbounded below (keras.io's DCGAN)."""

    def discriminator_loss(self, real, fake, condition, training=False):
        real_logits, fake_logits = (self.discriminator(x, training=training) for x in (real, fake))
        return cross_entropy(1.05, real_logits) + cross_entropy(0.05, fake_logits)


class AlphaFromANormal(WGANGP):
    """Draws the places of the penalty from N(0, 1), so that most lie outside (keras-io#143, #415)."""

    def sample_alpha(self, count, rank, training=True):
        return keras.random.normal((count, *[1] * (rank - 1)), seed=self.seed_generator)


class RootOfZero(WGANGP):
    """Takes the root of the squared slope as it is: NaN gradients where it is 0 (keras-io#624)."""

    def gradient_penalty(self, real, fake, condition, alpha, training=False):
        slope = input_gradient(self.discriminator, alpha * real + (1 - alpha) * fake)
        return keras.ops.mean(keras.ops.square(keras.ops.sqrt(keras.ops.sum(slope**2, axis=-1)) - 1))


class FakesWithinTheDiscriminatorsGradient(WGANGP):
    """Runs the generator inside the discriminator's gradient, for nothing but time and memory (keras.io's WGAN-GP)."""

    def discriminator_step(self, real, condition):
        def loss():
            fake = self.generator(join(self.sample_noise(keras.ops.shape(real)[0]), condition), training=True)
            return self.discriminator_loss(real, fake, condition, training=True)

        values, gradients = value_and_grad(loss, self.discriminator.trainable_variables)
        apply_gradients(self.optimizer["discriminator"], gradients, self.discriminator.trainable_variables)
        return values


def every_nth_pixel(x, scale):
    """Shrinks without antialiasing: fine stripes become broad ones that were never there."""
    return x[:, ::scale, ::scale]


def _shrunk_by_area(x, scale):
    n, height, width, channels = x.shape
    return x.reshape(n, height // scale, scale, width // scale, scale, channels).mean(axis=(2, 4))


def patches_shrunk_by_area(images, scale, size, count):
    """Pairs to train on that were shrunk in another way than those of the test (keras.io's ESPCN)."""
    return patch_pairs(images, scale, size, count, shrink=_shrunk_by_area)


def tiles_without_a_margin(generator, x, tile):
    """Enlarges tiles by themselves: each has a border of its own, and seams show."""
    rows = [x[:, top : top + tile] for top in range(0, x.shape[1], tile)]
    parts = [[row[:, :, left : left + tile] for left in range(0, x.shape[2], tile)] for row in rows]
    enlarged = [np.concatenate([forward(generator, part) for part in row], axis=2) for row in parts]
    return np.concatenate(enlarged, axis=1)


def ties_are_right(distances, answers):
    """One-shot accuracy that asks whether any other class is nearer: a constant network is perfect (trap 7)."""
    return np.mean(np.take_along_axis(distances, answers[:, None], 1)[:, 0] <= distances.min(axis=1))


def first_of_the_nearest(distances, answers):
    """One-shot accuracy by `argmin`: of equal distances the first wins, which in many loaders is the right class."""
    return np.mean(distances.argmin(axis=1) == answers)


class LabelsInverted(ContrastiveLoss):
    """Takes 1 for similar, against the paper (keras#16935)."""

    def __call__(self, distances, different):
        return super().__call__(distances, 1 - different)


class SigmoidBeforeTheMargin(ContrastiveLoss):
    """Squeezes distances into (0, 1) first, where no pair is ever as far apart as the margin (keras-io#2230)."""

    def __call__(self, distances, different):
        return super().__call__(keras.ops.sigmoid(distances), different)


def threshold_from_the_test_pairs(validation, test):
    """The accuracy at a threshold that has seen the answers (every signature repository read)."""
    _, threshold = equal_error_rate(*test)
    return float(np.mean((test[0] > threshold) == test[1]))
