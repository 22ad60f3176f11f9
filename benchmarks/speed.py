"""Training steps on each backend, beside tutorials' and plain torch's, and how they grow: `python -m benchmarks.speed`.

On a machine that does nothing else, and first on TensorFlow, because the others start from its weights and are compared
with what it logs:

    for backend in tensorflow jax torch; do KERAS_BACKEND=$backend python -m benchmarks.speed --only " on "; done
    python -m benchmarks.speed --only race --seeds 4

Every figure is measured in a process of its own (`benchmarks.step`, `benchmarks.recipes`).
"""

import json
import os
import subprocess
import sys
from functools import partial

import keras

from benchmarks.common import runner
from benchmarks.common.timing import timed
from benchmarks.recipes import IMPLEMENTATIONS, RECIPES
from benchmarks.step import ARCHITECTURES, TRACED

STEP, MEMORY = "time of a step", "memory beyond the libraries'"


def process(quick, module, *arguments, backend=None):
    """What a module prints as its last line, parsed, and the seconds it took."""
    command = [sys.executable, "-m", f"benchmarks.{module}", *arguments, *(["--quick"] if quick else [])]
    environment = {**os.environ, "KERAS_BACKEND": backend or keras.backend.backend()}
    result, seconds = timed(lambda: subprocess.run(command, env=environment, capture_output=True, text=True))
    if result.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{result.stderr[-3000:]}")
    return json.loads(result.stdout.splitlines()[-1]), seconds


def rows(name, figures, seconds, parameters=0):
    _, (height, width, channels), batch_size, *_ = ARCHITECTURES[name]
    return runner.rows(name, f"{height} × {width} × {channels}, batches of {batch_size}", figures, seconds, parameters)


def step(name, quick, seed):
    """A step of an architecture; and how far from TensorFlow's its losses are, or from the rate of a matrix product."""
    path = runner.folder("speed", quick) / f"{name.replace(' ', '_')}.npz"
    result, seconds = process(quick, "step", name, "--trace", str(path))
    figures = {(STEP, "ms"): result["ms"]}
    if "matrix_share" in result:
        figures["share of the rate of a matrix product", "share"] = result["matrix_share"]
    else:
        difference = f"largest relative difference from TensorFlow in {TRACED} steps"
        figures[difference, "millionths"] = 1e6 * result["difference"]
    return rows(name, figures, seconds, result["parameters"])


def step_in_bfloat16(name, quick, seed):
    result, seconds = process(quick, "step", name, "--policy", "mixed_bfloat16")
    return rows(name, {(f"{STEP}, bfloat16", "ms"): result["ms"]}, seconds)


def growth(name, quick, seed):
    """Memory, and the time an example with other sizes, over that with the notebook's."""
    result, seconds = process(quick, "step", name, "--growth")
    figures = {(MEMORY, "MB"): result.pop("MB")}
    figures |= {(f"time an example, {size}", "ratio"): ratio for size, ratio in result.items()}
    return rows(name, figures, seconds)


def race(name, quick, seed):
    """Steps a second on a tutorial's networks, over an opponent's.

    All implementations run one after the other; who begins changes with the seed.
    """
    implementations = IMPLEMENTATIONS[:2] if quick else IMPLEMENTATIONS  # torch is an extra
    first, times = seed % len(implementations), {}

    def take_turns():
        for implementation in (*implementations[first:], *implementations[:first]):
            backend = "torch" if implementation == "torch" else "tensorflow"
            times[implementation], _ = process(quick, "recipes", name, implementation, backend=backend)

    _, seconds = timed(take_turns)
    figures = {("steps a second, over the tutorial's", "ratio"): times["theirs"] / times["ours"]}
    if not quick:
        fast = ("steps a second with the fast settings, over the tutorial's", "ratio")
        figures[fast] = times["theirs"] / times["fast"]
        figures["steps a second, over plain torch's", "ratio"] = times["torch"] / times["ours"]
    return runner.rows(name, "the tutorial's", figures, seconds)


def tasks(quick):
    backend = keras.backend.backend()
    kinds = {"step": step}
    if backend == "tensorflow":
        kinds |= {"step in bfloat16": step_in_bfloat16, "growth": growth}
    architectures, recipes = (["autoencoder"], ["Siamese"]) if quick else (ARCHITECTURES, RECIPES)
    found = {
        f"{name}, {kind} on {backend}": partial(run, name, quick)
        for name in architectures
        for kind, run in kinds.items()
    }
    return found | {f"race, {name}": partial(race, name, quick) for name in recipes}


if __name__ == "__main__":
    runner.main("speed", tasks, seeds=1)
