"""The detector's settings, each figure on a table that had no say in them: `python -m benchmarks.anomaly_settings`.

Every candidate is measured on the 22 tables of ADBench, contaminated and one-class, as in `anomaly_detection.py`. Then,
for each table, the candidate is taken that does best on the other 21: whose smaller margin is largest of the two over
the best baseline there, contaminated and one-class. The figures of "chosen on the other tables" are those of these
choices; the package's default is the choice of all 22. The distance alone is measured, to see what the network adds,
and is no candidate: it needs none.
"""

from functools import partial
from itertools import product

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from benchmarks.anomaly_detection import AUROC, METHODS
from benchmarks.common import runner
from benchmarks.common.timing import timed
from dlarch_keras import AnomalyDetector
from dlarch_keras.anomaly_detection.rows import ROWS, typical_rows
from dlarch_keras.datasets import ADBENCH_NAMES, load_adbench, one_class_split

NOISES, TRIMS, NEIGHBOURS = (0.7, 1.5, 2.5), (0.15, 0.3), (3, 5, 10)
CHOSEN = "chosen on the other tables"
SETTINGS = ("contaminated", "one-class")


def candidates(name, one_class, noise, trim, steps, seed):
    """The surprise alone, the distance alone, and both, for several numbers of neighbours."""
    x, y = load_adbench(name)
    x_train = x
    if one_class:
        (x_train, _), (x, y) = one_class_split(x, y, seed)
    detector = AnomalyDetector(noise=noise, trim=trim, steps=steps, random_state=seed)
    _, seconds = timed(lambda: detector.fit(x_train))
    encode = detector.preparation_.transform
    typical, rows = typical_rows(encode(pd.DataFrame(x_train)), trim)[:ROWS], encode(pd.DataFrame(x))
    found = []
    for neighbours in NEIGHBOURS:
        scale = oddities(detector, typical, neighbours).mean(axis=0)
        surprise, distance = (oddities(detector, rows, neighbours) / scale).T
        parts = {f"distance of {neighbours}": distance, f"both, {neighbours}": surprise + distance}
        if neighbours == NEIGHBOURS[0]:
            parts["surprise"] = surprise
        for part, scores in parts.items():
            method = f"noise {noise}, trim {trim}, {part}"
            figures = {AUROC: roc_auc_score(y, scores)}
            found += runner.rows(method, f"ADBench {name}, {SETTINGS[one_class]}", figures, seconds)
    return found


def oddities(detector, rows, neighbours):
    """Surprise and distance of encoded rows, `(n, 2)`."""
    detector.set_params(neighbours=neighbours)
    parts = []
    for start in range(0, len(rows), ROWS):
        surprises, squares = detector._oddities(rows[start : start + ROWS])
        parts.append(np.stack([surprises.sum(axis=1), np.sqrt(squares.sum(axis=1))], axis=1))
    return np.concatenate(parts).astype("float64")


def choose(_, results):
    """Add, for each table, the figures of the candidate that is best on the others."""
    path = results / "anomaly_settings.csv"
    measured = pd.read_csv(path)
    measured = measured[measured["method"] != CHOSEN]
    table = by_table(measured[~measured["method"].str.contains("distance")])
    baselines = pd.read_csv(runner.RESULTS / "anomaly_detection.csv")
    baselines = by_table(baselines[baselines["method"].isin(set(METHODS) - {"detector"})])[table.columns]
    chosen = []
    for name in table.columns.levels[1]:
        method = best(table.drop(columns=name, level=1), baselines.drop(columns=name, level=1))
        rows = measured[(measured["method"] == method) & measured["dataset"].str.startswith(f"ADBench {name}, ")]
        chosen.append(rows.assign(method=CHOSEN))
        print(f"{name}: {method}")
    print("on all tables:", best(table, baselines))
    pd.concat([measured, *chosen]).to_csv(path, index=False)


def by_table(rows):
    """AUROC by method and, as columns, by setting and table."""
    kinds = rows["dataset"].str.extract("ADBench (?P<table>.+), (?P<setting>contaminated|one-class)$")
    return rows.join(kinds).dropna(subset="setting").pivot(index="method", columns=["setting", "table"], values="value")


def best(table, baselines):
    """The method whose smaller margin over the best baseline, contaminated and one-class, is the largest."""
    margins = [table[setting].mean(axis=1) - baselines[setting].mean(axis=1).max() for setting in SETTINGS]
    return np.minimum(*margins).idxmax()


def tasks(quick):
    names, steps = (("breastw", "wine"), 8) if quick else (ADBENCH_NAMES, AnomalyDetector().steps)
    return {
        f"{name}, {setting}, noise {noise}, trim {trim}": partial(
            candidates, name, setting == "one-class", noise, trim, steps
        )
        for name, setting, noise, trim in product(names, SETTINGS, NOISES, TRIMS)
    }


if __name__ == "__main__":
    runner.main("anomaly_settings", tasks, seeds=1, finish=choose)
