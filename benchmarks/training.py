"""What `training.Model` costs over a hand-written compiled loop: `python -m benchmarks.training`, on TensorFlow.

The same network, batches and optimizer, a step of about 20 ms on two CPU cores. The two take turns, epoch by epoch, so
that a machine whose speed drifts slows both; what is compared is the median time from one step's end to the next's.
"""

import functools
import time

import keras
import numpy as np

from benchmarks import runner
from dlarch_keras import Autoencoder
from dlarch_keras.networks import dense_decoder, dense_encoder

SHAPE, BATCH_SIZE, STEPS, ROUNDS = (28, 28, 1), 128, 60, 10


def model(seed):
    units = (1024, 512)
    return Autoencoder(dense_encoder(SHAPE, 32, units, seed=seed), dense_decoder(SHAPE, 32, units[::-1], seed=seed + 9))


def handwritten_epoch(autoencoder, optimizer, x):
    """A function that trains for an epoch on `x`, written against TensorFlow alone."""
    import tensorflow as tf

    batches = tf.data.Dataset.from_tensor_slices(x).batch(BATCH_SIZE).prefetch(tf.data.AUTOTUNE)
    total = keras.metrics.Mean()

    @tf.function
    def step(batch):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(batch - autoencoder(batch, training=True)))
        gradients = tape.gradient(loss, autoencoder.trainable_variables)
        optimizer.apply(gradients, autoencoder.trainable_variables)
        total.update_state(loss)
        return total.result()

    def epoch():
        ends = []
        for batch in batches:
            step(batch)
            ends.append(time.perf_counter())
        return np.diff(ends)

    return epoch


class StepClock(keras.callbacks.Callback):
    """Notes when each step ends."""

    def on_train_begin(self, logs=None):
        self.ends = []

    def on_train_batch_end(self, batch, logs=None):
        self.ends.append(time.perf_counter())


@functools.cache
def measure(seed):
    """`(ratio, ms)`: the median step of `fit` over the hand-written loop's, and the latter in ms."""
    x = np.random.default_rng(seed).random((BATCH_SIZE * STEPS, *SHAPE), "float32")
    ours, theirs = model(seed), model(seed)
    ours.compile(keras.optimizers.Adam(1e-3))
    optimizer = keras.optimizers.Adam(1e-3)
    optimizer.build(theirs.trainable_variables)
    epoch, clock = handwritten_epoch(theirs, optimizer, x), StepClock()
    steps = []
    for _ in range(ROUNDS + 1):
        ours.fit(x, batch_size=BATCH_SIZE, shuffle=False, verbose=0, callbacks=[clock])
        steps.append((np.diff(clock.ends), epoch()))
    ours, theirs = np.median(steps[1:], axis=(0, 2))  # the first round compiles
    return ours / theirs, 1000 * theirs


def row(seed, metric, index):
    start = time.perf_counter()
    value = float(measure(seed)[index])
    parameters = sum(network.count_params() for network in model(seed).layers)
    seconds = time.perf_counter() - start
    return {"dataset": "noise", "metric": metric, "value": value, "seconds": seconds, "parameters": parameters}


TASKS = {
    "Model.fit over a hand-written loop": lambda seed: row(seed, "ratio of median steps", 0),
    "hand-written loop": lambda seed: row(seed, "ms a step", 1),
}

if __name__ == "__main__":
    runner.main("training", TASKS)
