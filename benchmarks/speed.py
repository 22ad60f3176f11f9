"""Training steps on each backend, beside tutorials' and plain torch's, and how they grow: `python -m benchmarks.speed`.

On a machine that does nothing else, and first on TensorFlow, because the others start from its weights and are compared
with its losses:

    for backend in tensorflow jax torch; do KERAS_BACKEND=$backend python -m benchmarks.speed --only "on $backend"; done
    python -m benchmarks.speed --only race --seeds 3

Every figure is measured in a process of its own (`benchmarks.step`, `benchmarks.recipes`). What a ratio compares is
measured in turn, in the same run.
"""

import functools
import json
import os
import subprocess
import sys
import time

from benchmarks import runner
from benchmarks.recipes import RECIPES
from benchmarks.step import ARCHITECTURES, TRACED

STEPS, RECIPE_STEPS = runner.size((40, 200), (5, 20))
QUICK = ("autoencoder, step on tensorflow", "autoencoder, 1/4 of the batch", "race, Siamese, ours, theirs")


def process(backend, module, *arguments):
    """What a module prints as its last line, parsed, and the seconds it took."""
    start = time.perf_counter()
    command = [sys.executable, "-m", f"benchmarks.{module}", *map(str, arguments)]
    result = subprocess.run(command, env={**os.environ, "KERAS_BACKEND": backend}, capture_output=True, text=True)
    if result.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{result.stderr[-3000:]}")
    return json.loads(result.stdout.splitlines()[-1]), time.perf_counter() - start


def weights(name):
    return runner.RUNS / "speed" / f"{name.replace(' ', '_')}.npz"


@functools.cache  # one process for several figures
def measured(backend, name, *arguments):
    """What `benchmarks.step` measures, with the notebook's sizes unless `arguments` say otherwise."""
    return process(backend, "step", name, "--steps", STEPS, *(arguments or ("--weights", weights(name))))


def row(name, metric, value, seconds):
    _, (rows, columns, channels), batch_size, *_ = ARCHITECTURES[name]
    dataset = f"{rows} × {columns} × {channels}, batches of {batch_size}"
    return runner.row(dataset, metric, value, seconds, measured("tensorflow", name)[0]["parameters"])


def of_the_step(backend, name, metric, key, *arguments):
    def task(seed):
        result, seconds = measured(backend, name, *arguments)
        return row(name, metric, result[key], seconds)

    return task


def disagreement(backend, name):
    """The largest relative difference of a logged value from TensorFlow's."""

    def task(seed):
        (result, seconds), (theirs, _) = measured(backend, name), measured("tensorflow", name)
        difference = max(
            abs(a - b) / max(abs(b), 1e-3)
            for ours, other in zip(result["losses"], theirs["losses"])
            for a, b in zip(ours, other)
        )
        metric = f"largest relative difference from TensorFlow in {TRACED} steps, millionths"
        return row(name, metric, 1e6 * difference, seconds)

    return task


def growth(name, *arguments):
    """Time an example with another size, over that with the notebook's."""

    def task(seed):
        (plain, before), (changed, after) = measured("tensorflow", name), measured("tensorflow", name, *arguments)
        ratio = changed["us_an_example"] / plain["us_an_example"]
        return row(name, "time an example, over that with the notebook's sizes", ratio, before + after)

    return task


def race(name, ours, opponent):
    """Steps a second of the package's class on a tutorial's networks, over an opponent's; they begin by turns."""

    def task(seed):
        pair = [ours, opponent]
        times = {each: timed(name, each, seed) for each in (pair if seed % 2 else reversed(pair))}
        (mine, first), (theirs, second) = (times[each] for each in pair)
        return runner.row("the tutorial's", f"steps a second, over {opponent}", theirs / mine, first + second, 0)

    return task


@functools.cache  # one process a seed for several ratios
def timed(name, implementation, seed):
    return process("tensorflow", "recipes", name, implementation, "--steps", RECIPE_STEPS)


TASKS = {}
for name, (_, (side, *_), batch_size, *_) in ARCHITECTURES.items():
    for backend in ("tensorflow", "jax", "torch"):
        TASKS[f"{name}, step on {backend}"] = of_the_step(backend, name, "ms a step", "ms")
    for backend in ("jax", "torch"):
        TASKS[f"{name}, losses on {backend}"] = disagreement(backend, name)
    figures = {
        "step in bfloat16": of_the_step("tensorflow", name, "ms a step", "ms", "--policy", "mixed_bfloat16"),
        "matrix rate": of_the_step("tensorflow", name, "share of the rate of a matrix product", "matrix_share"),
        "memory": of_the_step("tensorflow", name, "peak memory beyond the libraries', MB", "peak_mb"),
        "4 × the data": growth(name, "--steps", 4 * STEPS),
        "16 × the data": growth(name, "--steps", 16 * STEPS),
        "1/4 of the batch": growth(name, "--batch-size", batch_size // 4),
        "4 × the batch": growth(name, "--batch-size", 4 * batch_size),
        "4 × the pixels": growth(name, "--side", 2 * side),
    }
    TASKS |= {f"{name}, {figure} on tensorflow": task for figure, task in figures.items()}
TASKS |= {
    f"race, {name}, {ours}, {opponent}": race(name, ours, opponent)
    for name in RECIPES
    for ours in ("ours", "fast")
    for opponent in ("theirs", "torch")
}
TASKS = runner.size(TASKS, {task: TASKS[task] for task in TASKS if task.startswith(QUICK)})

if __name__ == "__main__":
    runner.main("speed", TASKS, seeds=1)
