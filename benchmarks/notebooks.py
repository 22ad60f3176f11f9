"""How long each notebook takes from its first cell to its last: `python -m benchmarks.notebooks`.

One after the other, each in a kernel of its own, with nothing else on the machine; seconds of the clock.
"""

import time
from functools import partial
from pathlib import Path

import nbformat
from nbclient import NotebookClient

from benchmarks import runner

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))


def measure(path, seed):
    """A row for the notebook; its own cells set the seed."""
    notebook = nbformat.read(path, as_version=4)
    start = time.perf_counter()
    NotebookClient(notebook, timeout=None, resources={"metadata": {"path": path.parent}}).execute()
    seconds = time.perf_counter() - start
    return runner.row(path.name, "seconds", seconds, seconds, 0)


TASKS = {path.stem: partial(measure, path) for path in runner.size(NOTEBOOKS, NOTEBOOKS[:1])}

if __name__ == "__main__":
    runner.main("notebooks", TASKS, seeds=1)
