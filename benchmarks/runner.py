"""Runs a benchmark's tasks over several seeds, resumes after being killed, and writes what they measured.

`--quick` runs the same code in seconds, to see that it works: one seed, and the sizes that each benchmark states beside
its full ones, as `size(full, quick)`. That option is read when this module is imported, so that constants and lists of
tasks can depend on it as well.
"""

import argparse
import gc
import shutil
import sys
import time
from pathlib import Path

import joblib
import keras
import pandas as pd
from tqdm import tqdm

QUICK = "--quick" in sys.argv
RUNS = Path(__file__).with_name("runs")
RESULTS = Path(__file__).parents[1] / "dlarch_keras" / "results"
if QUICK:  # apart from what full runs leave, and from other benchmarks
    RUNS = RUNS / "quick" / Path(sys.argv[0]).stem
    RESULTS = RUNS / "results"
    gc.freeze()  # `clear_session`, before each task, would search all that was imported for garbage


def size(full, quick):
    """`full`, but `quick` in a quick run."""
    return quick if QUICK else full


def main(name, tasks, seeds=3, runs=RUNS, results=RESULTS, arguments=None):
    """Measure tasks with every seed, and write means and standard deviations to `results/<name>.csv`.

    What other tasks' rows stand there stays.

    Each finished run is a row of `runs/<name>.csv`; one that is there already is not run again, so a killed benchmark
    goes on where it was when it is started again. Delete the row, or the file, to repeat a run. A quick run deletes
    all of `runs` first.

    Args:
        name: the benchmark's name.
        tasks: `{task: function}`; the function takes a seed, and returns a `row`; its seconds are of training.
        seeds: number of seeds, 0, 1, ...
        runs, results: folders.
        arguments: of the command line; those of this process by default.
    """
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{name}")
    parser.add_argument("--quick", action="store_true", help="only see that it works; writes into runs/quick")
    parser.add_argument("--seeds", type=int, default=size(seeds, 1), help="number of seeds (default: %(default)s)")
    parser.add_argument("--only", default="", metavar="TEXT", help="only the tasks whose names contain this")
    options = parser.parse_args(arguments)
    if options.quick != QUICK:
        parser.error("--quick is read from the command line of the process, and must be written in full")
    chosen = [task for task in tasks if options.only in task]
    if not chosen:
        parser.error(f"there is no task with {options.only!r} in its name")
    if QUICK:
        print(f"A quick run: what it measures means nothing. It is written into {runs}.")
        shutil.rmtree(runs, ignore_errors=True)
    runs.mkdir(parents=True, exist_ok=True)
    results.mkdir(parents=True, exist_ok=True)
    backend = keras.backend.backend()
    log = runs / f"{name}.csv"
    done = set(pd.read_csv(log)[["task", "seed", "backend"]].itertuples(index=False, name=None)) if log.exists() else ()
    todo = [(task, seed) for seed in range(options.seeds) for task in chosen if (task, seed, backend) not in done]
    with tqdm(todo, unit="run") as progress:
        for task, seed in progress:
            progress.set_description(f"{task}, seed {seed}")
            keras.backend.clear_session()
            keras.utils.set_random_seed(seed)
            row = {"task": task, "seed": seed, "backend": backend, **tasks[task](seed)}
            pd.DataFrame([row]).to_csv(log, mode="a", header=not log.exists(), index=False)
            progress.write(f"{task}, seed {seed}: {row['metric']} {row['value']:.5g} after {row['seconds']:.0f} s")
    summary, path = summarize(pd.read_csv(log), list(tasks)), results / f"{name}.csv"
    if path.exists():
        before = pd.read_csv(path)
        summary = pd.concat([summary, before[~before["task"].isin(summary["task"])]])
        summary = summary.sort_values("task", key=lambda column: column.map([*tasks, *before["task"]].index))
    summary.to_csv(path, index=False)
    return summary


def summarize(runs, tasks):
    """One row a task: mean, standard deviation over seeds (0 for one), number of seeds, mean seconds.

    Args:
        runs: data frame with a row for each run.
        tasks: names, in the order of the result's rows; those without a run are left out.
    """
    groups = runs.groupby(["task", "dataset", "metric", "backend"], sort=False)
    summary = groups.agg(
        value=("value", "mean"),
        sd=("value", "std"),
        seeds=("seed", "nunique"),
        seconds=("seconds", "mean"),
        parameters=("parameters", "max"),  # they may differ where a table's rare categories do
    ).reset_index()
    summary = summary.set_index("task").loc[[task for task in tasks if task in set(runs["task"])]].reset_index()
    summary["sd"] = summary["sd"].fillna(0.0)
    columns = ["task", "dataset", "metric", "value", "sd", "seeds", "seconds", "parameters", "backend"]
    return summary[columns].round({"value": 6, "sd": 6, "seconds": 1})


def row(dataset, metric, value, seconds, parameters):
    """What a task returns."""
    return {
        "dataset": dataset,
        "metric": metric,
        "value": float(value),
        "seconds": float(seconds),
        "parameters": parameters,
    }


def processor_seconds():
    """Processor time of this process so far, over the number of cores: the clock of a training that pauses."""
    return time.process_time() / joblib.cpu_count()


def several_steps(steps=10):
    """`steps_per_execution`: `steps`, but 1 on torch, where Keras has no multi-step function."""
    return 1 if keras.backend.backend() == "torch" else steps


def in_bfloat16(build):
    """What `build` makes, set up to compute with numbers of 16 bits, which some processors do twice as fast."""
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        return build()
    finally:
        keras.config.set_dtype_policy(policy)
