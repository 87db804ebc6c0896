"""Whether scores recognize plain anomalies: noise, and inverted test images.

A critic is trained to tell data from samples of one generator, and may call anything else normal.
"""

from __future__ import annotations

import torch

from ganzoo.metrics.anomalies import auroc
from ganzoo.metrics.evaluation import Evaluation
from ganzoo.metrics.metric import Metric
from ganzoo.metrics.report import Figure

COUNT = 1000
PASSES = 0.95
"""The AUROC that a score has to reach for both, to be of use for anomalies."""


def _tasks(evaluation: Evaluation) -> list[str]:
    """The scores of images alone."""
    tasks = evaluation.model.tasks("score")
    return [name for name, task in tasks.items() if not evaluation.text_of(task)]


def _find(evaluation: Evaluation) -> dict[str, Figure]:
    normal = evaluation.normal[:COUNT]
    generator = torch.Generator().manual_seed(evaluation.seed)
    plainly = {
        "noise": torch.rand(normal.shape, generator=generator).mul(255).round().div(255),
        "inverted": 1 - normal,
    }
    found: dict[str, Figure] = {}
    for name in _tasks(evaluation):

        def score(images: torch.Tensor, name: str = name):
            return evaluation.model.score(images, task=name, seed=evaluation.seed).values

        own = score(normal)
        areas = {word: auroc(own, score(images)) for word, images in plainly.items()}
        failed = [f"{word} images ({area:.2f})" for word, area in areas.items() if area < PASSES]
        remark = (
            f"The score {name!r} is not usable for anomalies: it hardly tells test images from "
            f"{' and '.join(failed)}, where 1 is always and 0.5 is chance."
        )
        for word, area in areas.items():
            about = f"chance that {word} images score above test images by {name!r}"
            if word == "noise":
                about = about.replace("noise images", "uniform noise").replace("score", "scores")
            found[f"{name}_{word}_auroc"] = evaluation.figure(
                area,
                "higher",
                about,
                {"chance": 0.5, "usable from": PASSES},
                real=len(normal),
                generated=0,
                remark=remark if failed and word == "inverted" else "",
            )
    return found


METRIC = Metric("strangeness", lambda evaluation: bool(_tasks(evaluation)), _find)
