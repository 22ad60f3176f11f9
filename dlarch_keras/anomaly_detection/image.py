"""Finds defects in images of surfaces: an autoencoder repaints an image as it should be, and what differs is marked.

    error map = √(Gaussian * error · Gaussian * distance)
    error     = mean over channels of (image - reconstruction)², or of 1 - SSIM
    distance  = of a place's code to the nearest code of the training images
    score     = - mean of the error map's largest values

`surface.py` has the network, and says what it learns. Neighbours among features, there of a network that was trained on
photographs: Roth et al., "Towards total recall in industrial anomaly detection", CVPR 2022.
"""

import contextlib
from numbers import Integral, Real
from typing import ClassVar

import keras
import numpy as np
from scipy import ndimage
from skimage.metrics import structural_similarity
from sklearn.base import BaseEstimator, OutlierMixin
from sklearn.metrics import pairwise_distances_argmin_min
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from ..autoencoder import Autoencoder
from ..core import forward, validation
from ..core.archive import read_archive, write_archive
from ..networks import seed_stream
from .decisions import labels
from .precision import single_precision
from .surface import STRIDE, surface_decoder, surface_encoder

WINDOW = 11  # pixels on a side of SSIM's window (Wang et al. 2004), and the smallest image
REFERENCES = 500  # codes of training images that others are compared with


