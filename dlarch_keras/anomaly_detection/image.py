"""Finds defects in images of surfaces: an autoencoder repaints the image as it should be, and what differs is marked.

The training images are corrupted by random rectangles, and the network learns to return them clean. So it copies what
it knows, fine structure included, and replaces what it does not: its code can be wide, and its error on normal surfaces
small, where a narrow code would blur both (Collin & De Vleeschouwer, "Improved anomaly detection by training an
autoencoder with skip connections on images corrupted with stain-shaped noise", ICPR 2020).
"""

import json
import math
import numbers
import tempfile
import zipfile
from pathlib import Path

import keras
import numpy as np
from keras import layers, ops
from scipy import ndimage
from skimage.metrics import structural_similarity
from sklearn.base import BaseEstimator, OutlierMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from ..autoencoder import Autoencoder
from ..core import forward, validation
from ..core.archive import replacing
from ..denoising_autoencoder import Corruption
from ..networks import HiddenLayers

WINDOW = 11  # pixels on a side of SSIM's window (Wang et al. 2004), and the smallest image
STRIDE = 4  # the network's


@keras.saving.register_keras_serializable(package="dlarch_keras")
class RandomRectangles(Corruption):
    """Covers random rectangles of an image with a flat shade, a change of brightness, or noise; only in training.

    Images come and go as `(n, height, width, channels)` in [0, 1]. Sides from 1 pixel to `largest`, uniform on a log
    scale, and opacity from .3 to 1: thin lines, specks and patches.

    Args:
        count: rectangles in each image.
        largest: longest side in pixels.
        seed: integer, or None for different rectangles each time.
    """

    def __init__(self, count=3, largest=24, seed=None, **kwargs):
        super().__init__(seed, **kwargs)
        self.count = validation.non_negative_int("count", count)
        self.largest = validation.positive_int("largest", largest)

    def corrupt(self, x):
        dtype, x = x.dtype, ops.cast(x, "float32")
        n, height, width, channels = ops.shape(x)
        rows = ops.reshape(ops.arange(height, dtype="float32"), (1, -1, 1, 1))
        columns = ops.reshape(ops.arange(width, dtype="float32"), (1, 1, -1, 1))
        for _ in range(self.count):
            inside = self._within(rows, height, n) & self._within(columns, width, n)
            opacity = self._uniform((n, 1, 1, 1), 0.3) * ops.cast(inside, "float32")
            shade, kind = self._uniform((n, 1, 1, channels)), self._uniform((n, 1, 1, 1))
            shifted, noise = ops.clip(x + 2 * shade - 1, 0, 1), self._uniform((n, height, width, channels))
            x += opacity * (ops.where(kind < 0.5, shade, ops.where(kind < 0.75, shifted, noise)) - x)
        return ops.cast(x, dtype)

    def _within(self, positions, length, n):
        centre = self._uniform((n, 1, 1, 1)) * ops.cast(length, "float32")
        side = ops.exp(self._uniform((n, 1, 1, 1)) * math.log(self.largest))
        return ops.abs(positions - centre) <= side / 2

    def _uniform(self, shape, low=0.0):
        return keras.random.uniform(shape, low, 1.0, seed=self.seed_generator)

    def get_config(self):
        return {**super().get_config(), "count": self.count, "largest": self.largest}


def surface_encoder(channels, filters=(32, 48), latent_channels=32, seed=None, name="encoder"):
    """Fully convolutional encoder: corruption while training, two halvings, dilated context, a code at half the size.

    Args:
        channels: of the images.
        filters: channels at half and at a quarter of the image's size.
        latent_channels: of the code.
        seed: integer, or None for different weights and corruptions each time.
        name: the network's name.

    Returns:
        `keras.Model`: `(n, height, width, channels)` → `(n, height / 2, width / 2, latent_channels)`, for any height
        and width that 4 divides.
    """
    hidden = HiddenLayers("relu", False, seed)
    inputs = keras.Input((None, None, channels))
    x = RandomRectangles(seed=seed)(inputs)
    fine = x = hidden(layers.Conv2D, x, filters[0], 5, 2, "same")
    x = hidden(layers.Conv2D, x, filters[1], 3, 2, "same")
    for dilation in (1, 2, 4, 2):  # sees about 90 pixels across: enough to tell what belongs there
        x = layers.add([x, hidden(layers.Conv2D, x, filters[1], 3, 1, "same", None, dilation)])
    x = hidden(layers.Conv2DTranspose, x, filters[0], 3, 2, "same")
    code = hidden(layers.Conv2D, layers.concatenate([fine, x]), latent_channels, 3, 1, "same")
    return keras.Model(inputs, code, name=name)


