"""Seconds of an epoch of the GANs that `gan` and `wgan_gp` train: `python -m benchmarks.gan_pace`.

By turns in one process, on a machine that does nothing else: an epoch's number of steps, times the processor time of
some over the number of cores. (By the clock a step took as long, or twice as long where one core was left idle.)
"""

import math
from functools import partial

import numpy as np

from benchmarks import runner
from benchmarks.gan import OURS, RECIPE, weights
from benchmarks.wgan_gp import WASSERSTEIN
from dlarch_keras.metrics.features import SHAPE

STEPS = runner.size(20, 2)


def measure(setup, seed):
    model = setup.build(seed)
    x = np.random.default_rng(seed).random((STEPS * setup.batch_size, *SHAPE), "float32")

    def seconds():
        start = runner.processor_seconds()
        model.fit(x, batch_size=setup.batch_size, verbose=0)
        return runner.processor_seconds() - start

    seconds()  # compiles
    a_step = seconds() / STEPS
    pace = a_step * math.ceil(setup.images / setup.batch_size)
    return runner.row("MNIST", "seconds an epoch", pace, pace, weights(model))


TASKS = {setup.build.__name__: partial(measure, setup) for setup in (OURS, WASSERSTEIN, RECIPE)}

if __name__ == "__main__":
    runner.main("gan_pace", TASKS)
