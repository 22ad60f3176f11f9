"""Super-resolution by 3 of Set5, and a race against a recipe: `python -m benchmarks.srgan`.

Set5: luminance in 8 bits, shrunk by bicubic interpolation with antialiasing, a border of 3 shaved; PSNR and SSIM per
picture, then their mean. Ours trains by pixels on the 200 training photographs of BSDS500 and on nothing else, for a
number of steps fixed beforehand, computing in bfloat16: `long`, and `short` for the race. What little was chosen was
chosen on validation photographs of BSDS500.

The race: keras.io's ESPCN (its facts: convolutions of 64 5×5, and of 64, 32 and 9 3×3, orthogonal; luminance of whole
photographs resized to 300 × 300 and shrunk by area means, MSE, Adam 1e-3, batch 4, 50 epochs) on its own protocol: ten
test photographs of BSDS500, colour, no border shaved. It states 26.69 dB for bicubic interpolation and 27.31 for its
network, a gain of .62. It trains on 400 photographs, test pictures among them; here it trains on the 200 and 100 of
`train` and `val`, as many steps, in float32 as its page does. Its time and ours are those of the first epoch after
which the gain is .62.

Seconds are the processor's, of training alone, over the number of cores. The figures are those of

    python -m benchmarks.srgan --only bicubic --seeds 1
    python -m benchmarks.srgan --only keras.io --seeds 1
    python -m benchmarks.srgan --only short --seeds 3
    python -m benchmarks.srgan --only long --seeds 2
"""

from functools import cache, partial
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np
from keras import layers
from PIL import Image
from skimage.transform import resize

from benchmarks.common import runner
from benchmarks.common.race import SHARE, seconds_until
from benchmarks.common.resume import kept
from benchmarks.common.timing import processor_seconds, timed
from benchmarks.common.training import in_bfloat16, several_steps
from dlarch_keras import psnr, ssim
from dlarch_keras.datasets import data_dir, read_images
from dlarch_keras.images.patches import patch_pairs
from dlarch_keras.images.resampling import bicubic, downscale, luminance
from dlarch_keras.networks.upscaling import DepthToSpace, upscale
from dlarch_keras.srgan import subpixel_generator

SCALE, BORDER, GOAL = 3, 3, 0.62
SIZE, BATCH = 20, 16
SET5, RACE = "Set5 × 3", "ten photographs of BSDS500, colour, × 3"
PSNR, SSIM, GAIN = ("test PSNR", "dB"), ("test SSIM", "1"), ("gain over interpolation", "dB")


class Training(NamedTuple):
    """Filters and blocks of a generator, the peak of its rate, epochs, and steps of each."""

    filters: int
    blocks: int
    rate: float
    epochs: int
    steps: int


class Sizes(NamedTuple):
    """Of the full protocol, and of a quick run."""

    long: Training = Training(48, 6, 1e-3, 50, 200)
    short: Training = Training(32, 4, 2e-3, 22, 50)
    photographs: int | None = None  # of each part, for the recipe; all by default
    recipe_epochs: int = 50
    recipe_steps: int = 100
    runs: Path = runner.folder("srgan", quick=False)


QUICK = Sizes(*[Training(4, 1, 1e-3, 2, 2)] * 2, 4, 1, 2, runner.folder("srgan", quick=True))


def in_8_bits(x):
    return (np.round(x * 255) / 255).astype("float32")


