"""How good codes and reconstructions are."""

from __future__ import annotations

import numpy as np


def nearest_neighbour_accuracy(
    fitted: np.ndarray, labels: np.ndarray, rows: np.ndarray, truth: np.ndarray
) -> float:
    """The share of `rows` whose nearest neighbour (Euclidean) in `fitted` has the true label.

    Donahue et al. 2016 (arXiv:1605.09782), table 1, measure the features of BiGAN so.
    """
    from sklearn.neighbors import KNeighborsClassifier

    neighbours = KNeighborsClassifier(n_neighbors=1, algorithm="brute").fit(fitted, labels)
    return float((neighbours.predict(rows) == truth).mean())


def reconstruction_ratio(images: np.ndarray, again: np.ndarray, seed: int = 0) -> float:
    """Mean distance of an image to its own reconstruction, over that to another image's.

    1 where a reconstruction has nothing of its image, 0 where it is the same. Distances are
    Euclidean over the pixels of (n, ...) images; who is another is drawn from the seed, and
    nobody is compared with itself.
    """
    images, again = images.reshape(len(images), -1), again.reshape(len(again), -1)
    order = np.random.default_rng(seed).permutation(len(images))
    other = np.empty_like(order)
    other[order] = np.roll(order, 1)  # one cycle through all, so that nobody meets itself
    own = np.linalg.norm(images - again, axis=1).mean()
    return float(own / np.linalg.norm(images - again[other], axis=1).mean())


def moments(codes: np.ndarray) -> dict[str, float]:
    """How the codes (n, d) of a data set lie, number by number of the code.

    `mean` is the mean over the code's numbers of the absolute mean, `variance` the mean of
    their variances; `largest_mean`, `least_variance`, `largest_variance` are the extremes.
    """
    means, variances = np.abs(codes.mean(0)), codes.var(0)
    return {
        "mean": float(means.mean()),
        "variance": float(variances.mean()),
        "largest_mean": float(means.max()),
        "least_variance": float(variances.min()),
        "largest_variance": float(variances.max()),
    }
