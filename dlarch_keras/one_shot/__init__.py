"""One-shot learning: a network that has learned to compare names what it has seen once.

Koch, Zemel & Salakhutdinov, "Siamese neural networks for one-shot image recognition", ICML deep learning workshop 2015;
the network of Vinyals et al., "Matching networks for one shot learning", NeurIPS 2016. Train it as a `SiameseNetwork`:

    model = SiameseNetwork(convolutional_embedding(x.shape[1:]), NTXentLoss(0.1))
    model.compile(keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(2e-3, steps)))
    batches = BalancedBatches(*with_rotations(x, y), classes=32, examples=4, steps=100, augment=jitter)
    model.fit(batches, epochs=steps // 100)
"""

from .augmentation import jitter, with_rotations
from .embeddings import convolutional_embedding

__all__ = ["convolutional_embedding", "jitter", "with_rotations"]
