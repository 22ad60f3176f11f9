"""The training core, on the backend of this process (`KERAS_BACKEND`)."""

import keras
import numpy as np
import pytest
from packaging.version import Version

from dlarch_keras.core import apply_gradients, value_and_grad
from tests.support import toy_models
from tests.support.architectures import assert_same, state
from tests.support.toy_models import Regressor, TinyGAN, gan, network, regressor

MODELS = {"one optimizer": regressor, "two optimizers": gan}


def data_for(model, n=80):
    x, y, _ = toy_models.data(n)
    return (x,) if isinstance(model, TinyGAN) else (x, y)


def fit(model, epochs=1, n=80, **arguments):
    return model.fit(*data_for(model, n), batch_size=8, epochs=epochs, shuffle=False, verbose=0, **arguments).history


def moved(first, second):
    return [not np.array_equal(a, b) for a, b in zip(first, second)]


@pytest.fixture(params=MODELS)
def make(request):
    return MODELS[request.param]


def test_every_variable_moves_in_training_and_no_weight_in_evaluation(make):
    model = make(dropout=0.3)
    start = state(model)
    fit(model)
    # Only learning rates stay, one for each optimizer.
    stayed = moved(start, state(model)).count(False)
    assert stayed == (2 if isinstance(model, TinyGAN) else 1)
    trained = [weight.copy() for weight in model.get_weights()]
    model.evaluate(*data_for(model), verbose=0)
    assert_same(trained, model.get_weights())


def test_one_step_by_hand():
    """One SGD step on one weight: w = 1, x = 2, y = 0: loss (wx − y)² = 4, gradient 2x(wx − y) = 8."""
    inputs = keras.Input((1,))
    dense = keras.layers.Dense(1, use_bias=False, kernel_initializer="ones")
    model = Regressor(keras.Model(inputs, dense(inputs)))
    model.compile(keras.optimizers.SGD(0.1))
    history = model.fit(np.array([[2.0]], "float32"), np.array([[0.0]], "float32"), verbose=0)
    np.testing.assert_allclose(history.history["loss"], [4.0])
    np.testing.assert_allclose(model.get_weights()[0], [[1 - 0.1 * 8]], rtol=1e-6)


def test_random_state_advances():
    model = gan(dropout=0.3)
    means = [fit(model, n=8)["noise_mean"][0] for _ in range(3)]
    assert len(set(means)) == 3
    means = [model.evaluate(*data_for(model), verbose=0, return_dict=True)["noise_mean"] for _ in range(2)]
    assert means[0] != means[1]
    # The generators of the networks' Dropout layers advance as well: 2 networks and the model's own.
    assert sum("seed" in variable.path for variable in model.variables) == 3


def test_a_run_resumed_from_its_weights_equals_the_uninterrupted_one(make, tmp_path):
    uninterrupted, model, resumed = (make(dropout=0.3) for _ in range(3))
    fit(uninterrupted, epochs=4)
    fit(model, epochs=2)
    model.save_weights(tmp_path / "model.weights.h5")
    fit(resumed)  # whatever it did before must not matter
    resumed.load_weights(tmp_path / "model.weights.h5")
    assert_same(state(model), state(resumed))
    fit(resumed, epochs=2)
    assert_same(state(uninterrupted), state(resumed))


def test_a_model_is_saved_before_training_too(make, tmp_path):
    model = make(dropout=0.3)
    model.save(tmp_path / "model.keras")
    assert_same(state(model), state(keras.saving.load_model(tmp_path / "model.keras")))


def test_loading_without_compiling(tmp_path):
    model = gan()
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", compile=False)
    assert_same(model.get_weights(), loaded.get_weights())


def test_compile_is_repeated_with_the_arguments_of_the_outermost_call(tmp_path):
    model = gan(optimizers=(keras.optimizers.SGD(0.125), "adamw"), run_eagerly=True)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert isinstance(loaded.optimizer["generator"], keras.optimizers.SGD)
    assert float(loaded.optimizer["generator"].learning_rate) == 0.125
    assert isinstance(loaded.optimizer["discriminator"], keras.optimizers.AdamW)
    assert loaded.run_eagerly


def test_steps_per_execution(make):
    if keras.backend.backend() == "torch":
        with pytest.raises(ValueError, match="steps_per_execution"):
            make(steps_per_execution=3)
        return
    one, several = make(dropout=0.3), make(dropout=0.3, steps_per_execution=3)
    fit(one)
    fit(several)
    assert_same(state(one), state(several), rtol=1e-6)


