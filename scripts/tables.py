"""What the README, RESULTS.md and the benchmarks' README show: figures in sentences, and tables as lists of rows.

A figure is selected by words: `file, method, dataset, metric`, `backend` where it is not TensorFlow, and `column` where
it is not the value. In a table some words are the table's, some a row's and some a column's.
"""

from typing import NamedTuple

from dlarch_keras.datasets import ADBENCH_NAMES

DASH = "–"
BINARISED = "{}, dynamically binarised"
NOISY, PHOTOGRAPHS, TUTORIAL = "MNIST 5k, σ = 0.5", "four photographs, σ = 0.1", "MNIST, σ = 0.4"
NSL_KDD, ONE_DIGIT = "NSL-KDD KDDTest+", "MNIST, one class"
SURFACES, FOURTH_SURFACE = "brick, grass, gravel, contrast 0.9", "immunohistochemistry, contrast 0.9"
EIGHT_OF_ADBENCH = ("breastw", "annthyroid", "http", "cardio", "mammography", "satimage-2", "shuttle", "thyroid")
ADBENCH, ADBENCH_EIGHT = (
    {kind: [f"ADBench {name}, {kind}" for name in names] for kind in ("contaminated", "one-class")}
    for names in (ADBENCH_NAMES, EIGHT_OF_ADBENCH)
)
SET5, TEN_PHOTOGRAPHS = "Set5 × 3", "ten photographs of BSDS500, colour, × 3"
PAIRS, UNSEEN = "MNIST, keras.io's pairs", "MNIST, 8 and 9 never seen"
LAKE, UNSTRUCTURED = "Omniglot, Lake's runs", "Omniglot, unstructured"
MSE, LONGER, SHARE = "test MSE per pixel", "median step, over the hand-written loop's", "share of the recipe's seconds"
METHODS_OF_IMAGES = ("blurred self", "PCA", "PCA of patches", "isolation forest", "nearest neighbours", "autoencoder")
STEP, DIFFERENCE = "time of a step", "largest relative difference from TensorFlow in 5 steps"


def of(file=None, method=None, dataset=None, metric=None, **words):
    """Words that select a figure, those that are given; and text of a row under a column's name."""
    named = {"file": file, "method": method, "dataset": dataset, "metric": metric}
    return {word: value for word, value in named.items() if value} | words


