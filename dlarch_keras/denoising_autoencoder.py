"""The denoising autoencoder: corrupt the input, ask for the clean one.

    minimise  mean (x - decoder(encoder(corrupt(x))))²

Vincent et al., "Extracting and composing robust features with denoising autoencoders", ICML 2008. Its `train_step` is
that of `Autoencoder`: the corruption acts in `call`, and in training only.
"""

import keras

from .autoencoder import Autoencoder
from .core import validation


@keras.saving.register_keras_serializable("dlarch_keras")
class DenoisingAutoencoder(Autoencoder):
    """An autoencoder that sees a corrupted input while training, and is asked for the clean one.

    `fit(x)` takes clean examples: every step corrupts them anew. Where noisy and clean versions exist as pairs (to
    validate, or real ones), they are `x` and `y`: `validation_data=(noisy, clean)`. `reconstruct(noisy)` denoises.

    Args:
        encoder, decoder, reconstruction_loss, data_range: as in `Autoencoder`. The code may be of any shape.
        corruption: a layer that acts in training only, such as `GaussianCorruption(0.5)`.

    Raises:
        ValueError: for networks that do not fit each other or the loss, a `corruption` that is not a layer, or one that
            returns data of another range.
    """

    def __init__(self, encoder, decoder, corruption, reconstruction_loss="mse", data_range=(0, 1), **kwargs):
        super().__init__(encoder, decoder, reconstruction_loss, data_range, **kwargs)
        if not isinstance(corruption, keras.layers.Layer):
            raise ValueError(f"`corruption` must be a keras.layers.Layer, got {type(corruption).__name__}.")
        if (returned := getattr(corruption, "data_range", self.data_range)) not in (None, self.data_range):
            raise ValueError(f"`corruption` must return data in {self.data_range}, got one with data_range={returned}.")
        if not corruption.built:
            corruption.build(encoder.input_shape)
        self.corruption = corruption

    def call(self, x, training=False):
        return super().call(self.corruption(x, training=training), training=training)


class Corruption(keras.layers.Layer):
    """A layer that spoils its input while training and passes it on otherwise.

    A subclass defines `corrupt(x)`, which draws from `self.seed_generator`.

    Args:
        seed: integer, or None for other noise in each process.
    """

    def __init__(self, seed=None, **kwargs):
        super().__init__(**kwargs)
        self.seed = seed if seed is None else validation.non_negative_int("seed", seed)
        self.seed_generator = keras.random.SeedGenerator(self.seed)

    def call(self, x, training=False):
        return self.corrupt(x) if training else x

    def corrupt(self, x):
        """The spoiled version of a batch, drawn anew at each call: `(n, *shape)` → the same shape."""
        raise NotImplementedError

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "seed": self.seed}


@keras.saving.register_keras_serializable("dlarch_keras")
class GaussianCorruption(Corruption):
    """Adds independent normal noise to every element, and clips the result to the range of the data.

    Args:
        stddev: standard deviation of the noise; or a pair (low, high), from which each example draws its own.
        data_range: (low, high) to clip to, as the model's; None for table rows, which are not clipped.
        seed: integer, or None for other noise in each process.

    Raises:
        ValueError: for a standard deviation below 0, or a pair in the wrong order.
    """

    def __init__(self, stddev, data_range=(0, 1), seed=None, **kwargs):
        super().__init__(seed, **kwargs)
        if isinstance(stddev, (list, tuple)) and len(stddev) == 2:
            self.stddev = low, high = tuple(validation.number("stddev", bound) for bound in stddev)
            if low > high:
                raise ValueError(f"`stddev` must be a number, or a pair (low, high) in this order, got {stddev!r}.")
        else:
            self.stddev = validation.number("stddev", stddev)
        self.data_range = validation.data_range(data_range)

    def corrupt(self, x):
        noise = keras.random.normal(keras.ops.shape(x), dtype=x.dtype, seed=self.seed_generator)
        stddev = self.stddev
        if isinstance(stddev, tuple):
            one_each = (keras.ops.shape(x)[0],) + (1,) * (len(x.shape) - 1)
            stddev = keras.random.uniform(one_each, *stddev, dtype=x.dtype, seed=self.seed_generator)
        noisy = x + stddev * noise
        return keras.ops.clip(noisy, *self.data_range) if self.data_range else noisy

    def get_config(self):
        return {**super().get_config(), "stddev": self.stddev, "data_range": self.data_range}


class RandomElements(Corruption):
    """Corruption of a random share of the elements, each chosen by itself."""

    def __init__(self, rate, seed=None, **kwargs):
        super().__init__(seed, **kwargs)
        self.rate = validation.number("rate", rate, at_most=1)

    def uniform(self, x):
        return keras.random.uniform(keras.ops.shape(x), dtype="float32", seed=self.seed_generator)

    def get_config(self):
        return {**super().get_config(), "rate": self.rate}


@keras.saving.register_keras_serializable("dlarch_keras")
class MaskingCorruption(RandomElements):
    """Sets a random share `rate` of the elements to 0 (Vincent et al. 2008).

    Unlike Dropout it does not scale the others up: they stay what they were.

    Args:
        rate: probability of each element to be masked, in [0, 1].
        seed: integer, or None for other noise in each process.
    """

    def corrupt(self, x):
        return keras.ops.where(self.uniform(x) < self.rate, keras.ops.zeros_like(x), x)


@keras.saving.register_keras_serializable("dlarch_keras")
class SaltAndPepperCorruption(RandomElements):
    """Sets a random share `rate` of the elements to the lowest or the highest value, by the toss of a fair coin.

    Args:
        rate: probability of each element to be hit, in [0, 1].
        data_range: (low, high) of the data, as the model's.
        seed: integer, or None for other noise in each process.
    """

    def __init__(self, rate, data_range=(0, 1), seed=None, **kwargs):
        super().__init__(rate, seed, **kwargs)
        self.data_range = validation.data_range(data_range)
        if self.data_range is None:
            raise ValueError("`data_range` must be a pair (low, high): salt and pepper are its ends, got None.")

    def corrupt(self, x):
        uniform, (low, high) = self.uniform(x), self.data_range
        salted = keras.ops.where(uniform < self.rate / 2, keras.ops.full_like(x, high), x)
        return keras.ops.where(uniform >= 1 - self.rate / 2, keras.ops.full_like(x, low), salted)

    def get_config(self):
        return {**super().get_config(), "data_range": self.data_range}