def surface_decoder(channels, latent_channels=32, seed=None, name="decoder"):
    """Fully convolutional decoder from a code at half the size to pixels; `surface_encoder`'s counterpart.

    Args: as there.

    Returns:
        `keras.Model`: `(n, height / 2, width / 2, latent_channels)` → `(n, height, width, channels)`.
    """
    hidden = HiddenLayers("relu", False, seed)
    code = keras.Input((None, None, latent_channels))
    x = hidden(layers.Conv2DTranspose, code, 16, 4, 2, "same")
    outputs = layers.Conv2D(channels, 3, padding="same", kernel_initializer=hidden.initializer(), dtype="float32")(x)
    return keras.Model(code, outputs, name=name)


class ImageAnomalyDetector(OutlierMixin, BaseEstimator):
    """Learns normal images of a surface; scores new ones of any size, pixel by pixel and as a whole.

    Args:
        filters: channels of the network at half and at a quarter of the image's size.
        latent_channels: channels of the code, which has half the image's height and width.
        error: "mse", the squared difference to the reconstruction, or "ssim", one minus their structural similarity.
        smoothing: standard deviation in pixels of the Gaussian that smooths the error map.
        top_fraction: an image's error is the mean of this fraction of its pixels, those of largest error.
        patch_size: height and width of the patches to train on.
        steps, batch_size, learning_rate: number of training steps, patches in each, peak rate of Adam.
        contamination: fraction of the held-back normal images that the threshold calls anomalous, in (0, 0.5].
        validation_fraction: fraction of the images, the last ones given to `fit`, held back for the threshold.
        random_state: integer, `numpy.random.RandomState`, or None for another result each time.
        verbose: 1 for a progress bar.

    Attributes:
        autoencoder_: the trained `Autoencoder`.
        offset_: the score at the threshold.
        channels_: of the images.
    """

    def __init__(
        self,
        filters=(32, 48),
        latent_channels=32,
        error="mse",
        smoothing=2.0,
        top_fraction=0.05,
        patch_size=48,
        steps=800,
        batch_size=16,
        learning_rate=3e-3,
        contamination=0.05,
        validation_fraction=0.2,
        random_state=None,
        verbose=0,
    ):
        self.filters = filters
        self.latent_channels = latent_channels
        self.error = error
        self.smoothing = smoothing
        self.top_fraction = top_fraction
        self.patch_size = patch_size
        self.steps = steps
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.contamination = contamination
        self.validation_fraction = validation_fraction
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X, y=None):
        """Train on normal images, and set the threshold on those held back.

        Args:
            X: floats in [0, 1], `(n, height, width, channels)`, two images or more, at least 11 x 11 pixels. Hand
                overlapping crops of a photograph over in the order of their place, so that those held back are new.
            y: ignored.

        Raises:
            ValueError: for other images, or a parameter out of range.
        """
        self._check_parameters()
        X = _images(X, None)
        if len(X) < 2:
            raise ValueError("`X` must hold at least 2 images, one of them to hold back: cut a large image into tiles.")
        seed = int(check_random_state(self.random_state).randint(2**30))
        held_back = min(max(round(self.validation_fraction * len(X)), 1), len(X) - 1)
        channels = X.shape[-1]
        model = Autoencoder(
            surface_encoder(channels, self.filters, self.latent_channels, seed),
            surface_decoder(channels, self.latent_channels, seed + 1000),
        )
        model.compile(keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(self.learning_rate, self.steps)))
        patches = _RandomPatches(X[:-held_back], self.patch_size, self.steps, self.batch_size, seed)
        model.fit(patches, verbose=self.verbose, shuffle=False)
        self.autoencoder_, self.channels_ = model, channels
        threshold = np.quantile(self.score_samples(X[-held_back:]), self.contamination)
        self.offset_ = float(threshold * (1 + 1e-4))  # an image's last digits depend on the batch it is scored in
        return self

    def reconstruct(self, X):
        """The images as they should be: `(n, height, width, channels)` → the same shape, in [0, 1]."""
        check_is_fitted(self)
        X = _images(X, self.channels_)
        height, width = X.shape[1:3]
        padding = [(0, 0), (0, -height % STRIDE), (0, -width % STRIDE), (0, 0)]
        padded = np.pad(X, padding, mode="symmetric")
        # About the same number of pixels in memory at a time, whatever the images' size.
        batch_size = max(1, 2**18 // (height * width))
        codes_to_pixels = keras.Sequential([self.autoencoder_.encoder, self.autoencoder_.decoder])
        return forward(codes_to_pixels, padded, batch_size)[:, :height, :width].clip(0, 1)

    def error_map(self, X):
        """How far each pixel, with its surroundings, is from normal.

        Args:
            X: floats in [0, 1], `(n, height, width, channels)`, of any size from 11 x 11 pixels.

        Returns:
            `(n, height, width)`, at least 0: squared differences or 1 - SSIM, mean over channels, smoothed.
        """
        self._check_parameters()  # set_params() may have changed them since fit()
        reconstructions = self.reconstruct(X)
        X = _images(X, self.channels_)
        if self.error == "mse":
            errors = np.square(X - reconstructions).mean(axis=-1)
        else:
            errors = np.stack([_dissimilarity(image, other) for image, other in zip(X, reconstructions)])
        return ndimage.gaussian_filter(errors, (0, self.smoothing, self.smoothing))

    def score_samples(self, X):
        """Scores of whole images, higher for more normal ones: `(n, height, width, channels)` → `(n,)`, at most 0."""
        errors = self.error_map(X).reshape(len(X), -1)
        count = max(1, round(self.top_fraction * errors.shape[1]))
        return -np.sort(errors, axis=1)[:, -count:].mean(axis=1, dtype="float64")

    def decision_function(self, X):
        """Scores less the threshold: below 0 is anomalous. The threshold is for images of the size given to `fit`."""
        return self.score_samples(X) - self.offset_

    def predict(self, X):
        """1 for normal images, -1 for anomalous ones: `(n, height, width, channels)` → `(n,)`."""
        return np.where(self.decision_function(X) < 0, -1, 1)

    def save(self, path):
        """Write the fitted detector to one file, a zip archive of JSON and a `.keras` model, without pickle."""
        check_is_fitted(self)
        state = {"parameters": self.get_params(), "offset": self.offset_, "channels": self.channels_}
        if not isinstance(self.random_state, (numbers.Integral, type(None))):
            state["parameters"]["random_state"] = None  # a generator in some state is no parameter to write down
        with replacing(path) as part, tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(part, "w") as archive:
            model = Path(folder) / "model.keras"
            self.autoencoder_.save(model)
            archive.write(model, model.name)
            archive.writestr("detector.json", json.dumps(state, default=np.generic.item))

    @classmethod
    def load(cls, path):
        """Read a detector that `save` wrote; one that scores as it did.

        Raises:
            ValueError: for a file that is not such an archive.
            FileNotFoundError: there is no file.
        """
        try:
            with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(path) as archive:
                state = json.loads(archive.read("detector.json"))
                model = keras.saving.load_model(archive.extract("model.keras", folder))
            detector = cls(**state["parameters"] | {"filters": tuple(state["parameters"]["filters"])})
            detector.autoencoder_, detector.offset_, detector.channels_ = model, state["offset"], state["channels"]
            if not isinstance(model, Autoencoder):
                raise ValueError(f"a {type(model).__name__}")
        except FileNotFoundError:
            raise
        except Exception as error:  # a damaged archive can make its readers raise almost anything
            raise ValueError(f"`path` must be a file that save() wrote, got {path}: {error}") from error
        return detector

    def _check_parameters(self):
        if self.error not in ("mse", "ssim"):
            raise ValueError(f'`error` must be "mse" or "ssim", got {self.error!r}.')
        if not isinstance(self.filters, (tuple, list)) or len(self.filters) != 2:
            raise ValueError(f"`filters` must be two numbers of channels, got {self.filters!r}.")
        whole = {name: getattr(self, name) for name in ("latent_channels", "patch_size", "steps", "batch_size")}
        for name, value in {**whole, "filters": self.filters[0], "filters ": self.filters[1]}.items():
            validation.positive_int(name.strip(), value, 8 if name == "patch_size" else 1)
        validation.number("smoothing", self.smoothing)
        for name, most in {
            "contamination": 0.5,
            "validation_fraction": 0.5,
            "top_fraction": 1,
            "learning_rate": 1,
        }.items():
            value = getattr(self, name)
            if not isinstance(value, numbers.Real) or isinstance(value, bool) or not 0 < value <= most:
                raise ValueError(f"`{name}` must lie within (0, {most}], got {value!r}.")


class _RandomPatches(keras.utils.PyDataset):
    """Batches of patches from random places of random images."""

    def __init__(self, images, patch_size, steps, batch_size, seed):
        super().__init__()
        side = min(patch_size, *images.shape[1:3]) // STRIDE * STRIDE
        self.patches = np.lib.stride_tricks.sliding_window_view(images, (side, side), (1, 2))
        self.steps, self.batch_size, self.seed = steps, batch_size, seed

    def __len__(self):
        return self.steps

    def __getitem__(self, step):
        rng = np.random.default_rng((self.seed, step))
        chosen = tuple(rng.integers(0, self.patches.shape[:3], (self.batch_size, 3)).T)
        return (np.moveaxis(self.patches[chosen], 1, -1),)


def _images(X, channels):
    X = validation.array("X", X, (None, None, None, channels), 0, 1)
    if min(X.shape[1:3]) < WINDOW:
        raise ValueError(f"`X` must be images of at least {WINDOW} x {WINDOW} pixels, got shape {X.shape}.")
    return X.astype("float32", copy=False)


def _dissimilarity(image, other):
    """`1 - SSIM` around each pixel, in [0, 2], mean over channels: `(height, width, channels)` → `(height, width)`."""
    _, similarity = structural_similarity(image, other, win_size=WINDOW, data_range=1, channel_axis=-1, full=True)
    return 1 - similarity.mean(axis=-1)
