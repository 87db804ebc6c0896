"""Whether images are what sentences say."""

from __future__ import annotations

import numpy as np

CANDIDATES = 100


def r_precision(
    pictures: np.ndarray,
    words: np.ndarray,
    *,
    candidates: int = CANDIDATES,
    seed: int = 0,
) -> float:
    """How often an image is closest to its own sentence among `candidates` (arXiv:1711.10485).

    Args:
        pictures, words: directions of images and of their sentences, float (n, d), row by row.
        candidates: sentences in each choice: the image's own, and others drawn by the seed among
            the rows with another sentence. Fewer where there are not so many.

    A tie with another sentence counts as wrong, so that equal directions score nothing.
    """
    pictures, words = (_unit(np.asarray(rows, np.float64)) for rows in (pictures, words))
    sentences, own = np.unique(words, axis=0, return_inverse=True)
    own = own.reshape(-1)
    others = min(candidates, len(sentences)) - 1
    random = np.random.default_rng(seed)
    right = 0
    for picture, mine in zip(pictures, own, strict=True):
        drawn = random.choice(len(sentences) - 1, others, replace=False)
        drawn += drawn >= mine  # past its own
        right += bool((sentences[drawn] @ picture < sentences[mine] @ picture).all())
    return right / len(pictures)


def prefers(own: np.ndarray, other: np.ndarray) -> float:
    """How often an image fits its own sentence better than another: the mismatch is smaller.

    Args:
        own, other: how badly each image fits, float (n,). A tie counts half.
    """
    return float((own < other).mean() + 0.5 * (own == other).mean())


def _unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
