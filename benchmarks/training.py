"""What `training.Model` costs over a hand-written compiled loop: `python -m benchmarks.training`, on TensorFlow.

The same network, batches and optimizer, a step of about 20 ms on two CPU cores. The two take turns, epoch by epoch,
and the ratio is taken pair by pair, so that a machine whose speed drifts slows both.
"""

import functools
import time

import keras
import numpy as np

from benchmarks import runner
from dlarch_keras import Autoencoder
from dlarch_keras.networks import dense_decoder, dense_encoder

SHAPE, BATCH_SIZE, STEPS, ROUNDS = (28, 28, 1), 256, 50, 12


def model(seed):
    units = (1600, 800)
    return Autoencoder(dense_encoder(SHAPE, 32, units, seed=seed), dense_decoder(SHAPE, 32, units[::-1], seed=seed + 9))


def handwritten_epoch(autoencoder, optimizer):
    """A function that trains for an epoch, written against TensorFlow alone."""
    import tensorflow as tf

    total = keras.metrics.Mean()

    @tf.function
    def step(x):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(x - autoencoder(x, training=True)))
        gradients = tape.gradient(loss, autoencoder.trainable_variables)
        optimizer.apply(gradients, autoencoder.trainable_variables)
        total.update_state(loss)
        return total.result()

    def epoch(x):
        for batch in tf.data.Dataset.from_tensor_slices(x).batch(BATCH_SIZE).prefetch(tf.data.AUTOTUNE):
            step(batch)

    return epoch


@functools.cache
def measure(seed):
    """`(ratio, ms)`: the epochs' seconds, `fit` to the hand-written loop, median over pairs; the loop's ms a step."""
    x = np.random.default_rng(seed).random((BATCH_SIZE * STEPS, *SHAPE), "float32")
    ours, theirs = model(seed), model(seed)
    ours.compile(keras.optimizers.Adam(1e-3))
    optimizer = keras.optimizers.Adam(1e-3)
    optimizer.build(theirs.trainable_variables)
    epoch = handwritten_epoch(theirs, optimizer)
    pairs = []
    for _ in range(ROUNDS + 1):
        start = time.perf_counter()
        ours.fit(x, batch_size=BATCH_SIZE, shuffle=False, verbose=0)
        middle = time.perf_counter()
        epoch(x)
        pairs.append((middle - start, time.perf_counter() - middle))
    seconds = np.array(pairs[1:])  # the first pair compiles
    return np.median(seconds[:, 0] / seconds[:, 1]), 1000 * np.median(seconds[:, 1]) / STEPS


def row(seed, metric, index):
    start = time.perf_counter()
    value = float(measure(seed)[index])
    parameters = model(seed).count_params()
    seconds = time.perf_counter() - start
    return {"dataset": "noise", "metric": metric, "value": value, "seconds": seconds, "parameters": parameters}


TASKS = {
    "Model.fit over a hand-written loop": lambda seed: row(seed, "ratio of seconds an epoch", 0),
    "hand-written loop": lambda seed: row(seed, "ms a step", 1),
}

if __name__ == "__main__":
    runner.main("training", TASKS)
