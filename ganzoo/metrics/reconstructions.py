"""Whether a reconstruction is of its image."""

from __future__ import annotations

import numpy as np

from ganzoo.metrics.evaluation import Evaluation
from ganzoo.metrics.feature_extractors import rounded
from ganzoo.metrics.metric import Metric
from ganzoo.metrics.report import Figure
from ganzoo.models.model import Model


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


def _find(evaluation: Evaluation) -> dict[str, Figure]:
    def ratio(model: Model) -> float:
        again = model.reconstruct(evaluation.real, seed=evaluation.seed, output="pt")
        images = evaluation.real.numpy()
        return reconstruction_ratio(images, rounded(again).numpy(), evaluation.seed)

    return {
        "reconstruction_ratio": evaluation.figure(
            ratio(evaluation.model),
            "lower",
            "distance of images to their reconstructions over that to those of others",
            {"untrained": ratio(evaluation.fresh)},
        )
    }


METRIC = Metric(
    "reconstructions", lambda evaluation: bool(evaluation.model.tasks("reconstruct")), _find
)
