"""Deep learning architectures in Keras: models with a `train_step` for every backend, behind a notebook series."""

import importlib

# Not lazy: what keras.saving.load_model must find in a file.
from .autoencoder import Autoencoder
from .conditional_vae import ConditionalVAE
from .denoising_autoencoder import DenoisingAutoencoder
from .gan import GAN
from .networks import upscaling
from .one_shot.losses import NTXentLoss, TripletLoss
from .pix2pix import Pix2Pix
from .siamese import ContrastiveLoss, SiameseNetwork
from .srgan import SRGAN
from .vae import VAE
from .wgan_gp import WGANGP

_MODULE_OF = {
    "AnomalyDetector": "anomaly_detection",
    "BalancedBatches": "datasets.balanced_batches",
    "ImageAnomalyDetector": "anomaly_detection",
    "SignatureVerifier": "signature_verification",
    "equal_error_rate": "metrics.verification",
    "error_rates": "metrics.verification",
    "frechet_distance": "metrics.generation",
    "kernel_distance": "metrics.generation",
    "load_fashion_mnist": "datasets",
    "load_mnist": "datasets",
    "mode_coverage": "metrics.generation",
    "n_way_accuracy": "metrics.identification",
    "psnr": "metrics.reconstruction",
    "show_source": "plots",
    "ssim": "metrics.reconstruction",
    "train_signature_network": "signature_verification",
}

__all__ = [
    "GAN",
    "SRGAN",
    "VAE",
    "WGANGP",
    "Autoencoder",
    "ConditionalVAE",
    "ContrastiveLoss",
    "DenoisingAutoencoder",
    "NTXentLoss",
    "Pix2Pix",
    "SiameseNetwork",
    "TripletLoss",
    *_MODULE_OF,
]


def __getattr__(name):
    # Lazy: pandas, scikit-learn and matplotlib are loaded by whoever needs them.
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f".{_MODULE_OF[name]}", __name__), name)


def __dir__():
    return [*globals(), *__all__]
