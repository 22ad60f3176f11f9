"""Training steps on each backend, beside tutorials' and plain torch's, and how they grow: `python -m benchmarks.speed`.

On a machine that does nothing else, and first on TensorFlow, because the others start from its weights and are compared
with what it logs:

    for backend in tensorflow jax torch; do KERAS_BACKEND=$backend python -m benchmarks.speed --only " on "; done
    python -m benchmarks.speed --only race --seeds 4

Every figure is measured in a process of its own (`benchmarks.step`, `benchmarks.recipes`).
"""

import functools
import json
import os
import subprocess
import sys
import time

import keras

from benchmarks import runner
from benchmarks.recipes import IMPLEMENTATIONS, RECIPES
from benchmarks.step import ARCHITECTURES, TRACED

BACKEND = keras.backend.backend()
IN_A_QUICK_RUN = ("autoencoder, ", "race, Siamese, ours, theirs")
GROWTHS = ("4 × the data", "16 × the data", "1/4 of the batch", "4 × the batch", "4 × the pixels")


def process(module, *arguments, backend=BACKEND):
    """What a module prints as its last line, parsed, and the seconds it took."""
    start = time.perf_counter()
    command = [sys.executable, "-m", f"benchmarks.{module}", *arguments, *runner.size([], ["--quick"])]
    result = subprocess.run(command, env={**os.environ, "KERAS_BACKEND": backend}, capture_output=True, text=True)
    if result.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{result.stderr[-3000:]}")
    return json.loads(result.stdout.splitlines()[-1]), time.perf_counter() - start


@functools.cache  # one process for several figures
def traced(name):
    return process("step", name, "--trace", str(runner.RUNS / "speed" / f"{name.replace(' ', '_')}.npz"))


@functools.cache
def grown(name):
    return process("step", name, "--growth")


def row(name, metric, value, seconds):
    _, (rows, columns, channels), batch_size, *_ = ARCHITECTURES[name]
    return runner.row(f"{rows} × {columns} × {channels}, batches of {batch_size}", metric, value, seconds, 0)


def of_the_step(name, metric, key, unit=1):
    """One of the figures of `benchmarks.step`."""

    def task(seed):
        result, seconds = traced(name)
        return row(name, metric, unit * result[key], seconds) | {"parameters": result["parameters"]}

    return task


def in_bfloat16(name):
    def task(seed):
        result, seconds = process("step", name, "--policy", "mixed_bfloat16")
        return row(name, "ms a step", result["ms"], seconds)

    return task


def growth(name, figure, metric):
    def task(seed):
        result, seconds = grown(name)
        return row(name, metric, result[figure], seconds)

    return task


@functools.cache
def round_of(name, seed):
    """Milliseconds a step of every implementation, one after the other, and all the seconds; who begins changes."""
    start, first = time.perf_counter(), seed % len(IMPLEMENTATIONS)
    times = {}
    for implementation in (*IMPLEMENTATIONS[first:], *IMPLEMENTATIONS[:first]):
        backend = "torch" if implementation == "torch" else "tensorflow"
        times[implementation], _ = process("recipes", name, implementation, backend=backend)
    return times, time.perf_counter() - start


def race(name, ours, opponent):
    """Steps a second of the package's class on a tutorial's networks, over an opponent's."""

    def task(seed):
        times, seconds = round_of(name, seed)
        ratio = times[opponent] / times[ours]
        return runner.row("the tutorial's", f"steps a second, over {opponent}", ratio, seconds, 0)

    return task


TASKS = {}
for name in ARCHITECTURES:
    figures = {"step": of_the_step(name, "ms a step", "ms")}
    if BACKEND == "tensorflow":
        figures["step in bfloat16"] = in_bfloat16(name)
        figures["matrix rate"] = of_the_step(name, "share of the rate of a matrix product", "matrix_share")
        figures["memory"] = growth(name, "MB", "memory beyond the libraries', MB")
        figures |= {size: growth(name, size, "time an example, over that with the notebook's") for size in GROWTHS}
    else:
        metric = f"largest relative difference from TensorFlow in {TRACED} steps, millionths"
        figures["losses"] = of_the_step(name, metric, "difference", 1e6)
    TASKS |= {f"{name}, {figure} on {BACKEND}": task for figure, task in figures.items()}
TASKS |= {
    f"race, {name}, {ours}, {opponent}": race(name, ours, opponent)
    for name in RECIPES
    for ours, opponent in (("ours", "theirs"), ("fast", "theirs"), ("ours", "torch"))
}
TASKS = runner.size(TASKS, {task: TASKS[task] for task in TASKS if task.startswith(IN_A_QUICK_RUN)})

if __name__ == "__main__":
    runner.main("speed", TASKS, seeds=1)
