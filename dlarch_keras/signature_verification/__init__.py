from .network import *  # noqa
from .network import EPOCHS, LOSS
from .verifier import SignatureVerifier
