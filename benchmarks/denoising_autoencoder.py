"""Denoising of digits and photographs, and a race against a recipe: `python -m benchmarks.denoising_autoencoder`.

MNIST: normal noise of σ = 0.5, clipped to [0, 1], one fixed draw for the test images; PSNR and SSIM per image, then
averaged. "5k" trains on the 4,500 drawings of `load_mnist()` and tests on its 500; without it, on the published split.
Recipes and filters' strengths were chosen on training images.

The race: keras.io's denoising recipe (its facts: four 3×3 convolutions of 32 filters with two poolings, 50 epochs on
clean and 100 on noisy images, σ = 0.4, batch 128) states a validation cross-entropy of 0.0839 on the test images. We
train for a number of epochs fixed beforehand, report the cross-entropy on the same kind of data, and our seconds over
those of its 100 noisy epochs. These are its median seconds a step, measured before and after ours in the same process,
times its number of steps; running it whole would take hours.
"""

from functools import partial
from typing import NamedTuple

import keras
import numpy as np
from keras import layers
from skimage.filters import gaussian, median
from skimage.restoration import denoise_nl_means, denoise_wavelet

from benchmarks.common import runner
from benchmarks.common.race import SHARE, beside
from benchmarks.common.timing import seconds_a_step, timed
from benchmarks.common.training import several_steps, warmed_cosine
from dlarch_keras import DenoisingAutoencoder, psnr, ssim
from dlarch_keras.datasets import load_mnist, load_photographs
from dlarch_keras.denoising_autoencoder import GaussianCorruption
from dlarch_keras.networks import residual_decoder, residual_encoder, seed_stream

METHOD, SIGMA, PHOTO_SIGMA, RACE_SIGMA = "denoising autoencoder", 0.5, 0.1, 0.4
PSNR, SSIM = ("test PSNR", "dB"), ("test SSIM", "1")


class Sizes(NamedTuple):
    """Of the full protocol, and of a quick run; None for all, and for a recipe's own number of epochs."""

    mnist: str = "full"
    images: int | None = None
    epochs: int | None = None
    tuned_on: int = 100  # drawings
    filtered: int | None = None  # test drawings
    crops: int = 2000  # of photographs, an epoch
    side: int | None = None  # of the test photographs
    timed_steps: int = 40


QUICK = Sizes("5k", 256, 1, 5, 20, 64, 64, 1)


def noisy(images, sigma, seed=0):
    noise = np.random.default_rng(seed).normal(0, sigma, images.shape)
    return np.clip(images + noise, 0, 1).astype("float32")


