"""Train an architecture with a backup of every epoch, and die in the third one: `killed.py ARCHITECTURE FOLDER`."""

import os
import signal
import sys

import keras

from tests.architectures import ARCHITECTURES


class Kill(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        if (self.epoch, batch) == (2, 1):
            os.kill(os.getpid(), signal.SIGKILL)


def fit(model, x, y, *callbacks):
    """Four epochs of four batches, or what is left of them."""
    model.fit(x, y, batch_size=8, epochs=4, shuffle=False, verbose=0, callbacks=list(callbacks))


if __name__ == "__main__":
    keras.utils.set_random_seed(0)  # as in tests
    architecture = ARCHITECTURES[sys.argv[1]]
    fit(architecture.make(), *architecture.data(32), keras.callbacks.BackupAndRestore(sys.argv[2]), Kill())
