"""One `ValueError` that names the argument for each kind of bad input, whatever an architecture is given."""

import functools

import keras
import numpy as np
import pytest

from tests.support import architectures
from tests.support.architectures import (
    ARCHITECTURES,
    CLASSES,
    VARIANTS,
    constructor_arguments,
    images,
    labels,
    large,
    pairs,
    small,
)
from tests.support.bad_input import COUNTS, SEEDS, bad_arrays, bad_conditions, bad_labels

X, Y, Z = images(), labels(), images(32, (3,))
SOURCES, TARGETS, SMALL, LARGE = architectures.sources(), architectures.targets(), small(), large()
WEIGHTS = np.ones(len(X), "float32")
GIVEN = {"x": X, "condition": Y}


def same(methods, arguments):
    return dict.fromkeys(methods, arguments)


# Good arguments of every method, of which one is replaced by bad versions at a time.
CALLS = {
    "autoencoder": {
        "fit": {"x": X, "sample_weight": WEIGHTS, "batch_size": 8},
        "evaluate": {"x": X, "sample_weight": WEIGHTS},
        **same(("predict", "encode", "reconstruct", "reconstruction_error"), {"x": X}),
        "decode": {"z": Z},
    },
    "denoising autoencoder": same(("fit", "evaluate"), {"x": X, "y": X, "sample_weight": WEIGHTS}),
    "VAE": {
        "fit": {"x": X, "sample_weight": WEIGHTS, "batch_size": 8},
        "evaluate": {"x": X, "sample_weight": WEIGHTS},
        **same(("predict", "encode", "posterior", "reconstruct"), {"x": X}),
        **same(("elbo", "log_likelihood"), {"x": X, "samples": 2, "seed": 0}),
        "interpolate": {"a": X, "b": X, "steps": 3},
        "decode": {"z": Z},
        "generate": {"n": 4, "seed": 0},
    },
    "conditional VAE": {
        **same(("fit", "evaluate"), {"x": X, "y": Y, "sample_weight": WEIGHTS}),
        **same(("encode", "posterior", "reconstruct", "elbo", "log_likelihood"), GIVEN),
        "interpolate": {"a": X, "b": X, "condition": Y},
        "decode": {"z": Z, "condition": Y},
        "generate": {"n": len(Y), "condition": Y},
        "change": {**GIVEN, "new_condition": Y},
    },
    "GAN": {
        "fit": {"x": X, "batch_size": 8},
        **same(("evaluate", "predict"), {"x": X}),
        "decode": {"z": Z},
        "generate": {"n": 4, "seed": 0},
    },
    "GAN, conditional": {
        **same(("fit", "evaluate"), {"x": X, "y": Y}),
        "decode": {"z": Z, "condition": Y},
        "generate": {"n": len(Y), "condition": Y},
    },
    "WGAN-GP": {
        "fit": {"x": X, "batch_size": 8},
        **same(("evaluate", "predict"), {"x": X}),
        "decode": {"z": Z},
        "generate": {"n": 4, "seed": 0},
    },
    "pix2pix": {
        **same(("fit", "evaluate"), {"x": SOURCES, "y": TARGETS}),
        **same(("predict", "translate"), {"x": SOURCES}),
    },
    "SRGAN": {
        **same(("fit", "evaluate"), {"x": SMALL, "y": LARGE}),
        "predict": {"x": SMALL},
        "upscale": {"x": SMALL, "tile": 8},
    },
    "Siamese": {
        **same(("fit", "evaluate"), {"x": X, "y": Y}),
        "predict": {"x": X},
        "embed": {"x": X, "batch_size": 8},
        "distance": {"a": X, "b": X},
    },
}
# What may be left out.
OPTIONAL = {"sample_weight", "seed"} | {("denoising autoencoder", "y"), ("autoencoder", "batch_size")}
OPTIONAL |= {(name, "batch_size") for name in ("VAE", "GAN", "WGAN-GP")}
OF_ANY_SIZE = {("SRGAN", "x")}


@functools.cache
def untrained(name):
    """For tests that change nothing."""
    return {**ARCHITECTURES, **VARIANTS}[name].make()


def bad_versions(name, argument, good):
    if argument == "seed":
        return SEEDS
    if isinstance(good, int):
        bad = dict(COUNTS)
    elif argument == "sample_weight":
        bad = {"of each element": np.ones(X.shape), "longer": np.ones(len(X) + 1)}
    elif good.dtype.kind == "i":
        bad = bad_labels(good) if name == "Siamese" else bad_conditions(good, CLASSES)
    else:
        bad = bad_arrays(good, bounded=argument != "z")
    if argument in ("y", "b", "condition", "new_condition", "sample_weight"):
        bad["fewer"] = good[:-1]
    if {argument, (name, argument)} & OPTIONAL:
        bad.pop("None", None)
    if (name, argument) in OF_ANY_SIZE:
        bad.pop("shape")
    return bad


