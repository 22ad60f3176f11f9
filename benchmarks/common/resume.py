"""Training that goes on after the process was killed, and what is computed only once."""

import json
import time

import keras
import numpy as np

from benchmarks.common.timing import Clock
from dlarch_keras.core.archive import replacing


def fit(model, x, path, epochs, callbacks=(), now=time.perf_counter, **arguments):
    """Train a compiled model, or go on at the last epoch of a process that was killed, or take what has been trained.

    Args:
        path: name of the files, without an ending.
        callbacks: more of them; what they do at an epoch's end is not timed, and is done again if the process is killed
            before the epoch is saved.
        now: the clock.
        arguments: more of `fit`.

    Returns:
        Seconds of training.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    clock, trained = Clock(path.with_name(f"{path.name}.json"), now), path.with_name(f"{path.name}.npz")
    if trained.exists():
        with np.load(trained) as arrays:
            model.set_weights([arrays[name] for name in arrays.files])
    else:
        backup = keras.callbacks.BackupAndRestore(path.with_name(f"{path.name}.backup"))
        model.fit(x, epochs=epochs, verbose=0, callbacks=[clock, *callbacks, backup], **arguments)
        with replacing(trained) as unfinished, open(unfinished, "wb") as file:
            np.savez(file, *model.get_weights())
    return clock.seconds[-1]


def kept(path, make):
    """What `make()` returns, as JSON in a file; it is called if there is no such file yet."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps(make())
        with replacing(path) as unfinished:
            unfinished.write_text(text)
    return json.loads(path.read_text())
