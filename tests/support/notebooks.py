"""The notebooks and their cells."""

from pathlib import Path

import nbformat

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))


def cells_of(path, kind=None, tag=None):
    return [
        cell
        for cell in nbformat.read(path, as_version=4).cells
        if kind in (None, cell.cell_type) and (tag is None or tag in cell.metadata.get("tags", []))
    ]
