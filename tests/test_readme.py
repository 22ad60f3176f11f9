"""The figures of the pages are those of the stored results."""

import shutil
import subprocess
import sys

import pandas as pd
import pytest

from scripts import write_results
from scripts.tables import Table, of
from scripts.write_results import END, NOTE, RESULTS, ROOT, Results, pages

SOURCES = sorted(path.stem for path in RESULTS.glob("*.csv") if not path.stem.endswith("_curves"))
COLUMNS = ["method", "dataset", "metric", "unit", "value", "sd", "seeds", "seconds", "parameters", "backend"]


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
def test_results_are_tidy(name):
    table = pd.read_csv(RESULTS / f"{name}.csv")
    assert list(table) == COLUMNS and table.notna().all(axis=None)
    assert not table.duplicated(["method", "dataset", "metric", "backend"]).any()


@pytest.mark.parametrize("name", SOURCES)
def test_a_change_of_the_results_shows_and_a_missing_figure_is_an_error(name, changed):
    assert changed(name, lambda table: table.assign(value=table["value"] + 1, seconds=table["seconds"] + 1)) != pages()
    rows_of_others = {"wgan_gp": "WGAN-GP", "anomaly_settings": "settings from the other sets"}
    with pytest.raises(KeyError, match=rows_of_others.get(name, name)):
        changed(name, lambda table: table[:0])


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


def test_it_runs_as_a_file():
    before = [path.read_bytes() for path in pages()]
    subprocess.run([sys.executable, ROOT / "scripts" / "write_results.py"], check=True)
    assert [path.read_bytes() for path in pages()] == before


def test_a_figure_that_stands_twice_is_an_error(changed):
    with pytest.raises(ValueError, match=r"vae\.csv must have one row a figure"):
        changed("vae", lambda table: pd.concat([table, table[:1]]))


def test_another_backend_s_row_changes_nothing(changed):
    assert changed("vae", lambda table: pd.concat([table, table[:1].assign(backend="jax", value=0.0)])) == pages()


@pytest.fixture
def toy(tmp_path):
    rows = [
        ("network", "x", "test PSNR", "dB", 20.646, 0.0121, 3, 1234.6, 70),
        ("network", "x", "skilled EER", "share", 0.0802, 0.016, 5, 1234.6, 70),
        ("filter", "x", "test PSNR", "dB", 15.0, 0.0, 1, 0.0, 0),
        ("filter", "y", "test PSNR", "dB", 10.0, 0.4, 1, 0.0, 0),
        ("filter", "y", "kernel distance", "1", 0.02737, 0.0, 1, 0.0, 0),
    ]
    pd.DataFrame(rows, columns=COLUMNS[:-1]).assign(backend="tensorflow").to_csv(tmp_path / "toy.csv", index=False)
    return Results(tmp_path)


def test_how_figures_are_printed(toy):
    figure = toy.figure(of("toy", "network", "x", "test PSNR"))
    assert f"{figure} ({figure.seeds}), {figure.seconds}, {figure.parameters}" == "20.65 ± 0.01 (3), 1,235, 70"
    assert str(toy.figure(of("toy", "network", "x", "skilled EER"))) == "8.0 ± 1.6"
    assert str(toy.figure(of("toy", "filter", "y", "kernel distance"))) == "0.027"
    mean = toy.figure(of("toy", "filter", ["x", "y"], "test PSNR"))
    assert str(mean) == "12.50" and mean.seconds == "–"
    with pytest.raises(KeyError, match=r"toy\.csv has no row"):
        toy.figure(of("toy", "network", ["x", "y"], "test PSNR"))


def test_a_table_has_dashes_but_no_empty_row_or_column(toy):
    columns = {"PSNR": of(), "error, %": of(metric="skilled EER"), "seconds": of(column="seconds"), "by": "author"}
    rows = {"ours": of(method="network", form="**{}**"), "a filter": "filter"}
    words = of("toy", dataset="x", metric="test PSNR")
    lines = toy.table(Table(words, columns, {**rows, "ours": rows["ours"] | of(author="us")})).splitlines()
    assert lines[:2] == ["| | PSNR | error, % | seconds | by |", "|---|---|---|---|---|"]
    assert lines[2:] == [
        "| ours | **20.65 ± 0.01** | **8.0 ± 1.6** | **1,235** | us |",
        "| a filter | 15.00 | – | – | – |",
    ]
    for wrong in (
        Table(words, columns, {**rows, "b": "bicubic"}),
        Table(words, {**columns, "b": of(metric="L1")}, rows),
    ):
        with pytest.raises(KeyError, match=r"nothing was measured of \{'b'\}"):
            toy.table(wrong)
