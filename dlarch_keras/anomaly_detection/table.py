"""Anomaly detection in tables: an autoencoder learns what rows look like, and the rows it fails to copy are suspect.

Sakurada & Yairi, "Anomaly detection using autoencoders with nonlinear dimensionality reduction", MLSDA 2014; trained on
noisy copies after Vincent et al., "Extracting and composing robust features with denoising autoencoders", ICML 2008.
"""

import contextlib
import json
import numbers

import keras
import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, OutlierMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from ..core import forward
from ..core.archive import replacing
from ..denoising_autoencoder import DenoisingAutoencoder, GaussianCorruption
from ..networks import dense_decoder, dense_encoder
from .preparation import TablePreparation

ROWS = 8192  # scored at a time, always this many: a matrix product of another shape may round otherwise
ROUNDS = 4  # of training, between which rows are trimmed
FORMAT = "dlarch_keras.AnomalyDetector 1"


class AnomalyDetector(OutlierMixin, BaseEstimator):
    """Scores the rows of a table by how badly a denoising autoencoder reconstructs them.

    A row's anomaly score is a sum over its columns, so that it can be explained: over the encoded columns (see
    `tables.TablePreparation`, which says how categories, missing values, heavy tails and constant columns are handled),
    log(1 + max(value², residual²)). The value has mean 0 and variance 1; the residual, value minus reconstruction, is
    divided by its standard deviation. So a column counts by what is stranger, its value by itself or beside the row's
    other values, in the units of a Cauchy variable's negative log-density, under which one wild column does not drown
    the others. A value new in kind, such as an unseen category, adds 2 log(1 + number of training rows): that of
    a single training row scores about half of that.

    Args:
        latent_dim: length of the code; None for half the number of encoded columns.
        hidden_units: widths of the encoder's layers; the decoder mirrors them.
        noise: standard deviation of the noise added to the encoded columns in training. Less of it finds more of the
            rows whose values are ordinary and do not go together, and fewer of those with extreme values.
        trim: share of the training rows, those with the highest scores so far, that is left out of each quarter of the
            training, so that anomalies among them are not learned.
        contamination: share of the held-back rows that `predict` calls anomalies.
        validation_fraction: share of the rows that are held back from training, for the threshold.
        steps: gradient steps, whatever the number of rows.
        batch_size: rows a step.
        learning_rate: of Adam at the start; it falls to zero on a cosine.
        random_state: integer, `numpy.random.RandomState` or None.

    Attributes:
        offset_: the score below which a row is an anomaly.
        n_features_in_, feature_names_in_: columns of the table, and their names if it was a data frame.
        autoencoder_: the trained `DenoisingAutoencoder`.
        residual_scale_: `(encoded,)`, standard deviation of the training rows' residuals.
        preparation_: the fitted `TablePreparation`.
    """

    def __init__(
        self,
        *,
        latent_dim=None,
        hidden_units=(64,),
        noise=1.5,
        trim=0.3,
        contamination=0.05,
        validation_fraction=0.1,
        steps=1000,
        batch_size=256,
        learning_rate=2e-3,
        random_state=None,
    ):
        self.latent_dim = latent_dim
        self.hidden_units = hidden_units
        self.noise = noise
        self.trim = trim
        self.contamination = contamination
        self.validation_fraction = validation_fraction
        self.steps = steps
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.random_state = random_state

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.categorical = True
        return tags

    def fit(self, X, y=None):
        """Learn what the rows of `X` have in common, anomalies among them or not.

        Args:
            X: `(n, columns)`: data frame, or array of numbers; NaN where a value is missing.
            y: not used; scikit-learn's convention.

        Returns:
            The fitted detector.

        Raises:
            ValueError: for what is not such a table, fewer than two rows, rows that are all the same, and arguments of
                the constructor out of their range.
        """
        vars(self).pop("offset_", None)  # a fit that fails leaves no detector behind
        self._check_arguments()
        frame = self._frame(X, reset=True)
        seed = int(check_random_state(self.random_state).randint(2**31 - 2**20))
        order = np.random.default_rng(seed).permutation(len(frame))
        held_back = min(max(1, round(self.validation_fraction * len(frame))), len(frame) - 1)
        training, validation = frame.iloc[order[held_back:]], frame.iloc[order[:held_back]]
        self.preparation_ = TablePreparation().fit(training)
        encoded = self.preparation_.transform(training)
        self.preparation_.transform(validation)  # whatever is wrong with these rows, say so before training
        self.autoencoder_ = self._build(encoded.shape[1], seed)
        self._train(encoded, seed)
        self._novelty = 2 * float(np.log1p(len(training)))
        self.offset_ = _threshold(self._scores(validation), self.contamination)
        self._fitted_parameters = self.get_params()
        return self

    def _check_arguments(self):
        whole, real = numbers.Integral, numbers.Real
        for name, kind, valid, expected in [
            ("latent_dim", (whole, type(None)), lambda v: v is None or v >= 1, "a positive integer or None"),
            ("noise", real, lambda v: 0 < v < np.inf, "a positive number"),
            ("trim", real, lambda v: 0 <= v < 1, "a number in [0, 1)"),
            ("contamination", real, lambda v: 0 < v <= 0.5, "a number in (0, 0.5]"),
            ("validation_fraction", real, lambda v: 0 < v < 1, "a number in (0, 1)"),
            ("steps", whole, lambda v: v >= 1, "a positive integer"),
            ("batch_size", whole, lambda v: v >= 1, "a positive integer"),
            ("learning_rate", real, lambda v: 0 < v < np.inf, "a positive number"),
        ]:
            value = getattr(self, name)
            if not isinstance(value, kind) or isinstance(value, bool) or not valid(value):
                raise ValueError(f"`{name}` must be {expected}, got {value!r}.")
        units = self.hidden_units
        if not isinstance(units, (tuple, list)) or not all(isinstance(unit, whole) and unit >= 1 for unit in units):
            raise ValueError(f"`hidden_units` must be a tuple of positive integers, got {units!r}.")

    def _frame(self, X, reset=False):
        """`X` as a data frame of the right width and columns, or a ValueError."""
        named = isinstance(X, pd.DataFrame)
        if named:
            validate_data(self, X, reset=reset, skip_check_array=True)
            if X.empty:
                raise ValueError(f"`X` must have rows and columns, got shape {X.shape}.")
            names = [str(name) for name in X.columns]  # scikit-learn compares names only if they are text
            if not reset and self._had_names and names != self.preparation_.names:
                raise ValueError(f"`X` must have the columns {self.preparation_.names}, got {names}.")
        else:
            X = validate_data(self, X, reset=reset, ensure_all_finite="allow-nan")
            X = pd.DataFrame(X.astype("float64") if X.dtype == bool else X)
        if reset:
            self._had_names = named
        if reset and len(X) < 2:
            raise ValueError(f"`X` must have at least 2 rows to train on, got n_samples = {len(X)}.")
        return X

    def _build(self, width, seed):
        latent_dim = int(self.latent_dim or -(-width // 2))
        hidden = tuple(int(units) for units in self.hidden_units)
        policy = keras.config.dtype_policy()
        keras.config.set_dtype_policy("float32")  # a score must not depend on the policy of the day
        try:
            encoder = dense_encoder((width,), latent_dim, hidden, "silu", seed=seed + 1)
            decoder = dense_decoder(
                (width,), latent_dim, hidden[::-1], "silu", output_activation=None, seed=seed + 2 + len(hidden)
            )
            return DenoisingAutoencoder(encoder, decoder, GaussianCorruption(self.noise, clip=False, seed=seed))
        finally:
            keras.config.set_dtype_policy(policy)

    def _train(self, encoded, seed):
        """Train in rounds; before each, the rows with the highest scores so far are left out."""
        rounds = min(ROUNDS, self.steps)
        rng = np.random.default_rng(seed + 1)
        several = 1 if keras.backend.backend() == "torch" else 50
        schedule = keras.optimizers.schedules.CosineDecay(self.learning_rate, self.steps)
        self.autoencoder_.compile(keras.optimizers.Adam(schedule), steps_per_execution=several)
        kept = max(1, round((1 - self.trim) * len(encoded)))
        scores = np.log1p(encoded**2).sum(axis=1)
        for steps in (len(part) for part in np.array_split(np.arange(self.steps), rounds)):
            typical = np.argsort(scores, kind="stable")[:kept]
            size = steps * self.batch_size
            order = np.concatenate([rng.permutation(typical) for _ in range(-(-size // kept))])[:size]
            with contextlib.suppress(FloatingPointError):  # then the residuals are not finite, either
                self.autoencoder_.fit(encoded[order], batch_size=self.batch_size, shuffle=False, verbose=0)
            residuals = encoded - forward(self.autoencoder_, encoded, ROWS)
            self.residual_scale_ = residuals.std(axis=0) + np.float32(1e-6)
            if not np.isfinite(self.residual_scale_).all():
                raise ValueError(
                    f"`learning_rate` and `noise` must be small enough for training to converge, "
                    f"got {self.learning_rate} and {self.noise}: the residuals are not finite."
                )
            scores = self._surprise(encoded, residuals).sum(axis=1)

    def _surprise(self, values, residuals):
        """What each encoded column adds to the anomaly score, `(n, encoded)`."""
        return np.log1p(np.maximum(np.abs(values), np.abs(residuals) / self.residual_scale_) ** 2)

    def _batches(self, frame):
        """Contributions of each column, `(n, columns)`, for `ROWS` rows at a time."""
        owned = (self.preparation_.owners[:, None] == np.arange(self.n_features_in_)).astype("float64")
        for start in range(0, len(frame), ROWS):
            part = frame.iloc[start : start + ROWS]
            values = np.zeros((ROWS, len(owned)), "float32")
            values[: len(part)] = self.preparation_.transform(part)
            contributions = self._surprise(values, values - forward(self.autoencoder_, values, ROWS)) @ owned
            yield contributions[: len(part)] + self._novelty * self.preparation_.novelties(part)

    def _scores(self, frame):
        return -np.concatenate([contributions.sum(axis=1) for contributions in self._batches(frame)])

    def score_samples(self, X):
        """Score each row, higher for more normal: `(n, columns)` → `(n,)`; minus the sum of `explain(X)`.

        Raises:
            ValueError: for a table whose columns are not those of the training, in the same order.
        """
        check_is_fitted(self, "offset_")
        return self._scores(self._frame(X))

    def decision_function(self, X):
        """Return `score_samples(X) - offset_`, negative for anomalies: `(n, columns)` → `(n,)`."""
        return self.score_samples(X) - self.offset_

    def predict(self, X):
        """Return −1 for an anomaly, 1 for any other row: `(n, columns)` → `(n,)`."""
        return np.where(self.decision_function(X) < 0, -1, 1)

    def explain(self, X):
        """Say how much each column contributes to a row's anomaly score, which is the sum and `-score_samples(X)`.

        Returns:
            `(n, columns)`, at least 0; a data frame with the same index and columns for a data frame.
        """
        check_is_fitted(self, "offset_")
        frame = self._frame(X)
        contributions = np.concatenate(list(self._batches(frame)))
        if isinstance(X, pd.DataFrame):
            return pd.DataFrame(contributions, index=X.index, columns=X.columns)
        return contributions

    def calibrate(self, X, budget):
        """Set the threshold from rows that were not trained on, to what you can afford to look at.

        Args:
            X: `(n, columns)`, validation rows: as many as arrive in the time that the budget is for.
            budget: number of alerts among them as an integer, or their share as a float. Rows that tie at the
                threshold raise no alert.

        Returns:
            The detector, with another `offset_`.

        Raises:
            ValueError: as `score_samples`, and for a budget out of range.
        """
        scores = self.score_samples(X)
        whole = isinstance(budget, numbers.Integral)
        number = isinstance(budget, numbers.Real) and not isinstance(budget, (bool, np.bool_))
        if not number or not 0 <= budget <= (len(scores) if whole else 1):
            raise ValueError(
                f"`budget` must be an integer from 0 to {len(scores)}, the number of rows, or a share in [0, 1], "
                f"got {budget!r}."
            )
        self.offset_ = _threshold(scores, budget / len(scores) if whole else budget)
        return self

    def save(self, path):
        """Write the fitted detector to one file, an `.npz` archive that holds numbers and JSON only."""
        check_is_fitted(self, "offset_")
        parameters = dict(self._fitted_parameters)  # the networks' own, whatever set_params() has changed since
        if not isinstance(parameters["random_state"], (numbers.Integral, type(None))):
            parameters["random_state"] = None
        about = {
            "format": FORMAT,
            "parameters": parameters,
            "preparation": self.preparation_.get_state(),
            "had_names": self._had_names,
            "has_names": hasattr(self, "feature_names_in_"),
        }
        about = json.dumps(about, default=_plain)
        weights = {f"weight_{number}": weight for number, weight in enumerate(self.autoencoder_.get_weights())}
        with replacing(path) as part, open(part, "wb") as file:  # np.savez would add a suffix to a name
            np.savez(
                file,
                about=about,
                scalars=[self.offset_, self._novelty],
                residual_scale=self.residual_scale_,
                **weights,
            )

    @classmethod
    def load(cls, path):
        """Read a detector that `save` wrote; its scores are the same to the last bit on the same machine.

        Raises:
            ValueError: for any other file, and for one that is truncated or damaged.
        """
        try:
            with open(path, "rb") as file, np.load(file, allow_pickle=False) as archive:
                arrays = {name: archive[name] for name in archive.files}
            about = json.loads(str(arrays["about"]))
            if about["format"] != FORMAT:
                raise ValueError(f"format {about['format']!r}")
            detector = cls(**about["parameters"] | {"hidden_units": tuple(about["parameters"]["hidden_units"])})
            detector._fitted_parameters, detector._had_names = detector.get_params(), about["had_names"]
            detector.preparation_ = TablePreparation.from_state(about["preparation"])
            detector.n_features_in_ = len(detector.preparation_.names)
            if about["has_names"]:
                detector.feature_names_in_ = np.array(detector.preparation_.names, dtype=object)
            detector.offset_, detector._novelty = arrays["scalars"].tolist()
            detector.residual_scale_ = arrays["residual_scale"]
            detector.autoencoder_ = detector._build(len(detector.preparation_.owners), 0)
            count = len(detector.autoencoder_.weights)
            detector.autoencoder_.set_weights([arrays[f"weight_{number}"] for number in range(count)])
        except FileNotFoundError:
            raise
        except Exception as error:  # a damaged archive can make its readers raise almost anything
            raise ValueError(f"`path` must name a file written by AnomalyDetector.save, got {path}: {error}") from error
        return detector


def _threshold(scores, share):
    """The score that `share` of the scores lie below, as nearly as ties and whole numbers allow."""
    ordered = np.append(np.sort(scores), np.inf)
    return float(ordered[min(int(share * len(scores) + 0.5), len(scores))])


def _plain(value):
    """Other numbers, as JSON has them."""
    return value.item() if isinstance(value, np.generic) else float(value)
