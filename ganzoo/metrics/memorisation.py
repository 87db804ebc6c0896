"""Whether samples are copies of training images.

Held-out test images show how near to a training image an unseen image is.
"""

from __future__ import annotations

import numpy as np
import torch

from ganzoo.metrics import neighbours
from ganzoo.metrics.evaluation import Counts, Evaluation
from ganzoo.metrics.metric import Metric
from ganzoo.metrics.report import Figure

COUNT = 1000
MOST = 60_000
"""The most training images that are searched for the nearest."""
SHARE = 0.01
"""The share of test images, the nearest to a training image, that sets the threshold."""


def nearer(samples: np.ndarray, images: np.ndarray, share: float = SHARE) -> float:
    """The share of samples that are nearer to a training image than nearly all test images.

    Args:
        samples, images: distances to the nearest training image, float (n,).
        share: of the test images, the nearest, that are left out.
    """
    return float((samples < np.quantile(images, share)).mean())


def _find(evaluation: Evaluation) -> dict[str, Figure]:
    rows = evaluation.known_sample(MOST)
    known = [
        neighbours.pixels(evaluation.images(evaluation.train, part))
        for part in rows.split(neighbours.ROWS)
    ]
    number = min(COUNT, evaluation.count)
    # drawn, not the first: samples and images may be ordered by class
    order = np.random.default_rng(evaluation.seed).permutation(evaluation.count)[:number]
    samples, images = (
        neighbours.nearest(known, neighbours.pixels(part[torch.from_numpy(order)]))
        for part in (evaluation.generated, evaluation.real)
    )
    by = f"among {len(rows):,}, by pixels of images no larger than {neighbours.SIDE}x"
    by += f"{neighbours.SIDE}"
    counts: Counts = {"real": number, "generated": number}
    return {
        "nearest_training_image": evaluation.figure(
            np.median(samples) / max(float(np.median(images)), 1e-12),
            "",
            f"distance of samples to the nearest training image over that of test images {by}",
            {"test images": 1.0},
            **counts,
        ),
        "copies": evaluation.figure(
            nearer(samples, images),
            "lower",
            "share of samples nearer to a training image than all but 1 % of the test images are",
            {"test images": SHARE},
            **counts,
            bound="test images",
        ),
    }


METRIC = Metric("memorisation", lambda evaluation: bool(evaluation.model.tasks("generate")), _find)
