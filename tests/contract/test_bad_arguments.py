"""One `ValueError` that names the argument for each kind of bad argument of metrics, data sets, losses, layers."""

import numpy as np
import pytest

from dlarch_keras import BalancedBatches, ContrastiveLoss, NTXentLoss, TripletLoss, datasets, networks
from dlarch_keras.datasets.signature_folders import preprocess_signature
from dlarch_keras.datasets.signatures import make_signatures
from dlarch_keras.denoising_autoencoder import GaussianCorruption, MaskingCorruption, SaltAndPepperCorruption
from dlarch_keras.images.patches import patch_pairs
from dlarch_keras.images.resampling import bicubic, downscale, luminance
from dlarch_keras.metrics import detection, features, generation, likelihood, morphometry, reconstruction, verification
from dlarch_keras.metrics.likelihood import binarize
from tests.support.architectures import images, labels
from tests.support.bad_input import COUNTS, SEEDS, bad_arrays, bad_flags, bad_labels, bad_vectors

SCORES, FLAGS = np.array([0.9, 0.8, 0.1, 0.5, 0.7, 0.3]), np.array([1, 0, 1, 0, 1, 1])
DAYS, AMOUNTS = np.array([0, 0, 0, 1, 1, 2]), np.array([100.0, 50.0, 30.0, 20.0, 10.0, 5.0])
PICTURES, COLOURS = images(3, (16, 13, 2)), images(2, (12, 10, 3))
DIGITS = np.full((4, 28, 28, 1), 0.5, "float32")
POINTS = np.random.default_rng(0).standard_normal((50, 4)).astype("float32")
SCORED = {"scores": SCORES, "labels": FLAGS}
PAIRS = {"distances": SCORES, "different": FLAGS}
PAYMENTS = datasets.generate_transactions(10, 10, 5, 80.0)


def group_interval(groups, **settings):
    return verification.group_interval(np.mean, groups, np.arange(4.0), **settings)


def without(kinds, *names):
    return {kind: bad for kind, bad in kinds.items() if kind not in names}


def of(*values):
    return {repr(value): value for value in values}


