"""Several optimizers that are one optimizer to Keras: a model's networks each have their own."""

import keras


def composite(model, optimizers, scale_loss=False):
    """The optimizers of a model's networks as one.

    Args:
        model: `Model` with built networks.
        optimizers: `{attribute that holds a network: optimizer, or its name}`.
        scale_loss: whether each optimizer scales its loss, for float16.

    Returns:
        `CompositeOptimizer`.

    Raises:
        ValueError: for a missing optimizer, one given twice, or variables that none or several would train.
    """
    for name, optimizer in optimizers.items():
        if optimizer is None:
            raise ValueError(f"`{name}_optimizer` must be an optimizer or its name, got None.")
    members = {name: keras.optimizers.get(optimizer) for name, optimizer in optimizers.items()}
    if len({id(member) for member in members.values()}) < len(members):
        raise ValueError(f"Each of {list(members)} must have an optimizer of its own, got one of them twice.")
    if scale_loss:
        scaled = keras.optimizers.LossScaleOptimizer
        members = {name: member if isinstance(member, scaled) else scaled(member) for name, member in members.items()}
    groups = {name: getattr(model, name).trainable_variables for name in members}
    trained = sorted(id(variable) for group in groups.values() for variable in group)
    if trained != sorted(id(variable) for variable in model.trainable_variables):
        raise ValueError(
            f"The optimizers must train every trainable variable of {type(model).__name__} exactly once, "
            f"got optimizers for {list(members)}: name the missing network, or set its `trainable` to False."
        )
    return CompositeOptimizer(members, groups)


class CompositeOptimizer(keras.optimizers.Optimizer):
    """Several optimizers, one for each group of variables, that are one optimizer to Keras.

    Keras's trainers thread the variables of `model.optimizer` through compiled steps, save and restore them; this is
    how they get to see those of every member. Learning-rate callbacks find the members in `optimizers`.

    Args:
        members: dictionary of optimizers, in the order in which their variables are listed.
        groups: dictionary with the same keys: the variables that each member trains.
    """

    def __init__(self, members, groups):
        super().__init__(learning_rate=0.0, name="composite_optimizer")
        self.members = dict(members)
        self.groups = {name: list(variables) for name, variables in groups.items()}
        for name, member in self.members.items():
            if not member.built:
                member.build(self.groups[name])
        super().build([variable for group in self.groups.values() for variable in group])

    def __getitem__(self, name):
        return self.members[name]

    @property
    def optimizers(self):
        return list(self.members.values())

    @property
    def variables(self):
        return [variable for member in self.optimizers for variable in member.variables]

    @property
    def iterations(self):
        return self.optimizers[0].iterations

    def _no_learning_rate(self, *_):
        names = list(self.members)
        raise AttributeError(f"Each optimizer has its own: optimizer[name].learning_rate, name in {names}.")

    learning_rate = property(_no_learning_rate, _no_learning_rate)

    def of(self, variables):
        """The member that trains `variables`.

        Raises:
            ValueError: if no single member does.
        """
        wanted = {id(variable) for variable in variables}
        for name, group in self.groups.items():
            if wanted <= {id(variable) for variable in group}:
                return self.members[name]
        raise ValueError(
            f"`variables` must belong to one of {list(self.groups)}, got {[variable.path for variable in variables]}."
        )

    def finalize_variable_values(self, var_list):
        for name, member in self.members.items():
            member.finalize_variable_values(self.groups[name])

    def apply(self, grads, trainable_variables=None):
        raise ValueError(f"Apply gradients with one member, `optimizer[name]`, where name is in {list(self.members)}.")

    def save_own_variables(self, store):
        """Nothing: Keras saves each member through `optimizers`."""

    def load_own_variables(self, store):
        """Nothing: Keras loads each member through `optimizers`."""
