"""Train toy models on one device and on two, in this process, and print how far apart they end, as JSON.

Two logical CPUs under `tf.distribute.MirroredStrategy`, or two host devices under `keras.distribution.DataParallel`.
"""

import contextlib
import functools
import json
import os

if os.environ["KERAS_BACKEND"] == "jax":
    os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=2"

import keras
import numpy as np

from tests import toy_models


@functools.cache  # one strategy a process: a second one would reuse the keys of the first one's collective operations
def two_devices():
    """The strategy or distribution under whose `scope()` models train on two devices."""
    if keras.backend.backend() == "jax":
        parallel = keras.distribution.DataParallel(
            devices=keras.distribution.list_devices("cpu"), auto_shard_dataset=False
        )
        assert len(keras.distribution.list_devices("cpu")) == 2
        return parallel
    import tensorflow as tf

    strategy = tf.distribute.MirroredStrategy(["/CPU:0", "/CPU:1"])
    assert strategy.num_replicas_in_sync == 2
    return strategy


def trained(make, data, scope):
    with scope:
        model = make()
        history = model.fit(*data, batch_size=16, epochs=2, shuffle=False, verbose=0)
    weights = np.concatenate([keras.ops.convert_to_numpy(weight).ravel() for weight in model.weights])
    return weights, np.array([history.history[name] for name in sorted(history.history)])


def distance(make, data):
    """Largest differences of weights and logged values after ten steps."""
    weights, logs = trained(make, data, contextlib.nullcontext())
    other_weights, other_logs = trained(make, data, two_devices().scope())
    return {"weights": float(abs(weights - other_weights).max()), "logs": float(abs(logs - other_logs).max())}


if __name__ == "__main__":
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        cpu = tf.config.list_physical_devices("CPU")[0]
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    x, y, noise = toy_models.data()
    sgd = functools.partial(keras.optimizers.SGD, 1e-1)  # Adam would hide a gradient that is off by a factor
    cases = {
        "mean": (lambda: toy_models.regressor(optimizer=sgd(), batch_norm=False), (x, y)),
        "two optimizers": (lambda: toy_models.gan(optimizers=(sgd(), sgd()), batch_norm=False), (x, noise)),
        "batch norm": (toy_models.regressor, (x, y)),
        "pairs": (
            lambda: toy_models.regressor(kind=toy_models.PairDistances, optimizer=sgd(), batch_norm=False),
            (x, y),
        ),
    }
    if keras.backend.backend() == "jax":  # under MirroredStrategy on CPUs, any Keras model fails with several steps
        cases["several steps"] = (lambda: toy_models.regressor(batch_norm=False, steps_per_execution=5), (x, y))
    print(json.dumps({name: distance(make, data) for name, (make, data) in cases.items()}))
