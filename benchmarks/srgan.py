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
    python -m benchmarks.srgan --only recipe --seeds 1
    python -m benchmarks.srgan --only short --seeds 3
    python -m benchmarks.srgan --only long --seeds 2
"""

import json
from functools import cache, partial

import keras
import numpy as np
from keras import layers
from PIL import Image
from skimage.transform import resize

from benchmarks import runner
from dlarch_keras import psnr, srgan, ssim
from dlarch_keras.datasets import data_dir, read_images

SCALE, BORDER, GOAL = 3, 3, 0.62
SIZE, BATCH = 20, 16
TRAINING = {"long": (48, 6, 1e-3, 50, 200), "short": (32, 4, 2e-3, 22, 50)}  # filters, blocks, rate, epochs, steps
PSNR, SSIM, GAIN = "test PSNR, dB", "test SSIM", "gain over interpolation, dB"
METRICS = {PSNR: psnr, SSIM: ssim}
TIME = f"time to a gain of {GOAL}, over the recipe's"


def in_8_bits(x):
    return (np.round(x * 255) / 255).astype("float32")


@cache
def set5():
    """Pairs of a small and a large luminance."""
    pairs = []
    for picture in read_images(data_dir() / "set5").values():
        rows, columns = (side // SCALE * SCALE for side in picture.shape[:2])
        large = in_8_bits(srgan.luminance(picture[None, :rows, :columns]))
        pairs.append((in_8_bits(srgan.downscale(large, SCALE)), large))
    return pairs


def shaved(x):
    return x[:, BORDER:-BORDER, BORDER:-BORDER]


def set5_scores(enlarge):
    pairs = [(shaved(in_8_bits(enlarge(low))), shaved(high)) for low, high in set5()]
    return {name: float(np.mean([score(*pair)[0] for pair in pairs])) for name, score in METRICS.items()}


def bicubic(x):
    return srgan.bicubic(x, SCALE)


@cache
def photographs(part):
    return list(read_images(data_dir() / "bsds500" / "images" / part).values())


@cache
def luminances(part="train"):
    return [in_8_bits(srgan.luminance(picture[None]))[0] for picture in photographs(part)]


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
    return race_psnr(bicubic)


class Clock(keras.callbacks.Callback):
    """Seconds of training so far, of all cores, and the gain on the race's pictures, after every epoch: `rows`."""

    def __init__(self, enlarge):
        super().__init__()
        self.enlarge, self.rows = enlarge, []

    def start(self):
        self.begun = runner.processor_seconds()

    def on_epoch_end(self, epoch, logs=None):
        before = self.rows[-1][0] if self.rows else 0.0
        seconds = before + runner.processor_seconds() - self.begun
        self.rows.append((seconds, race_psnr(self.enlarge) - race_baseline()))
        self.start()


def run(model, epochs, batch_size, pairs):
    """Train a compiled network epoch by epoch on `pairs(epoch)`, which is timed as well, and judge it."""

    def enlarge(x):
        return srgan.upscale(model, x)

    clock = Clock(enlarge)
    for epoch in range(epochs):
        clock.start()
        x, y = pairs(epoch)
        model.fit(x, y, batch_size, initial_epoch=epoch, epochs=epoch + 1, verbose=0, callbacks=[clock])
    return {"curve": clock.rows, "parameters": model.count_params(), **set5_scores(enlarge)}


def kept(name, train):
    """What `train` returns, or has returned before this process was killed."""
    path = runner.RUNS / "srgan" / f"{name}.json"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(train()))
    return json.loads(path.read_text())


def ours(length, seed):
    """A generator of the package, trained by pixels."""
    filters, blocks, peak, epochs, steps = runner.size(TRAINING[length], (4, 1, 1e-3, 2, 2))

    def train():
        generator = runner.in_bfloat16(lambda: srgan.subpixel_generator(1, SCALE, filters, blocks, seed))
        rate = keras.optimizers.schedules.CosineDecay(peak, epochs * steps, alpha=0.01)
        several = runner.several_steps()
        generator.compile(keras.optimizers.Adam(rate), "mae", steps_per_execution=several)
        pictures = luminances()

        def pairs(epoch):
            return srgan.patch_pairs(pictures, SCALE, SIZE, steps * BATCH, seed=epochs * seed + epoch)

        return run(generator, epochs, BATCH, pairs)

    return kept(f"{length}_{seed}", train)


def recipe(seed):
    """keras.io's network, compiled."""
    small = x = keras.Input((None, None, 1))
    for filters, size in ((64, 5), (64, 3), (32, 3), (SCALE**2, 3)):
        initializer = keras.initializers.Orthogonal(seed=seed + filters + size)
        x = layers.Conv2D(filters, size, padding="same", activation="relu", kernel_initializer=initializer)(x)
    model = keras.Model(small, srgan.DepthToSpace(SCALE)(x))
    model.compile(keras.optimizers.Adam(1e-3), "mse")
    return model


def theirs(seed, epochs=50, steps=100):
    """keras.io's training."""
    epochs, steps = runner.size((epochs, steps), (1, 2))

    def train():
        pictures = [
            resize(picture, (300, 300), order=1)
            for part in ("train", "val")
            for picture in luminances(part)[: runner.size(None, 4)]
        ]
        high = np.stack(pictures).astype("float32")
        low = high.reshape(len(high), 100, SCALE, 100, SCALE, 1).mean(axis=(2, 4))
        rng = np.random.default_rng(seed)

        def pairs(epoch):
            chosen = rng.permutation(len(high))[np.arange(4 * steps) % len(high)]
            return low[chosen], high[chosen]

        return run(recipe(seed), epochs, 4, pairs)

    return kept(f"recipe_{seed}", train)


def seconds_to_goal(curve):
    return min((seconds for seconds, gain in curve if gain >= GOAL), default=np.inf)


def bicubic_task(metric):
    return lambda seed: runner.row(SET5, metric, set5_scores(bicubic)[metric], 0.0, 0)


def set5_task(metric, trained):
    def task(seed):
        result = trained(seed)
        return runner.row(SET5, metric, result[metric], result["curve"][-1][0], result["parameters"])

    return task


def gain_task(trained):
    """The gain on the race's pictures after the last epoch."""

    def task(seed):
        result = trained(seed)
        seconds, gain = result["curve"][-1]
        return runner.row(RACE, GAIN, gain, seconds, result["parameters"])

    return task


def time_task(seed):
    """The recipe's time is that until it has the gain it states, or of all its epochs if it never has."""
    result, theirs_curve = ours("short", seed), theirs(0)["curve"]
    seconds = seconds_to_goal(result["curve"])
    recipe_seconds = min(seconds_to_goal(theirs_curve), theirs_curve[-1][0])
    return runner.row(RACE, TIME, seconds / recipe_seconds, seconds, result["parameters"])


SET5, RACE = "Set5 × 3", "ten photographs of BSDS500, colour, × 3"
TASKS = {f"bicubic, Set5, {name}": bicubic_task(name) for name in METRICS}
for name, trained in {**{f"ours, {each}": partial(ours, each) for each in TRAINING}, "recipe": theirs}.items():
    TASKS |= {f"{name}, Set5, {metric}": set5_task(metric, trained) for metric in METRICS}
    TASKS[f"{name}, race, {GAIN}"] = gain_task(trained)
TASKS[f"ours, short, race, {TIME}"] = time_task

if __name__ == "__main__":
    runner.main("srgan", TASKS)
