"""Seconds of an epoch of the GANs that `gan` and `wgan_gp` train: `python -m benchmarks.gan_pace`.

By turns in one process, on a machine that does nothing else: an epoch's number of steps, times the processor time of
some over the number of cores. (By the clock a step took as long, or twice as long where one core was left idle.)
"""

import math
from functools import partial

import numpy as np

from benchmarks.common import runner
from benchmarks.common.timing import processor_seconds, timed
from benchmarks.gan import OURS, RECIPE, weights
from benchmarks.wgan_gp import WASSERSTEIN
from dlarch_keras.metrics.features import SHAPE


def epoch(setup, steps, seed):
    model = setup.build(seed)
    x = np.random.default_rng(seed).random((steps * setup.batch_size, *SHAPE), "float32")
    fit = partial(model.fit, x, batch_size=setup.batch_size, verbose=0)
    fit()  # compiles
    seconds = timed(fit, processor_seconds)[1] / steps * math.ceil(setup.images / setup.batch_size)
    return runner.rows(setup.method, "MNIST", {("time of an epoch", "s"): seconds}, seconds, weights(model))


def tasks(quick):
    return {setup.method: partial(epoch, setup, 2 if quick else 20) for setup in (OURS, WASSERSTEIN, RECIPE)}


if __name__ == "__main__":
    runner.main("gan_pace", tasks)
