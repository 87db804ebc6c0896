"""Whether a reconstruction shows its image."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from ganzoo.metrics.classes import accuracy
from ganzoo.metrics.evaluation import Evaluation
from ganzoo.metrics.feature_extractors import rounded
from ganzoo.metrics.metric import Metric
from ganzoo.metrics.report import Figure
from ganzoo.metrics.targets import compared
from ganzoo.models.model import Model
from ganzoo.spec.draws import Image


def reconstruction_ratio(images: np.ndarray, again: np.ndarray, seed: int = 0) -> float:
    """Mean distance of an image to its own reconstruction, over that to another image's.

    1 if a reconstruction is unrelated to its image, 0 if it is equal. Distances are Euclidean over
    the pixels of (n, ...) images; the other image is drawn by the seed, and none is compared with
    itself.
    """
    images, again = images.reshape(len(images), -1), again.reshape(len(again), -1)
    order = np.random.default_rng(seed).permutation(len(images))
    other = np.empty_like(order)
    other[order] = np.roll(order, 1)  # one cycle through all, so that none meets itself
    own = np.linalg.norm(images - again, axis=1).mean()
    return float(own / np.linalg.norm(images - again[other], axis=1).mean())


def _find(evaluation: Evaluation) -> dict[str, Figure]:
    def again(model: Model) -> Tensor:
        return rounded(model.reconstruct(evaluation.real, seed=evaluation.seed, output="pt"))

    ours, fresh = again(evaluation.model), again(evaluation.fresh)
    ratio, worst = (
        reconstruction_ratio(evaluation.real.numpy(), images.numpy(), evaluation.seed)
        for images in (ours, fresh)
    )
    found = {
        "reconstruction_ratio": evaluation.figure(
            ratio,
            "lower",
            "distance of images to their reconstructions over that to those of others",
            {"untrained": worst},
            targeted=_targeted(evaluation),
        )
    }
    if evaluation.classes and evaluation.declared.feature_extractors:
        seen = [evaluation.extractor.classes(part) for part in (ours, evaluation.real, fresh)]
        if seen[0] is not None:
            kept, itself, nothing = (
                accuracy(part, evaluation.labels) for part in seen if part is not None
            )
            found["class_kept"] = evaluation.figure(
                kept,
                "higher",
                "share of reconstructions in which the extractor sees the class of the image",
                {"test images": itself, "untrained": nothing},
                bound="test images",
            )
    return found


def _targeted(evaluation: Evaluation) -> bool:
    """Whether the loss is a distance of an image and its reconstruction."""
    spec = evaluation.spec
    task = evaluation.model.task("reconstruct")
    images = [name for name in spec.draws_of(task) if isinstance(spec.draws[name], Image)]
    return any(compared(spec, name, task.output) for name in images)


METRIC = Metric(
    "reconstructions", lambda evaluation: bool(evaluation.model.tasks("reconstruct")), _find
)
