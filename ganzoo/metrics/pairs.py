"""Whether a translation is nearest to its true partner, where held-out images come in pairs.

The distance of two images is the Euclidean one of their pixels, both averaged down to 16x16: it
sees positions and colours, but not how an edge is drawn. It knows no domain, needs no net, and is
the same for all data.
"""

from __future__ import annotations

import numpy as np
from torch import Tensor
from torch.nn import functional as F

SIDE = 16
"""Pixels to which images are averaged down."""
CANDIDATES = 1000
"""The most held-out images that are searched for a partner."""


def coarse(images: Tensor) -> np.ndarray:
    """The vectors for distances: float (n, c * 16 * 16) of images (n, c, h, w)."""
    side = min(SIDE, *images.shape[2:])
    return F.adaptive_avg_pool2d(images, side).flatten(1).double().numpy()


def ranks(found: np.ndarray, candidates: np.ndarray) -> np.ndarray:
    """How many candidates are at least as near to each row as its partner: int (n,).

    Row i of `found` and of `candidates`, both (n, d), are partners. Ties count against the partner,
    so that equal outputs find nothing, except ties with candidates that equal the partner exactly,
    from which nothing could tell it.
    """
    near = _squares(found, candidates)
    own = near.diagonal()[:, None]
    # sums that differ only by rounding are a tie
    ahead = (near <= own + 1e-9 * (1 + own)) & ~_equal(candidates)
    return ahead.sum(1)


def retrieval(found: np.ndarray, candidates: np.ndarray, k: int) -> float:
    """The share of rows whose partner is among their `k` nearest candidates."""
    return float((ranks(found, candidates) < k).mean())


def _squares(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Squared distances (n, m)."""
    squares = (a**2).sum(1)[:, None] + (b**2).sum(1)[None] - 2 * a @ b.T
    return squares.clip(0)


def _equal(rows: np.ndarray) -> np.ndarray:
    """Which rows are equal, including each to itself: bool (n, n)."""
    _, number = np.unique(rows, axis=0, return_inverse=True)
    number = number.reshape(-1)
    return number[:, None] == number[None]
