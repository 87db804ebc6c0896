"""How close two sets of samples are to a net that was trained on other pictures.

A feature extractor of the data's own sees what it was trained to tell, and little else: a small
classifier of clean drawings hardly sees blur. For colour images, EfficientNet-Lite0 gives a second
opinion where it is installed.
"""

from __future__ import annotations

from ganzoo.metrics.distributions import frechet_distance, precision_recall
from ganzoo.metrics.evaluation import Evaluation
from ganzoo.metrics.metric import Metric
from ganzoo.metrics.report import Figure
from ganzoo.spec import Image

SAMPLES = 2500
"""How many images of each kind: it is slower than the extractors of the data."""
SMALLEST = 32
"""Pixels a side below which it sees next to nothing."""


def _applies(evaluation: Evaluation) -> bool:
    """To generators of colour images of which the data declare another extractor."""
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
    for name, about in (
        ("precision", "share of samples within the real images' neighbourhoods"),
        ("recall", "share of real images within the samples' neighbourhoods"),
    ):
        found[f"{name}_{net.short}"] = evaluation.figure(
            ours[name],
            "higher",
            f"{about}, by {net.name}'s features",
            {"training images": floor[name]},
            real=len(real),
            generated=len(fake),
        )
    return found


METRIC = Metric("general", _applies, _find)
