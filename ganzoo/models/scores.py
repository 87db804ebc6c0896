"""What a score task finds: one number an image, a verdict, and where the strangeness is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ganzoo.models.config import Threshold


@dataclass(frozen=True, eq=False)
class Scores:
    """Scores of images; higher is stranger.

    Args:
        values: float32 (n,).
        threshold: what an image may score and still pass, as fitted on normal images that
            training had not seen; None where the model brings none.
        maps: how strange each pixel is, float32 (n, height, width), not negative; None where
            they were not asked for.
    """

    values: np.ndarray
    threshold: float | None = None
    maps: np.ndarray | None = None

    @property
    def is_anomaly(self) -> np.ndarray | None:
        """Which images score above the threshold, bool (n,); None where there is none."""
        return None if self.threshold is None else self.values > np.float32(self.threshold)

    def __len__(self) -> int:
        return len(self.values)


def auroc(normal: Sequence[float], strange: Sequence[float]) -> float:
    """The chance that a strange image scores above a normal one; half where they are equal."""
    ordered = np.sort(np.asarray(normal, np.float64))
    below, up_to = (np.searchsorted(ordered, strange, side) for side in ("left", "right"))
    return float((below + up_to).mean() / (2 * len(ordered)))


def fit_threshold(normal: np.ndarray, quantile: float) -> Threshold:
    """The threshold that a share `quantile` of the scores of normal images, (n,), stays below."""
    value = float(np.quantile(normal, quantile, method="higher"))
    return Threshold(value=value, quantile=quantile, images=len(normal))
