"""Whether samples are recognized as the class that was requested."""

from __future__ import annotations

import numpy as np
import torch

from ganzoo.metrics import classes
from ganzoo.metrics.codes import nearest_neighbour_accuracy
from ganzoo.metrics.evaluation import Evaluation
from ganzoo.metrics.metric import Metric
from ganzoo.metrics.report import Figure
from ganzoo.metrics.targets import classified

FITTED = 50_000
"""Samples that the nearest-neighbour classifier is fitted on."""


def _implied(evaluation: Evaluation, asked: np.ndarray) -> dict[str, float]:
    """For each label field that the class determines, the share of samples that have it right."""
    found: dict[str, float] = {}
    for field, truth in evaluation.fields_of_labels():
        pairs = np.unique(np.stack([asked, truth]), axis=1)
        if field == evaluation.asked or len(np.unique(truth)) < 2 or len(asked) <= pairs.shape[1]:
            continue
        if pairs.shape[1] > len(np.unique(asked)):  # a class has several values of it
            continue
        seen = evaluation.extractor.classes(evaluation.generated, field)
        if seen is not None:
            found[field] = (seen == truth).mean()
    return found


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
    right = _implied(evaluation, asked)
    if right:
        found["attributes_right"] = evaluation.figure(
            np.mean([*right.values()]),
            "higher",
            "share of the attributes that the class asked for implies that the extractor sees",
            right,
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
