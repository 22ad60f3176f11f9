"""The detector on ADBench, NSL-KDD and a million rows: `python -m benchmarks.anomaly_detection`.

ADBench, AUROC on eight tables, every method with one setting for all of them. Contaminated: all rows, anomalies among
them, train without labels, and the same rows are scored, as in Han et al. 2022. One-class: half of the normal rows
train, the others and all anomalies are scored, as in Livernoche et al. 2024.
NSL-KDD: the normal rows of the 20 % training file train, all but a fifth; the threshold is the score that 5 % of that
fifth exceed; all of KDDTest+ is scored.
"""

import tracemalloc
from functools import partial
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.spatial.distance import cdist
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.metrics import average_precision_score, f1_score, roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import StandardScaler

from benchmarks.common import runner
from benchmarks.common.timing import timed
from dlarch_keras import AnomalyDetector
from dlarch_keras.datasets import ADBENCH_NAMES, load_adbench, load_nsl_kdd, one_class_split

AUROC, PRECISION, F1 = ("AUROC", "1"), ("average precision", "1"), ("F1", "1")
NEIGHBOURS_AMONG = 20_000


class Sizes(NamedTuple):
    """Of the full protocol, and of a quick run."""

    tables: tuple = ADBENCH_NAMES
    steps: int = AnomalyDetector().steps
    connections: int | None = None  # rows of NSL-KDD, all by default
    steps_on_connections: int = 3000
    scored: int = 1_000_000  # rows


QUICK = Sizes(("breastw",), 8, 500, 8, 20_000)


def detector(x_train, x, seed, **setting):
    model = AnomalyDetector(**setting, random_state=seed).fit(x_train)
    return -model.score_samples(x), model.autoencoder_.count_params()


def isolation_forest(x_train, x, seed):
    return -IsolationForest(random_state=seed).fit(x_train).score_samples(x), 0


def mahalanobis(x_train, x, seed):
    """All principal components of the standardised columns, each squared and divided by its variance."""
    scaler = StandardScaler().fit(x_train)
    model = PCA().fit(scaler.transform(x_train))
    kept = model.explained_variance_ratio_ > 1e-9
    codes = model.transform(scaler.transform(x))[:, kept]
    return (codes**2 / model.explained_variance_[kept]).sum(axis=1), model.components_.size


def published_pca(x_train, x, seed):
    """What PyOD calls PCA, and ADBench's published figures are of: distances to the tips of the unit eigenvectors."""
    scaler = StandardScaler().fit(x_train)
    model = PCA().fit(scaler.transform(x_train))
    kept = model.explained_variance_ratio_ > 1e-9
    distances = cdist(scaler.transform(x), model.components_[kept])
    return (distances / model.explained_variance_ratio_[kept]).sum(axis=1), model.components_.size


def pca_reconstruction(x_train, x, seed):
    """Squared error after a projection on the components that hold 90 % of the variance."""
    scaler = StandardScaler().fit(x_train)
    model = PCA(0.9, svd_solver="full").fit(scaler.transform(x_train))
    x = scaler.transform(x)
    return ((x - model.inverse_transform(model.transform(x))) ** 2).sum(axis=1), model.components_.size


def nearest_neighbours(x_train, x, seed):
    """Distance to the fifth nearest of at most 20,000 training rows; a row's own copy among them counts as one."""
    scaler = StandardScaler().fit(x_train)
    chosen = np.random.default_rng(seed).permutation(len(x_train))[:NEIGHBOURS_AMONG]
    model = NearestNeighbors(n_neighbors=5).fit(scaler.transform(x_train[chosen]))
    return model.kneighbors(scaler.transform(x))[0][:, -1], 0


METHODS = {
    "detector": detector,
    "isolation forest": isolation_forest,
    "PCA, Mahalanobis": mahalanobis,
    "PCA, as in PyOD": published_pca,
    "PCA reconstruction": pca_reconstruction,
    "5 nearest neighbours": nearest_neighbours,
}


def scored(method, x_train, x, seed, **setting):
    """Scores of a method, its number of parameters, and seconds; `setting` is the detector's."""
    setting = setting if method == "detector" else {}
    (scores, parameters), seconds = timed(lambda: METHODS[method](x_train, x, seed, **setting))
    return scores, parameters, seconds


def adbench(method, name, one_class, sizes, seed):
    """Area under the ROC curve of one method on one table."""
    x, y = load_adbench(name)
    x_train = x
    if one_class:
        (x_train, _), (x, y) = one_class_split(x, y, seed)
    scores, parameters, seconds = scored(method, x_train, x, seed, steps=sizes.steps)
    dataset = f"ADBench {name}, {'one-class' if one_class else 'contaminated'}"
    return runner.rows(method, dataset, {AUROC: roc_auc_score(y, scores)}, seconds, parameters)


def nsl_kdd(method, sizes, seed):
    """One method on KDDTest+, its threshold from held-back normal rows of the training file.

    There the training rows are known to be normal. The detector's setting was chosen by the AUROC on the attacks of
    that file.
    """
    (x_train, y_train), (x_test, y_test) = load_nsl_kdd()
    normal, x_test = x_train[y_train == "normal"][: sizes.connections], x_test[: sizes.connections]
    is_attack = (y_test != "normal").to_numpy()[: sizes.connections]
    train, validation = train_test_split(normal, test_size=0.2, random_state=seed)
    x = pd.concat([validation, x_test])
    if method != "detector":  # one indicator for each training category
        columns = pd.get_dummies(train).columns
        train, x = (pd.get_dummies(rows).reindex(columns=columns, fill_value=0).to_numpy(float) for rows in (train, x))
    setting = {"trim": 0.0, "noise": 0.5, "steps": sizes.steps_on_connections}
    scores, parameters, seconds = scored(method, train, x, seed, **setting)
    threshold, scores = np.quantile(scores[: len(validation)], 0.95), scores[len(validation) :]
    figures = {
        AUROC: roc_auc_score(is_attack, scores),
        PRECISION: average_precision_score(is_attack, scores),
        F1: f1_score(is_attack, scores > threshold),
    }
    return runner.rows(method, "NSL-KDD KDDTest+", figures, seconds, parameters)


def scoring(method, sizes, seed):
    """What scoring 1,000,000 rows of 30 columns takes: seconds, and NumPy's peak memory."""
    x = np.random.default_rng(seed).normal(size=(sizes.scored, 30)).astype("float32")
    model = IsolationForest() if method == "isolation forest" else AnomalyDetector(steps=sizes.steps)
    model = model.set_params(random_state=seed).fit(x[:10_000])
    model.score_samples(x[:10_000])
    _, seconds = timed(lambda: model.score_samples(x))
    tracemalloc.start()
    model.score_samples(x)
    peak = tracemalloc.get_traced_memory()[1] / 2**20
    tracemalloc.stop()
    figures = {("time to score", "s"): seconds, ("peak memory", "MiB"): peak}
    return runner.rows(method, f"{sizes.scored:,} × 30, normal", figures, seconds)


def tasks(quick):
    sizes = QUICK if quick else Sizes()
    found = {
        f"{method}, {name}, {setting}": partial(adbench, method, name, setting == "one-class", sizes)
        for setting in ("contaminated", "one-class")
        for name in sizes.tables
        for method in METHODS
    }
    found |= {f"{method}, NSL-KDD": partial(nsl_kdd, method, sizes) for method in METHODS}
    return found | {
        f"{method}, scoring": partial(scoring, method, sizes) for method in ("detector", "isolation forest")
    }


if __name__ == "__main__":
    runner.main("anomaly_detection", tasks)
