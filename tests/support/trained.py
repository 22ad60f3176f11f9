"""Which cells of a notebook show what training made: their output is another on another processor.

Follows names through the cells, from top to bottom: what training returns or changes is trained, and so is what is
computed from it. An approximation on the safe side, in one pass a cell.
"""

import ast
import builtins

TRAINS = {"fit", "fit_predict", "fit_transform", "train_on_batch", "train_step", "train_signature_network"}
TRAINS |= {"apply_gradients"}  # to the variables that it is given
CLOSED_FORM = {"PCA"}  # its `fit` is linear algebra, and rounds to the same few digits everywhere
# What is known of a network or an array before training.
KNOWN_BEFORE = {"len", "shape", "ndim", "dtype", "size", "count_params", "input_shape", "output_shape", "latent_dim"}


def called(node):
    """The name of the function or method that a call calls."""
    return getattr(node.func, "attr", getattr(node.func, "id", None)) if isinstance(node, ast.Call) else None


def root(node):
    """The name at the left end of `name.attribute[index].method(...)`, or None."""
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Call | ast.Starred):
        node = node.func if isinstance(node, ast.Call) else node.value
    return getattr(node, "id", None)


def walk(node):
    """The node and those below it, without what is known before training."""
    yield node
    if called(node) not in KNOWN_BEFORE and getattr(node, "attr", None) not in KNOWN_BEFORE:
        for child in ast.iter_child_nodes(node):
            yield from walk(child)


def training_calls(node):
    for call in walk(node):
        if called(call) in TRAINS and root(call) not in CLOSED_FORM:
            yield call


def trained_by(node):
    """The names of what the training calls in a node train."""
    names = set()
    for call in training_calls(node):
        names.add(root(call))
        if called(call) == "apply_gradients":
            names |= {part.id for part in walk(call) if isinstance(part, ast.Name)}
    return names - {None, *dir(builtins)}


def stored(node):
    """The names that get a new value within a node."""
    return {part.id for part in ast.walk(node) if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)}


class Flow:
    """The names that hold trained values after the cells that were `read`."""

    def __init__(self):
        self.trained, self.functions, self.imported = set(), {}, set()

    def read(self, source):
        """Whether the next cell displays a trained value."""
        lines = [line for line in source.splitlines() if not line.lstrip().startswith(("%", "!"))]
        body = ast.parse("\n".join(lines)).body
        shown = self.block(body)
        valued = bool(body) and isinstance(body[-1], ast.Expr) and not source.rstrip().endswith(";")
        return shown or (valued and self.depends(body[-1].value))

    def depends(self, node, inside=()):
        """Whether a value is the result of training or computed from one."""
        if any(training_calls(node)):
            return True
        names = {part.id for part in walk(node) if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Load)}
        for part in ast.walk(node):
            if isinstance(part, ast.comprehension):
                names -= stored(part.target)  # what it runs over is among the names, too
        if names & self.trained:
            return True
        return any(self.body_depends(name, inside) for name in names & self.functions.keys() - set(inside))

    def body_depends(self, name, inside):
        function = self.functions[name]
        own = stored(function) | {part.arg for part in ast.walk(function) if isinstance(part, ast.arg)}
        outer = self.trained
        self.trained = outer - own
        found = any(self.depends(statement, (*inside, name)) for statement in function.body)
        self.trained = outer
        return found

    def assign(self, target, value):
        """Names take a value, and are trained no longer if it is not; an element changes what it is part of."""
        if self.depends(value):
            self.trained |= stored(target) | {root(target)} - {None}
        else:
            self.trained -= stored(target)

    def trains(self, statement):
        """What is trained by a statement: here, or in a function that it calls."""
        self.trained |= trained_by(statement)
        for call in walk(statement):
            if function := self.functions.get(called(call)):
                names = [each.arg for each in function.args.args]
                within = trained_by(function)
                self.trained |= {root(value) for name, value in zip(names, call.args) if name in within}
                self.trained |= within - set(names) - stored(function)
        self.trained -= self.imported | {None}

    def block(self, statements):
        """Whether one of the statements prints a trained value."""
        shown = False
        for statement in statements:
            shown |= self.statement(statement)
        return shown

    def statement(self, node):
        shown = False
        match node:
            case ast.Import() | ast.ImportFrom():
                self.imported |= {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
            case ast.FunctionDef():
                self.functions[node.name] = node
                self.trained.discard(node.name)
            case ast.ClassDef():
                pass
            case ast.For():
                self.assign(node.target, node.iter)
                shown = self.block(node.body) | self.block(node.body)  # the second round knows what the first one set
            case ast.With() | ast.If() | ast.While():
                shown = self.block([*node.body, *getattr(node, "orelse", [])])
            case ast.Try():
                shown = self.block(node.body)
                if any(self.depends(statement) for statement in node.body):
                    self.trained |= {handler.name for handler in node.handlers} - {None}
                shown |= self.block([*(each for handler in node.handlers for each in handler.body), *node.orelse])
            case ast.Assign():
                self.trains(node)
                for target in node.targets:
                    self.assign(target, node.value)
            case ast.AugAssign():
                if self.depends(node.value):
                    self.trained.add(root(node.target))
            case ast.Expr():
                self.trains(node)
                shown = called(node.value) in {"print", "display"} and self.depends(node.value)
                if isinstance(node.value, ast.Call) and self.depends(node.value):  # rows.append(trained)
                    self.trained |= {root(node.value)} - self.imported - {None}
                self.trained -= {"print", "display"}
        return shown
