"""Anomaly detection in tables: suspect are rows that an autoencoder fails to copy, and rows far from all others.

    score of a row = - (surprise / typical surprise + distance / typical distance)
    surprise       = sum over its encoded columns of log(1 + max(value², residual²))
    distance       = root mean square distance to the nearest among typical training rows

Sakurada & Yairi, "Anomaly detection using autoencoders with nonlinear dimensionality reduction", MLSDA 2014; trained on
noisy copies after Vincent et al., "Extracting and composing robust features with denoising autoencoders", ICML 2008.
Neighbours in a small random sample: Sugiyama & Borgwardt, "Rapid distance-based outlier detection via sampling", NIPS
2013.
"""

from numbers import Integral, Real
from typing import ClassVar

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, OutlierMixin
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, RealNotInt, validate_parameter_constraints
from sklearn.utils.validation import check_is_fitted

from ..core import validation
from ..core.archive import read_archive, write_archive
from .columns import table_of
from .decisions import labels, threshold
from .preparation import TablePreparation
from .rows import REFERENCES, ROWS, by_column, differences, reconstruct, row_autoencoder, surprise, train, typical_rows

_ARRAYS = ("references", "residual_scale", "typical")  # attributes, but for the underscore at their end


class AnomalyDetector(OutlierMixin, BaseEstimator):
    """Scores the rows of a table by how badly a denoising autoencoder reconstructs them, and how far they lie off.

    The score is a sum over columns, so that it can be explained. `TablePreparation` encodes them to mean 0 and variance
    1, and says which columns are numbers and which categories, which are refused, and what becomes of missing values.

    - Surprise: a residual is the encoded value minus its reconstruction, over the standard deviation of that. A column
      counts by what is stranger, its value by itself or beside the row's other values, in the units of a Cauchy
      variable's negative log-density, under which one wild column does not drown the others.
    - Distance: an autoencoder that copies well also copies what lies between two groups of rows. So the distance to the
      nearest rows of a sample of the training rows counts too, shared out among the columns as its square is.

    Each is divided by its mean over typical training rows, so that a typical row scores about -2. A value new in kind,
    an unseen category for instance, adds 2 log(1 + number of training rows) to the surprise, about twice what a
    category of a single training row does, and as much to the squared distance.

    Args:
        latent_dim: length of the code; None for half the number of encoded columns.
        hidden_units: widths of the encoder's layers; the decoder mirrors them.
        noise: standard deviation of the noise added to the encoded columns in training. Less of it finds more of the
            rows whose values are ordinary and do not go together, and more of it more of those with extreme values.
        trim: share of the training rows, those with the most extreme values, that is left out of the training, so that
            anomalies among them are not learned. 0 if you know that there are none.
        neighbours: how many of the nearest typical rows a row is compared with.
        contamination: share of the held-back rows that `predict` calls anomalies.
        validation_fraction: share of the rows that are held back from training, for the threshold.
        steps: gradient steps, whatever the number of rows.
        batch_size: rows a step.
        learning_rate: of Adam at the start; it falls to zero on a cosine.
        warm_start: whether a further `fit` continues to train the network it finds, on other rows of the same columns,
            encoded as those of the first `fit` were; the threshold is set anew. The network keeps its size and noise.
        random_state: integer, `numpy.random.RandomState` or None.

    Attributes:
        offset_: the score below which a row is an anomaly.
        n_features_in_, feature_names_in_: columns of the table, and their names if it was a data frame.
        autoencoder_: the trained `DenoisingAutoencoder`.
        references_: `(at most 500, encoded)`, the sample of typical training rows.
        residual_scale_: `(encoded,)`, standard deviation of the typical rows' residuals.
        typical_: mean surprise and mean distance of typical rows.
        preparation_: the fitted `TablePreparation`.
    """

    _parameter_constraints: ClassVar = {
        "latent_dim": [Interval(Integral, 1, None, closed="left"), None],
        "hidden_units": [tuple, list],  # of what, `fit` checks
        "noise": [Interval(Real, 0, np.inf, closed="neither")],
        "trim": [Interval(Real, 0, 1, closed="left")],
        "neighbours": [Interval(Integral, 1, None, closed="left")],
        "contamination": [Interval(Real, 0, 0.5, closed="right")],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "steps": [Interval(Integral, 1, None, closed="left")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "learning_rate": [Interval(Real, 0, np.inf, closed="neither")],
        "warm_start": ["boolean"],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        *,
        latent_dim=None,
        hidden_units=(64,),
        noise=0.7,
        trim=0.15,
        neighbours=3,
        contamination=0.05,
        validation_fraction=0.1,
        steps=1000,
        batch_size=256,
        learning_rate=2e-3,
        warm_start=False,
        random_state=None,
    ):
        self.latent_dim = latent_dim
        self.hidden_units = hidden_units
        self.noise = noise
        self.trim = trim
        self.neighbours = neighbours
        self.contamination = contamination
        self.validation_fraction = validation_fraction
        self.steps = steps
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.warm_start = warm_start
        self.random_state = random_state

    def fit(self, X, y=None):
        """Learn what the rows of `X` have in common, anomalies among them or not; return the detector.

        Args:
            X: `(n, columns)`: data frame, or array of numbers or objects; `TablePreparation` says which columns are
                numbers, and what is missing.
            y: not used; scikit-learn's convention.

        Raises:
            ValueError: for another table, a single row, rows that are all the same, parameters out of range, and a
                warm start on other columns than before, after which the detector is still the one it was.
        """
        continues = self.warm_start and hasattr(self, "offset_")
        if not continues:
            vars(self).pop("offset_", None)  # a fit that fails leaves no detector behind
        self._validate_params()
        hidden_units = [validation.positive_int("hidden_units", units) for units in self.hidden_units]
        frame = table_of(self, X, reset=not continues)
        if not continues:
            self._named = isinstance(X, pd.DataFrame)
        if len(frame) < 2:
            raise ValueError(f"`X` must have at least 2 rows to train on, got n_samples = {len(frame)}.")
        seed = int(check_random_state(self.random_state).randint(2**31 - 2**20))
        order = np.random.default_rng(seed).permutation(len(frame))
        count = min(max(1, round(self.validation_fraction * len(frame))), len(frame) - 1)
        training, held_back = order[count:], frame.iloc[order[:count]]
        if not continues:
            self.preparation_ = TablePreparation().fit(frame, training)
            self._novelty = 2 * float(np.log1p(len(training)))
        rows = typical_rows(self.preparation_.transform(frame.iloc[training]), self.trim)
        self.preparation_.transform(held_back)  # whatever is wrong with these rows, say so before training
        vars(self).pop("offset_", None)  # nor does training that fails
        if not continues:
            self.autoencoder_ = row_autoencoder(rows.shape[1], self.latent_dim, hidden_units, self.noise, seed)
        self.residual_scale_ = train(self.autoencoder_, rows, self.steps, self.batch_size, self.learning_rate, seed + 1)
        rng = np.random.default_rng(seed)
        sample = rng.permutation(rows)
        references = [sample[:REFERENCES], *([self.references_] if continues else [])]
        self.references_ = rng.permutation(np.concatenate(references))[:REFERENCES]
        surprises, squares = self._oddities(sample[-ROWS:])
        means = surprises.sum(axis=1).mean(), np.sqrt(squares.sum(axis=1)).mean()
        self.typical_ = np.add(means, 1e-6, dtype="float64")
        self.offset_ = threshold(self._scores(held_back), self.contamination)
        return self

    def _oddities(self, rows):
        """Surprises and squared distances of encoded rows, `(n, encoded)` each."""
        residuals = rows - reconstruct(self.autoencoder_, rows)
        apart = differences(rows, self.references_, min(self.neighbours, len(self.references_)))
        return surprise(rows, residuals, self.residual_scale_), apart

    def _batches(self, frame):
        """Contributions of each column, `(n, columns)`, for `ROWS` rows at a time."""
        for start in range(0, len(frame), ROWS):
            rows, new = self.preparation_.inspect(frame.iloc[start : start + ROWS])
            surprises, squares = (
                self._novelty * new + by_column(oddity, self.preparation_.owners, new.shape[1])
                for oddity in self._oddities(rows)
            )
            distances = np.sqrt(squares.sum(axis=1, keepdims=True))
            shares = np.divide(squares, distances, out=np.zeros_like(squares), where=distances > 0)
            yield surprises / self.typical_[0] + shares / self.typical_[1]

    def _scores(self, frame):
        return -np.concatenate([contributions.sum(axis=1) for contributions in self._batches(frame)])

    def score_samples(self, X):
        """Score each row, higher for more normal: `(n, columns)` → `(n,)`; minus the sum of `explain(X)`.

        Raises:
            ValueError: for a table whose columns are not those of the training, in the same order.
        """
        check_is_fitted(self, "offset_")
        return self._scores(table_of(self, X))

    def decision_function(self, X):
        """Return `score_samples(X) - offset_`, negative for anomalies: `(n, columns)` → `(n,)`."""
        return self.score_samples(X) - self.offset_

    def predict(self, X):
        """Return −1 for an anomaly, 1 for any other row: `(n, columns)` → `(n,)`."""
        return labels(self.decision_function(X))

    def explain(self, X):
        """Say how much each column contributes to a row's anomaly score, which is the sum and `-score_samples(X)`.

        Returns:
            `(n, columns)`, at least 0; a data frame with the same index and columns for a data frame.
        """
        check_is_fitted(self, "offset_")
        contributions = np.concatenate(list(self._batches(table_of(self, X))))
        if isinstance(X, pd.DataFrame):
            return pd.DataFrame(contributions, index=X.index, columns=X.columns)
        return contributions

    def calibrate(self, X, budget):
        """Set the threshold from rows that were not trained on, to what you can afford to look at.

        Among as many later rows of the same kind there will be budget ± 2.6 √(2 · budget) alerts, 99 times in 100.

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
        allowed = [Interval(Integral, 0, len(scores), closed="both"), Interval(RealNotInt, 0, 1, closed="both")]
        validate_parameter_constraints({"budget": allowed}, {"budget": budget}, "calibrate")
        self.offset_ = threshold(scores, budget / len(scores) if isinstance(budget, Integral) else budget)
        return self

    def save(self, path):
        """Write the fitted detector to one file, an archive of JSON, arrays and a `.keras` model, without pickle."""
        check_is_fitted(self, "offset_")
        settings = {
            "parameters": self.get_params(),
            "preparation": self.preparation_.get_state(),
            "named": self._named,
            "feature_names": list(getattr(self, "feature_names_in_", [])),  # only names that are text
            "offset": self.offset_,
            "novelty": self._novelty,
        }
        arrays = {name: getattr(self, f"{name}_") for name in _ARRAYS}
        write_archive(path, "AnomalyDetector", settings, arrays, {"autoencoder": self.autoencoder_})

    @classmethod
    def load(cls, path):
        """Read a detector that `save` wrote; its scores are the same to the last bit on the same machine.

        Raises:
            ValueError: for any other file, and for one that is truncated or damaged.
            FileNotFoundError: there is no file.
        """
        settings, arrays, models = read_archive(path, "AnomalyDetector")
        parameters = settings["parameters"]
        detector = cls(**parameters | {"hidden_units": tuple(parameters["hidden_units"])})
        detector.preparation_ = TablePreparation.from_state(settings["preparation"])
        detector.n_features_in_ = len(detector.preparation_.names)
        detector._named = settings["named"]
        if settings["feature_names"]:
            detector.feature_names_in_ = np.array(settings["feature_names"], dtype=object)
        detector.offset_, detector._novelty = settings["offset"], settings["novelty"]
        detector.autoencoder_ = models["autoencoder"]
        for name in _ARRAYS:
            setattr(detector, f"{name}_", arrays[name])
        return detector

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = tags.input_tags.categorical = tags.input_tags.string = True
        return tags
