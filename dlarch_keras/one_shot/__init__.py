from .augmentation import convolutional_embedding, jitter, with_rotations
