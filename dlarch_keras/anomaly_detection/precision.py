"""Single precision, whatever the user has chosen for other networks: a score in half precision would be noise."""

import contextlib

import keras


@contextlib.contextmanager
def single_precision():
    """Within it, or in a function that it decorates, new layers, training and random numbers are float32."""
    policy, floatx = keras.config.dtype_policy(), keras.config.floatx()
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("float32")
    try:
        yield
    finally:
        keras.config.set_floatx(floatx)
        keras.config.set_dtype_policy(policy)