@pytest.mark.parametrize("settings", [{"jit_compile": True}, {"run_eagerly": True}], ids=str)
def test_compiled_and_eager_agree(make, settings):
    model, other = make(jit_compile=False), make(**settings)
    x, y, noise = toy_models.data(16)
    for each in (model, other):
        each.fit(x, noise if isinstance(each, TinyGAN) else y, batch_size=8, shuffle=False, verbose=0)
        each.evaluate(x, noise if isinstance(each, TinyGAN) else y, verbose=0)
    assert_same(state(model), state(other), rtol=1e-4)


def scalers(model):
    return getattr(model.optimizer, "optimizers", [model.optimizer])


def test_float16_scales_the_loss_and_skips_a_step_that_overflows(make, tmp_path):
    keras.config.set_dtype_policy("mixed_float16")
    huge = [keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.1), initial_scale=2.0**40) for _ in range(2)]
    model = make(optimizers=huge) if make is gan else make(optimizer=huge[0])
    start = [variable.numpy() if hasattr(variable, "numpy") else variable for variable in model.get_weights()]
    fit(model, n=8)
    trainable = [variable.path for variable in model.trainable_variables]
    for variable, before, after in zip(model.weights, start, model.get_weights()):
        if variable.path in trainable:
            np.testing.assert_array_equal(before, after)
    assert [float(scaler.dynamic_scale) for scaler in scalers(model)] == [2.0**39] * len(scalers(model))
    fit(model, epochs=40, n=8)  # the scale halves until the gradients are finite
    assert all(moved(start, model.get_weights()))
    model.save(tmp_path / "model.keras")
    assert_same(state(model), state(keras.saving.load_model(tmp_path / "model.keras")))


def test_float16_wraps_each_optimizer_of_a_model(make):
    keras.config.set_dtype_policy("mixed_float16")
    assert all(isinstance(scaler, keras.optimizers.LossScaleOptimizer) for scaler in scalers(make()))
    if make is gan:
        unscaled = make(auto_scale_loss=False)
        assert not any(isinstance(scaler, keras.optimizers.LossScaleOptimizer) for scaler in scalers(unscaled))


def test_learning_rate_callbacks_reach_every_optimizer(make):
    if make is gan and Version(keras.__version__) < Version("3.15"):
        pytest.skip("Keras's callbacks know of several optimizers from 3.15 on")
    model = make()
    fit(model, callbacks=[keras.callbacks.LearningRateScheduler(lambda epoch, rate: 0.5)])
    assert [float(optimizer.learning_rate) for optimizer in scalers(model)] == [0.5] * len(scalers(model))


def test_early_stopping():
    model = regressor(optimizer=keras.optimizers.SGD(0.0))
    stopper = keras.callbacks.EarlyStopping(monitor="val_loss", patience=1, start_from_epoch=1, min_delta=10.0)
    assert len(fit(model, epochs=9, validation_data=data_for(model), callbacks=[stopper])["loss"]) < 9


def test_moving_average_of_the_weights_is_taken_over_at_the_end(make):
    averaging = [keras.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.9) for _ in range(2)]
    model = make(optimizers=averaging) if make is gan else make(optimizer=averaging[0])
    fit(model)
    for optimizer in scalers(model):
        averages = [variable for variable in optimizer.variables if "average" in variable.path]
        assert averages
        for variable, average in zip(optimizer._trainable_variables, averages):
            np.testing.assert_allclose(keras.ops.convert_to_numpy(variable), keras.ops.convert_to_numpy(average))


def test_gradient_accumulation_equals_one_large_batch():
    large = regressor(optimizer=keras.optimizers.SGD(0.1), batch_norm=False)
    small = regressor(optimizer=keras.optimizers.SGD(0.1, gradient_accumulation_steps=2), batch_norm=False)
    x, y, _ = toy_models.data(16)
    large.fit(x, y, batch_size=16, shuffle=False, verbose=0)
    small.fit(x, y, batch_size=8, shuffle=False, verbose=0)
    assert_same(large.get_weights(), small.get_weights(), rtol=1e-5)


def test_train_and_test_on_batch(make):
    model, fitted = make(), make()
    batch = data_for(model, 8)
    logs = model.train_on_batch(*batch, return_dict=True)
    fitted.fit(*batch, batch_size=8, verbose=0)
    assert_same(state(model), state(fitted), rtol=1e-6)
    assert all(np.isfinite(value) for value in logs.values())
    assert set(model.test_on_batch(*batch, return_dict=True)) == set(logs)


def test_a_subclass_may_extend_train_step():
    class Counting(Regressor):
        def __init__(self, network, **kwargs):
            super().__init__(network, **kwargs)
            self.examples = keras.metrics.Sum(name="examples")

        def train_step(self, data):
            logs = super().train_step(data)
            self.examples.update_state(keras.ops.ones((keras.ops.shape(data[0])[0],)))
            return {**logs, "examples": self.examples.result()}

    model = Counting(network(6, 2))
    model.compile("adam")
    assert fit(model)["examples"] == [80]


