"""Deep learning architectures in Keras: models with a `train_step` for every backend, behind a notebook series."""

import importlib

_MODULE_OF = {
    "AnomalyDetector": "anomaly_detection",
    "Autoencoder": "autoencoder",
    "BalancedBatches": "datasets.balanced_batches",
    "ConditionalVAE": "conditional_vae",
    "ContrastiveLoss": "siamese",
    "DenoisingAutoencoder": "denoising_autoencoder",
    "GAN": "gan",
    "ImageAnomalyDetector": "anomaly_detection",
    "NTXentLoss": "one_shot.losses",
    "Pix2Pix": "pix2pix",
    "SRGAN": "srgan",
    "SiameseNetwork": "siamese",
    "SignatureVerifier": "signature_verification",
    "TripletLoss": "one_shot.losses",
    "VAE": "vae",
    "WGANGP": "wgan_gp",
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

__all__ = list(_MODULE_OF)


def __getattr__(name):
    # Lazy: importing the package costs nothing, and one architecture does not import the others.
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f".{_MODULE_OF[name]}", __name__), name)


def __dir__():
    return [*globals(), *__all__]