FIGURES = {  # in sentences
    "k30": of("autoencoder", "autoencoder", "MNIST in 30 numbers", MSE),
    "fit": of("training", "Model.fit", "noise", LONGER),
    "denoising_race": of("denoising_autoencoder", "denoising autoencoder", TUTORIAL, "test cross-entropy"),
    "denoising_share": of("denoising_autoencoder", "denoising autoencoder", TUTORIAL, SHARE),
    "detector": of("anomaly_detection", "detector", ADBENCH["contaminated"], "AUROC"),
    "detector_eight": of("anomaly_detection", "detector", ADBENCH_EIGHT["contaminated"], "AUROC"),
    "fourth_surface": of("image_anomaly_detection", "autoencoder", FOURTH_SURFACE, "image AUROC"),
    "fourth_surface_pixels": of("image_anomaly_detection", "autoencoder", FOURTH_SURFACE, "pixel AUROC"),
    "fourth_surface_neighbours": of("image_anomaly_detection", "nearest neighbours", FOURTH_SURFACE, "image AUROC"),
    "one_digit": of("image_anomaly_detection", "autoencoder", ONE_DIGIT, "image AUROC"),
    "vae_race": of("vae", "VAE, dense, code of 2", "MNIST, grey", "test total"),
    "vae_share": of("vae", "VAE, dense, code of 2", "MNIST, grey", SHARE),
    "gan_epoch": of("gan_pace", "GAN", "MNIST", "time of an epoch"),
    "wgan_gp_epoch": of("gan_pace", "WGAN-GP", "MNIST", "time of an epoch"),
    "keras_io_epoch": of("gan_pace", "keras.io's GAN", "MNIST", "time of an epoch"),
    "gan_share": of("gan", "GAN, at the recipe's best", "MNIST", SHARE),
    "gan_share_fashion": of("gan", "GAN, at the recipe's best", "Fashion-MNIST", SHARE),
    "scenes": of("pix2pix", "pix2pix", "scenes", "L1"),
    "photographs": of("pix2pix", "pix2pix", "BSDS500", "L1"),
    "espcn_share": of("srgan", "sub-pixel generator, at a gain of 0.62 dB", TEN_PHOTOGRAPHS, SHARE),
    "siamese_share": of("siamese", "Siamese network", PAIRS, SHARE),
    "lake_error": of("one_shot", "network", LAKE, "standard error over runs"),
    "skilled": of("signature_verification", "network", "generated signatures", "skilled EER"),
    "query": of("signature_verification", "network", "a million enrolled", "time of a query"),
    "rounds": of("speed", "VAE", "the tutorial's", "steps a second, over the tutorial's"),
}
NOTEBOOKS = {
    "00_start_here": "pick an architecture, switch backend and data",
    "01_autoencoder": "compress, map and classify with learned codes",
    "02_denoising_autoencoder": "clean images, and know when a filter does as well",
    "03_anomaly_detection": "put a detector on your own table or images",
    "04_vae": "sample new images, and say how probable one is",
    "05_conditional_vae": "change an image's class or style by a measured amount",
    "06_gan": "train a GAN, read its numbers, save it whole",
    "07_wgan_gp": "train with a loss that tells how one run gets on",
    "08_pix2pix": "turn drawings into pictures, and say what the GAN adds",
    "09_srgan": "enlarge photographs of any size, without seams",
    "10_siamese": "measure similarity, set a threshold, find copies",
    "11_one_shot": "recognise what was shown once",
    "12_signature_verification": "tell forged signatures from genuine ones",
}
STEPS = {  # each architecture on noise of a notebook's sizes
    "autoencoder": "28 × 28 × 1, batches of 128",
    "denoising autoencoder": "28 × 28 × 1, batches of 64",
    "VAE": "28 × 28 × 1, batches of 128",
    "conditional VAE": "28 × 28 × 1, batches of 128",
    "GAN": "28 × 28 × 1, batches of 64",
    "WGAN-GP": "28 × 28 × 1, batches of 192",
    "pix2pix": "64 × 64 × 1, batches of 16",
    "SRGAN": "20 × 20 × 1, batches of 16",
    "Siamese": "28 × 28 × 1, batches of 128",
}
STEPS = {name: of(method=name, dataset=dataset) for name, dataset in STEPS.items()}
SIZES = {"data × 4": "4 × the data", "data × 16": "16 × the data", "batch ÷ 4": "1/4 of the batch"}
SIZES |= {"batch × 4": "4 × the batch", "pixels × 4": "4 × the pixels"}
SEEDS, SECONDS = {"seeds": of(column="seeds")}, {"seconds to train": of(column="seconds")}


class Table(NamedTuple):
    """Words of all its figures; `{heading: words, or the name of a text}`; `{label: words, or the method}`."""

    words: dict
    columns: dict
    rows: dict
    corner: str = ""


