"""Train every architecture in two JAX processes that share each batch: `two_processes.py PORT PROCESS`, for 0 and 1.

Each process trains every other architecture alone as well, and prints how far apart that ends, as JSON.
"""

import contextlib
import json
import sys

import keras

from tests.support.architectures import ARCHITECTURES
from tests.support.two_devices import BATCH, EXAMPLES, difference, trained

PROCESSES = 2


def own_part(data, process):
    """This process's part of each batch."""

    def part(array):
        parts = array.reshape(-1, PROCESSES, BATCH // PROCESSES, *array.shape[1:])
        return parts[:, process].reshape(-1, *array.shape[1:])

    return keras.tree.map_structure(lambda array: array if array is None else part(array), data)


if __name__ == "__main__":
    port, process = map(int, sys.argv[1:])
    keras.distribution.initialize(f"127.0.0.1:{port}", PROCESSES, process)
    parallel = keras.distribution.DataParallel(auto_shard_dataset=False)
    assert parallel.num_processes == parallel.device_mesh.shape[0] == PROCESSES
    alone = {
        name: trained(make, data(EXAMPLES), contextlib.nullcontext())
        for name, (make, data) in list(ARCHITECTURES.items())[process::PROCESSES]
    }
    together = {
        name: trained(make, own_part(data(EXAMPLES), process), parallel.scope(), BATCH // PROCESSES)
        for name, (make, data) in ARCHITECTURES.items()
    }
    print(json.dumps({name: difference(alone[name], together[name]) for name in alone}))