@cache
def set5():
    """Pairs of a small and a large luminance."""
    pairs = []
    for picture in read_images(data_dir() / "set5").values():
        rows, columns = (side // SCALE * SCALE for side in picture.shape[:2])
        large = in_8_bits(luminance(picture[None, :rows, :columns]))
        pairs.append((in_8_bits(downscale(large, SCALE)), large))
    return pairs


def shaved(x):
    return x[:, BORDER:-BORDER, BORDER:-BORDER]


def set5_scores(enlarge):
    """PSNR and SSIM."""
    pairs = [(shaved(in_8_bits(enlarge(low))), shaved(high)) for low, high in set5()]
    return [float(np.mean([score(*pair)[0] for pair in pairs])) for score in (psnr, ssim)]


def interpolated(x):
    return bicubic(x, SCALE)


@cache
def photographs(part):
    return list(read_images(data_dir() / "bsds500" / "images" / part).values())


@cache
def luminances(part="train"):
    return [in_8_bits(luminance(picture[None]))[0] for picture in photographs(part)]


@cache
def race_pictures():
    """The ten test photographs, in colour: pairs of a small and a large one, as the recipe makes them."""
    pairs = []
    for picture in photographs("test")[50:60]:
        image = Image.fromarray(np.uint8(np.round(picture * 255)))
        sides = [side // SCALE for side in image.size]
        small, large = (image.resize([k * side for side in sides], Image.Resampling.BICUBIC) for k in (1, SCALE))
        pairs.append(tuple(np.asarray(each, "float32")[None] / 255 for each in (small, large)))
    return pairs


def race_psnr(enlarge):
    return float(np.mean([psnr(in_8_bits(enlarge(low)), high)[0] for low, high in race_pictures()]))


@cache
def race_baseline():
    return race_psnr(interpolated)


def train(model, epochs, batch_size, pairs):
    """Train a compiled network epoch by epoch on `pairs(epoch)`, which is timed as well, and judge it.

    Returns:
        Seconds of training so far and the gain on the race's pictures, lists with a number for each epoch; the number
        of weights; and PSNR and SSIM on Set5.
    """

    def enlarge(x):
        return upscale(model, x)

    def one(epoch):
        model.fit(*pairs(epoch), batch_size, initial_epoch=epoch, epochs=epoch + 1, verbose=0)

    seconds, gains = [], []
    for epoch in range(epochs):
        seconds.append(sum(seconds[-1:]) + timed(partial(one, epoch), processor_seconds)[1])
        gains.append(race_psnr(enlarge) - race_baseline())
    return {"seconds": seconds, "gains": gains, "parameters": model.count_params(), "set5": set5_scores(enlarge)}


def ours(length, sizes, seed):
    """A generator of the package, trained by pixels."""
    filters, blocks, peak, epochs, steps = getattr(sizes, length)

    def make():
        generator = in_bfloat16(lambda: subpixel_generator(1, SCALE, filters, blocks, seed))
        rate = keras.optimizers.schedules.CosineDecay(peak, epochs * steps, alpha=0.01)
        generator.compile(keras.optimizers.Adam(rate), "mae", steps_per_execution=several_steps())
        pictures = luminances()

        def pairs(epoch):
            return patch_pairs(pictures, SCALE, SIZE, steps * BATCH, seed=epochs * seed + epoch)

        return train(generator, epochs, BATCH, pairs)

    return kept(sizes.runs / f"{length}_{seed}.json", make)


def recipe(seed):
    """keras.io's network, compiled."""
    small = x = keras.Input((None, None, 1))
    for filters, size in ((64, 5), (64, 3), (32, 3), (SCALE**2, 3)):
        initializer = keras.initializers.Orthogonal(seed=seed + filters + size)
        x = layers.Conv2D(filters, size, padding="same", activation="relu", kernel_initializer=initializer)(x)
    model = keras.Model(small, DepthToSpace(SCALE)(x))
    model.compile(keras.optimizers.Adam(1e-3), "mse")
    return model


def theirs(sizes, seed):
    """keras.io's training."""

    def make():
        pictures = [
            resize(picture, (300, 300), order=1)
            for part in ("train", "val")
            for picture in luminances(part)[: sizes.photographs]
        ]
        high = np.stack(pictures).astype("float32")
        low = high.reshape(len(high), 100, SCALE, 100, SCALE, 1).mean(axis=(2, 4))
        rng = np.random.default_rng(seed)

        def pairs(epoch):
            chosen = rng.permutation(len(high))[np.arange(4 * sizes.recipe_steps) % len(high)]
            return low[chosen], high[chosen]

        return train(recipe(seed), sizes.recipe_epochs, 4, pairs)

    return kept(sizes.runs / f"recipe_{seed}.json", make)


def rows(method, result):
    """Rows on Set5, and of the gain after the last epoch."""
    cost = result["seconds"][-1], result["parameters"]
    on_set5 = runner.rows(method, SET5, dict(zip((PSNR, SSIM), result["set5"])), *cost)
    return on_set5 + runner.rows(method, RACE, {GAIN: result["gains"][-1]}, *cost)


def bicubic_scores(seed):
    return runner.rows("bicubic", SET5, dict(zip((PSNR, SSIM), set5_scores(interpolated))))


def seconds_to_goal(result):
    return seconds_until(result["seconds"], np.array(result["gains"]) >= GOAL)


def race(sizes, seed):
    """The recipe's time is that until it has the gain it states, or of all its epochs if it never has."""
    result, recipe_result = ours("short", sizes, seed), theirs(sizes, 0)
    seconds = seconds_to_goal(result)
    share = seconds / min(seconds_to_goal(recipe_result), recipe_result["seconds"][-1])
    method = f"sub-pixel generator, at a gain of {GOAL} dB"
    return runner.rows(method, RACE, {SHARE: share}, seconds, result["parameters"])


def tasks(quick):
    sizes = QUICK if quick else Sizes()
    found = {"bicubic": bicubic_scores}
    for length in ("long", "short"):
        name = f"sub-pixel generator, {length}"
        found[name] = lambda seed, name=name, length=length: rows(name, ours(length, sizes, seed))
    found["keras.io's ESPCN"] = lambda seed: rows("keras.io's ESPCN", theirs(sizes, seed))
    return found | {"short race": partial(race, sizes)}


if __name__ == "__main__":
    runner.main("srgan", tasks)