IMAGES, UNBOUNDED = bad_arrays(PICTURES), without(bad_arrays(POINTS, bounded=False), "shape")
ANY_SIZE = without(bad_arrays(COLOURS), "shape")
VECTORS, LABELS = bad_vectors(SCORES), bad_flags(FLAGS)
ONE_KIND = {"only 0": 0 * FLAGS, "only 1": 0 * FLAGS + 1}
NEGATIVE = {"negative": -SCORES}
DISTANCES = VECTORS | NEGATIVE
NUMBERS = of(-1, np.nan, np.inf, "1", None, True, [1.0])
POSITIVE = NUMBERS | of(0, -0.5)
SHARES = of(-0.1, 1.0, np.nan, "0.1", None, True)
THRESHOLDS = of(np.nan, "1", None, True, [1.0])
WHOLE = COUNTS | of([2], 1.5)
SEED = SEEDS | of(True)
NEEDED_SEED = SEED | of(None)
SIDES = of(None, 28, "28", (28, 28), (28, 28, 0), (28, 28, 1, 1), (28, 28.0, 1), (None, None, 1))
WIDTHS = of(None, 8, (), (8, 0), (8, 1.5), ("8",), (True, 8))
WINDOWS = of(None, 7, "7", (), (0,), (1.5,), ("7D",), (1, None))
DAY_COUNTS = of(-1, 1.5, "3", None, True)
BOTH = "images|references", "references|images"
GREY = PICTURES[..., :1]
# (function, good arguments, {argument: bad ones}); with "|", either may be blamed.
CASES = [
    *(
        (
            metric,
            {"images": PICTURES, "references": PICTURES},
            {"images|references": IMAGES, "references|images": IMAGES},
        )
        for metric in (reconstruction.psnr, reconstruction.ssim)
    ),
    *(
        (metric, {"features": POINTS, "reference": POINTS}, {"features": UNBOUNDED, "reference": UNBOUNDED})
        for metric in (generation.frechet_distance, generation.kernel_distance, generation.precision_recall)
    ),
    (
        generation.kernel_distance,
        {"features": POINTS, "reference": POINTS},
        {"subsets": WHOLE, "subset_size": WHOLE, "seed": SEEDS},
    ),
    (generation.precision_recall, {"features": POINTS, "reference": POINTS}, {"neighbours": WHOLE | of(50)}),
    (
        generation.effective_classes,
        {"labels": FLAGS, "classes": 2},
        {
            "labels": of(np.array([[2.0, -1.0]]), np.full((5, 2), 7.0), np.array([0, 10]), np.array(["a"])),
            "classes": WHOLE,
        },
    ),
    (
        generation.mode_coverage,
        {"points": POINTS, "centres": POINTS, "radius": 1.0},
        {"points": UNBOUNDED, "centres": UNBOUNDED | of(POINTS[:, 1:]), "radius": POSITIVE},
    ),
    *(
        (metric, {**SCORED, **others}, {"scores|labels": VECTORS, "labels": LABELS, **bad})
        for metric, others, bad in (
            (detection.alert_precision, {"days": DAYS, "budget": 2}, {"budget": WHOLE}),
            (detection.card_precision, {"days": DAYS, "customers": DAYS, "budget": 2}, {"budget": WHOLE}),
            (
                detection.alert_cost,
                {"amounts": AMOUNTS, "cost_per_alert": 1.0, "threshold": 0.5},
                {"amounts": VECTORS | NEGATIVE, "cost_per_alert": NUMBERS, "threshold": THRESHOLDS},
            ),
            (
                detection.cost_curve,
                {"amounts": AMOUNTS, "cost_per_alert": 1.0},
                {"amounts": VECTORS | NEGATIVE, "cost_per_alert": NUMBERS},
            ),
        )
    ),
    *(
        (
            metric,
            {**PAIRS, **others},
            {"distances|different": VECTORS | NEGATIVE, "different": LABELS | ONE_KIND, **bad},
        )
        for metric, others, bad in (
            (verification.error_rates, {"threshold": 0.5}, {"threshold": THRESHOLDS | of(1j)}),
            (verification.error_curve, {}, {}),
            (verification.equal_error_rate, {}, {}),
            (verification.threshold_at, {"false_acceptance": 0.1}, {"false_acceptance": SHARES}),
        )
    ),
    (
        verification.all_pairs,
        {"embeddings": POINTS, "labels": labels(50)},
        {"embeddings|labels": UNBOUNDED | of(POINTS[:1]), "labels": bad_labels(labels(50))},
    ),
    (
        group_interval,
        {"groups": [0, 0, 1, 1]},
        {
            "groups": of([0, 0, 1], None, np.zeros((4, 1)), [0, 0, 0, 0]),
            "level": of(0.0, 1.0, "high", None),
            "resamples": WHOLE,
            "seed": SEEDS,
        },
    ),
    (
        morphometry.measure_strokes,
        {"images": PICTURES[..., :1]},
        {"images": without(bad_arrays(PICTURES[..., :1]), "shape")},
    ),
    (likelihood.active_units, {"z_mean": POINTS}, {"z_mean": UNBOUNDED | of(POINTS[:1]), "threshold": NUMBERS}),
    *(
        (function, {"x": DIGITS}, {"x": bad_arrays(DIGITS)})
        for function in (features.image_features, features.class_probabilities, features.generation_scores)
    ),
    (features.reference, {"dataset": "mnist"}, {"dataset": of("cifar", None, 3)}),
    (binarize, {"x": PICTURES, "seed": 0}, {"x": without(IMAGES, "shape", "rank", "one rank more"), "seed": SEEDS}),
    *(
        (function, {"x": COLOURS, "scale": 2}, {"x": ANY_SIZE, "scale": of(0, 1.5, None)})
        for function in (bicubic, downscale)
    ),
    (luminance, {"x": COLOURS}, {"x": ANY_SIZE}),
    (
        patch_pairs,
        {"images": [COLOURS[0]], "scale": 2, "size": 4, "count": 1, "seed": 0},
        {"scale": WHOLE | of(1), "size": WHOLE, "count": WHOLE, "seed": SEEDS, "images": of([])},
    ),
    (
        datasets.add_defects,
        {"images": images(4, (48, 40, 1))},
        {
            "images": without(bad_arrays(images(4, (48, 40, 1))), "shape") | of(images(2, (32, 31, 1))),
            "contrast": of(0, -0.5, 1.1, np.nan, None, "0.5", [0.5]),
        },
    ),
    (
        datasets.load_textures,
        {"name": "brick"},
        {
            "name": of("Brick", "", None, 3),
            "size": of(31, 161, (64, 513), (64,), (64, 64, 1), 64.0, (64.0, 64), "64", None, -64),
            "contrast": of(0, -0.5, 1.1, np.nan, None, "0.5", [0.5]),
        },
    ),
    (
        datasets.generate_scenes,
        {"n": 1},
        {
            "n": WHOLE,
            "seed": SEEDS,
            "size": of(8),
            "kinds": of("ball", (), ("ball", "torus"), 5, [["ball"]]),
            "solids": of((1.5, 2.5), ("a", "b"), (0, 2), (3, 2), (1, 10), 2),
        },
    ),
    (
        datasets.load_glyphs,
        {"examples": 1},
        {
            "examples": WHOLE,
            "size": of(15, "28"),
            "distortion": of(-0.1, np.nan, np.inf, True, "0.9"),
            "test_alphabets": of("Greek", ("Klingon",), (), tuple(datasets.GLYPH_ALPHABETS), None, 3, ([],)),
            "twins": of(1, None),
            "seed": NEEDED_SEED,
        },
    ),
    (
        make_signatures,
        {"writers": 1, "genuine": 1, "forged": 1},
        {
            **dict.fromkeys(("writers", "genuine"), WHOLE),
            "forged": of(-1, 2.0, True, "5"),
            "seed": of(-1, 2.0, True, "5"),
            "skill": of(-0.1, 1.1, np.nan, "0.5", None, True),
            "size": of(64, (8, 8)),
        },
    ),
    (
        preprocess_signature,
        {"image": PICTURES[0, :, :, 0]},
        {"image": without(bad_arrays(PICTURES[0, :, :, 0]), "one rank more", "shape") | of(PICTURES[:1], PICTURES[0])},
    ),
    *(
        (load, {}, {"size": of(7, 106, 28.0, "28", None, True)})
        for load in (datasets.load_omniglot, datasets.load_omniglot_runs)
    ),
    (datasets.load_adbench, {}, {"name": of("cover", "", None, 4, "4_breastw", ["cardio"])}),
    (
        datasets.generate_transactions,
        {},
        {
            "customers": WHOLE | of([5]),
            "terminals": WHOLE,
            "days": WHOLE | of(np.nan, "ten"),
            "radius": POSITIVE | of(1j),
            "seed": NEEDED_SEED,
        },
    ),
    (
        datasets.generate_flows,
        {},
        {
            "n": WHOLE | of(99, 1e3),
            "attack_share": of(-0.1, 0.6, np.nan, 0.1j, "0.1", None, True, [0.1]),
            "seed": NEEDED_SEED,
        },
    ),
    (datasets.load_network_flows, {}, {"seed": of(-1)}),
    *(
        (function, {"transactions": PAYMENTS}, {"windows": WINDOWS, "delay_days": WHOLE})
        for function in (datasets.transaction_features, datasets.terminal_risk)
    ),
    (
        datasets.split_by_time,
        {"transactions": PAYMENTS, "train_days": 1, "validation_days": 1, "test_days": 1},
        dict.fromkeys(("train_days", "validation_days", "test_days", "delay_days"), DAY_COUNTS),
    ),
    (
        BalancedBatches,
        {"x": images(), "y": labels(), "classes": 2, "examples": 2},
        {
            "x|y": without(bad_arrays(images(), bounded=False), "shape", "one rank more"),
            "y": bad_labels(labels()) | of(labels(31)),
            "classes": WHOLE | of(1, 5),
            "examples": WHOLE | of(1),
            "seed": SEEDS,
            "steps": without(WHOLE, "None"),
            "augment": of(3, "noise"),
        },
    ),
    *((loss, {}, {"margin": POSITIVE}) for loss in (ContrastiveLoss, TripletLoss)),
    (NTXentLoss, {}, {"temperature": POSITIVE}),
    (GaussianCorruption, {}, {"stddev": NUMBERS | of((0.5, 0.1), (0.1, 0.2, 0.3))}),
    *((layer, {}, {"rate": NUMBERS | of(1.1)}) for layer in (MaskingCorruption, SaltAndPepperCorruption)),
    *(
        (build, {"image_shape": (6, 5, 1)}, {"image_shape": SIDES, "filters": WIDTHS, "condition_dim": DAY_COUNTS})
        for build in (networks.convolutional_generator, networks.convolutional_discriminator)
    ),
    (networks.convolutional_generator, {"image_shape": (6, 5, 1)}, {"latent_dim": WHOLE}),
]
PARAMETERS = [
    pytest.param(function, good, argument, kinds, id=f"{function.__name__}-{argument}")
    for function, good, bad in CASES
    for argument, kinds in bad.items()
]


@pytest.mark.parametrize(("function", "good", "argument", "kinds"), PARAMETERS)
def test_bad_arguments_are_refused(function, good, argument, kinds):
    names = argument.split("|")
    for kind, bad in kinds.items():
        try:
            function(**{**good, names[0]: bad})
        except ValueError as error:
            assert any(f"`{name}` must" in str(error) for name in names), f"{kind}: {error}"
        else:
            pytest.fail(f"{kind} was let in")
