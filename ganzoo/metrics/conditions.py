"""Whether the class that was asked for is the class that is seen."""

from __future__ import annotations

import torch

from ganzoo.metrics import classes
from ganzoo.metrics.codes import nearest_neighbour_accuracy
from ganzoo.metrics.evaluation import Evaluation
from ganzoo.metrics.metric import Metric
from ganzoo.metrics.report import Figure

FITTED = 50_000
"""Samples that a nearest-neighbour classifier is fitted on."""


def _find(evaluation: Evaluation) -> dict[str, Figure]:
    found: dict[str, Figure] = {}
    real, seen = evaluation.seen
    if real is not None and seen is not None:
        found["class_accuracy"] = evaluation.figure(
            classes.accuracy(seen, evaluation.labels),
            "higher",
            "share of samples in which the extractor sees the class asked for",
            {"test images": classes.accuracy(real, evaluation.labels)},
        )
    if evaluation.dense:
        fitted = min(FITTED, len(evaluation.train))
        rows = torch.arange(fitted)
        labels = evaluation.train.batch("label", rows).numpy()
        errors = [
            1
            - nearest_neighbour_accuracy(
                images.flatten(1).numpy(), labels,
                evaluation.real.flatten(1).numpy(), evaluation.labels,
            )
            for images in (
                evaluation.generate(fitted, label=labels),
                evaluation.images(evaluation.train, rows),
            )
        ]  # fmt: skip
        found["nearest_neighbour_error"] = evaluation.figure(
            errors[0],
            "lower",
            f"test error of a 1-NN classifier of pixels fitted on {fitted:,} samples",
            {"training images": errors[1]},
            generated=fitted,
        )
    return found


METRIC = Metric("conditions", lambda evaluation: evaluation.conditional, _find)
