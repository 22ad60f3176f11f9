"""The detector on ADBench, NSL-KDD and a million rows: `python -m benchmarks.anomaly_detection`.

ADBench, AUROC on eight tables, every method with one setting for all of them. Contaminated: all rows, anomalies among
them, train without labels, and the same rows are scored, as in Han et al. 2022. One-class: half of the normal rows
train, the others and all anomalies are scored, as in Livernoche et al. 2024.
NSL-KDD: the normal rows of the 20 % training file train, all but a fifth; the threshold is the score that 5 % of that
fifth exceed; all of KDDTest+ is scored.
"""

import functools
import time
import tracemalloc

import numpy as np
import pandas as pd
from scipy.spatial.distance import cdist
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.metrics import average_precision_score, f1_score, roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import StandardScaler

from benchmarks import runner
from dlarch_keras import AnomalyDetector
from dlarch_keras.datasets import ADBENCH_NAMES, load_adbench, load_nsl_kdd, one_class_split

TABLES = runner.size(ADBENCH_NAMES, ("breastw",))
CONNECTIONS = runner.size(None, 500)  # rows of NSL-KDD, all by default
SCORED = runner.size(1_000_000, 20_000)
SETTING = runner.size({}, {"steps": 8})
NEIGHBOURS_AMONG = 20_000
# There the training rows are known to be normal. Chosen by the AUROC on the training file's attacks.
NSL_KDD_SETTING = {"trim": 0.0, "noise": 0.5, "steps": runner.size(3000, 8)}


def detector(x_train, x, seed):
    model = AnomalyDetector(**SETTING, random_state=seed).fit(x_train)
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


def adbench(method, name, one_class, seed):
    """Area under the ROC curve of one method on one table."""
    x, y = load_adbench(name)
    x_train = x
    if one_class:
        (x_train, _), (x, y) = one_class_split(x, y, seed)
    start = time.perf_counter()
    scores, parameters = METHODS[method](x_train, x, seed)
    return {
        "dataset": f"ADBench {name}, {'one-class' if one_class else 'contaminated'}",
        "metric": "AUROC",
        "value": roc_auc_score(y, scores),
        "seconds": time.perf_counter() - start,
        "parameters": parameters,
    }


@functools.lru_cache(maxsize=2)
def _nsl_kdd(method, seed):
    (x_train, y_train), (x_test, y_test) = load_nsl_kdd()
    normal, x_test, y_test = x_train[y_train == "normal"][:CONNECTIONS], x_test[:CONNECTIONS], y_test[:CONNECTIONS]
    train, validation = train_test_split(normal, test_size=0.2, random_state=seed)
    start = time.perf_counter()
    if method == "detector":
        model = AnomalyDetector(**NSL_KDD_SETTING, random_state=seed).fit(train)
        scores, parameters = [-model.score_samples(x) for x in (validation, x_test)], model.autoencoder_.count_params()
    else:
        columns = _numbers(train, validation, x_test)
        scores, parameters = [METHODS[method](columns[0], x, seed)[0] for x in columns[1:]], 0
    return scores, (y_test != "normal").to_numpy(), time.perf_counter() - start, parameters


def _numbers(train, *others):
    """One indicator for each training category, for the baselines."""
    columns = pd.get_dummies(train).columns
    return [pd.get_dummies(x).reindex(columns=columns, fill_value=0).to_numpy("float64") for x in (train, *others)]


def nsl_kdd(method, metric, seed):
    """One figure of one method on KDDTest+, its threshold from held-back normal rows of the training file."""
    (validation, scores), y, seconds, parameters = _nsl_kdd(method, seed)
    figures = {
        "AUROC": lambda: roc_auc_score(y, scores),
        "average precision": lambda: average_precision_score(y, scores),
        "F1": lambda: f1_score(y, scores > np.quantile(validation, 0.95)),
    }
    return {
        "dataset": "NSL-KDD KDDTest+",
        "metric": metric,
        "value": float(figures[metric]()),
        "seconds": seconds,
        "parameters": parameters,
    }


@functools.lru_cache(maxsize=2)
def _a_million_rows(method, seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(SCORED, 30)).astype("float32")
    model = IsolationForest if method == "isolation forest" else functools.partial(AnomalyDetector, **SETTING)
    model = model(random_state=seed).fit(x[:10_000])
    model.score_samples(x[:10_000])
    start = time.perf_counter()
    model.score_samples(x)
    seconds = time.perf_counter() - start
    tracemalloc.start()
    model.score_samples(x)
    peak = tracemalloc.get_traced_memory()[1] / 2**20
    tracemalloc.stop()
    return seconds, peak


def scoring(method, metric, seed):
    """What scoring 1,000,000 rows of 30 columns takes: seconds, or NumPy's peak memory."""
    seconds, peak = _a_million_rows(method, seed)
    return {
        "dataset": f"{SCORED:,} × 30, normal",
        "metric": metric,
        "value": seconds if metric == "seconds" else peak,
        "seconds": seconds,
        "parameters": 0,
    }


TASKS = {
    f"{method}, {name}, {'one-class' if one_class else 'contaminated'}": functools.partial(
        adbench, method, name, one_class
    )
    for one_class in (False, True)
    for name in TABLES
    for method in METHODS
}
TASKS |= {
    f"{method}, NSL-KDD, {metric}": functools.partial(nsl_kdd, method, metric)
    for method in METHODS
    for metric in ("AUROC", "average precision", "F1")
}
TASKS |= {
    f"{method}, scoring, {metric}": functools.partial(scoring, method, metric)
    for method in ("detector", "isolation forest")
    for metric in ("seconds", "peak MiB")
}

if __name__ == "__main__":
    runner.main("anomaly_detection", TASKS)
