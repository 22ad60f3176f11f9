"""The conditional VAE: both networks are given the class or the attributes, so that the code holds only the rest.

    maximise  E_q log p(x | z, y) - KL(q(z | x, y) || N(0, 1))

Sohn, Lee & Yan, "Learning structured output representation using deep conditional generative models", NeurIPS 2015;
Kingma et al., "Semi-supervised learning with deep generative models", NeurIPS 2014 (the separation of class and style).
"""

import keras

from .core import validation
from .vae import VAE


@keras.saving.register_keras_serializable("dlarch_keras")
class ConditionalVAE(VAE):
    """A VAE whose networks take a condition beside the image and the code: `fit(x, condition)`.

    A condition is either one class label an image, integers of shape `(n,)` from 0 to `condition_dim - 1`, or a row of
    attributes an image, floats of shape `(n, condition_dim)`. Its training step is that of `VAE`.

    Args:
        encoder: built `keras.Model`, `[(n, *shape), (n, condition_dim)]` → `[z_mean, z_log_var]`.
        decoder: built `keras.Model`, `[(n, latent_dim), (n, condition_dim)]` → `(n, *shape)`.
        **kwargs: `beta`, `likelihood`, `stddev`, `warmup_steps`, `data_range`, `seed`, as in `VAE`.

    Raises:
        ValueError: for networks without a condition or that do not fit each other, settings out of range.
    """

    def __init__(self, encoder, decoder, **kwargs):
        validation.network("encoder", encoder, inputs=2, outputs=2)
        super().__init__(encoder, decoder, **kwargs)

    def change(self, x, condition, new_condition):
        """The images as they would be under `new_condition`, with their own style: the same code, decoded anew.

        Args:
            x: `(n, *shape)`.
            condition: of these images.
            new_condition: the condition wanted, of the same form.

        Returns:
            `(n, *shape)`, NumPy.
        """
        codes = self.encode(x, condition)
        return self.decode(codes, validation.condition("new_condition", new_condition, self.condition_dim, len(codes)))