TABLES = {
    "notebooks_table": Table(
        of("notebooks", dataset="its own", metric="time from first cell to last"),
        {"you can then": "use", "runs in, seconds": of(column="seconds")},
        {f"[{name}](notebooks/{name}.ipynb)": of(method=name, use=use) for name, use in NOTEBOOKS.items()},
        "notebook",
    ),
    "codes": Table(
        of("autoencoder", metric=MSE),
        {method: of(method=method) for method in ("PCA", "autoencoder")}
        | {"seconds to train": of(method="autoencoder", column="seconds")},
        {k: of(dataset=f"MNIST in {k} numbers") for k in (2, 30, 32)},
        "numbers in the code",
    ),
    "steps": Table(
        of("training", dataset="noise"),
        {"takes": of()},
        {
            "the hand-written loop": of(method="hand-written loop", metric="median step", form="{} ms"),
            "`Model.fit`": of(method="Model.fit", metric=LONGER, form="{} times as long"),
            "`Model.fit`, `steps_per_execution=10`": of(
                method="Model.fit, steps_per_execution=10", metric=LONGER, form="{} times as long"
            ),
        },
        "a step by",
    ),
    "denoising": Table(
        of("denoising_autoencoder"),
        {
            "digits, PSNR in dB": of(dataset=NOISY, metric="test PSNR"),
            "digits, SSIM": of(dataset=NOISY, metric="test SSIM"),
            "photographs, PSNR in dB": of(dataset=PHOTOGRAPHS, metric="test PSNR"),
        },
        {"noisy": "noisy input"}
        | {name: name for name in ("median filter", "Gaussian filter", "wavelet filter", "non-local means")}
        | {
            "autoencoder": "denoising autoencoder",
            "its seeds": of(method="denoising autoencoder", column="seeds"),
            "its seconds to train": of(method="denoising autoencoder", column="seconds"),
        },
    ),
    "row_detectors": Table(
        of("anomaly_detection"),
        {
            **{f"ADBench, {kind}": of(dataset=dataset, metric="AUROC") for kind, dataset in ADBENCH.items()},
            **{f"NSL-KDD, {metric}": of(dataset=NSL_KDD, metric=metric) for metric in ("AUROC", "F1")},
        },
        {
            "PCA, residual": "PCA reconstruction",
            "PCA, Mahalanobis distance": "PCA, Mahalanobis",
            "PCA, as in PyOD": "PCA, as in PyOD",
            "fifth nearest neighbour": "5 nearest neighbours",
            "isolation forest": "isolation forest",
            "autoencoder": "detector",
            "autoencoder, its settings from the other sets": of("anomaly_settings", "chosen on the other tables"),
            "its seconds, a set": of(method="detector", column="seconds"),
        },
    ),
    "image_detectors": Table(
        of("image_anomaly_detection"),
        {
            "MNIST": of(dataset=ONE_DIGIT, metric="image AUROC"),
            "surfaces, pixels": of(dataset=SURFACES, metric="pixel AUROC"),
            "surfaces, images": of(dataset=SURFACES, metric="image AUROC"),
        },
        {name: name for name in METHODS_OF_IMAGES}
        | {"its seconds, a digit or surface": of(method="autoencoder", column="seconds")},
    ),
    "vaes": Table(
        of("vae", dataset=BINARISED.format("MNIST"), metric="test NLL"),
        {
            "−ELBO": of(metric="test −ELBO"),
            "NLL": of(metric="test NLL"),
            "published NLL": "published",
            **SEEDS,
            **SECONDS,
        },
        {
            "dense, 30 epochs, MNIST": of(method="VAE, dense, short", metric="test −ELBO"),
            "dense, 60 epochs, MNIST": of(method="VAE, dense", published="86.76 (Burda et al. 2016)"),
            "residual, 90 epochs, MNIST": "VAE, residual",
            "dense, 60 epochs, Fashion-MNIST": of(
                method="VAE, dense", dataset=BINARISED.format("Fashion-MNIST"), metric="test −ELBO"
            ),
        },
        "network, training set",
    ),
    **{
        name: Table(
            of(dataset=dataset, metric="Fréchet distance"),
            {
                "Fréchet distance": of(),
                "effective classes, of 10": of(metric="effective classes"),
                **SEEDS,
                **SECONDS,
            },
            {
                "real training images": of("gan", "training images"),
                "uniform noise": of("gan", "uniform noise"),
                "keras.io's network, at its best": of("gan", "keras.io's GAN, at its best"),
                "GAN, at ten minutes": of("gan", "GAN, at 10 minutes"),
                "GAN": of("gan", "GAN"),
                "WGAN-GP": of("wgan_gp", "WGAN-GP"),
            },
            dataset,
        )
        for name, dataset in {"gans": "MNIST", "gans_fashion": "Fashion-MNIST"}.items()
    },
    "translations": Table(
        of("pix2pix", dataset="scenes", metric="L1"),
        {f"scenes, {metric}": of(metric=metric) for metric in ("L1", "SSIM", "kernel distance")}
        | {"scenes, seconds to train": of(column="seconds"), "photographs, L1": of(dataset="BSDS500")},
        {name: name for name in ("mean colour", "nearest drawing's picture", "L1 alone", "pix2pix")},
    ),
    "super_resolution": Table(
        of("srgan", dataset=SET5, metric="test PSNR"),
        {
            "weights": of(column="parameters"),
            "Set5, PSNR in dB": of(),
            "Set5, SSIM": of(metric="test SSIM"),
            "tutorial's photographs, gain in dB": of(dataset=TEN_PHOTOGRAPHS, metric="gain over interpolation"),
            **SEEDS,
            **SECONDS,
        },
        {
            "bicubic interpolation": "bicubic",
            "ours, short training": "sub-pixel generator, short",
            "ours, long training": "sub-pixel generator, long",
            "keras.io's ESPCN recipe": "keras.io's ESPCN",
        },
    ),
    "siamese": Table(
        of("siamese", dataset=PAIRS, metric="test pair accuracy"),
        {
            "tutorial's pairs, share right": of(),
            "8 and 9, equal error rate in %": of(dataset=UNSEEN, metric="EER"),
            **SEEDS,
            **SECONDS,
        },
        {
            "distance of pixels": "pixel distance",
            "distance after PCA": "PCA",
            "Siamese network": "Siamese network",
        },
    ),
    "one_shot": Table(
        of("one_shot", dataset=LAKE, metric="accuracy"),
        {
            "Lake's 20 runs, within an alphabet": of(),
            "unstructured, 5-way": of(dataset=UNSTRUCTURED, metric="5-way 1-shot accuracy"),
            "unstructured, 20-way": of(dataset=UNSTRUCTURED, metric="20-way 1-shot accuracy"),
            **SEEDS,
            **SECONDS,
        },
        {
            "nearest by pixels": "pixels",
            "nearest after PCA": "PCA",
            "network trained on fonts alone": "network, trained on fonts",
            "network": "network",
        },
    ),
    "signatures": Table(
        of("signature_verification", dataset="generated signatures", metric="skilled EER"),
        {"skilled forgeries": of(), "random forgeries": of(metric="random EER"), **SECONDS},
        {
            "histograms of gradients, nearest reference": "histograms of gradients",
            "histograms of gradients, by the writer's spread": "histograms of gradients by spread",
            "network, by the writer's spread": "network",
        },
    ),
    "shares": Table(
        of(),
        {"its own figure": "figure", "share of its time": of(), **SEEDS},
        {
            "VAE": FIGURES["vae_share"] | of(figure="training total 146.95 nats"),
            "denoising autoencoder": FIGURES["denoising_share"] | of(figure="validation cross-entropy .0839"),
            "Siamese": FIGURES["siamese_share"] | of(figure=".9577 of the test pairs"),
            "ESPCN": FIGURES["espcn_share"] | of(figure=".62 dB over bicubic"),
        },
        "tutorial",
    ),
    "races": Table(
        of("speed", dataset="the tutorial's"),
        {
            "over the tutorial's step": of(metric="steps a second, over the tutorial's"),
            "with the fast settings": of(metric="steps a second with the fast settings, over the tutorial's"),
            "over plain torch": of(metric="steps a second, over plain torch's"),
        },
        {name: name for name in ("VAE", "denoising autoencoder", "GAN", "Siamese")},
        "network",
    ),
    "backends": Table(
        of("speed"),
        {
            "TensorFlow": of(metric=STEP),
            "TensorFlow, bfloat16": of(metric=f"{STEP}, bfloat16"),
            "JAX": of(metric=STEP, backend="jax"),
            "torch": of(metric=STEP, backend="torch"),
            "JAX differs by": of(metric=DIFFERENCE, backend="jax"),
            "torch differs by": of(metric=DIFFERENCE, backend="torch"),
        },
        STEPS,
    ),
    "growth": Table(
        of("speed"),
        {
            "share of the matrix rate": of(metric="share of the rate of a matrix product"),
            "memory, MB": of(metric="memory beyond the libraries'"),
            **{heading: of(metric=f"time an example, {size}") for heading, size in SIZES.items()},
        },
        STEPS,
    ),
}