def test_value_and_grad_by_hand():
    """f = 3w² + aux at w = 2: value 12, gradient 12; outside any training step, and state changed inside is kept."""
    w = keras.Variable(2.0)
    calls = keras.Variable(0.0, trainable=False)

    def loss():
        calls.assign(calls + 1)
        return 3 * w**2, keras.ops.stop_gradient(w + 1)

    (value, extra), gradients = value_and_grad(loss, [w])
    assert (float(value), float(extra), [float(g) for g in gradients]) == (12.0, 3.0, [12.0])
    assert float(calls) == 1
    apply_gradients(keras.optimizers.SGD(0.25), gradients, [w])
    assert float(w) == 2 - 0.25 * 12


class OneOptimizer(TinyGAN):
    networks_with_optimizers = ("generator",)


def test_compile_refuses_to_leave_a_network_untrained():
    with pytest.raises(ValueError, match="every trainable variable of OneOptimizer"):
        OneOptimizer(network(4, 6), network(6, 1)).compile(generator_optimizer="adam")


def test_a_frozen_network_needs_no_optimizer():
    model = OneOptimizer(network(4, 6), network(6, 1))
    model.discriminator.trainable = False
    model.compile(generator_optimizer="adam")
    assert [len(group) for group in model.optimizer.groups.values()] == [len(model.generator.trainable_variables)]


def test_compile_refuses_networks_without_variables():
    with pytest.raises(ValueError, match="must be built"):
        Regressor(keras.Sequential([keras.layers.Dense(2)], name="lazy")).compile("adam")


def test_the_composite_optimizer_refuses_foreign_variables():
    model = gan()
    with pytest.raises(ValueError, match="must belong to one of"):
        model.optimizer.of(model.trainable_variables)
    with pytest.raises(ValueError, match="Apply gradients with one member"):
        model.optimizer.apply([])
    with pytest.raises(ValueError):
        apply_gradients(model.optimizer["generator"], [np.zeros(1)], [model.discriminator.trainable_variables[0]])


def test_gradients_of_variables_that_the_loss_ignores_are_zero():
    used, ignored = keras.Variable(2.0), keras.Variable(3.0)
    _, gradients = value_and_grad(lambda: used**2, [used, ignored])
    assert [float(gradient) for gradient in gradients] == [4.0, 0.0]
    assert value_and_grad(lambda: used * 1.0, [])[1] == []


def test_value_and_grad_refuses_to_be_nested_and_recovers():
    w = keras.Variable(2.0)
    with pytest.raises(ValueError, match="must not call value_and_grad itself"):
        value_and_grad(lambda: value_and_grad(lambda: w**3, [w])[1][0], [w])
    assert float(value_and_grad(lambda: w**3, [w])[1][0]) == 12


def test_a_scaling_optimizer_is_refused_where_no_loss_was_scaled():
    w = keras.Variable(2.0)
    optimizer = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.1))
    with pytest.raises(ValueError, match="must not scale the loss outside"):
        apply_gradients(optimizer, value_and_grad(lambda: w**2, [w])[1], [w])


def test_a_train_step_from_a_mixin_works_on_every_backend():
    class Step:
        train_step = Regressor.train_step

    class Mixed(Step, Regressor):
        pass

    model, plain = Mixed(network(6, 2, seed=1)), regressor(optimizer=keras.optimizers.SGD(0.1))
    model.compile(keras.optimizers.SGD(0.1))
    fit(model)
    fit(plain)
    assert_same(state(model), state(plain), rtol=1e-6)


def test_defaults_of_compile_are_saved(tmp_path):
    model = Regressor(network(6, 2))
    model.compile()
    fit(model)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert_same(state(model), state(loaded))


@keras.saving.register_keras_serializable("tests")
class Named(Regressor):
    def __init__(self, title="", **kwargs):
        super().__init__(**kwargs)
        self.title = title


def test_arguments_of_every_constructor_are_saved(tmp_path):
    model = Named("heights", network=network(6, 2))
    model.compile()
    model.save(tmp_path / "model.keras")
    assert keras.saving.load_model(tmp_path / "model.keras").title == "heights"
    assert Named.from_config(model.get_config()).title == "heights"


def test_a_composite_optimizer_has_no_learning_rate_of_its_own():
    with pytest.raises(AttributeError, match="Each optimizer has its own"):
        gan().optimizer.learning_rate = 0.5


def test_weights_without_targets_are_refused(make):
    x, *_ = toy_models.data()
    with pytest.raises(ValueError, match="`sample_weight` must come with `y`"):
        make().fit(x, sample_weight=np.ones(len(x)), verbose=0)
    with pytest.raises(ValueError, match="`class_weight` must come with class labels"):
        make().fit(x, class_weight={0: 1.0}, verbose=0)
