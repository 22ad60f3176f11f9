"""Functional-API networks that several architectures share, made by plain functions.

An encoder maps `image_shape` to a code of `latent_dim` numbers, a decoder maps it back. `image_shape` is
`(height, width, channels)` of any size, or `(features,)` for table rows with the dense pair. Weights start from the
Glorot uniform distribution (Glorot & Bengio 2010); the same `seed` gives the same weights.
"""

from ..core.seeds import seed_stream
from .blocks import conv_block, dense_block, glorot, residual_block
from .conditional import conditional_decoder
from .convolutional import convolutional_decoder, convolutional_encoder
from .dense import dense_decoder, dense_encoder
from .generative import convolutional_discriminator, convolutional_generator
from .residual import code_to_image, image_to_code, residual_decoder, residual_encoder
