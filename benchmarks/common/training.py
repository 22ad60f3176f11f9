"""Settings of training that several benchmarks share."""

import keras


def warmed_cosine(peak, steps, warmup, start=0.1, end=0.01):
    """A learning rate that climbs to `peak` and falls by a cosine.

    Args:
        steps: of the whole training.
        warmup: number of steps of the climb, at most half of them.
        start, end: first and last rate, over the peak.
    """
    warmup = min(warmup, steps // 2)
    return keras.optimizers.schedules.CosineDecay(
        start * peak, steps - warmup, alpha=end, warmup_target=peak, warmup_steps=warmup
    )


def several_steps(steps=10):
    """`steps_per_execution`: `steps`, but 1 on torch, where Keras has no multi-step function."""
    return 1 if keras.backend.backend() == "torch" else steps


def in_bfloat16(build):
    """What `build` makes, set up to compute with numbers of 16 bits, which some processors do twice as fast."""
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        return build()
    finally:
        keras.config.set_dtype_policy(policy)
