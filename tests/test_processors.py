"""`scripts/processors.py` runs a notebook as on another processor, and tells what comes out otherwise."""

import nbformat
from nbformat import v4

from scripts import processors


def test_what_comes_out_otherwise_is_told(tmp_path, capsys):
    """The cells: green, of another output under the setting, the same but ignored, failing, leaving a file."""
    printed = [v4.new_output("stream", name="stdout", text="1\n")]
    level = 'import os\nprint(os.environ.get("ONEDNN_MAX_CPU_ISA", 1))'
    cells = [
        v4.new_code_cell("print(1)", outputs=printed),
        v4.new_code_cell(level, outputs=printed),
        v4.new_code_cell(level, outputs=printed, metadata={"tags": ["nbval-ignore-output"]}),
        v4.new_code_cell("assert 1 > 2"),
        v4.new_code_cell('open("left.png", "w").close()'),
    ]
    for number, cell in enumerate(cells, 1):
        cell.execution_count = number
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    nbformat.write(v4.new_notebook(cells=cells, metadata=kernel), tmp_path / "mine.ipynb")
    assert processors.main([str(tmp_path / "mine.ipynb"), "--settings", "AVX2"])
    heading, *found, _, row = capsys.readouterr().out.splitlines()
    assert heading.startswith("mine, AVX2: ")
    assert [line.split(":")[0].strip() for line in found] == ["Cell 1", "Cell 3", "files"]
    assert "AVX2" in found[0] and "assert 1 > 2" in found[1] and found[2].endswith("left.png")
    assert row.startswith("mine  Cell 1, Cell 3, files (")
