"""How long each notebook takes from its first cell to its last: `python -m benchmarks.notebooks`.

One after the other, each in a kernel of its own, with nothing else on the machine; seconds of the clock.
"""

from functools import partial
from pathlib import Path

import nbformat
from nbclient import NotebookClient

from benchmarks.common import runner
from benchmarks.common.timing import timed

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))
TIME = ("time from first cell to last", "s")


def run(path, seed):
    """A row for the notebook; its own cells set the seed."""
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(notebook, timeout=None, resources={"metadata": {"path": path.parent}})
    _, seconds = timed(client.execute)
    return runner.rows(path.stem, "its own", {TIME: seconds}, seconds)


def tasks(quick):
    return {path.stem: partial(run, path) for path in (NOTEBOOKS[:1] if quick else NOTEBOOKS)}


if __name__ == "__main__":
    runner.main("notebooks", tasks, seeds=1)
