"""Denoising of digits and photographs, and a race against a recipe: `python -m benchmarks.denoising_autoencoder`.

MNIST: normal noise of σ = 0.5, clipped to [0, 1], one fixed draw for the test images; PSNR and SSIM per image, then
averaged. "5k" trains on the 4,500 drawings of `load_mnist()` and tests on its 500, "full" is the published split.
Recipes and filters' strengths were chosen on training images.

The race: keras.io's denoising recipe (its facts: four 3×3 convolutions of 32 filters with two poolings, 50 epochs on
clean and 100 on noisy images, σ = 0.4, batch 128) states a validation cross-entropy of 0.0839 on the test images. We
train for a number of epochs fixed beforehand, report the cross-entropy on the same kind of data, and our seconds over
those of its 100 noisy epochs. These are its median seconds a step, measured before and after ours in the same process,
times its number of steps; running it whole would take hours.
"""

import time
from functools import cache

import keras
import numpy as np
from skimage.filters import gaussian, median
from skimage.restoration import denoise_nl_means, denoise_wavelet

from benchmarks import runner
from dlarch_keras import DenoisingAutoencoder, psnr, ssim
from dlarch_keras.datasets import load_mnist, load_photographs
from dlarch_keras.denoising_autoencoder import GaussianCorruption
from dlarch_keras.networks import residual_decoder, residual_encoder

MNIST = runner.size("full", "5k")
METRICS = {"test PSNR, dB": psnr, "test SSIM": ssim}


def noisy(images, sigma, seed=0):
    noise = np.random.default_rng(seed).normal(0, sigma, images.shape)
    return np.clip(images + noise, 0, 1).astype("float32")


def schedule(peak, steps):
    return keras.optimizers.schedules.CosineDecay(
        peak / 50, steps - steps // 20, alpha=0.005, warmup_target=peak, warmup_steps=steps // 20
    )


