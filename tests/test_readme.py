"""The README's figures are those of the stored results, and what it links to is there."""

import re
from pathlib import Path

import pandas as pd

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_results_table_shows_the_measured_figures():
    results = pd.read_csv(ROOT / "dlarch_keras" / "results" / "autoencoder.csv").set_index("task")
    for k in (2, 30, 32):
        pca, ours = results.loc[f"PCA, k={k}"], results.loc[f"autoencoder, k={k}"]
        row = f"| {k} | {pca['value']:.5f} | {ours['value']:.5f} ± {ours['sd']:.5f} | {ours['seconds']:.0f} |"
        assert row in README


def test_the_overhead_is_the_measured_one():
    results = pd.read_csv(ROOT / "dlarch_keras" / "results" / "training.csv").set_index("task")
    for task in ("Model.fit", "Model.fit, steps_per_execution=10"):
        ratio = results.loc[task]
        assert f"{ratio['value']:.2f} ± {ratio['sd']:.2f}" in README


def test_links_lead_somewhere():
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", README):
        assert (ROOT / target).exists(), target
