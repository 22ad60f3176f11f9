"""Write the measured figures into README.md and other pages: `python scripts/write_results.py`.

The text is that of templates in `scripts/templates`: `notebooks.md` and `summary.md` go between two markers each of the
README, `details.md` becomes RESULTS.md, `benchmarks.md` the README of the benchmarks. In them

    {vae: dense, MNIST, test NLL}                 is a value ± its standard deviation, where that is not 0,
    {vae.seconds: dense, MNIST, test NLL}         is another column of the same row: seconds, seeds, parameters,
    {anomaly_detection: detector, *, one-class}   is a mean over the tables of ADBench,

each from a task's row in `dlarch_keras/results/vae.csv`, and so on. A task that is not there is an error. A line with @
is repeated for each architecture.
"""

import re
from pathlib import Path

import pandas as pd

ROOT = Path(__file__).parents[1]
TEMPLATES = Path(__file__).with_name("templates")
RESULTS = ROOT / "dlarch_keras" / "results"

NOTE, END = "<!-- Written by scripts/write_results.py: edit scripts/templates/{}.md. -->", "<!-- end -->"
PLACEHOLDER = re.compile(r"\{(\w+)(?:\.(\w+))?: ([^{}]+)\}")
ADBENCH = ("breastw", "annthyroid", "http", "cardio", "mammography", "satimage-2", "shuttle", "thyroid")
ARCHITECTURES = [
    *("autoencoder", "denoising autoencoder", "VAE", "conditional VAE"),
    *("GAN", "WGAN-GP", "pix2pix", "SRGAN", "Siamese"),
]
# How a value is printed, by what the metric's name contains; others with three digits.
FORMATS = {"MSE": ".5f", "L1": ".4f", "cross-entropy": ".4f", "EER": ".1f", "%": ".1f", "millionths": ".1f"}
FORMATS |= dict.fromkeys(("dB", "nats", "total", "ratio", "Fréchet", "a second", "an example", "rate of"), ".2f")
FORMATS |= {"ms a": ",.1f", "MB": ",.0f"}


def read(folder):
    """The rows of all tasks, `{(file, task): row}`.

    Raises:
        ValueError: for a task with two rows, as after runs on two backends.
    """
    results = {}
    for path in folder.glob("*.csv"):
        table = pd.DataFrame() if path.stem.endswith("_curves") else pd.read_csv(path)
        for row in table.itertuples():
            if (path.stem, row.task) in results:
                raise ValueError(f"{path.name} must have one row a task, got two of {row.task!r}: keep one backend's.")
            results[path.stem, row.task] = row
    return results


def figure(results, name, column, task):
    """What a placeholder stands for, as text."""
    rows = [results[name, each] for each in dict.fromkeys(task.replace("*", table) for table in ADBENCH)]
    if column:
        return f"{sum(getattr(row, column) for row in rows) / len(rows):,.0f}"
    metric = rows[0].metric
    scale = 100 if "EER" in metric else 1  # error rates in per cent
    form = next((form for part, form in FORMATS.items() if part in metric), ".3f")
    value = f"{scale * sum(row.value for row in rows) / len(rows):{form}}"
    spread = scale * rows[0].sd if len(rows) == 1 else 0  # that of a mean over tables is not in the files
    return f"{value} ± {spread:{form}}" if spread else value


def fill(template, results):
    """A template's text with the figures in place."""
    lines = []
    for line in template.splitlines():
        lines += [line.replace("@", name) for name in ARCHITECTURES] if "@" in line else [line]
    return PLACEHOLDER.sub(lambda found: figure(results, *found.groups()), "\n".join(lines)) + "\n"


def pages(folder=RESULTS):
    """The text of the pages with the figures of a folder, `{path: text}`.

    Raises:
        KeyError: for a task that is not in its file.
        ValueError: if the README lacks the markers.
    """
    results = read(folder)
    texts = {path.stem: fill(path.read_text(encoding="utf-8"), results) for path in TEMPLATES.iterdir()}
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