def fit(x, sigma, epochs, seed, loss="mse", batch_size=64):
    """A denoising autoencoder for digits, and the seconds it took to train."""
    x, epochs = runner.size((x, epochs), (x[:256], 1))
    output_activation = "sigmoid" if loss == "mse" else None
    model = DenoisingAutoencoder(
        residual_encoder(1, (32, 128), seed=seed),
        residual_decoder(1, (128, 32), output_activation=output_activation, seed=seed + 1000),
        GaussianCorruption(sigma, seed=seed),
        loss,
    )
    rate = schedule(3e-3, epochs * -(-len(x) // batch_size))
    model.compile(keras.optimizers.Adam(rate), steps_per_execution=runner.several_steps())
    start = time.perf_counter()
    model.fit(x, batch_size=batch_size, epochs=epochs, verbose=0)
    return model, time.perf_counter() - start


@cache  # PSNR and SSIM are of the same run
def digits(size, epochs, seed):
    (x_train, _), (x_test, _) = load_mnist(size)
    model, seconds = fit(x_train, 0.5, epochs, seed)
    return model.reconstruct(noisy(x_test, 0.5)), seconds, model.count_params()


def digits_task(size, epochs, metric):
    def task(seed):
        cleaned, seconds, parameters = digits(size, epochs, seed)
        value = METRICS[metric](cleaned, load_mnist(size)[1][0]).mean()
        return row(f"MNIST {size}, σ = 0.5", metric, value, seconds, parameters)

    return task


FILTERS = {
    "noisy input": (lambda image, _: image, (None,)),
    "median filter": (lambda image, size: median(image, np.ones((size, size))), (3, 5)),
    "Gaussian filter": (gaussian, (0.5, 0.75, 1.0, 1.25)),
    "wavelet filter": (lambda image, sigma: denoise_wavelet(image, sigma=sigma), (0.15, 0.3, 0.45, 0.6)),
    "non-local means": (lambda image, h: denoise_nl_means(image, 5, 9, h=h), (0.1, 0.2, 0.3, 0.4)),
}


def filter_task(name, metric):
    """A filter of scikit-image, its strength chosen by PSNR on 100 training drawings."""
    clean, strengths = FILTERS[name]

    def apply(images, strength):
        return np.stack([clean(image[..., 0], strength) for image in images])[..., None].clip(0, 1).astype("float32")

    def task(seed):
        (x_train, _), (x_test, _) = load_mnist()
        tuning, x_test = x_train[: runner.size(100, 5)], x_test[: runner.size(None, 20)]
        best = max(strengths, key=lambda strength: psnr(apply(noisy(tuning, 0.5, 2), strength), tuning).mean())
        start = time.perf_counter()
        value = METRICS[metric](apply(noisy(x_test, 0.5), best), x_test).mean()
        return row("MNIST 5k, σ = 0.5", metric, value, time.perf_counter() - start, 0)

    return task


PHOTO_SIGMA = 0.1


@cache
def photographs(seed, epochs=40, crops=2000, size=32):
    """Train on random crops of the training photographs; a denoiser for any size, its seconds and parameters."""
    train, _ = load_photographs()
    epochs, crops = runner.size((epochs, crops), (1, 64))
    style = {"blocks": 3, "activation": "relu", "batch_normalization": False}
    model = DenoisingAutoencoder(
        residual_encoder(1, (48,), **style, seed=seed),
        residual_decoder(1, (48,), **style, output_activation=None, seed=seed + 1000),
        GaussianCorruption(PHOTO_SIGMA, seed=seed),
    )
    rate = schedule(3e-3, epochs * crops // 16)
    model.compile(keras.optimizers.Adam(rate), steps_per_execution=runner.several_steps())
    rng = np.random.default_rng(seed)
    start = time.perf_counter()
    for epoch in range(epochs):
        x = [random_crop(image, size, rng) for image in train.values() for _ in range(crops // len(train))]
        model.fit(np.stack(x), batch_size=16, initial_epoch=epoch, epochs=epoch + 1, verbose=0)
    return model, time.perf_counter() - start


def random_crop(image, size, rng):
    row, column = (rng.integers(length - size + 1) for length in image.shape[:2])
    crop = np.rot90(image[row : row + size, column : column + size], rng.integers(4))
    return crop[::-1] if rng.random() < 0.5 else crop


PHOTO_FILTERS = {
    "noisy input": lambda image: image,
    "wavelet filter": lambda image: denoise_wavelet(image, rescale_sigma=True),
    # h was chosen on two training photographs, the rocket and the coins, from 0.06, 0.08 and 0.1.
    "non-local means": lambda image: denoise_nl_means(image, 5, 6, h=0.06, sigma=PHOTO_SIGMA),
}


def photo_task(method):
    def task(seed):
        model, seconds = photographs(seed) if method is None else (None, 0.0)
        values, side = [], runner.size(None, 64)
        for image in load_photographs()[1].values():
            image = image[:side, :side]
            spoiled = noisy(image, PHOTO_SIGMA, seed=3)
            if model is None:
                cleaned = PHOTO_FILTERS[method](spoiled[..., 0])[..., None].clip(0, 1).astype("float32")
            else:
                cleaned = model.reconstruct(spoiled[None])[0]
            values.append(psnr(cleaned[None], image[None])[0])
        parameters = model.count_params() if model else 0
        return row("four photographs, σ = 0.1", "test PSNR, dB", np.mean(values), seconds, parameters)

    return task


RACE = {"sigma": 0.4, "batch_size": 128, "epochs": 100, "figure": 0.0839}


def recipe():
    """keras.io's network, compiled."""
    layers = keras.layers
    inputs = x = keras.Input((28, 28, 1))
    for _ in range(2):
        x = layers.MaxPooling2D(padding="same")(layers.Conv2D(32, 3, padding="same", activation="relu")(x))
    for _ in range(2):
        x = layers.Conv2DTranspose(32, 3, strides=2, padding="same", activation="relu")(x)
    model = keras.Model(inputs, layers.Conv2D(1, 3, padding="same", activation="sigmoid")(x))
    model.compile("adam", "binary_crossentropy")
    return model


def seconds_a_step(model, x, steps=40):
    """Median over single steps on one batch, after three to warm up."""
    batch = noisy(x[: RACE["batch_size"]], RACE["sigma"]), x[: RACE["batch_size"]]
    times = []
    for _ in range(runner.size(steps, 1) + 3):
        start = time.perf_counter()
        model.train_on_batch(*batch)
        times.append(time.perf_counter() - start)
    return float(np.median(times[3:]))


@cache
def race(seed, epochs=2):
    (x_train, _), (x_test, _) = load_mnist(MNIST)
    theirs = recipe()
    before = seconds_a_step(theirs, x_train)
    model, seconds = fit(x_train, RACE["sigma"], epochs, seed, "binary_crossentropy", RACE["batch_size"])
    after = seconds_a_step(theirs, x_train)
    steps = RACE["epochs"] * -(-len(x_train) // RACE["batch_size"])
    pair = noisy(x_test, RACE["sigma"], seed=1), x_test
    cross_entropy = model.evaluate(*pair, batch_size=500, verbose=0)
    return cross_entropy, seconds, seconds / (steps * (before + after) / 2), model.count_params()


def race_task(metric):
    def task(seed):
        cross_entropy, seconds, ratio, parameters = race(seed)
        value = ratio if metric == "share of the recipe's seconds" else cross_entropy
        return row("MNIST full, σ = 0.4", metric, value, seconds, parameters)

    return task


def row(dataset, metric, value, seconds, parameters):
    return {
        "dataset": dataset,
        "metric": metric,
        "value": float(value),
        "seconds": seconds,
        "parameters": parameters,
    }


TASKS = {f"{name}, {metric}": filter_task(name, metric) for metric in METRICS for name in FILTERS}
TASKS |= {f"autoencoder 5k, {metric}": digits_task("5k", 22, metric) for metric in METRICS}
TASKS |= {f"photographs, {name}": photo_task(name) for name in PHOTO_FILTERS}
TASKS |= {"photographs, autoencoder": photo_task(None)}
TASKS |= {f"race, {metric}": race_task(metric) for metric in ("test cross-entropy", "share of the recipe's seconds")}
TASKS |= {f"autoencoder full, {metric}": digits_task(MNIST, 8, metric) for metric in METRICS}

if __name__ == "__main__":
    runner.main("denoising_autoencoder", TASKS)
