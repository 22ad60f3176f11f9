"""A verifier of signatures to deploy: people enrol, and a signature that bears their name is accepted or not.

Accepted is: mean distance to the references / (their mean distance from each other + 0.3) <= threshold.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..core import validation
from ..core.archive import read_archive, write_archive
from ..metrics.verification import equal_error_rate, threshold_at
from ..siamese import SiameseNetwork
from .trials import (
    REFERENCES,
    OperatingPoint,
    check_signatures,
    mean_distance,
    operating_point,
    reference_distance,
    verification_trials,
)

LEAST_BACKGROUND = 0.01  # of an image that must be exactly 0; the free edge of a preprocessed one is more


class Decision(NamedTuple):
    """What `SignatureVerifier.verify` found."""

    distance: float
    accepted: bool
    operating_point: OperatingPoint


class SignatureVerifier:
    """Accepts a signature if its `reference_distance` to a writer's enrolled references is at most a threshold.

    `calibrate` on development writers, `enroll` people, then `verify`. The threshold is one for all writers. All images
    are those of `datasets.preprocess_signature`; names are compared as text. Nothing notices a scan that is turned or
    upside down, and the decision on it means nothing: turn scans upright first.

    Args:
        network: `SiameseNetwork` on images `(n, height, width, 1)`, as `train_signature_network` makes it.

    Raises:
        ValueError: for another network.
    """

    def __init__(self, network):
        if not isinstance(network, SiameseNetwork):
            raise ValueError(f"`network` must be a SiameseNetwork, got {type(network).__name__}.")
        shape = network.embedding.input_shape
        if len(shape) != 4 or shape[3] != 1 or None in shape[1:]:
            raise ValueError(f"`network` must take images (n, height, width, 1), got {shape}.")
        self.network = network
        self.operating_point = None
        self.disagreement = None  # references farther from each other may be of several people
        self.enrolled = {}

    def calibrate(self, images, writers, forged=None, false_acceptance=None, references=REFERENCES, seed=0):
        """Choose the threshold on development writers: not those of training, and not those to report on.

        Args:
            images: `(n, height, width, 1)`.
            writers: `(n,)` labels, of two or more writers, with two or more genuine signatures each.
            forged: `(n,)` booleans; None if all are genuine.
            false_acceptance: the share of skilled forgeries that may be accepted, or of random ones where there are no
                skilled; None for the equal error rate.
            references: how many signatures people will enrol with.
            seed: integer; which signatures serve as references.

        Returns:
            `OperatingPoint`.

        Raises:
            ValueError: for bad arrays, rates or numbers; a writer with a single genuine signature.
        """
        images, writers, forged = check_signatures(self._images("images", images), writers, forged)
        labelled = self.network.embed(images), writers, forged, references, seed
        trials = verification_trials(*labelled)
        kind = "skilled" if forged.any() else "random"
        distances, different, _ = trials.pairs(kind)
        if false_acceptance is None:
            _, threshold = equal_error_rate(distances, different)
        else:
            threshold = threshold_at(distances, different, false_acceptance)
        self.operating_point = operating_point(trials, threshold)
        trials = verification_trials(*labelled, distance=mean_distance)
        genuine, random = (trials.distances[trials.kinds == kind] for kind in ("genuine", "random"))
        self.disagreement = float(max(genuine.max(), np.median(random)))
        return self.operating_point

    def enroll(self, writer, images):
        """Remember a writer's references, in place of earlier ones.

        Args:
            writer: name, text or a whole number.
            images: `(k, height, width, 1)`, 2 genuine signatures or more; 5 to 10 are usual.

        Raises:
            ValueError: before `calibrate`; for bad images, a single one, or one farther from the others than both every
                genuine signature and half of the random forgeries of the development writers were.
        """
        name = _name(writer)
        self._calibrated()
        images = self._images("images", images)
        if len(images) < 2:
            raise ValueError("`images` must hold 2 signatures or more, got 1: nothing tells how much they vary.")
        embeddings = self.network.embed(images)
        rows = np.arange(len(embeddings))
        distances = [mean_distance(embeddings[[row]], embeddings[rows != row])[0] for row in rows]
        if (most := max(distances)) > self.disagreement:
            raise ValueError(
                f"`images` must agree with each other, got a distance of {most:.3g} between number "
                f"{np.argmax(distances)} and the others, where {self.disagreement:.3g} is the most: is it another's?"
            )
        self.enrolled[name] = embeddings

    def verify(self, writer, image):
        """Decide on one signature.

        Args:
            writer: name under which references were enrolled.
            image: `(height, width, 1)`, the signature in question.

        Returns:
            `Decision(distance, accepted, operating_point)`.

        Raises:
            ValueError: for an unknown writer or a bad image.
        """
        name = _name(writer)
        self._calibrated()
        if name not in self.enrolled:
            raise ValueError(f"`writer` must be one of the {len(self.enrolled)} who are enrolled, got {name!r}.")
        image = validation.array("image", image, self.network.embedding.input_shape[1:], 0, 1)
        embedding = self.network.embed(self._images("image", image[None]))
        distance = float(reference_distance(embedding, self.enrolled[name])[0])
        return Decision(distance, distance <= self.operating_point.threshold, self.operating_point)

    def save(self, path):
        """Write network, threshold and references to one file, an archive without pickle, whole or not at all."""
        self._calibrated()
        names = list(self.enrolled)
        settings = {"operating_point": self.operating_point, "disagreement": self.disagreement, "names": names}
        none = np.zeros((0, self.network.embedding.output_shape[1]), "float32")
        arrays = {
            "counts": np.array([len(self.enrolled[name]) for name in names], "int64"),
            "embeddings": np.concatenate([none, *self.enrolled.values()]),
        }
        write_archive(path, "SignatureVerifier", settings, arrays, {"embedding": self.network.embedding})

    @classmethod
    def load(cls, path):
        """Read what `save` wrote.

        Raises:
            ValueError: for a file that is none, is foreign, truncated or altered.
        """
        if not Path(path).is_file():
            raise ValueError(f"`path` must be a file, got nothing at {str(path)!r}.")
        settings, arrays, models = read_archive(path, "SignatureVerifier")
        verifier = cls(SiameseNetwork(models["embedding"]))
        verifier.operating_point = OperatingPoint(*settings["operating_point"])
        verifier.disagreement = settings["disagreement"]
        references = np.split(arrays["embeddings"], np.cumsum(arrays["counts"])[:-1])
        verifier.enrolled = dict(zip(settings["names"], references))
        return verifier

    def _calibrated(self):
        if self.operating_point is None:
            raise ValueError("`calibrate` must be called first: there is no threshold yet.")

    def _images(self, name, images):
        images = validation.array(name, images, (None, *self.network.embedding.input_shape[1:]), 0, 1)
        background = (images == 0).mean(axis=(1, 2, 3))
        if background.min() < LEAST_BACKGROUND or background.max() == 1:
            raise ValueError(
                f"`{name}` must be ink on a background of exactly 0, got one with {background.min():.0%} to "
                f"{background.max():.0%} background: pass scans through datasets.preprocess_signature."
            )
        return images


def _name(writer):
    if isinstance(writer, bool) or not isinstance(writer, (str, int, np.integer)) or writer == "":
        raise ValueError(f"`writer` must be a name or a whole number, got {writer!r}.")
    return str(writer)
