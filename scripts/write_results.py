"""Write the measured figures into README.md and RESULTS.md: `python scripts/write_results.py`.

The text is that of two templates in `scripts/results`: `summary.md` goes between the README's two markers, `details.md`
becomes RESULTS.md. In them

    {vae: dense, MNIST, test NLL}                 is a value ± its standard deviation, where that is not 0,
    {vae.seconds: dense, MNIST, test NLL}         is another column of the same row: seconds, seeds, parameters,
    {anomaly_detection: detector, *, one-class}   is a mean over the tables of ADBench,

each from a task's row in `dlarch_keras/results/vae.csv`, and so on. A task that is not there is an error.
"""

import re
from pathlib import Path

import pandas as pd

ROOT = Path(__file__).parents[1]
TEMPLATES = Path(__file__).with_name("results")
RESULTS = ROOT / "dlarch_keras" / "results"
# TEMPORARY, to be emptied once these two have been run: a line that lacks one of their tasks is left out.
UNFINISHED = {"gan", "wgan_gp"}

START, END = "<!-- results: written by scripts/write_results.py -->", "<!-- /results -->"
NOTE = "<!-- Written by scripts/write_results.py: edit scripts/results/details.md. -->"
PLACEHOLDER = re.compile(r"\{(\w+)(?:\.(\w+))?: ([^{}]+)\}")
ADBENCH = ("breastw", "annthyroid", "http", "cardio", "mammography", "satimage-2", "shuttle", "thyroid")
# Digits after the point, by what the metric's name contains, and 3 for others.
DIGITS = {"MSE": 5, "L1": 4, "cross-entropy": 4, "EER": 1, "%": 1, "ms a": 0}
DIGITS |= dict.fromkeys(("dB", "nats", "total", "ratio", "Fréchet"), 2)


def read(folder):
    """The rows of all tasks, `{(file, task): row}`."""
    files = [path for path in folder.glob("*.csv") if not path.stem.endswith("_curves")]
    return {(path.stem, row.task): row for path in files for row in pd.read_csv(path).itertuples()}


def figure(results, name, column, task):
    """What a placeholder stands for, as text."""
    rows = [results[name, each] for each in dict.fromkeys(task.replace("*", table) for table in ADBENCH)]
    if column:
        return f"{sum(getattr(row, column) for row in rows) / len(rows):,.0f}"
    metric = rows[0].metric
    scale = 100 if "EER" in metric else 1  # error rates in per cent
    digits = next((digits for part, digits in DIGITS.items() if part in metric), 3)
    value = f"{scale * sum(row.value for row in rows) / len(rows):.{digits}f}"
    spread = scale * rows[0].sd if len(rows) == 1 else 0  # that of a mean over tables is not in the files
    return f"{value} ± {spread:.{digits}f}" if spread else value


def fill(template, results):
    """A template's text with the figures in place."""
    lines = []
    for line in template.splitlines():
        try:
            lines.append(PLACEHOLDER.sub(lambda found: figure(results, *found.groups()), line))
        except KeyError as missing:
            ((name, _),) = missing.args
            if name not in UNFINISHED:
                raise
    return "\n".join(lines) + "\n"


def pages(folder=RESULTS):
    """The text of README.md and RESULTS.md with the figures of a folder, `{path: text}`.

    Raises:
        KeyError: for a task that is not in its file.
        ValueError: if the README lacks the markers.
    """
    results = read(folder)
    summary, details = (
        fill((TEMPLATES / name).read_text(encoding="utf-8"), results) for name in ("summary.md", "details.md")
    )
    before, rest = (ROOT / "README.md").read_text(encoding="utf-8").split(START)
    _, after = rest.split(END)
    return {
        ROOT / "README.md": f"{before}{START}\n\n{summary}\n{END}{after}",
        ROOT / "RESULTS.md": f"{NOTE}\n\n{details}",
    }


def main():
    for path, text in pages().items():
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
