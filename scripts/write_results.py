"""Write the measured figures into README.md and other pages: `python scripts/write_results.py`.

The text is that of templates in `scripts/templates`: `notebooks.md` and `summary.md` go between two markers each of the
README, `details.md` becomes RESULTS.md, `benchmarks.md` the README of the benchmarks. A name in braces in them is a
figure or a table of `scripts/tables.py`, where lists of rows say what of `dlarch_keras/results` it shows.
"""

import sys
from pathlib import Path

import pandas as pd

ROOT = Path(__file__).parents[1]
if str(ROOT) not in sys.path:  # run as a file, Python looks beside it only
    sys.path.insert(0, str(ROOT))

from scripts.tables import DASH, FIGURES, SUMMARY, TABLES  # noqa: E402

TEMPLATES = Path(__file__).with_name("templates")
RESULTS = ROOT / "dlarch_keras" / "results"
NOTE, END = "<!-- Written by scripts/write_results.py: edit scripts/templates/{}.md. -->", "<!-- end -->"
# How a value is printed, by its unit or its metric; others with three digits.
FORMATS = {"dB": ".2f", "nats": ".2f", "ratio": ".2f", "ms": ",.1f", "MB": ",.0f", "%": ".1f", "millionths": ".1f"}
FORMATS |= {"nats a pixel": ".4f", "test MSE per pixel": ".5f", "L1": ".4f"}
FORMATS |= dict.fromkeys(("Fréchet distance", "share of the rate of a matrix product"), ".2f")


class Figure:
    """A row of results as text: `value`, its mean ± standard deviation, and `seeds`, `seconds`, `parameters`.

    Of several rows, on as many datasets, all are means; the spread of such a value is not stored, and not printed.
    """

    def __init__(self, rows):
        self.rows = rows

    def __str__(self):
        first = self.rows[0]
        form, scale = FORMATS.get(first.unit) or FORMATS.get(first.metric, ".3f"), 1
        if first.metric.endswith("EER"):
            form, scale = ".1f", 100  # in per cent
        value = f"{scale * self.mean('value'):{form}}"
        return f"{value} ± {scale * first.sd:{form}}" if first.sd and len(self.rows) == 1 else value

    def mean(self, column):
        return sum(getattr(row, column) for row in self.rows) / len(self.rows)

    value = property(__str__)
    seeds = property(lambda self: f"{self.mean('seeds'):,.0f}")
    # A dash where they are 0: nothing was trained.
    seconds = property(lambda self: f"{self.mean('seconds'):,.0f}" if self.mean("seconds") else DASH)
    parameters = property(lambda self: f"{self.mean('parameters'):,.0f}" if self.mean("parameters") else DASH)


class Results:
    """The figures in the files of a folder.

    Raises:
        ValueError: if a figure stands twice in a file.
    """

    def __init__(self, folder):
        self.rows = {}
        for path in folder.glob("*.csv"):
            table = [] if path.stem.endswith("_curves") else pd.read_csv(path, dtype={"unit": str}).itertuples()
            for row in table:
                key = path.stem, row.method, row.dataset, row.metric, row.backend
                if key in self.rows:
                    raise ValueError(f"{path.name} must have one row a figure, got two of {key[1:]}.")
                self.rows[key] = row

    def find(self, file, method, dataset, metric, backend="tensorflow", **_):
        """The `Figure` that words select, or None; the mean if they name several datasets."""
        datasets = [dataset] if isinstance(dataset, str) else dataset
        rows = [self.rows.get((file, method, each, metric, backend)) for each in datasets]
        return Figure(rows) if all(rows) else None

    def figure(self, words):
        """The `Figure` that words select; one that is not there is a KeyError."""
        if found := self.find(**words):
            return found
        raise KeyError(f"{words['file']}.csv has no row of {words}")

    def table(self, table):
        """A `Table` in Markdown: a dash where a method was not measured; nothing in a row or column is a KeyError."""
        lines, measured = [], set()
        for label, row in table.rows.items():
            row, cells = {"method": row} if isinstance(row, str) else row, [label]
            for heading, column in table.columns.items():
                if isinstance(column, str):
                    cells.append(row.get(column, DASH))
                    continue
                words = {**table.words, **row, **column}
                figure = self.find(**words)
                text = words.get("form", "{}").format(getattr(figure, words.get("column", "value"), None))
                cells.append(text if figure else DASH)
                measured |= {label, heading} if figure else set()
            lines.append(cells)
        headings = [heading for heading, column in table.columns.items() if not isinstance(column, str)]
        if missing := {*table.rows, *headings} - measured:
            raise KeyError(f"nothing was measured of {missing}; the table's words are {table.words}")
        return markdown([table.corner, *table.columns], lines)

    def summary(self):
        """One row a task: ours, a baseline, a published figure."""
        lines = []
        for notebook, task, measure, measured, ours, label, baseline, published in SUMMARY:
            figures = [self.figure(words | ours) for words in measured]
            value, seeds, weights, seconds = (
                joined(getattr(figure, column) for figure in figures)
                for column in ("value", "seeds", "parameters", "seconds")
            )
            if baseline:
                label = f"{label} {joined(self.figure(words | baseline).value for words in measured)}"
            link = notebook and f"[{notebook[:2]}](notebooks/{notebook}.ipynb)"
            lines.append([link, task, measure, f"{value} ({seeds})", label, published, weights, seconds])
        heading = [
            "notebook",
            "task",
            "measure",
            "ours: mean ± sd (seeds)",
            "baseline",
            "published",
            "weights",
            "seconds",
        ]
        return markdown(heading, lines)


def joined(texts):
    """Texts with "and" between them; one that is the same for all, once."""
    return " and ".join(dict.fromkeys(texts))


def markdown(heading, rows):
    """A table."""
    lines = [heading, ["---"] * len(heading), *rows]
    lines = ["| " + " | ".join(str(cell) for cell in line) + " |" for line in lines]
    lines[1] = lines[1].replace(" ", "")
    return "\n".join(lines).replace("|  |", "| |")


def pages(folder=RESULTS):
    """The text of the pages with the figures of a folder, `{path: text}`.

    Raises:
        KeyError: for a figure that is not in its file.
        ValueError: if the README lacks the markers.
    """
    results = Results(folder)
    names = {name: results.figure(words) for name, words in FIGURES.items()}
    names |= {name: results.table(table) for name, table in TABLES.items()} | {"summary_table": results.summary()}
    texts = {path.stem: path.read_text(encoding="utf-8").format_map(names) for path in TEMPLATES.iterdir()}
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for name in ("notebooks", "summary"):
        before, rest = readme.split(NOTE.format(name))
        _, after = rest.split(END, 1)
        readme = f"{before}{NOTE.format(name)}\n\n{texts[name]}\n{END}{after}"
    return {
        ROOT / "README.md": readme,
        ROOT / "RESULTS.md": f"{NOTE.format('details')}\n\n{texts['details']}",
        ROOT / "benchmarks" / "README.md": f"{NOTE.format('benchmarks')}\n\n{texts['benchmarks']}",
    }


def main():
    for path, text in pages().items():
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
