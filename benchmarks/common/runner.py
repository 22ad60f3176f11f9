"""Runs a benchmark's tasks over several seeds, goes on after being killed, and writes what they measured, tidy."""

import argparse
import gc
import shutil
from pathlib import Path

import keras
import pandas as pd
from tqdm import tqdm

RUNS = Path(__file__).parents[1] / "runs"
RESULTS = Path(__file__).parents[2] / "dlarch_keras" / "results"
KEYS = ["method", "dataset", "metric", "backend"]
COLUMNS = ["method", "dataset", "metric", "unit", "value", "sd", "seeds", "seconds", "parameters", "backend"]


def folder(name, quick):
    """Where a benchmark keeps what it can go on from; that of quick runs is another."""
    return RUNS / "quick" / name if quick else RUNS / name


def rows(method, dataset, figures, seconds=0.0, parameters=0):
    """Rows of one method on one dataset.

    Args:
        figures: `{(metric, unit): value}`.
        seconds: of training.
        parameters: number of weights.
    """
    common = {"method": method, "dataset": dataset, "seconds": float(seconds), "parameters": parameters}
    return [{**common, "metric": metric, "unit": unit, "value": float(x)} for (metric, unit), x in figures.items()]


def main(name, tasks, seeds=3, finish=None, runs=None, results=None, arguments=None):
    """Measure tasks with every seed, and write means and standard deviations to `results/<name>.csv`.

    Each finished task of a seed adds its rows to `runs/runs.csv`; one that is there already is not run again, so a
    killed benchmark goes on where it was when it is started again. Delete the rows, or the file, to repeat a task.
    Other rows of the results stay. A quick run is of one seed, deletes all of `runs` first, and writes its results
    there.

    Args:
        name: the benchmark's name.
        tasks: function of `quick`, whether only to see that it works; returns `{task: function}`, whose function takes
            a seed and returns `rows`.
        seeds: number of seeds, 0, 1, ...
        finish: function of the folders of runs and of results, called at the end.
        runs, results: folders; `folder(name, quick)` and the package's by default.
        arguments: of the command line; those of this process by default.

    Returns:
        The data frame that it writes.
    """
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{name}")
    parser.add_argument("--quick", action="store_true", help="only see that it works; writes into runs/quick")
    parser.add_argument("--seeds", type=int, help=f"number of seeds (default: {seeds}; quick: 1)")
    parser.add_argument("--only", default="", metavar="TEXT", help="only the tasks whose names contain this")
    options = parser.parse_args(arguments)
    runs = runs or folder(name, options.quick)
    results = results or (runs / "results" if options.quick else RESULTS)
    tasks = tasks(options.quick)
    chosen = [task for task in tasks if options.only in task]
    if not chosen:
        parser.error(f"there is no task with {options.only!r} in its name")
    if options.quick:
        print(f"A quick run: what it measures means nothing. It is written into {runs}.")
        shutil.rmtree(runs, ignore_errors=True)
        gc.freeze()  # `clear_session`, before each task, would search all that was imported for garbage
    runs.mkdir(parents=True, exist_ok=True)
    results.mkdir(parents=True, exist_ok=True)
    log = runs / "runs.csv"
    seeds = options.seeds or (1 if options.quick else seeds)
    run_all(tasks, [(task, seed) for seed in range(seeds) for task in chosen], log)
    summary = merged(summarize(pd.read_csv(log), list(tasks)), results / f"{name}.csv")
    summary.to_csv(results / f"{name}.csv", index=False)
    if finish:
        finish(runs, results)
    return summary


def run_all(tasks, wanted, log):
    """Run the tasks of `wanted`, pairs of task and seed, that are not in the file `log` yet; their rows go there."""
    backend = keras.backend.backend()
    done = set(pd.read_csv(log)[["task", "seed", "backend"]].itertuples(index=False, name=None)) if log.exists() else ()
    with tqdm([each for each in wanted if (*each, backend) not in done], unit="run") as progress:
        for task, seed in progress:
            progress.set_description(f"{task}, seed {seed}")
            keras.backend.clear_session()
            keras.utils.set_random_seed(seed)
            found = [{"task": task, "seed": seed, "backend": backend, **row} for row in tasks[task](seed)]
            pd.DataFrame(found).to_csv(log, mode="a", header=not log.exists(), index=False)
            for row in found:
                progress.write("{task}, seed {seed}: {metric} {value:.5g} after {seconds:.0f} s".format(**row))


def summarize(runs, tasks):
    """A row for each figure: mean, standard deviation over seeds (0 for one), number of seeds, mean seconds.

    Args:
        runs: data frame with a row for each figure of each seed.
        tasks: names, in the order of the result's rows; those of other tasks are left out.
    """
    runs = runs[runs["task"].isin(tasks)].sort_values("task", key=lambda names: names.map(tasks.index), kind="stable")
    summary = runs.groupby([*KEYS, "unit"], sort=False).agg(
        value=("value", "mean"),
        sd=("value", "std"),
        seeds=("seed", "nunique"),
        seconds=("seconds", "mean"),
        parameters=("parameters", "max"),  # they may differ where a table's rare categories do
    )
    summary = summary.fillna({"sd": 0.0}).round({"value": 6, "sd": 6, "seconds": 1})
    return summary.reset_index()[COLUMNS]


def merged(summary, path):
    """New rows in the place of those of the same figures in a file of results, and the others behind them."""
    if not path.exists():
        return summary
    table = pd.concat([pd.read_csv(path), summary])
    order = list(table.groupby(KEYS, sort=False).groups)
    return table.drop_duplicates(KEYS, keep="last").set_index(KEYS).loc[order].reset_index()[COLUMNS]
