"""Saving a model whole: the file, every optimizer, and the random state that Keras leaves out."""

import inspect
from pathlib import Path

import keras

from .archive import replacing
from .optimizers import CompositeOptimizer


class Saving:
    """The part of `Model` that writes it to a file and reads it back."""

    def save(self, filepath, overwrite=True, **kwargs):
        """Save the whole model, as `keras.Model.save` does; a failure leaves the old file as it was.

        Raises:
            ValueError: for a file of another kind than `.keras`.
        """
        if not str(filepath).endswith(".keras"):  # HDF5 takes functional models only, and Keras would leave half a file
            raise ValueError(
                f"`filepath` must end in .keras, got {str(filepath)!r}; save_weights() and export() do more."
            )
        _write(super().save, filepath, overwrite, **kwargs)

    def save_weights(self, filepath, overwrite=True, **kwargs):
        """Save the weights, as `keras.Model.save_weights` does; a failure leaves the old file as it was."""
        _write(super().save_weights, filepath, overwrite, **kwargs)

    def export(self, filepath, format="tf_saved_model", verbose=None, input_signature=None, **kwargs):
        """Export what `call` computes, as `keras.Model.export` does, to be used without this package.

        An `input_signature` is needed only where `call` takes what none of the networks takes.
        """
        if input_signature is None:
            if self.inputs is None:
                raise ValueError(f"`input_signature` must say what {type(self).__name__}.call takes, got None.")
            input_signature = [self.inputs]
        super().export(filepath, format=format, verbose=verbose, input_signature=input_signature, **kwargs)

    @property
    def inputs(self):
        """What `call` takes, a `keras.KerasTensor` or a list of them: the inputs of the first network; None without."""
        for network in self.layers:
            if inputs := getattr(network, "inputs", None):
                return inputs[0] if len(inputs) == 1 else inputs
        return None

    def get_config(self):
        """The arguments of the constructor, each read from the attribute of its name."""
        config = super().get_config()
        for owner in type(self).__mro__[: type(self).__mro__.index(keras.Model)]:
            parameters = inspect.signature(owner.__init__).parameters.values() if "__init__" in owner.__dict__ else ()
            for parameter in list(parameters)[1:]:
                if parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
                    value = getattr(self, parameter.name)
                    config.setdefault(parameter.name, keras.saving.serialize_keras_object(value))
        return config

    @classmethod
    def from_config(cls, config, custom_objects=None):
        return cls(**keras.saving.deserialize_keras_object(config, custom_objects=custom_objects))

    def get_compile_config(self):
        config = super().get_compile_config()
        if config and isinstance(self.optimizer, CompositeOptimizer):
            del config["optimizer"]
            config["auto_scale_loss"] = False  # whatever scales is a member already
            for name, member in self.optimizer.members.items():
                config[f"{name}_optimizer"] = keras.saving.serialize_keras_object(member)
        return config

    def compile_from_config(self, config):
        self.compile(**keras.saving.deserialize_keras_object(config))

    def save_own_variables(self, store):
        """Save this model's own variables, and the random state of every layer, which Keras leaves out."""
        super().save_own_variables(store)
        for name, variable in self.seed_states().items():
            store[name] = keras.ops.convert_to_numpy(variable)

    def load_own_variables(self, store):
        saved = [name for name in store.keys() if name.startswith("seed_state_")]  # noqa: SIM118, an HDF5 group's keys
        super().load_own_variables({name: store[name] for name in store.keys() if name not in saved})  # noqa: SIM118
        states = self.seed_states()
        if len(saved) == len(states):  # else a layer such as Dropout was added since or taken out
            for name, variable in states.items():
                variable.assign(store[name])

    def seed_states(self):
        """The random states of this model and its layers, named by their order."""
        weights = {id(variable) for variable in self.weights}
        states = [variable for variable in self.variables if id(variable) not in weights]
        return {f"seed_state_{number}": variable for number, variable in enumerate(states)}


def _write(save, filepath, overwrite, **kwargs):
    # Left to Keras: addresses, folders, shards, and asking before it overwrites.
    one_file = str(filepath).endswith((".keras", ".weights.h5")) and Path(filepath).absolute().parent.is_dir()
    if one_file and overwrite and not kwargs:
        with replacing(filepath) as part:
            save(part)
    else:
        save(filepath, overwrite=overwrite, **kwargs)
