"""What Colab does with a notebook, as far as that goes offline: for test_colab.

Runs the beginning of each notebook in a folder, and with a package, that know no checkout; writes down what was opened
and what was to be installed: `colab.py REPORT NOTEBOOK...`.
"""

import json
import socket
import sys
from pathlib import Path
from types import ModuleType

import matplotlib.pyplot as plt
import nbformat
from IPython.core.interactiveshell import InteractiveShell


def refuse(*_):
    raise OSError("there is no network here")


def beginning(path):
    """The code cells before the second section: install, imports and data."""
    sections = 0
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "markdown":
            sections += f"\n{cell.source}".count("\n## ")
        if sections == 2:
            return
        if cell.cell_type == "code":
            yield cell.source


def main(report, *notebooks):
    opened, installs = [], []
    sys.addaudithook(lambda event, values: opened.append(str(values[0])) if event == "open" else None)
    socket.socket.connect = socket.getaddrinfo = refuse
    sys.modules["google.colab"] = ModuleType("google.colab")
    shell = InteractiveShell.instance()
    shell.register_magic_function(installs.append, magic_name="pip")
    for path in notebooks:
        shell.reset()
        for source in beginning(path):
            shell.run_cell(source).raise_error()
        plt.close("all")
    Path(report).write_text(json.dumps({"opened": opened, "installs": installs}), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
