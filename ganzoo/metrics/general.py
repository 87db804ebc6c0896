"""How close two sets of samples are, by the features of a network trained on other pictures.

A data set's own feature extractor is sensitive to what it was trained to distinguish, and to
little else: a small classifier of clean drawings hardly notices blur. For colour images,
EfficientNet-Lite0 gives a second opinion if it is installed.
"""

from __future__ import annotations

from ganzoo.metrics.distributions import ABOUT, frechet_distance, precision_recall
from ganzoo.metrics.evaluation import Evaluation
from ganzoo.metrics.metric import Metric
from ganzoo.metrics.report import Figure
from ganzoo.spec import Image

SAMPLES = 2500
"""The number of images of each kind; it is slower than the extractors of the data."""
SMALLEST = 32
"""Pixels per side below which its features are not meaningful."""


def _applies(evaluation: Evaluation) -> bool:
    """Whether it generates colour images of data with another declared extractor."""
    image = evaluation.test.fields.fields.get("image")
    if not (isinstance(image, Image) and evaluation.model.tasks("generate")):
        return False
    channels, *sides = image.shape
    other = bool(evaluation.declared.feature_extractors)
    return other and channels == 3 and min(sides) >= SMALLEST and evaluation.general is not None


def _find(evaluation: Evaluation) -> dict[str, Figure]:
    net = evaluation.general
    assert net is not None  # it would not apply
    real, fake, known = (
        net.features(images[:SAMPLES])
        for images in (evaluation.real, evaluation.generated, evaluation.known)
    )
    found = {
        f"fd_{net.short}": evaluation.figure(
            frechet_distance(real, fake),
            "lower",
            f"Fréchet distance of {net.name}'s features",
            {"training images": frechet_distance(real, known)},
            real=len(real),
            generated=len(fake),
        )
    }
    ours, floor = precision_recall(real, fake), precision_recall(real, known)
    for name in ("precision", "recall"):
        found[f"{name}_{net.short}"] = evaluation.figure(
            ours[name],
            "higher",
            f"{ABOUT[name]}, by {net.name}'s features",
            {"training images": floor[name]},
            real=len(real),
            generated=len(fake),
        )
    return found


METRIC = Metric("general", _applies, _find)
