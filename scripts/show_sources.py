"""After a change of the package, show its new code in the notebooks: `python scripts/show_sources.py`.

Writes the outputs of the cells that call `show_source`, and runs nothing else.
"""

import re
from pathlib import Path

import nbformat

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
IMPORTS = re.compile(r"^from dlarch_keras\S* import .+$", re.MULTILINE)


def refresh(notebook):
    """Put the installed package's code into the stored outputs of a notebook; whether one of them was another."""
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    names = {}
    for line in IMPORTS.findall("\n".join(cell.source for cell in code)):
        exec(line, names)
    stale = False
    for cell in code:
        if cell.source.startswith("show_source("):
            source = eval(cell.source, names).data
            (output,) = cell.outputs
            stale |= output.data["text/markdown"] != source
            output.data["text/markdown"] = source
    return stale


if __name__ == "__main__":
    for path in sorted(NOTEBOOKS.glob("*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        if refresh(notebook):
            nbformat.write(notebook, path)
            print(path.name)
