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


def figures(name, *tasks):
    """`value ± sd` of tasks, as the README prints them: decibels to two digits, L1 to four, others to three."""
    results = pd.read_csv(ROOT / "dlarch_keras" / "results" / f"{name}.csv").set_index("task").loc[list(tasks)]
    digits = [2 if "dB" in metric else 4 if metric == "L1" else 3 for metric in results["metric"]]
    return " and ".join(
        f"{value:.{n}f} ± {sd:.{n}f}" if sd else f"{value:.{n}f}"
        for value, sd, n in zip(results["value"], results["sd"], digits)
    )


def adbench(method):
    """Mean AUROC over the eight contaminated sets."""
    results = pd.read_csv(ROOT / "dlarch_keras" / "results" / "anomaly_detection.csv")
    rows = results[results["task"].str.fullmatch(rf"{method}, [^,]+, contaminated")]
    assert len(rows) == 8
    return f"{rows['value'].mean():.3f}"


def test_the_table_of_denoising_and_detection():
    nsl = [f"NSL-KDD, {metric}" for metric in ("AUROC", "F1")]
    surfaces = [f"contrast 0.9, {part} AUROC" for part in ("pixel", "image")]
    for ours, baseline in [
        (
            figures("denoising_autoencoder", "autoencoder 5k, test PSNR, dB"),
            figures("denoising_autoencoder", "median filter, test PSNR, dB"),
        ),
        (
            figures("denoising_autoencoder", "photographs, autoencoder"),
            figures("denoising_autoencoder", "photographs, non-local means"),
        ),
        (adbench("detector"), adbench("isolation forest")),
        tuple(
            figures("anomaly_detection", *(f"{method}, {task}" for task in nsl))
            for method in ("detector", "isolation forest")
        ),
        (
            figures("image_anomaly_detection", "autoencoder, one digit"),
            figures("image_anomaly_detection", "PCA, one digit"),
        ),
        tuple(
            figures("image_anomaly_detection", *(f"{method}, {task}" for task in surfaces))
            for method in ("autoencoder", "nearest neighbours")
        ),
    ]:
        assert f"| {ours} | " in README
        assert f" {baseline} | " in README


def test_the_figures_of_the_vae():
    results = pd.read_csv(ROOT / "dlarch_keras" / "results" / "vae.csv").set_index("task")

    def figure(task, digits=2):
        value, sd = results.loc[task, ["value", "sd"]]
        return f"{value:.{digits}f}" + (f" ± {sd:.{digits}f}" if sd else "")

    runs = {task.rsplit(", ", 1)[0] for task in results.index if not task.startswith("race")}
    assert len(runs) == 4
    for run in runs:
        scores = [figure(f"{run}, {name}") for name in ("test −ELBO", "test NLL") if f"{run}, {name}" in results.index]
        row = f"| {results.loc[f'{run}, test −ELBO', 'seconds']:.0f} | {' | '.join(scores)} |"
        assert row in README
    assert figure("race, test total") in README
    assert figure("race, share of the recipe's seconds", 3) in README


def test_the_figures_of_translation():
    for method in ("mean colour", "nearest drawing's picture", "L1 alone", "pix2pix"):
        metrics = ("L1", "SSIM", "kernel distance")
        row = " | ".join(figures("pix2pix", f"{method}, scenes, {metric}") for metric in metrics)
        assert f"| {method} | {row} |" in README


def test_the_figures_of_super_resolution():
    results = pd.read_csv(ROOT / "dlarch_keras" / "results" / "srgan.csv").set_index("task")
    trained = {task.split(", Set5")[0] for task in results.index if "Set5" in task}
    for name in trained:
        psnr, ssim = f"{name}, Set5, test PSNR, dB", f"{name}, Set5, test SSIM"
        seconds = f"{results.loc[psnr, 'seconds']:.0f}" if name != "bicubic" else "–"
        assert f" | {figures('srgan', psnr)} | {figures('srgan', ssim)} | {seconds} |" in README
    race = [task for task in results.index if task.startswith("ours, short, race")]
    assert len(race) == 2 and all(figures("srgan", task) in README for task in race)


def test_the_figures_of_the_siamese_network():
    for task in ("SiameseNetwork", "SiameseNetwork, time", "unseen digits, ours", "unseen digits, PCA"):
        assert figures("siamese", task) in README


def percent(name, *tasks, scale=1):
    """`value ± sd` in per cent, to one digit, as the cells of a row."""
    results = pd.read_csv(ROOT / "dlarch_keras" / "results" / f"{name}.csv").set_index("task").loc[list(tasks)]
    pairs = (scale * results[["value", "sd"]]).itertuples(index=False)
    return " | ".join(f"{value:.1f} ± {sd:.1f}" if sd else f"{value:.1f}" for value, sd in pairs)


def test_the_figures_of_one_shot_learning():
    for method in ("pixels", "PCA", "fonts only", "network"):
        exams = ("Lake's runs", "unstructured, 5-way 1-shot", "unstructured, 20-way 1-shot")
        assert f"| {percent('one_shot', *(f'{method}, {exam}' for exam in exams))} |" in README


def test_the_figures_of_signature_verification():
    for method in ("histograms of gradients", "histograms of gradients by spread", "network"):
        kinds = (f"{method}, {kind} EER" for kind in ("skilled", "random"))
        assert f"| {percent('signature_verification', *kinds, scale=100)} |" in README


def test_links_lead_somewhere():
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", README):
        assert (ROOT / target).exists(), target