class ImageAnomalyDetector(OutlierMixin, BaseEstimator):
    """Learns normal images of a surface; scores new ones of any size, pixel by pixel and as a whole.

    Args:
        filters: channels of the network at half and at a quarter of the image's size.
        latent_channels: channels of the code, which has half the image's height and width.
        error: "mse", the squared difference to the reconstruction, or "ssim", one minus their structural similarity.
        smoothing: standard deviation in pixels of the Gaussian that smooths errors and distances.
        top_fraction: an image's error is the mean of this fraction of its pixels, those of largest error.
        patch_size: height and width of the patches to train on.
        steps, batch_size, learning_rate: number of training steps, patches in each, peak rate of Adam.
        contamination: fraction of the held-back normal images that the threshold calls anomalous, in (0, 0.5].
        validation_fraction: fraction of the images, the last ones given to `fit`, held back for the threshold.
        random_state: integer, `numpy.random.RandomState`, or None for another result each time.
        verbose: 1 for a progress bar.

    Attributes:
        autoencoder_: the trained `Autoencoder`.
        references_: `(at most 500, latent_channels)`, a sample of the training images' codes, each the mean of 3 x 3.
        offset_: the score at the threshold.
        channels_: of the images.
    """

    _parameter_constraints: ClassVar = {  # `filters` are checked by `fit`
        "latent_channels": [Interval(Integral, 1, None, closed="left")],
        "error": [StrOptions({"mse", "ssim"})],
        "smoothing": [Interval(Real, 0, np.inf, closed="left")],
        "top_fraction": [Interval(Real, 0, 1, closed="right")],
        "patch_size": [Interval(Integral, 8, None, closed="left")],
        "steps": [Interval(Integral, 1, None, closed="left")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "learning_rate": [Interval(Real, 0, 1, closed="right")],
        "contamination": [Interval(Real, 0, 0.5, closed="right")],
        "validation_fraction": [Interval(Real, 0, 0.5, closed="right")],
        "random_state": ["random_state"],
    }

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
        for name in ("autoencoder_", "channels_", "references_", "offset_"):
            vars(self).pop(name, None)  # a fit that fails leaves no detector behind
        self._validate_params()
        filters = validation.positive_ints("filters", self.filters, length=2)
        X = _images(X, None)
        if len(X) < 2:
            raise ValueError("`X` must hold at least 2 images, one of them to hold back: cut a large image into tiles.")
        held_back = min(max(round(self.validation_fraction * len(X)), 1), len(X) - 1)
        seed = int(check_random_state(self.random_state).randint(2**30))
        seeds, channels = seed_stream(seed), X.shape[-1]
        patches = _RandomPatches(X[:-held_back], self.patch_size, self.steps, self.batch_size, seed)
        with single_precision():
            model = Autoencoder(
                surface_encoder(channels, filters, self.latent_channels, seeds),
                surface_decoder(channels, self.latent_channels, seeds),
            )
            model.compile(keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(self.learning_rate, self.steps)))
            with contextlib.suppress(FloatingPointError):  # then the threshold is not finite, either
                model.fit(patches, verbose=self.verbose, shuffle=False)
        self.autoencoder_, self.channels_ = model, channels
        self.references_ = self._sampled_codes(X[:-held_back], seed)
        threshold = np.quantile(self.score_samples(X[-held_back:]), self.contamination)
        if not np.isfinite(threshold):
            del self.autoencoder_, self.channels_, self.references_
            raise ValueError(
                f"`learning_rate` must be small enough for training to converge, got {self.learning_rate}."
            )
        self.offset_ = float(threshold * (1 + 1e-4))  # an image's last digits depend on the batch it is scored in
        return self

    def reconstruct(self, X):
        """The images as they should be: `(n, height, width, channels)` → the same shape, in [0, 1]."""
        check_is_fitted(self)
        X = _images(X, self.channels_)
        return self._repainted(X)[0]

    def _repainted(self, X):
        """Reconstructions, `(n, height, width, channels)`, and codes, `(n, ⌈height / 2⌉, ⌈width / 2⌉, latent)`."""
        height, width = X.shape[1:3]
        padding = [(0, 0), (0, -height % STRIDE), (0, -width % STRIDE), (0, 0)]
        padded = np.pad(X, padding, mode="symmetric")
        # About the same number of pixels in memory at a time, whatever the images' size.
        batch_size = max(1, 2**18 // (height * width))
        with single_precision():
            codes = forward(self.autoencoder_.encoder, padded, batch_size)
            images = forward(self.autoencoder_.decoder, codes, batch_size)
        codes = ndimage.uniform_filter(codes, (0, 3, 3, 0))[:, : -(-height // 2), : -(-width // 2)]
        return images[:, :height, :width].clip(0, 1), codes

    def _sampled_codes(self, X, seed):
        """At most `REFERENCES` codes of images, from random places: `(m, latent_channels)`."""
        codes = self._repainted(X)[1]
        codes = codes.reshape(-1, codes.shape[-1])
        return codes[np.random.default_rng(seed).permutation(len(codes))[:REFERENCES]]

    def _distances(self, codes):
        """From each place's code to the nearest reference: `(n, rows, columns, latent)` → `(n, 2 rows, 2 columns)`."""
        _, distances = pairwise_distances_argmin_min(codes.reshape(-1, codes.shape[-1]), self.references_)
        return distances.reshape(codes.shape[:3]).repeat(2, axis=1).repeat(2, axis=2)

    def error_map(self, X):
        """How far each pixel, with its surroundings, is from normal.

        Args:
            X: floats in [0, 1], `(n, height, width, channels)`, of any size from 11 x 11 pixels.

        Returns:
            `(n, height, width)`, at least 0: the geometric mean of the error, smoothed (squared difference or 1 - SSIM,
            mean over channels), and of the distance to the nearest code of the training images, smoothed.
        """
        check_is_fitted(self)
        self._validate_params()  # set_params() may have changed them since fit()
        X = _images(X, self.channels_)
        reconstructions, codes = self._repainted(X)
        if self.error == "mse":
            errors = np.square(X - reconstructions).mean(axis=-1)
        else:
            errors = np.stack([_dissimilarity(image, other) for image, other in zip(X, reconstructions)])
        distances = self._distances(codes)[:, : X.shape[1], : X.shape[2]]
        width = (0, self.smoothing, self.smoothing)
        return np.sqrt(ndimage.gaussian_filter(errors, width) * ndimage.gaussian_filter(distances, width))

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
        return labels(self.decision_function(X))

    def save(self, path):
        """Write the fitted detector to one file, an archive of JSON and a `.keras` model, without pickle."""
        check_is_fitted(self)
        settings = {"parameters": self.get_params(), "offset": self.offset_, "channels": self.channels_}
        arrays = {"references": self.references_}
        write_archive(path, "ImageAnomalyDetector", settings, arrays, {"autoencoder": self.autoencoder_})

    @classmethod
    def load(cls, path):
        """Read a detector that `save` wrote; one that scores as it did.

        Raises:
            ValueError: for a file that is not such an archive.
            FileNotFoundError: there is no file.
        """
        settings, arrays, models = read_archive(path, "ImageAnomalyDetector")
        parameters = settings["parameters"]
        detector = cls(**parameters | {"filters": tuple(parameters["filters"])})
        detector.autoencoder_, detector.references_ = models["autoencoder"], arrays["references"]
        detector.offset_, detector.channels_ = settings["offset"], settings["channels"]
        return detector


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


def _dissimilarity(image, other):
    """`1 - SSIM` around each pixel, in [0, 2], mean over channels: `(height, width, channels)` → `(height, width)`."""
    _, similarity = structural_similarity(image, other, win_size=WINDOW, data_range=1, channel_axis=-1, full=True)
    return 1 - similarity.mean(axis=-1)


def _images(X, channels):
    if isinstance(X, np.ma.MaskedArray):
        raise ValueError("`X` must be whole images, got a masked array: fill it with what is there.")
    X = validation.array("X", X, (None, None, None, channels), 0, 1, hint=": divide pixels from 0 to 255 by 255")
    if min(X.shape[1:3]) < WINDOW:
        raise ValueError(f"`X` must be images of at least {WINDOW} x {WINDOW} pixels, got shape {X.shape}.")
    return X.astype("float32", copy=False)
