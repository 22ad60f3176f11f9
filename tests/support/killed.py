"""Train every architecture with a backup of each epoch, and die in the third one of all of them: `killed.py FOLDER`.

One process for all: each starts in the middle of the training of the one before.
"""

import os
import signal
import sys
from pathlib import Path

import keras

from tests.support.architectures import ARCHITECTURES


class InTheThirdEpoch(keras.callbacks.Callback):
    """Calls a function after the second batch."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        if (self.epoch, batch) == (2, 1):
            self.function()


def fit(model, x, y, *callbacks, epochs=4):
    """Epochs of four batches, or what is left of them."""
    model.fit(x, y, batch_size=8, epochs=epochs, shuffle=False, verbose=0, callbacks=list(callbacks))


def backup(folder, name):
    return keras.callbacks.BackupAndRestore(Path(folder) / name.replace(" ", "_"))


def train(folder, names):
    """Train these, and end as a process ends that is killed."""
    if not names:
        os.kill(os.getpid(), signal.SIGKILL)
    keras.utils.set_random_seed(0)  # as in tests
    make, data = ARCHITECTURES[names[0]]
    fit(make(), *data(32), backup(folder, names[0]), InTheThirdEpoch(lambda: train(folder, names[1:])))


if __name__ == "__main__":
    train(sys.argv[1], list(ARCHITECTURES))
