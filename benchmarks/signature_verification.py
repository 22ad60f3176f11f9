"""Signatures of writers never seen, beside histograms of gradients: `python -m benchmarks.signature_verification`.

The 200 writers of `datasets.make_signatures`, 12 genuine signatures and 12 skilled forgeries of each. A seed is a
split: 150 writers to train on, 30 of them for the early stop and the threshold, and 50 to test. A signature is compared
with 5 references. Skilled and random forgeries (one genuine signature of each other writer) are never mixed; intervals
are bootstrapped over test writers. The baseline, chosen when the generator's skill was frozen, is the distance between
histograms of gradients to the nearest reference; beside it, the same histograms with the network's measure, which knows
the writer's spread. That measure and its constant were chosen on the development writers of split 0, some of whom are
test writers of the other splits, after a first one (the mean distance; splits 0 to 2: skilled EER 16.1 %, random 2.6 %)
had been measured here. Seconds are the processor's, of training, over the number of cores.

Scans of your own in `$DLARCH_DATA_DIR/signatures`, in any layout of `load_signatures` and with forgeries, are measured
as well where there are some: a third of their writers to test, a network trained on the others, and one trained on
generated writers alone.
"""

import tempfile
import time
from functools import cache, partial
from pathlib import Path

import numpy as np
from skimage.feature import hog

from benchmarks import runner
from dlarch_keras.datasets import data_dir
from dlarch_keras.datasets.signature_folders import Signatures, load_signatures
from dlarch_keras.datasets.signatures import make_signatures
from dlarch_keras.metrics.verification import equal_error_rate, group_interval
from dlarch_keras.signature_verification.trials import operating_point, verification_trials
from dlarch_keras.signature_verification import split_writers, train_signature_network
from dlarch_keras.signature_verification.verifier import SignatureVerifier

WRITERS, GENUINE, FORGED = runner.size((200, 12, 12), (12, 7, 3))
TRAINING = runner.size({}, {"epochs": 1, "steps": 2})
KINDS = ("skilled", "random")
RATES = ("genuine rejected", "skilled accepted", "random accepted")
SKILLS = runner.size((0.0, 0.25, 0.75, 1.0), (0.0,))
PEOPLE, QUERIES = runner.size((200_000, 200), (5000, 5))  # five references each: a million
SCANS = data_dir() / "signatures"
HISTOGRAMS, BY_SPREAD = "histograms of gradients", "histograms of gradients by spread"


@cache
def signatures():
    return make_signatures(WRITERS, GENUINE, FORGED, seed=0)


@cache
def forgeries(skill):
    """Six forgeries of another skill of each of the same writers."""
    data = make_signatures(WRITERS, 1, 6, skill=skill, seed=0)
    return Signatures(*(part[data.forged] for part in data))


def nearest(embeddings, references):
    return np.linalg.norm(embeddings[:, None] - references[None], axis=-1).min(axis=1)


def histograms(images):
    """Histograms of gradients, cells of 16 × 16 pixels."""
    return np.stack([hog(image[..., 0], 9, (16, 16), (2, 2)) for image in images])


def trained(training, seed):
    """A network, the rows held back, and the seconds of training."""
    start = runner.processor_seconds()
    network, held_back = train_signature_network(*training, **TRAINING, seed=seed)
    return network, held_back, runner.processor_seconds() - start


def baseline(images, writers, forged):
    found = histograms(images)
    unit = found / np.linalg.norm(found, axis=1, keepdims=True)
    return rates(verification_trials(found, writers, forged, distance=nearest), HISTOGRAMS) | rates(
        verification_trials(unit, writers, forged), BY_SPREAD
    )


def rates(trials, name):
    """Equal error rates and their intervals over writers."""
    found = {}
    for kind in KINDS:
        distances, different, writers = trials.pairs(kind)
        found[f"{name}, {kind} EER"] = equal_error_rate(distances, different)[0]
        low, high = group_interval(lambda *pairs: equal_error_rate(*pairs)[0], writers, distances, different)
        found |= {f"{name}, {kind} EER, 95 % from": low, f"{name}, {kind} EER, 95 % to": high}
    return found


