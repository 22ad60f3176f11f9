"""Clocks: seconds of a call, of a step, and of a training epoch by epoch."""

import json
import time

import joblib
import keras
import numpy as np

from dlarch_keras.core.archive import replacing


def processor_seconds():
    """Processor time of this process so far, over the number of cores: the clock of a training that pauses."""
    return time.process_time() / joblib.cpu_count()


def timed(call, now=time.perf_counter):
    """What `call()` returns, and the seconds that it took by the clock `now`."""
    start = now()
    return call(), now() - start


def seconds_a_step(step, steps):
    """Median seconds of `steps` calls of `step()`, after three to warm up."""
    return float(np.median([timed(step)[1] for _ in range(steps + 3)][3:]))


class Clock(keras.callbacks.Callback):
    """Seconds of training, added up to the end of each epoch: `seconds`.

    What callbacks behind it in the list do at an epoch's end is not counted.

    Args:
        path: of a file that keeps them, so that a training that was killed adds up; None: they are not kept.
        now: the clock.
        enough: seconds after which training ends.
    """

    def __init__(self, path=None, now=time.perf_counter, enough=np.inf):
        super().__init__()
        self.path, self.now, self.enough = path, now, enough
        self.seconds = json.loads(path.read_text()) if path and path.exists() else []

    def on_epoch_begin(self, epoch, logs=None):
        del self.seconds[epoch:]  # of an earlier `fit`; or one more, if killed before the model was saved
        self.start = self.now()

    def on_epoch_end(self, epoch, logs=None):
        self.seconds.append(sum(self.seconds[-1:]) + self.now() - self.start)
        self.model.stop_training = self.seconds[-1] >= self.enough
        if self.path:
            with replacing(self.path) as path:
                path.write_text(json.dumps(self.seconds))
