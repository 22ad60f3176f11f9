"""Train every architecture on one device and on two, in this process, and print how far apart they end, as JSON.

Two logical CPUs under `tf.distribute.MirroredStrategy`, or two host devices under `keras.distribution.DataParallel`.
"""

import contextlib
import json

import keras
import numpy as np

from tests.support import ten_steps
from tests.support.architectures import ARCHITECTURES, SEPARATE, compiled

BATCH, EXAMPLES = 16, 48


def trained(make, data, scope, batch_size=BATCH, **compile_arguments):
    """Each network's weights before and after two epochs, and the values logged."""
    with scope:
        # Plain gradient descent: Adam would hide a gradient that is off by a factor.
        model = compiled(make(), keras.optimizers.SGD, (1e-2, 1e-2), **compile_arguments)
        start = _weights(model)
        history = model.fit(*data, batch_size=batch_size, epochs=2, shuffle=False, verbose=0).history
    return start, _weights(model), [history[name] for name in sorted(history)]


def _weights(model):
    return [np.concatenate([w.ravel() for w in network.get_weights()]) for network in model.layers if network.weights]


def difference(one, other):
    """Largest difference of weights; of logged values, relative; and how far the network that moved least has moved."""
    (start, weights, logs), (_, other_weights, other_logs) = one, other
    return {
        "weights": float(max(_largest_differences(weights, other_weights))),
        "logs": float(max(_largest_differences(logs, other_logs)) / np.abs(logs).max()),
        "moved": float(min(_largest_differences(start, weights))),
    }


def _largest_differences(one, other):
    return [np.abs(np.subtract(a, b)).max() for a, b in zip(one, other)]


def one_and_two(case, parallel, **arguments):
    """The difference between one device and two."""
    scopes = contextlib.nullcontext(), parallel.scope()
    return difference(*(trained(case.make, case.data(EXAMPLES), scope, **arguments) for scope in scopes))


def noise_of_replicas(parallel):
    """How far replicas that see the same examples are from one device that sees them once: as far as noise differs."""
    make, data = ARCHITECTURES["VAE"]
    half, _ = data(BATCH // 2)
    twice = np.concatenate([half, half])
    return difference(
        trained(make, (half, None), contextlib.nullcontext(), BATCH // 2),
        trained(make, (twice, None), parallel.scope()),
    )


def refusal(parallel):
    """What `fit` says of a last batch of one example."""
    make, data = ARCHITECTURES["autoencoder"]
    try:
        trained(make, data(BATCH + 1), parallel.scope())
    except ValueError as error:
        return str(error)


def freeze_noise_of_halves():
    """The same frozen noise for each half of a batch, so that one device draws what two replicas draw."""

    def twice(draw):
        def draw_halves(shape, **_):
            half = draw((BATCH // 2, *shape[1:]))
            return keras.ops.concatenate([half, half])[: shape[0]]

        return draw_halves

    ten_steps.freeze_noise()
    keras.random.normal, keras.random.uniform = twice(keras.random.normal), twice(keras.random.uniform)


def jax_devices():
    import jax

    jax.config.update("jax_num_cpu_devices", 2)
    parallel = keras.distribution.DataParallel(auto_shard_dataset=False)
    assert parallel.device_mesh.shape == (2,)
    return parallel


def tensorflow_devices():
    import tensorflow as tf

    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    # One strategy a process: a second one would reuse the keys of the first one's collective operations.
    strategy = tf.distribute.MirroredStrategy(["/CPU:0", "/CPU:1"])
    assert strategy.num_replicas_in_sync == 2
    return strategy


if __name__ == "__main__":
    if keras.backend.backend() == "jax":
        parallel = jax_devices()
        # Under MirroredStrategy on CPUs, any Keras model fails with several steps.
        report = {"several steps": one_and_two(ARCHITECTURES["autoencoder"], parallel, steps_per_execution=3)}
    else:
        parallel = tensorflow_devices()
        report = {"noise of replicas": noise_of_replicas(parallel), "refusal": refusal(parallel)}
        freeze_noise_of_halves()  # JAX draws for the whole batch, on however many devices
    whole_batches = {f"{name}, whole batches": case for name, case in ARCHITECTURES.items() if case != SEPARATE[name]}
    cases = {**SEPARATE, **whole_batches}
    report["architectures"] = {name: one_and_two(case, parallel) for name, case in cases.items()}
    print(json.dumps(report))
