"""From line drawings to pictures, with L1 alone and with the GAN: `python -m benchmarks.pix2pix`.

Rendered scenes of 64 × 64 pixels: 12,000 to train on, 1,000 others to test on; the recipe was chosen on scenes of yet
another seed (five epochs had been measured here before: L1 .0216, in 286 seconds). Further tests have what training
never had: four or five solids where it had up to three, and roofs for a network that has seen all other solids.
BSDS500: people's boundaries and their photographs at 64 × 64, trained on `train` and `val`, tested on `test`. L1 alone
and GAN train the same generator for the same number of steps. The kernel distance is on the features of the package's
network for scenes; on photographs this network sees blur and noise, but nothing that it was made to count. Time is the
processor's, of training alone, over the number of cores. The figures are those of

    python -m benchmarks.pix2pix --only scenes --seeds 3
    python -m benchmarks.pix2pix --only BSDS500 --seeds 1

and `--only roofs` measures what is not among them.
"""

from functools import cache, partial
from typing import NamedTuple

import keras
import numpy as np
from sklearn.neighbors import NearestNeighbors

from benchmarks.common import runner
from benchmarks.common.timing import processor_seconds, timed
from dlarch_keras import Pix2Pix, kernel_distance, ssim
from dlarch_keras.datasets import SOLIDS, data_dir, generate_scenes, load_image_pairs
from dlarch_keras.metrics.features import image_features
from dlarch_keras.networks import seed_stream
from dlarch_keras.pix2pix import patch_discriminator, unet_generator

L1, SSIM, KERNEL = ("L1", "1"), ("SSIM", "1"), ("kernel distance", "1")
BATCH_SIZE = 16


class Sizes(NamedTuple):
    """Of the full protocol, and of a quick run."""

    trained: int = 12_000  # scenes
    tested: int = 1000
    photographs: int | None = None  # all by default
    epochs: dict = {"scenes": 4, "no roofs": 4, "BSDS500": 60}  # noqa: RUF012, nobody changes it


QUICK = Sizes(32, 16, 16, {"scenes": 1, "BSDS500": 1})


def scenes(n, seed, **arrangement):
    pictures, drawings, _ = generate_scenes(n, seed, **arrangement)
    return drawings, pictures


def photographs(n, *parts):
    pairs = [
        load_image_pairs(*(data_dir() / "bsds500" / kind / part for kind in ("boundaries", "images")), 64, (1, 3))
        for part in parts
    ]
    return tuple(np.concatenate(arrays)[:n] for arrays in zip(*pairs))


@cache
def training_pairs(name, trained, photos):
    """Drawings and pictures to train on."""
    if name == "BSDS500":
        return photographs(photos, "train", "val")
    known = {"kinds": [kind for kind in SOLIDS if kind != "roof"]} if name == "no roofs" else {}
    return scenes(trained, 0, **known)


@cache
def test_pairs(name, tested, photos):
    """`{name: drawings and pictures}` to test on what is trained on the pairs of a name."""
    if name == "BSDS500":
        return {"BSDS500": photographs(photos, "test")}
    if name == "no roofs":
        return {"roofs unseen": scenes(tested, 4, kinds=["roof"])}
    return {"scenes": scenes(tested, 1), "scenes, 4 or 5 solids": scenes(tested, 3, solids=(4, 5))}


def train(drawings, pictures, epochs, adversarial, seed):
    """A trained model, and the seconds it took."""
    seeds = seed_stream(seed)
    model = Pix2Pix(
        unet_generator(drawings.shape[1:], 3, seed=seeds),
        patch_discriminator(drawings.shape[1:], 3, filters=(32, 32, 64), seed=seeds),
        l1_weight=500.0,
    )
    # The discriminator wins at the end unless its rate falls as well.
    steps = epochs * len(drawings) // BATCH_SIZE
    rates = [keras.optimizers.schedules.CosineDecay(rate, steps, alpha=0.05) for rate in (1e-3, 2e-4)]
    generator_optimizer, discriminator_optimizer = (keras.optimizers.Adam(rate, 0.5) for rate in rates)
    learner = model if adversarial else model.generator
    if adversarial:
        model.compile(generator_optimizer=generator_optimizer, discriminator_optimizer=discriminator_optimizer)
    else:
        learner.compile(generator_optimizer, "mae")
    fit = partial(learner.fit, drawings, pictures, batch_size=BATCH_SIZE, epochs=epochs, verbose=0)
    return model, timed(fit, processor_seconds)[1]


def flat(x):
    return x.reshape(len(x), -1)


def translator(method, drawings, pictures, epochs, seed):
    """A function from drawings to pictures, the seconds to learn it, and its number of parameters."""
    if method in ("L1 alone", "pix2pix"):
        model, seconds = train(drawings, pictures, epochs, method == "pix2pix", seed)
        return model.translate, seconds, model.generator.count_params()
    if method == "nearest drawing's picture":  # by pixels
        index = NearestNeighbors(n_neighbors=1).fit(flat(drawings))
        return lambda x: pictures[index.kneighbors(flat(x))[1][:, 0]], 0.0, 0
    if method == "mean colour":
        colour = pictures.mean(axis=(0, 1, 2), dtype="float64")  # in float32 the sum over so many pixels loses digits
        return lambda x: np.broadcast_to(colour, (*x.shape[:3], 3)), 0.0, 0
    return lambda x: np.repeat(x, 3, axis=3), 0.0, 0  # the drawing itself


METHODS = ("copied drawing", "mean colour", "nearest drawing's picture", "L1 alone", "pix2pix")


def measure(method, name, sizes, seed):
    """A method that is trained on the pairs of a name, on all tests of it."""
    pairs = training_pairs(name, sizes.trained, sizes.photographs)
    translate, *cost = translator(method, *pairs, sizes.epochs[name], seed)
    rows = []
    for test, (drawings, pictures) in test_pairs(name, sizes.tested, sizes.photographs).items():
        made = np.ascontiguousarray(translate(drawings), "float32")
        features = (image_features(images, "scenes") for images in (made, pictures))
        figures = {
            L1: np.abs(made - pictures).mean(),
            SSIM: ssim(made, pictures).mean(),
            KERNEL: kernel_distance(*features, subset_size=min(500, len(made) // 2))[0],
        }
        rows += runner.rows(method, test, figures, *cost)
    return rows


def tasks(quick):
    sizes = QUICK if quick else Sizes()
    return {f"{method}, {name}": partial(measure, method, name, sizes) for name in sizes.epochs for method in METHODS}


if __name__ == "__main__":
    runner.main("pix2pix", tasks)