FRECHET = [of(dataset=dataset, metric="Fréchet distance") for dataset in ("MNIST", "Fashion-MNIST")]
SCENES = [of("pix2pix", dataset="scenes", metric=metric) for metric in ("L1", "kernel distance")]
BEST = of("gan", "keras.io's GAN, at its best")
# Notebook, task, measure, what is measured, our method, the baseline and its label, what is published.
SUMMARY = [
    ("01_autoencoder", "autoencoder, MNIST in 30 numbers", "MSE per pixel ↓",
     [of("autoencoder", dataset="MNIST in 30 numbers", metric=MSE)], of(method="autoencoder"),
     "PCA", of(method="PCA"), "0.0038, Hinton and Salakhutdinov 2006"),
    ("02_denoising_autoencoder", "denoising autoencoder, digits with noise σ = 0.5", "PSNR, dB ↑",
     [of("denoising_autoencoder", dataset=NOISY, metric="test PSNR")], of(method="denoising autoencoder"),
     "median filter", of(method="median filter"), DASH),
    ("03_anomaly_detection", "anomaly detection, 22 tables of ADBench, anomalies among the training rows", "AUROC ↑",
     [of("anomaly_detection", dataset=ADBENCH["contaminated"], metric="AUROC")], of(method="detector"),
     "isolation forest", of(method="isolation forest"), DASH),
    ("", "the same tables, trained on normal rows", "AUROC ↑",
     [of("anomaly_detection", dataset=ADBENCH["one-class"], metric="AUROC")], of(method="detector"),
     "nearest neighbours", of(method="5 nearest neighbours"), DASH),
    ("", "anomaly detection, attacks of NSL-KDD", "AUROC ↑",
     [of("anomaly_detection", dataset=NSL_KDD, metric="AUROC")], of(method="detector"),
     "PCA", of(method="PCA, Mahalanobis"), "autoencoder 0.95, second-hand"),
    ("", "anomaly detection, one MNIST digit against the others", "AUROC ↑",
     [of("image_anomaly_detection", dataset=ONE_DIGIT, metric="image AUROC")], of(method="autoencoder"),
     "PCA", of(method="PCA"), "Deep SVDD 0.948, second-hand"),
    ("", "anomaly detection, defects on brick, grass and gravel", "AUROC of images ↑",
     [of("image_anomaly_detection", dataset=SURFACES, metric="image AUROC")], of(method="autoencoder"),
     "nearest neighbours", of(method="nearest neighbours"), DASH),
    ("04_vae", "VAE, dense, binarised MNIST", "NLL, nats ↓",
     [of("vae", dataset=BINARISED.format("MNIST"), metric="test NLL")], of(method="VAE, dense"),
     DASH, None, "86.76, Burda et al. 2016"),
    ("06_gan", "GAN, MNIST and Fashion-MNIST", "Fréchet distance ↓", FRECHET, of("gan", "GAN"),
     "keras.io's network, best within 100 minutes", BEST, DASH),
    ("07_wgan_gp", "WGAN-GP, MNIST and Fashion-MNIST", "Fréchet distance ↓", FRECHET, of("wgan_gp", "WGAN-GP"),
     "the same,", BEST, DASH),
    ("08_pix2pix", "pix2pix, drawings of scenes to pictures", "L1 ↓ and kernel distance ↓",
     SCENES, of(method="pix2pix"), "L1 alone", of(method="L1 alone"), DASH),
    ("09_srgan", "super-resolution by 3, by pixels, Set5", "PSNR, dB ↑",
     [of("srgan", dataset=SET5, metric="test PSNR")], of(method="sub-pixel generator, long"),
     "bicubic", of(method="bicubic"), "ESPCN 32.55, with more photographs 33.13, Shi et al. 2016"),
    ("10_siamese", "Siamese network, pairs of MNIST", "share right ↑",
     [of("siamese", dataset=PAIRS, metric="test pair accuracy")], of(method="Siamese network"),
     "distance of pixels", of(method="pixel distance"), "0.9577, keras.io"),
    ("11_one_shot", "one-shot learning, Lake's 20 runs of Omniglot", "per cent right ↑",
     [of("one_shot", dataset=LAKE, metric="accuracy")], of(method="network"),
     "PCA", of(method="PCA"), "92.0, Koch et al. 2015; people 95.5"),
    ("", "one-shot learning, 20 of all characters of Omniglot", "per cent right ↑",
     [of("one_shot", dataset=UNSTRUCTURED, metric="20-way 1-shot accuracy")], of(method="network"),
     "PCA", of(method="PCA"), "96.0, Snell et al. 2017"),
    ("12_signature_verification", "skilled forgeries of generated signatures", "equal error rate, % ↓",
     [of("signature_verification", dataset="generated signatures", metric="skilled EER")], of(method="network"),
     "histograms of gradients", of(method="histograms of gradients by spread"), DASH),
]  # fmt: skip
