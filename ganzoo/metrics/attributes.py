"""Whether samples have each labelled attribute as often as the data."""

from __future__ import annotations

import numpy as np

from ganzoo.metrics.classes import shares
from ganzoo.metrics.evaluation import Evaluation
from ganzoo.metrics.metric import Metric
from ganzoo.metrics.report import Figure
from ganzoo.spec.draws import Label

WITHIN = 0.2
"""How far the share of a value may be off, relative to the data's, to count as right."""


def deviations(seen: np.ndarray, real: np.ndarray, number: int) -> np.ndarray:
    """The relative difference of each class's share from the real one: float (number,).

    seen, real: class numbers, int (n,), of samples and of the data. For classes that the data
        lack the result is nan.
    """
    ours, theirs = shares(seen, number), shares(real, number)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(theirs > 0, np.abs(ours - theirs) / theirs, np.nan)


def _labels(evaluation: Evaluation) -> dict[str, Label]:
    """The labelled attributes of the images."""
    return {
        field: draw
        for field, draw in evaluation.test.fields.fields.items()
        if isinstance(draw, Label) and not draw.independent
    }


def _find(evaluation: Evaluation) -> dict[str, Figure]:
    ours: dict[str, float] = {}
    floor: dict[str, float] = {}
    for field, label in _labels(evaluation).items():
        real, seen, known = (
            evaluation.extractor.classes(images, field)
            for images in (evaluation.real, evaluation.generated, evaluation.known)
        )
        if real is None or seen is None or known is None:
            continue
        for found, classes in ((ours, seen), (floor, known)):
            off = deviations(classes, real, label.classes)
            for number, value in enumerate(off):
                if np.isfinite(value):
                    name = label.names[number] if label.names else str(number)
                    found[f"{field} {name}"] = float(value)
    if not ours:
        return {}
    worst = max(ours, key=lambda name: ours[name])
    return {
        "attributes_within": evaluation.figure(
            np.mean([value <= WITHIN for value in ours.values()]),
            "higher",
            f"share of {len(ours)} attribute values whose share in samples is within "
            f"{WITHIN:.0%} of that in test images, as the extractor sees both",
            {"training images": np.mean([value <= WITHIN for value in floor.values()])},
        ),
        "attribute_farthest": evaluation.figure(
            ours[worst],
            "lower",
            f"by how much the share of the attribute value that is farthest off ({worst}) differs "
            "from that in test images, as a part of it",
            {"training images": max(floor.values())},
        ),
    }


def _applies(evaluation: Evaluation) -> bool:
    return bool(evaluation.model.tasks("generate")) and len(_labels(evaluation)) > 1


METRIC = Metric("attributes", _applies, _find)
