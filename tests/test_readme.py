"""The figures of the pages are those of the stored results."""

import re
import shutil

import pandas as pd
import pytest

from scripts import write_results
from scripts.write_results import END, NOTE, RESULTS, TEMPLATES, fill, pages, read

SOURCES = sorted({name for path in TEMPLATES.iterdir() for name in re.findall(r"\{(\w+)[.:]", path.read_text("utf-8"))})


@pytest.fixture
def changed(tmp_path):
    """A function: the pages after one file of results has been changed by another function."""

    def write(name, change):
        folder = shutil.copytree(RESULTS, tmp_path / "results", dirs_exist_ok=True)
        change(pd.read_csv(folder / f"{name}.csv")).to_csv(folder / f"{name}.csv", index=False)
        return pages(folder)

    return write


def test_the_figures_are_the_measured_ones():
    for path, text in pages().items():
        assert path.read_text("utf-8") == text, f"run `python scripts/write_results.py`: {path.name} is out of step"


@pytest.mark.parametrize("name", SOURCES)
def test_a_change_of_the_results_shows_and_a_missing_task_is_an_error(name, changed):
    assert changed(name, lambda table: table.assign(value=table["value"] + 1, seconds=table["seconds"] + 1)) != pages()
    with pytest.raises(KeyError, match=name):
        changed(name, lambda table: table[:0])


def test_every_placeholder_is_filled():
    for text in pages().values():
        assert not write_results.PLACEHOLDER.search(text)


def test_writing_replaces_what_stood_there(tmp_path, monkeypatch):
    readme = tmp_path / "README.md"
    first, second = NOTE.format("notebooks"), NOTE.format("summary")
    readme.write_text(f"before {{x: y}}\n{first}\nof last year\n{END}\nbetween\n{second}\n{END}\nafter\n")
    monkeypatch.setattr(write_results, "ROOT", tmp_path)
    (tmp_path / "benchmarks").mkdir()
    write_results.main()
    text = readme.read_text("utf-8")
    assert text.startswith(f"before {{x: y}}\n{first}\n\n| ") and text.endswith(f" |\n\n{END}\nafter\n")
    assert f"{END}\nbetween\n{second}\n\n| " in text and "of last year" not in text
    write_results.main()
    assert readme.read_text("utf-8") == text


def test_a_task_measured_on_two_backends_is_an_error(changed):
    with pytest.raises(ValueError, match=r"vae\.csv must have one row a task"):
        changed("vae", lambda table: pd.concat([table, table[:1].assign(backend="jax")]))


def test_how_figures_are_printed(tmp_path):
    columns = ["task", "metric", "value", "sd", "seeds", "seconds"]
    tasks = [
        ("psnr, x", "test PSNR, dB", 20.646, 0.0121, 3, 1234.6),
        ("errors", "skilled EER", 0.0802, 0.016, 5, 0.0),
        ("distance", "kernel distance", 0.02737, 0.0, 1, 0.0),
        *((f"detector, {name}", "AUROC", value, 0.1, 3, 4.0) for name, value in zip(write_results.ADBENCH, range(8))),
    ]
    pd.DataFrame(tasks, columns=columns).to_csv(tmp_path / "toy.csv", index=False)
    template = "{toy: psnr, x} ({toy.seeds: psnr, x}), {toy.seconds: psnr, x} | {toy: errors}\n{toy: distance}"
    expected = "20.65 ± 0.01 (3), 1,235 | 8.0 ± 1.6\n0.027\n"
    assert fill(template, read(tmp_path)) == expected
    assert fill("{toy: detector, *}, {toy.seconds: detector, *}", read(tmp_path)) == "3.500, 4\n"