@cache
def split(seed):
    """Train, calibrate and test on one split: all figures, the seconds of training, and the verifier."""
    data = signatures()
    test = split_writers(data.writers, 0.25, seed)
    training = [part[~test] for part in data]
    network, held_back, seconds = trained(training, seed)
    verifier = SignatureVerifier(network)
    threshold = verifier.calibrate(*(part[held_back] for part in training)).threshold
    writers, forged = data.writers[test], data.forged[test]
    trials = verification_trials(network.embed(data.images[test]), writers, forged)
    point = operating_point(trials, threshold)
    found = rates(trials, "network")
    found |= {f"network, development threshold, {rate}": value for rate, value in zip(RATES, point[1:])}
    found |= baseline(data.images[test], writers, forged)
    genuine = test & ~data.forged
    for skill in SKILLS:
        fakes = forgeries(skill)
        rows = np.isin(fakes.writers, writers)
        images, *labels = (np.concatenate([a[genuine], b[rows]]) for a, b in zip(data, fakes))
        other = verification_trials(network.embed(images), *labels)
        found[f"network, skilled EER at skill {skill:g}"] = equal_error_rate(*other.pairs("skilled")[:2])[0]
    return found, seconds, verifier


@cache
def scans():
    return load_signatures(SCANS)


@cache
def split_of_scans(trained_on, seed):
    """The figures on scans of a network trained on the other writers' scans, or on generated writers alone."""
    data = scans()
    test = split_writers(data.writers, 1 / 3, seed)
    tested = [part[test] for part in data]
    if trained_on in (HISTOGRAMS, BY_SPREAD):
        return baseline(*tested), 0.0, split(seed)[2]
    if trained_on == "generated writers":
        _, seconds, verifier = split(seed)
    else:
        network, _, seconds = trained([part[~test] for part in data], seed)
        verifier = SignatureVerifier(network)
    trials = verification_trials(verifier.network.embed(tested[0]), *tested[1:])
    return rates(trials, trained_on), seconds, verifier


def figure(name, measure=split, dataset="generated signatures"):
    def task(seed):
        found, seconds, verifier = measure(seed)
        return result(name, found[name], seconds, verifier, dataset)

    return task


def result(name, value, seconds, verifier, dataset="generated signatures"):
    parameters = verifier.network.embedding.count_params()
    if name.startswith(HISTOGRAMS):
        seconds = parameters = 0  # nothing is learned
    return runner.row(dataset, name.split(", ", 1)[1], value, seconds, parameters)


@cache
def million(seed):
    """A verifier with a million enrolled embeddings, queried, saved and loaded."""
    _, _, trained = split(seed)
    verifier = SignatureVerifier(trained.network)
    verifier.operating_point, verifier.disagreement = trained.operating_point, trained.disagreement
    width = verifier.network.embedding.output_shape[1]
    codes = np.random.default_rng(seed).standard_normal((PEOPLE, 5, width), "float32")
    verifier.enrolled = {str(k): row for k, row in enumerate(codes / np.linalg.norm(codes, axis=2, keepdims=True))}
    images, times = signatures().images[:QUERIES], {}
    verifier.verify("0", images[0])
    start = time.process_time()
    for number, image in enumerate(images):
        verifier.verify(str(number * 999), image)
    times["ms a query"] = (time.process_time() - start) / QUERIES * 1e3
    with tempfile.TemporaryDirectory() as folder:
        for step in ("save", "load"):
            start = time.process_time()
            path = Path(folder, "verifier")
            verifier.save(path) if step == "save" else SignatureVerifier.load(path)
            times[f"seconds to {step}"] = time.process_time() - start
    return times, verifier


def million_task(metric):
    def task(seed):
        times, verifier = million(seed)
        return result(f"a million enrolled, {metric}", times[metric], split(seed)[1], verifier)

    return task


ERRORS = [f"{kind} EER{end}" for kind in KINDS for end in ("", ", 95 % from", ", 95 % to")]
NAMES = [
    *(f"{who}, {error}" for who in ("network", HISTOGRAMS, BY_SPREAD) for error in ERRORS),
    *(f"network, development threshold, {what}" for what in RATES),
    *(f"network, skilled EER at skill {skill:g}" for skill in SKILLS),
]
TASKS = {name: figure(name) for name in NAMES}
TASKS |= {
    f"a million enrolled, {metric}": million_task(metric)
    for metric in ("ms a query", "seconds to save", "seconds to load")
}
if SCANS.is_dir():
    for trained_on in ("scans", "generated writers", HISTOGRAMS, BY_SPREAD):
        measure = partial(split_of_scans, trained_on)
        TASKS |= {f"scans, {trained_on}, {e}": figure(f"{trained_on}, {e}", measure, "scans") for e in ERRORS}

if __name__ == "__main__":
    runner.main("signature_verification", TASKS, seeds=5)
