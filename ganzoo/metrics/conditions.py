"""Whether the class that was asked for is the class that is seen."""

from __future__ import annotations

import torch

from ganzoo.metrics import classes
from ganzoo.metrics.codes import nearest_neighbour_accuracy
from ganzoo.metrics.evaluation import Evaluation
from ganzoo.metrics.metric import Metric
from ganzoo.metrics.report import Figure
from ganzoo.metrics.targets import classified

FITTED = 50_000
"""Samples that a nearest-neighbour classifier is fitted on."""


def _find(evaluation: Evaluation) -> dict[str, Figure]:
    found: dict[str, Figure] = {}
    field = evaluation.asked
    assert field
    asked = evaluation.test.batch(field, evaluation.rows).numpy()
    real, seen = (
        evaluation.extractor.classes(images, field)
        for images in (evaluation.real, evaluation.generated)
    )
    if real is not None and seen is not None:
        found["class_accuracy"] = evaluation.figure(
            classes.accuracy(seen, asked),
            "higher",
            "share of samples in which the extractor sees the class asked for",
            {"test images": classes.accuracy(real, asked)},
            targeted=classified(evaluation.spec, evaluation.model.task("generate").output),
        )
    if evaluation.dense:
        fitted = min(FITTED, len(evaluation.train))
        rows = torch.arange(fitted)
        labels = evaluation.train.batch(field, rows).numpy()
        errors = [
            1
            - nearest_neighbour_accuracy(
                images.flatten(1).numpy(), labels,
                evaluation.real.flatten(1).numpy(), asked,
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


def _applies(evaluation: Evaluation) -> bool:
    return evaluation.conditional and evaluation.told is None


METRIC = Metric("conditions", _applies, _find)
