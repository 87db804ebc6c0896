"""How often a matcher finds the caption of an image."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from ganzoo.metrics.captions import r_precision
from ganzoo.metrics.evaluation import Evaluation
from ganzoo.metrics.metric import Metric
from ganzoo.metrics.report import Figure


def _find(evaluation: Evaluation) -> dict[str, Figure]:
    model = evaluation.model
    text = evaluation.text_of(model.tasks("encode")["words"])
    assert text

    def share(images: Tensor, captions: np.ndarray) -> float:
        pictures = model.encode(images, task="pictures")
        words = model.encode(text=captions, task="words")
        return r_precision(pictures, words, seed=evaluation.seed)

    known = evaluation.train.batch(text.field, evaluation.known_rows).numpy()
    return {
        "r_precision": evaluation.figure(
            share(evaluation.real, evaluation.captions(text)),
            "higher",
            "share of test images whose own caption it finds among 100",
            {"training images": share(evaluation.known, known), "chance": 0.01},
            generated=0,
        )
    }


METRIC = Metric("matcher", lambda evaluation: "words" in evaluation.model.tasks("encode"), _find)
