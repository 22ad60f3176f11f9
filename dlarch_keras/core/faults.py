"""Training that went wrong ends, and says so."""

import keras
import numpy as np


class FiniteLosses(keras.callbacks.Callback):
    """Ends training with a `FloatingPointError` after the first batch with a logged value that is no finite number.

    Unlike `keras.callbacks.TerminateOnNaN` it looks at every logged value, not at one named `loss`. Every `fit` of a
    `Model` has it.
    """

    async_safe = True  # Keras may call it from another thread, so that no step waits for the one before

    def on_epoch_begin(self, epoch, logs=None):
        self._epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        for name, value in (logs or {}).items():
            if not np.all(np.isfinite(value)):
                raise FloatingPointError(
                    f"`{name}` is {value} after batch {batch + 1} of epoch {self._epoch + 1}, so training has ended "
                    "there, and the weights are of no use. A lower learning rate, or an optimizer with `clipnorm`, is "
                    "the usual cure, unless a stream held labels that are no class; keras.callbacks.BackupAndRestore "
                    "keeps the weights of the last epoch before."
                )
