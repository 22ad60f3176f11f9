"""What `core.Model` costs over a hand-written compiled loop: `python -m benchmarks.training`, on TensorFlow.

The same network, batches and optimizer, a step of about 20 ms on two CPU cores. The two take turns, epoch by epoch, so
that a machine whose speed drifts slows both; what is compared is the median time from one step's end to the next's.
"""

import time
from functools import partial

import keras
import numpy as np

from benchmarks.common import runner
from benchmarks.common.timing import timed
from dlarch_keras import Autoencoder
from dlarch_keras.networks import dense_decoder, dense_encoder, seed_stream

SHAPE, BATCH_SIZE = (28, 28, 1), 128
STEP, LONGER = ("median step", "ms"), ("median step, over the hand-written loop's", "ratio")


def build(seed):
    units, seeds = (1024, 512), seed_stream(seed)
    return Autoencoder(dense_encoder(SHAPE, 32, units, seed=seeds), dense_decoder(SHAPE, 32, units[::-1], seed=seeds))


def handwritten_epoch(seed, x):
    """A function that trains for an epoch on `x`, written against TensorFlow alone, and returns each step's seconds."""
    import tensorflow as tf

    autoencoder, optimizer, total = build(seed), keras.optimizers.Adam(1e-3), keras.metrics.Mean()
    optimizer.build(autoencoder.trainable_variables)
    batches = tf.data.Dataset.from_tensor_slices(x).batch(BATCH_SIZE).prefetch(tf.data.AUTOTUNE)

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


def fitted_epoch(seed, x, steps_per_execution):
    """A function that trains a `core.Model` for an epoch on `x` and returns the seconds of each step."""
    model, ends = build(seed), []
    model.compile(keras.optimizers.Adam(1e-3), steps_per_execution=steps_per_execution)
    clock = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: ends.append(time.perf_counter()))

    def epoch():
        ends.clear()
        model.fit(x, batch_size=BATCH_SIZE, shuffle=False, verbose=0, callbacks=[clock])
        return np.diff(ends) / steps_per_execution

    return epoch


def compare(steps, rounds, seed):
    """The hand-written loop, `fit`, and `fit` with ten steps an execution, by turns."""
    x = np.random.default_rng(seed).random((BATCH_SIZE * steps, *SHAPE), "float32")
    epochs = [handwritten_epoch(seed, x), fitted_epoch(seed, x, 1), fitted_epoch(seed, x, 10)]
    found = [[], [], []]

    def take_turns():
        for round_ in range(rounds + 1):
            for turn in range(3):
                which = (round_ + turn) % 3  # nobody always comes first
                seconds = epochs[which]()
                if round_:  # the first round compiles
                    found[which].append(seconds)

    _, seconds = timed(take_turns)
    by_hand, one, ten = (1000 * float(np.median(np.concatenate(each))) for each in found)
    methods = {"hand-written loop": {STEP: by_hand}, "Model.fit": {LONGER: one / by_hand}}
    methods["Model.fit, steps_per_execution=10"] = {LONGER: ten / by_hand}
    weights = sum(network.count_params() for network in build(seed).layers)
    return [row for name, figures in methods.items() for row in runner.rows(name, "noise", figures, seconds, weights)]


def tasks(quick):
    return {"by turns": partial(compare, *((20, 1) if quick else (60, 10)))}


if __name__ == "__main__":
    runner.main("training", tasks)
