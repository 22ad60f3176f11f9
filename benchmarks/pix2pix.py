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

import keras
import numpy as np
from sklearn.neighbors import NearestNeighbors

from benchmarks import runner
from dlarch_keras import Pix2Pix, kernel_distance, pix2pix, ssim
from dlarch_keras.datasets import SOLIDS, data_dir, generate_scenes, load_image_pairs
from dlarch_keras.metrics.features import image_features

EPOCHS = {"scenes": 4, "BSDS500": 60}
TRAINED, TESTED = runner.size((12_000, 1000), (32, 16))  # scenes
BATCH_SIZE = 16


def scenes(n, seed, **arrangement):
    pictures, drawings, _ = generate_scenes(n, seed, **arrangement)
    return drawings, pictures


def photographs(*parts):
    pairs = [
        load_image_pairs(*(data_dir() / "bsds500" / kind / part for kind in ("boundaries", "images")), 64, (1, 3))
        for part in parts
    ]
    return tuple(np.concatenate(arrays)[: runner.size(None, 16)] for arrays in zip(*pairs))


known = [kind for kind in SOLIDS if kind != "roof"]
TRAINING = {
    "scenes": partial(scenes, TRAINED, 0),
    "scenes without roofs": partial(scenes, TRAINED, 0, kinds=known),
    "BSDS500": partial(photographs, "train", "val"),
}
TESTS = {  # pairs to test on, and those trained on
    "scenes": (partial(scenes, TESTED, 1), "scenes"),
    "scenes, 4 or 5 solids": (partial(scenes, TESTED, 3, solids=(4, 5)), "scenes"),
    "roofs unseen": (partial(scenes, TESTED, 4, kinds=["roof"]), "scenes without roofs"),
    "BSDS500": (partial(photographs, "test"), "BSDS500"),
}


@cache
def training_pairs(name):
    return TRAINING[name]()


@cache
def test_pairs(name):
    return TESTS[name][0]()


def optimizers(steps):
    """Of the generator and of the discriminator, which wins at the end unless its rate falls as well."""
    rates = [keras.optimizers.schedules.CosineDecay(rate, steps, alpha=0.05) for rate in (1e-3, 2e-4)]
    return [keras.optimizers.Adam(rate, 0.5) for rate in rates]


@cache
def trained(name, adversarial, seed):
    """A trained model, and the seconds it took."""
    drawings, pictures = training_pairs(name)
    epochs = runner.size(EPOCHS[name.split()[0]], 1)
    model = Pix2Pix(
        pix2pix.unet_generator(drawings.shape[1:], 3, seed=seed),
        pix2pix.patch_discriminator(drawings.shape[1:], 3, filters=(32, 32, 64), seed=seed + 1000),
        l1_weight=500.0,
    )
    generator_optimizer, discriminator_optimizer = optimizers(epochs * len(drawings) // BATCH_SIZE)
    model.compile(generator_optimizer, discriminator_optimizer)
    learner = model
    if not adversarial:
        learner = model.generator
        learner.compile(generator_optimizer, "mae")
    start = runner.processor_seconds()
    learner.fit(drawings, pictures, batch_size=BATCH_SIZE, epochs=epochs, verbose=0)
    return model, runner.processor_seconds() - start


def learned(adversarial, test, seed):
    model, seconds = trained(TESTS[test][1], adversarial, seed)
    return model.translate(test_pairs(test)[0]), seconds, model.generator.count_params()


def copied(test, seed):
    return np.repeat(test_pairs(test)[0], 3, axis=3), 0.0, 0


def mean_colour(test, seed):
    pictures = training_pairs(TESTS[test][1])[1]
    colour = pictures.mean(axis=(0, 1, 2), dtype="float64")  # in float32 the sum over millions of pixels loses digits
    return np.broadcast_to(colour, test_pairs(test)[1].shape), 0.0, 0


def nearest(test, seed):
    """The picture of the training drawing that is nearest by pixels."""
    drawings, pictures = training_pairs(TESTS[test][1])
    flat = [each.reshape(len(each), -1) for each in (drawings, test_pairs(test)[0])]
    return pictures[NearestNeighbors(n_neighbors=1).fit(flat[0]).kneighbors(flat[1])[1][:, 0]], 0.0, 0


def kernel(made, pictures):
    features = (image_features(np.ascontiguousarray(images), "scenes") for images in (made, pictures))
    return kernel_distance(*features, subset_size=min(500, len(made) // 2))[0]


METHODS = {
    "copied drawing": copied,
    "mean colour": mean_colour,
    "nearest drawing's picture": nearest,
    "L1 alone": partial(learned, False),
    "pix2pix": partial(learned, True),
}
METRICS = {
    "L1": lambda made, pictures: np.abs(made - pictures).mean(),
    "SSIM": lambda made, pictures: ssim(made, pictures).mean(),
    "kernel distance": kernel,
}


def task(test, method, metric, seed):
    made, seconds, parameters = METHODS[method](test, seed)
    value = METRICS[metric](made.astype("float32"), test_pairs(test)[1])
    return runner.row(test, metric, value, seconds, parameters)


TASKS = {
    f"{method}, {test}, {metric}": partial(task, test, method, metric)
    for test in runner.size(TESTS, ("scenes", "BSDS500"))
    for method in METHODS
    for metric in METRICS
}

if __name__ == "__main__":
    runner.main("pix2pix", TASKS)
