"""Offline signature verification: whether a scanned signature is by the person whose name it bears.

One network embeds the signatures of all writers (writer-independent: those of people it has never met, too); a
signature is accepted if it lies close to a person's enrolled references. Bromley et al., "Signature verification using
a Siamese time delay neural network", NIPS 1993; Dey et al., "SigNet: convolutional Siamese network for writer
independent offline signature verification", 2017; the roles of skilled and random forgeries as in Hafemann, Sabourin &
Oliveira, "Offline handwritten signature verification - literature review", 2017.

    network, held_back = train_signature_network(images, writers, forged)
    verifier = SignatureVerifier(network)
    verifier.calibrate(images[held_back], writers[held_back], forged[held_back])
    verifier.enroll("Ada", references)
    distance, accepted, operating_point = verifier.verify("Ada", image)
"""

from .network import signature_embedding
from .training import LOSS, BestAverage, WriterBatches, split_writers, train_signature_network
from .verifier import SignatureVerifier

__all__ = [
    "LOSS",
    "BestAverage",
    "SignatureVerifier",
    "WriterBatches",
    "signature_embedding",
    "split_writers",
    "train_signature_network",
]
