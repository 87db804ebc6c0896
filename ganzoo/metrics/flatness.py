"""Tells two domains apart by how flat their colours are, whatever they show.

Checks a feature extractor that was trained to tell them apart, and looks at textures.
"""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

TOLERANCES = (0, 2, 8)
"""Steps of 256 up to which a pixel counts as equal to its neighbour."""
BACKGROUND = 8
"""Steps up to which it counts as background."""


def flatness(images: Tensor) -> np.ndarray:
    """Float (n, 4) of images (n, c, h, w) in [0, 1]: what share of the drawing is flat.

    For each tolerance, the share of neighbouring pixels (right and below) that differ by no more in
    any channel, without pairs inside the background, the colour of the first pixel; and the number
    of colours at 16 steps a channel, as a share of the pixels.
    """
    values = images.mul(255).round()
    drawn = (values - values[..., :1, :1]).abs().amax(1) > BACKGROUND
    pairs = [
        ((values[..., 1:] - values[..., :-1]), drawn[..., 1:] | drawn[..., :-1]),
        ((values[..., 1:, :] - values[..., :-1, :]), drawn[..., 1:, :] | drawn[..., :-1, :]),
    ]
    steps = torch.cat([step.abs().amax(1).flatten(1) for step, _ in pairs], 1)
    counted = torch.cat([some.flatten(1) for _, some in pairs], 1)
    number = counted.sum(1).clamp_min(1)
    shares = [((steps <= limit) & counted).sum(1) / number for limit in TOLERANCES]
    coarse = values.div(16).floor().long()
    weights = 16 ** torch.arange(images.shape[1])
    colours = (coarse * weights.view(1, -1, 1, 1)).sum(1).flatten(1)
    several = torch.tensor([len(row.unique()) for row in colours]) / colours.shape[1]
    return torch.stack([*shares, several], 1).double().numpy()


class Reader:
    """Classifies images of two domains by their flatness.

    `accuracy` is measured on the images that it was fitted on; 0.5 is chance.
    """

    def __init__(self, fitted: Any, accuracy: float) -> None:
        self._fitted, self.accuracy = fitted, accuracy

    @classmethod
    def fit(cls, others: Tensor, own: Tensor) -> Self:
        """Fit it on training images of both domains, (n, c, h, w) in [0, 1]."""
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        rows = np.concatenate([flatness(others), flatness(own)])
        truth = np.repeat([False, True], [len(others), len(own)])
        fitted = make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced"))
        right = fitted.fit(rows, truth).predict(rows) == truth
        return cls(fitted, float(right[truth].mean() + right[~truth].mean()) / 2)

    def __call__(self, images: Tensor) -> np.ndarray:
        """Which of the images are of the second domain: bool (n,)."""
        return self._fitted.predict(flatness(images))
