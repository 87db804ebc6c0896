"""Whether samples of one sentence vary as much as real pictures of one caption."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ganzoo.metrics.evaluation import Evaluation
from ganzoo.metrics.metric import Metric
from ganzoo.metrics.report import Figure

CAPTIONS = 50
"""The most captions of which samples are drawn."""
EACH = 8
"""The most samples, and pictures, of each caption."""


def spread(groups: Sequence[np.ndarray]) -> float:
    """The mean Euclidean distance between two rows of one group, over all groups equally.

    Args:
        groups: float (n, d) each, n at least 2.
    """
    found: list[float] = []
    for rows in groups:
        distances = np.linalg.norm(rows[:, None] - rows[None], axis=2)
        found.append(distances.sum() / (len(rows) * (len(rows) - 1)))
    return float(np.mean(found))


def _same_caption(evaluation: Evaluation) -> list[np.ndarray]:
    """Rows of test images that share a caption, for some captions with several images."""
    assert evaluation.told
    _, own, counts = np.unique(
        evaluation.captions(evaluation.told), axis=0, return_inverse=True, return_counts=True
    )
    several = np.flatnonzero(counts > 1)
    random = np.random.default_rng(evaluation.seed)
    chosen = random.permutation(several)[:CAPTIONS]
    return [np.flatnonzero(own.reshape(-1) == number)[:EACH] for number in chosen]


def _find(evaluation: Evaluation) -> dict[str, Figure]:
    assert evaluation.told
    groups = _same_caption(evaluation)
    if not groups:
        return {}
    rows = np.concatenate(groups)
    text = evaluation.captions(evaluation.told)
    # all of one caption, each with its own noise
    samples = evaluation.generate(len(rows), text=np.repeat(
        text[[group[0] for group in groups]], [len(group) for group in groups], axis=0
    ))  # fmt: skip

    def spread_of(images: Tensor) -> float:
        features = evaluation.extractor.features(images)
        ends = np.cumsum([len(group) for group in groups])[:-1]
        return spread(np.split(features, ends))

    real = spread_of(evaluation.real[torch.from_numpy(rows)])
    order = np.random.default_rng(evaluation.seed).permutation(len(rows))
    ours, mixed = spread_of(samples), spread_of(samples[torch.from_numpy(order)])
    return {
        "diversity": evaluation.figure(
            ours / max(real, 1e-12),
            "higher",
            "distance of features between samples of one sentence over that between test images "
            f"of one caption ({len(groups)} captions)",
            {"test images": 1.0, "samples of different sentences": mixed / max(real, 1e-12)},
            real=len(rows),
            generated=len(rows),
            bound="test images",
        )
    }


METRIC = Metric("diversity", lambda evaluation: evaluation.told is not None, _find)
