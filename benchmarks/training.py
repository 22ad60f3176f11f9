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

SHAPE, BATCH_SIZE = (28, 28, 1), 128
STEPS, ROUNDS = runner.size((60, 10), (20, 1))


def model(seed):
    units = (1024, 512)
    return Autoencoder(dense_encoder(SHAPE, 32, units, seed=seed), dense_decoder(SHAPE, 32, units[::-1], seed=seed + 9))


def handwritten_epoch(autoencoder, optimizer, x):
    """A function that trains for an epoch on `x`, written against TensorFlow alone, and returns each step's seconds."""
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
            float(step(batch))  # as Keras does with the logs when a callback listens to every step
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
    """Median ms a step: of the hand-written loop, of `fit`, and of `fit` with ten steps an execution."""
    x = np.random.default_rng(seed).random((BATCH_SIZE * STEPS, *SHAPE), "float32")
    by_hand, optimizer = model(seed), keras.optimizers.Adam(1e-3)
    optimizer.build(by_hand.trainable_variables)
    epochs = [handwritten_epoch(by_hand, optimizer, x), fitted_epoch(seed, x, 1), fitted_epoch(seed, x, 10)]
    steps = [[], [], []]
    for round_ in range(ROUNDS + 1):
        for turn in range(3):
            which = (round_ + turn) % 3  # nobody always comes first
            seconds = epochs[which]()
            if round_:  # the first round compiles
                steps[which].append(seconds)
    return [1000 * float(np.median(np.concatenate(each))) for each in steps]


def fitted_epoch(seed, x, steps_per_execution):
    """A function that trains a `training.Model` for an epoch on `x` and returns the seconds of each step."""
    ours, clock = model(seed), StepClock()
    ours.compile(keras.optimizers.Adam(1e-3), steps_per_execution=steps_per_execution)

    def epoch():
        ours.fit(x, batch_size=BATCH_SIZE, shuffle=False, verbose=0, callbacks=[clock])
        return np.diff(clock.ends) / steps_per_execution

    return epoch


def row(seed, metric, value):
    start = time.perf_counter()
    value = value(*measure(seed))
    parameters = sum(network.count_params() for network in model(seed).layers)
    seconds = time.perf_counter() - start
    return {"dataset": "noise", "metric": metric, "value": value, "seconds": seconds, "parameters": parameters}


RATIO = "ratio of median steps to the hand-written loop's"
TASKS = {
    "hand-written loop": lambda seed: row(seed, "ms a step", lambda by_hand, one, ten: by_hand),
    "Model.fit": lambda seed: row(seed, RATIO, lambda by_hand, one, ten: one / by_hand),
    "Model.fit, steps_per_execution=10": lambda seed: row(seed, RATIO, lambda by_hand, one, ten: ten / by_hand),
}

if __name__ == "__main__":
    runner.main("training", TASKS)