def refuses(message, function, kinds):
    """Whether `function` of each bad value raises a ValueError with this message."""
    for kind, bad in kinds.items():
        try:
            function(bad)
        except ValueError as error:
            # A list of two is a pair to a Siamese network: the first of them is bad.
            assert message in str(error) or (kind == "ragged" and "`x[0]` must" in str(error)), f"{kind}: {error}"
        else:
            pytest.fail(f"{kind} was let in")


def arguments_of(calls):
    return [(name, method, argument) for name in calls for method in calls[name] for argument in calls[name][method]]


@pytest.mark.parametrize(("name", "method", "argument"), arguments_of(CALLS))
def test_bad_arguments_are_refused(name, method, argument):
    good, function = CALLS[name][method], getattr(untrained(name), method)
    quiet = {"verbose": 0} if method in ("fit", "evaluate", "predict") else {}
    kinds = bad_versions(name, argument, good[argument])
    refuses(f"`{argument}` must", lambda bad: function(**{**good, argument: bad}, **quiet), kinds)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_bad_validation_data_is_refused(name):
    x, y = ARCHITECTURES[name].data(32)
    kinds = {kind: bad for kind, bad in bad_versions(name, "x", x).items() if kind != "None"}  # None: no validation
    model = untrained(name)
    refuses("`x` must", lambda bad: model.fit(x, y, validation_data=(bad, y), verbose=0), kinds)


@pytest.mark.parametrize("place", [0, 1])
def test_bad_images_in_pairs_are_refused(place):
    x, y = pairs()

    def fit(bad):
        pair = (bad, x[1]) if place == 0 else (x[0], bad)
        untrained("Siamese").fit(pair, y, verbose=0)

    refuses(f"`x[{place}]` must", fit, bad_arrays(X))


@pytest.mark.parametrize("method", ["fit", "evaluate"])
def test_bad_labels_of_pairs_are_refused(method):
    x, y = pairs()
    kinds = {
        "None": None,
        "shorter": y[1:],
        "a column": y[:, None],
        "1 and 2": y + 1,
        "halves": y / 2,
        "text": ["a"] * len(y),
        "ragged": [[1], [1, 0]],
    }
    refuses("`y` must", lambda bad: getattr(untrained("Siamese"), method)(x, bad, verbose=0), kinds)


@pytest.mark.parametrize("name", ["GAN, conditional", "conditional VAE"])
def test_bad_inputs_of_predict_are_refused_where_there_is_a_condition(name):
    kinds = {
        "no condition": X,
        "three": [X, Y, Y],
        "images alone": [X],
        "bad images": [1 + X, Y],
        "bad labels": [X, Y + 1],
    }
    for kind, bad in kinds.items():
        with pytest.raises(ValueError, match=r"`(x|y|condition|x\[\d\])` must"):
            untrained(name).predict(bad, verbose=0)
            pytest.fail(f"{kind} was let in")


@pytest.mark.parametrize("name", ["autoencoder", "VAE", "GAN", "WGAN-GP"])
@pytest.mark.parametrize("method", ["fit", "evaluate"])
def test_labels_are_refused_where_there_is_no_condition(name, method):
    """An autoencoder may have another target than its input, of the same shape."""
    message = "`y` must be an array of floats" if name in ("autoencoder", "VAE") else "`y` must be left out"
    refuses(message, lambda y: getattr(untrained(name), method)(X, y, verbose=0), {"labels": Y})


@pytest.mark.parametrize("name", ["VAE", "GAN", "WGAN-GP"])
def test_a_condition_is_refused_where_there_is_none(name):
    model = untrained(name)
    calls = [functools.partial(model.generate, 32), functools.partial(model.decode, Z)]
    for call in calls + ([functools.partial(model.encode, X)] if name == "VAE" else []):
        with pytest.raises(ValueError, match="`condition` must be left out"):
            call(condition=Y)


@pytest.mark.parametrize("name", [*ARCHITECTURES, "GAN, conditional", "WGAN-GP, conditional"])
def test_weights_are_refused_where_they_have_no_meaning(name):
    model = untrained(name)
    x, y = {**ARCHITECTURES, **VARIANTS}[name].data(32)
    classes = {0: 1.0, 1: 2.0}
    if model.takes_sample_weight:
        with pytest.raises(ValueError, match="`class_weight` must"):
            model.fit(x, class_weight=classes, verbose=0)
        return
    for call in (
        lambda: model.fit(x, y, sample_weight=WEIGHTS, verbose=0),
        lambda: model.fit(x, y, class_weight=classes, verbose=0),
        lambda: model.evaluate(x, y, sample_weight=WEIGHTS, verbose=0),
    ):
        with pytest.raises(ValueError, match="`sample_weight` and `class_weight` must be left out"):
            call()


# Streams: a batch of them is known by its form when the step is compiled.


