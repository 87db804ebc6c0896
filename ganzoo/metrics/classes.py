"""Shares of classes, and accuracies."""

from __future__ import annotations

import numpy as np


def shares(classes: np.ndarray, number: int) -> np.ndarray:
    """The share of each of `number` classes among class numbers (n,): float (number,)."""
    return np.bincount(classes, minlength=number) / max(len(classes), 1)


def entropy(classes: np.ndarray, number: int) -> float:
    """Entropy of the shares, in nats; log(number) where all classes are equally frequent."""
    from scipy.stats import entropy

    return float(entropy(shares(classes, number)))


def accuracy(classes: np.ndarray, labels: np.ndarray) -> float:
    """The share of samples whose class is the label."""
    return float((classes == labels).mean())
