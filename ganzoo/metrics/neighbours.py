"""Distances to the nearest of known images, or of their features."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

SIDE = 32
"""Side in pixels to which larger images are averaged down before distances are taken."""
ROWS = 2048
"""Known rows that are processed at once."""


def pixels(images: Tensor) -> np.ndarray:
    """The vectors for pixel distances: float32 (n, c * h * w) of images (n, c, h, w).

    Images larger than 32x32 are averaged down to it.
    """
    height, width = (min(SIDE, side) for side in images.shape[2:])
    return F.adaptive_avg_pool2d(images, (height, width)).flatten(1).numpy()


def nearest(known: Iterable[np.ndarray], rows: np.ndarray, k: int = 1) -> np.ndarray:
    """The mean Euclidean distance of each row (m, d) to its `k` nearest known rows: (m,).

    Args:
        known: the known rows in parts, float (n, d) each, so that they need not all be in memory at
        once. If there are fewer than `k` in all, all are used.
    """
    asked = torch.from_numpy(np.ascontiguousarray(rows, np.float32))
    squares = asked.square().sum(1, keepdim=True)
    best = torch.empty(len(asked), 0)
    for array in known:
        for part in torch.from_numpy(np.ascontiguousarray(array, np.float32)).split(ROWS):
            distances = squares + part.square().sum(1) - 2 * asked @ part.T
            best = torch.cat([best, distances], 1)
            best = best.topk(min(k, best.shape[1]), largest=False).values
    return best.clamp_min(0).sqrt().mean(1).numpy()
