"""How good generated examples are: distances between two sets of features, fidelity and diversity, modes.

Features are what a network sees in images (`metrics.features`), or points themselves. Every figure depends on the
number of examples and on the network: compare like with like, and beside the distance of real examples to real ones.
"""

import numpy as np
from scipy.spatial.distance import cdist
from scipy.stats import entropy
from sklearn.metrics import pairwise_distances_chunked
from sklearn.metrics.pairwise import polynomial_kernel
from sklearn.neighbors import NearestNeighbors
from threadpoolctl import threadpool_limits

from ..core import validation


def frechet_distance(features, reference):
    """Fréchet distance of the normal distributions fitted to two sets of features (Heusel et al. 2017).

    `|m₁ - m₂|² + tr(C₁ + C₂ - 2 (C₁ C₂)^½)`. It shrinks as the sets grow, so use as many examples each time.

    Args:
        features: `(n, d)`, two rows or more.
        reference: `(m, d)`, likewise; or `(mean, covariance)` of them, `(d,)` and `(d, d)`.

    Returns:
        Number from 0 on, in squared units of the features.
    """
    mean, covariance = gaussian_fit(features)
    if isinstance(reference, tuple):
        other_mean, other_covariance = _moments("reference", reference, len(mean))
    else:
        other_mean, other_covariance = gaussian_fit(reference, "reference", len(mean))
    squares, vectors = np.linalg.eigh(covariance)
    root = (vectors * np.sqrt(squares.clip(0))) @ vectors.T
    # The eigenvalues of C₁ C₂ are those of a symmetric matrix: no complex numbers, as a general matrix root may give.
    eigenvalues = np.linalg.eigvalsh(root @ other_covariance @ root).clip(0)
    distance = np.sum((mean - other_mean) ** 2) + np.trace(covariance) + np.trace(other_covariance)
    return float(max(distance - 2 * np.sqrt(eigenvalues).sum(), 0.0))


def _moments(name, moments, width):
    if len(moments) != 2:
        raise ValueError(f"`{name}` must be rows of features or (mean, covariance), got {len(moments)} entries.")
    mean, covariance = moments
    mean, covariance = validation.array(name, mean, (width,)), validation.array(name, covariance, (width, width))
    spread = np.trace(covariance)
    if not np.allclose(covariance, covariance.T, atol=1e-6 * abs(spread)):
        raise ValueError(f"`{name}` must hold a symmetric covariance, got another matrix.")
    least = np.linalg.eigvalsh(covariance)[0]
    if least < -1e-6 * abs(spread):
        raise ValueError(f"`{name}` must hold a covariance, got a matrix with the eigenvalue {least:.3g}.")
    return mean, covariance


def gaussian_fit(features, name="features", width=None):
    """Mean and covariance of features: `(n, d)` → `(d,)` and `(d, d)`, float64."""
    features = _rows(name, features, width).astype("float64")
    return features.mean(axis=0), np.atleast_2d(np.cov(features, rowvar=False))


def _rows(name, features, width=None):
    features = validation.array(name, features, (None, width))
    if len(features) < 2:
        raise ValueError(f"`{name}` must have 2 rows or more, got {len(features)}.")
    return features


def kernel_distance(features, reference, subsets=100, subset_size=1000, seed=0):
    """Kernel distance, unbiased at any number of examples (Bińkowski et al. 2018): squared MMD, cubic kernel.

    k(a, b) = (a · b / d + 1)³; a mean over random subsets of both sets.

    Args:
        features, reference: `(n, d)` and `(m, d)`, two rows or more each.
        subsets: number of subsets.
        subset_size: rows of each in a subset; no more than there are.
        seed: integer; the same one gives the same subsets.

    Returns:
        `(mean, sd)` over the subsets. Around 0, and at times below, for two samples of one distribution.
    """
    features = _rows("features", features).astype("float64")
    reference = _rows("reference", reference, features.shape[1]).astype("float64")
    size = min(validation.positive_int("subset_size", subset_size, 2), len(features), len(reference))
    rng = validation.random("seed", seed)
    with threadpool_limits(1):  # the products are small: threads would wait for each other
        distances = [
            _squared_mmd(*(rows[rng.choice(len(rows), size, replace=False)] for rows in (features, reference)))
            for _ in range(validation.positive_int("subsets", subsets))
        ]
    return float(np.mean(distances)), float(np.std(distances))


def _squared_mmd(a, b):
    within, size = 0.0, len(a)
    for rows in (a, b):
        kernel = polynomial_kernel(rows)
        within += (kernel.sum() - np.trace(kernel)) / (size * (size - 1))
    return within - 2 * polynomial_kernel(a, b).mean()


def precision_recall(features, reference, neighbours=3):
    """Fidelity and diversity apart (Kynkäänniemi et al. 2019).

    A set's manifold is the union of balls around its points, each reaching to the point's k-th neighbour.

    Args:
        features: `(n, d)`, generated; `reference`: `(m, d)`, real; more rows than `neighbours` in both.
        neighbours: k.

    Returns:
        `(precision, recall)`: the share of generated examples within the real manifold, and the reverse.
    """
    features = _rows("features", features).astype("float64")
    reference = _rows("reference", reference, features.shape[1]).astype("float64")
    neighbours = validation.positive_int("neighbours", neighbours)
    least = min(len(features), len(reference))
    if neighbours >= least:
        raise ValueError(f"`neighbours` must be less than the number of rows, {least}, got {neighbours}.")
    return _share_within(features, reference, neighbours), _share_within(reference, features, neighbours)


def _share_within(points, manifold, neighbours):
    nearest = NearestNeighbors(n_neighbors=neighbours).fit(manifold)
    radii = nearest.kneighbors()[0][:, -1]  # without arguments, a point is not its own neighbour
    radii += 1e-6 * np.linalg.norm(manifold, axis=1).max()  # what rounding makes of the distance of equal rows
    within = [(part <= radii).any(axis=1) for part in pairwise_distances_chunked(points, manifold)]
    return float(np.concatenate(within).mean())


def effective_classes(labels, classes):
    """How many classes generated examples are spread over: e to the entropy of the classes' shares.

    Args:
        labels: `(n,)` integers from 0 to `classes - 1`, or a classifier's probabilities, `(n, classes)`.
        classes: their number.

    Returns:
        Number from 1 (all alike) to `classes` (evenly spread).
    """
    rows = validation.condition("labels", labels, validation.positive_int("classes", classes)).astype("float64")
    if rows.min() < 0 or not np.allclose(rows.sum(axis=1), 1, atol=1e-3):
        raise ValueError("`labels` must be integers, or probabilities that add up to 1 in each row, got other numbers.")
    return float(np.exp(entropy(rows.mean(axis=0))))


def mode_coverage(points, centres, radius):
    """Modes that generated points reach, where the modes are known.

    Args:
        points: `(n, d)`.
        centres: `(k, d)`, of the modes.
        radius: a point within this distance of a centre belongs to it; three standard deviations, say.

    Returns:
        `(modes, share)`: number of modes with at least one point, and share of points that belong to any.
    """
    points = validation.array("points", points, (None, None))
    centres = validation.array("centres", centres, (None, points.shape[1]))
    within = cdist(points, centres) <= validation.number("radius", radius, above=0)
    return int(within.any(axis=0).sum()), float(within.any(axis=1).mean())