class Batches(keras.utils.PyDataset):
    def __init__(self, *batch, count=2):
        super().__init__()
        self.batch, self.count = batch, count

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        return self.batch


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_streams_of_bad_batches_are_refused(name):
    x, y = ARCHITECTURES[name].data(8)
    model = ARCHITECTURES[name].make()
    for bad in (x[..., 0], np.concatenate([x, x], axis=-1), (x * 255).astype("uint8")):
        batch = (bad,) if y is None else (bad, y)
        for method in ("fit", "evaluate"):  # each of a new model: Keras on JAX loses the weights where a step fails
            with pytest.raises(ValueError, match="`x` must"):
                getattr(ARCHITECTURES[name].make(), method)(Batches(*batch), verbose=0)
    if y is not None:
        for bad in ((x,), (x, y[:, None]), (x, y, np.ones(8, "float32")))[: 3 - model.takes_sample_weight]:
            with pytest.raises(ValueError, match=r"`(y|sample_weight)`.* must"):
                ARCHITECTURES[name].make().fit(Batches(*bad), verbose=0)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_stream_of_good_batches_trains_as_arrays_do(name):
    make, data = ARCHITECTURES[name]
    x, y = data(8)
    streamed, from_arrays = (architectures.compiled(make(), run_eagerly=True) for _ in range(2))
    streamed.fit(Batches(*(each for each in (x, y) if each is not None)), verbose=0)
    from_arrays.fit(*data(8), batch_size=8, epochs=2, shuffle=False, verbose=0)
    architectures.assert_same(streamed, from_arrays, rtol=1e-6)


# Constructors


DECAYS = {"negative": -0.1, "one": 1.0, "NaN": np.nan, "text": "0.1", "None": None, "a boolean": True}
FACTORS = {"negative": -1, "NaN": np.nan, "infinity": np.inf, "text": "1", "None": None}
RANGES = {"one number": 1, "in the wrong order": (1, 0), "three": (0, 1, 2), "text": "pixels", "NaN": (0, np.nan)}
POSITIVE = {**FACTORS, "zero": 0.0}
SETTINGS = {
    "autoencoder": {"reconstruction_loss": {"unknown": "mae"}, "data_range": RANGES},
    "denoising autoencoder": {
        "corruption": {"None": None, "a number": 0.5, "text": "gaussian", "a function": lambda x: x}
    },
    "VAE": {
        "beta": FACTORS,
        "likelihood": {"unknown": "poisson"},
        "stddev": POSITIVE,
        "warmup_steps": {kind: bad for kind, bad in COUNTS.items() if bad != 0 or bad is False},
        "data_range": RANGES,
    },
    "GAN": {"label_smoothing": DECAYS, "ema_decay": DECAYS, "seed": SEEDS, "data_range": RANGES},
    "WGAN-GP": {"discriminator_steps": COUNTS, "penalty_weight": FACTORS, "ema_decay": DECAYS, "seed": SEEDS},
    "pix2pix": {"l1_weight": FACTORS, "data_range": RANGES},
    "SRGAN": {"pixel_weight": FACTORS, "adversarial_weight": FACTORS},
    "Siamese": {"loss": {"text": "mse", "a class": architectures.ContrastiveLoss}, "data_range": RANGES},
}


@pytest.mark.parametrize(("name", "setting"), [(name, setting) for name in SETTINGS for setting in SETTINGS[name]])
def test_bad_settings_are_refused(name, setting):
    model = untrained(name)
    make = functools.partial(type(model), **{k: v for k, v in constructor_arguments(model).items() if k != setting})
    refuses(f"`{setting}` must", lambda bad: make(**{setting: bad}), SETTINGS[name][setting])


NETWORKS = ("encoder", "decoder", "generator", "discriminator", "embedding", "features")


@pytest.mark.parametrize("name", [*ARCHITECTURES, "SRGAN, features"])
def test_what_is_no_network_is_refused(name):
    given = constructor_arguments(untrained(name))
    for network in NETWORKS:
        if given.get(network) is not None:
            others = {argument: value for argument, value in given.items() if argument != network}
            for bad, message in (
                ("network", "be a keras.Model"),
                (keras.layers.Dense(1), "be a keras.Model"),
                (keras.Sequential([keras.layers.Dense(3)]), "be built"),
                *([] if network == "features" else [(None, "be a keras.Model")]),
            ):
                with pytest.raises(ValueError, match=f"`{network}` must {message}"):
                    type(untrained(name))(**others, **{network: bad})


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_optimizers_that_do_not_fit_are_refused(name):
    model = ARCHITECTURES[name].make()
    names = [f"{network}_optimizer" for network in model.networks_with_optimizers]
    for missing in names:
        with pytest.raises(ValueError, match=f"`{missing}` must be an optimizer"):
            model.compile(**{each: "adam" for each in names if each != missing})
    if names:
        with pytest.raises(ValueError, match="one of them twice"):
            model.compile(**dict.fromkeys(names, keras.optimizers.Adam()))
    for argument in ("loss", "metrics", "weighted_metrics", "loss_weights"):
        with pytest.raises(ValueError, match=f"`{argument}` must be left out"):
            model.compile(**(dict.fromkeys(names, "adam") or {"optimizer": "adam"}), **{argument: ["mse"]})
