"""Replicas of a model under `tf.distribute`: random numbers of its own for each, and examples of every batch."""

import contextlib
import math

import keras

_STRIDE = 1_000_003  # between the replicas' seeds: those of a model's layers are often neighbours


def _count(model):
    strategy = getattr(model, "distribute_strategy", None)  # TensorFlow's trainer has one, if only for one device
    return 1 if strategy is None else strategy.num_replicas_in_sync


@contextlib.contextmanager
def own_seeds(model):
    """Within a replica's step: random states of its own, where Keras's would draw the same numbers in all of them.

    Afterwards they are one again, the one that is saved with the model.
    """
    if _count(model) == 1:
        yield
        return
    import tensorflow as tf

    number = tf.cast(tf.distribute.get_replica_context().replica_id_in_sync_group, "int64")
    shift = tf.stack([number * _STRIDE, 0])
    states = model.seed_states().values()
    for state in states:
        state.assign(state + shift)
    yield
    for state in states:
        state.assign(state - shift)


def check_batches(model, x, batch_size, share=1.0):
    """Raise a `ValueError` if the replicas cannot share a batch: Keras adds the parts of the first one up, which must
    be alike, and a replica without examples of the last one has NaN for a mean loss.

    Args:
        model: `training.Model`.
        x: array, or nested arrays, of all examples.
        batch_size: as given to `fit`.
        share: of the examples that is used, the first ones.
    """
    replicas = _count(model)
    if replicas == 1:
        return
    rows = math.floor(len(keras.tree.flatten(x)[0]) * share)
    size = min(batch_size or 32, rows)
    last = rows % size or size
    each = math.ceil(last / replicas)  # until there are none left
    if size % replicas or each * (replicas - 1) >= last:
        raise ValueError(
            f"`batch_size` must be a multiple of the number of replicas, {replicas}, and leave each some examples of "
            f"the last batch, got batches of {size} and a last one of {last}."
        )