def compiled(encoder, decoder, sigma, steps, seed, loss="mse"):
    """A denoising autoencoder, ready for so many steps of training."""
    model = DenoisingAutoencoder(encoder, decoder, GaussianCorruption(sigma, seed=seed), loss)
    rate = warmed_cosine(3e-3, steps, steps // 20, start=0.02, end=0.005)
    model.compile(keras.optimizers.Adam(rate), steps_per_execution=several_steps())
    return model


def fit(x, sigma, epochs, sizes, seed, loss="mse", batch_size=64):
    """A denoising autoencoder for digits, and the seconds it took to train."""
    x, epochs, seeds = x[: sizes.images], sizes.epochs or epochs, seed_stream(seed)
    output_activation = "sigmoid" if loss == "mse" else None
    model = compiled(
        residual_encoder(1, (32, 128), seed=seeds),
        residual_decoder(1, (128, 32), output_activation=output_activation, seed=seeds),
        sigma,
        epochs * -(-len(x) // batch_size),
        seed,
        loss,
    )
    return model, timed(lambda: model.fit(x, batch_size=batch_size, epochs=epochs, verbose=0))[1]


def digits(mnist, dataset, epochs, sizes, seed):
    """Ours on drawings."""
    (x, _), (x_test, _) = load_mnist(mnist)
    model, seconds = fit(x, SIGMA, epochs, sizes, seed)
    figures = scores(model.reconstruct(noisy(x_test, SIGMA)), x_test)
    return runner.rows(METHOD, dataset, figures, seconds, model.count_params())


def scores(cleaned, x):
    return {PSNR: psnr(cleaned, x).mean(), SSIM: ssim(cleaned, x).mean()}


FILTERS = {
    "noisy input": (lambda image, _: image, (None,)),
    "median filter": (lambda image, size: median(image, np.ones((size, size))), (3, 5)),
    "Gaussian filter": (gaussian, (0.5, 0.75, 1.0, 1.25)),
    "wavelet filter": (lambda image, sigma: denoise_wavelet(image, sigma=sigma), (0.15, 0.3, 0.45, 0.6)),
    "non-local means": (lambda image, h: denoise_nl_means(image, 5, 9, h=h), (0.1, 0.2, 0.3, 0.4)),
}


def filtered(name, dataset, sizes, seed):
    """A filter of scikit-image on drawings, its strength chosen by PSNR on 100 training drawings."""
    clean, strengths = FILTERS[name]

    def apply(images, strength):
        return np.stack([clean(image[..., 0], strength) for image in images])[..., None].clip(0, 1).astype("float32")

    (x, _), (x_test, _) = load_mnist()
    x, x_test = x[: sizes.tuned_on], x_test[: sizes.filtered]
    best = max(strengths, key=lambda strength: psnr(apply(noisy(x, SIGMA, 2), strength), x).mean())
    cleaned, seconds = timed(lambda: apply(noisy(x_test, SIGMA), best))
    return runner.rows(name, dataset, scores(cleaned, x_test), seconds)


PHOTO_FILTERS = {
    "noisy input": lambda image: image,
    "wavelet filter": lambda image: denoise_wavelet(image, rescale_sigma=True),
    # h was chosen on two training photographs, the rocket and the coins, from 0.06, 0.08 and 0.1.
    "non-local means": lambda image: denoise_nl_means(image, 5, 6, h=0.06, sigma=PHOTO_SIGMA),
}


def photographs(name, sizes, seed):
    """A filter, or ours, on test photographs."""
    seconds = parameters = 0
    if name == METHOD:
        model, seconds = denoiser_of_photographs(sizes, seed)
        parameters = model.count_params()
    values = []
    for image in load_photographs()[1].values():
        image = image[: sizes.side, : sizes.side]
        spoiled = noisy(image, PHOTO_SIGMA, seed=3)
        if name == METHOD:
            cleaned = model.reconstruct(spoiled[None])[0]
        else:
            cleaned = PHOTO_FILTERS[name](spoiled[..., 0])[..., None].clip(0, 1).astype("float32")
        values.append(psnr(cleaned[None], image[None])[0])
    return runner.rows(name, "four photographs, σ = 0.1", {PSNR: np.mean(values)}, seconds, parameters)


def denoiser_of_photographs(sizes, seed):
    """Ours, trained on random crops of the training photographs, and its seconds."""
    pictures, epochs, seeds = load_photographs()[0].values(), sizes.epochs or 40, seed_stream(seed)
    style = {"blocks": 3, "activation": "relu", "batch_normalization": False}
    encoder = residual_encoder(1, (48,), **style, seed=seeds)
    decoder = residual_decoder(1, (48,), **style, output_activation=None, seed=seeds)
    model = compiled(encoder, decoder, PHOTO_SIGMA, epochs * sizes.crops // 16, seed)
    rng = np.random.default_rng(seed)

    def train():
        for epoch in range(epochs):
            x = [random_crop(image, 32, rng) for image in pictures for _ in range(sizes.crops // len(pictures))]
            model.fit(np.stack(x), batch_size=16, initial_epoch=epoch, epochs=epoch + 1, verbose=0)

    return model, timed(train)[1]


def random_crop(image, size, rng):
    row, column = (rng.integers(length - size + 1) for length in image.shape[:2])
    crop = np.rot90(image[row : row + size, column : column + size], rng.integers(4))
    return crop[::-1] if rng.random() < 0.5 else crop


def recipe():
    """keras.io's network, compiled."""
    inputs = x = keras.Input((28, 28, 1))
    for _ in range(2):
        x = layers.MaxPooling2D(padding="same")(layers.Conv2D(32, 3, padding="same", activation="relu")(x))
    for _ in range(2):
        x = layers.Conv2DTranspose(32, 3, strides=2, padding="same", activation="relu")(x)
    model = keras.Model(inputs, layers.Conv2D(1, 3, padding="same", activation="sigmoid")(x))
    model.compile("adam", "binary_crossentropy")
    return model


def race(sizes, seed):
    """Ours beside the tutorial's network."""
    (x, _), (x_test, _) = load_mnist(sizes.mnist)
    theirs, batch = recipe(), (noisy(x[:128], RACE_SIGMA), x[:128])

    def recipe_seconds():
        return 100 * -(-len(x) // 128) * seconds_a_step(lambda: theirs.train_on_batch(*batch), sizes.timed_steps)

    def train():
        return fit(x, RACE_SIGMA, 2, sizes, seed, "binary_crossentropy", 128)

    model, seconds, share = beside(recipe_seconds, train)
    cross_entropy = model.evaluate(noisy(x_test, RACE_SIGMA, seed=1), x_test, batch_size=500, verbose=0)
    figures = {("test cross-entropy", "nats a pixel"): cross_entropy, SHARE: share}
    return runner.rows(METHOD, "MNIST, σ = 0.4", figures, seconds, model.count_params())


def tasks(quick):
    sizes = QUICK if quick else Sizes()
    few, all_digits = "MNIST 5k, σ = 0.5", "MNIST, σ = 0.5"
    found = {f"{name}, {few}": partial(filtered, name, few, sizes) for name in FILTERS}
    found[f"{METHOD}, {few}"] = partial(digits, "5k", few, 22, sizes)
    found |= {f"{name}, photographs": partial(photographs, name, sizes) for name in (*PHOTO_FILTERS, METHOD)}
    return found | {
        "race": partial(race, sizes),
        f"{METHOD}, {all_digits}": partial(digits, sizes.mnist, all_digits, 8, sizes),
    }


if __name__ == "__main__":
    runner.main("denoising_autoencoder", tasks)
