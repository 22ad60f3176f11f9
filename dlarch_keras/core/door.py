"""The door: what `fit` and its like are given is looked at, and made arrays of, before Keras has it."""

import math

import keras

from . import distribution, validation
from .faults import FiniteLosses
from .inputs import first_batch, is_stream


class Door:
    """The part of `Model` that checks data. `check_data` says what is good: override it."""

    needs_target = False  # fit(x, y), never fit(x)
    takes_sample_weight = True  # sample_weight and class_weight
    target_is_input = False  # whether fit(x, sample_weight=w) may stand for fit(x, x, sample_weight=w)
    min_batch_size = 1  # examples
    condition_dim = 0  # classes or attributes that the networks are told besides

    def fit(
        self,
        x=None,
        y=None,
        batch_size=None,
        epochs=1,
        verbose="auto",
        callbacks=None,
        validation_split=0.0,
        validation_data=None,
        **kwargs,
    ):
        """Train, as `keras.Model.fit` does, after `check_data`.

        Raises:
            ValueError: of `check_data`; for batches that are too small, or that the replicas of `tf.distribute`
                cannot share.
            FloatingPointError: a logged value became NaN or infinite; it names the batch.
        """
        if kwargs.get("class_weight") is not None:
            self._check_class_weight(x, y)
        x, y, kwargs["sample_weight"] = self._checked(x, y, kwargs.get("sample_weight"))
        if not is_stream(x):
            self._check_batch_size(x, batch_size, 1 - validation_split)
        if validation_data is not None:
            parts = (validation_data,) if is_stream(validation_data) else validation_data
            val_x, val_y, val_weight = keras.utils.unpack_x_y_sample_weight(parts)
            val_x, val_y, val_weight = self._checked(val_x, val_y, val_weight)
            is_data = is_stream(val_x)  # which Keras takes by itself only
            validation_data = val_x if is_data else keras.utils.pack_x_y_sample_weight(val_x, val_y, val_weight)
        if not isinstance(callbacks, keras.callbacks.CallbackList):
            callbacks = [*keras.tree.flatten(callbacks or []), FiniteLosses()]
        return super().fit(
            x,
            y,
            batch_size=batch_size,
            epochs=epochs,
            verbose=verbose,
            callbacks=callbacks,
            validation_split=validation_split,
            validation_data=validation_data,
            **kwargs,
        )

    def evaluate(self, x=None, y=None, batch_size=None, verbose="auto", sample_weight=None, **kwargs):
        """Epoch means on held-out data, as `keras.Model.evaluate` gives them, after `check_data`."""
        if not kwargs.get("_use_cached_eval_dataset"):  # fit has checked its validation data already
            x, y, sample_weight = self._checked(x, y, sample_weight)
        if not is_stream(x):
            distribution.check_batches(self, x, batch_size)
        return super().evaluate(x, y, batch_size=batch_size, verbose=verbose, sample_weight=sample_weight, **kwargs)

    def predict(self, x, *args, **kwargs):
        """The model's output for `x`, as `keras.Model.predict` gives it, after `check_inputs`."""
        if is_stream(x):
            batch, x = first_batch(x)
            if batch is not None:
                self.check_inputs(self._inputs_of(batch))
        else:
            x = self.check_inputs(x)
        return super().predict(x, *args, **kwargs)

    def predict_step(self, *state_and_data):  # on JAX there is a state
        *state, data = state_and_data
        return super().predict_step(*state, (self._inputs_of(data),))

    def _inputs_of(self, data):
        """What `call` takes, of a batch that may hold the rest of what `fit` takes, too."""
        x, y, _ = keras.utils.unpack_x_y_sample_weight(data)
        return x if y is None or not self.condition_dim else [x, y]

    def train_on_batch(self, x, y=None, sample_weight=None, **kwargs):
        """One step on one batch of arrays, after `check_data`."""
        x, y, sample_weight = self._checked(x, y, sample_weight)
        return super().train_on_batch(x, y, sample_weight, **kwargs)

    def test_on_batch(self, x, y=None, sample_weight=None, **kwargs):
        """The values that are logged, of one batch of arrays, after `check_data`."""
        x, y, sample_weight = self._checked(x, y, sample_weight)
        return super().test_on_batch(x, y, sample_weight, **kwargs)

    def predict_on_batch(self, x):
        """The model's output for one batch of arrays, after `check_inputs`."""
        return super().predict_on_batch(self.check_inputs(x))

    def check_data(self, x, y=None):
        """Return `x` and `y` as arrays that can be trained on, or raise a `ValueError` that names the argument.

        Override it. It is called with whole arrays by `fit` and its like, with the first batch of a stream, and, inside
        a step, with `keras.KerasTensor` objects, which have a shape and a dtype only, for the form of every batch.
        """
        return x, y

    def check_inputs(self, inputs):
        """Return `inputs` as arrays that `call` takes, or raise a `ValueError`."""
        if not self.condition_dim:
            return self.check_data(inputs)[0]
        return list(self.check_data(*validation.pair("x", inputs)))

    def check_batch(self, x, y, sample_weight, training):
        """Raise a `ValueError` unless a batch of this form will do. Within a step: `keras.KerasTensor` objects."""
        self._check_target_and_weights(y, sample_weight)
        self.check_data(x, y)
        if training:
            validation.batch(keras.tree.flatten(x)[0].shape[0], self.min_batch_size)

    def _checked(self, x, y, sample_weight):
        """All three for Keras, after a look at the whole of them or at a stream's first batch."""
        if is_stream(x):
            batch, x = first_batch(x)
            if batch is not None:
                batch_x, batch_y, batch_weight = keras.utils.unpack_x_y_sample_weight(batch)
                self._check_target_and_weights(batch_y, batch_weight)
                self.check_data(batch_x, batch_y)
            return x, y, sample_weight
        self._check_target_and_weights(y, sample_weight)
        x, y = self.check_data(x, y)
        if sample_weight is not None:
            sample_weight = validation.weights("sample_weight", sample_weight, len(keras.tree.flatten(x)[0]))
        if y is None and sample_weight is not None:
            if not self.target_is_input:
                raise ValueError("`sample_weight` must come with `y`: Keras drops the weights of data without targets.")
            y = x
        return x, y, sample_weight

    def _check_target_and_weights(self, y, sample_weight):
        if y is None and self.needs_target:
            raise ValueError(f"`y` must be given: {type(self).__name__} learns from pairs of x and y, got None.")
        if sample_weight is not None and not self.takes_sample_weight:
            raise ValueError(
                "`sample_weight` and `class_weight` must be left out, got weights: "
                "draw the examples that matter more often instead."
            )

    def _check_class_weight(self, x, y):
        self._check_target_and_weights(1, 1)
        if (y is None or y is x) and not is_stream(x):
            raise ValueError("`class_weight` must come with class labels `y`.")

    def _check_batch_size(self, x, batch_size, share):
        rows = math.floor(len(keras.tree.flatten(x)[0]) * share)
        size = 32 if batch_size is None else validation.positive_int("batch_size", batch_size)
        validation.batch(rows % size or size, self.min_batch_size)
        distribution.check_batches(self, x, batch_size, share)
