"""How often a matcher finds the caption of an image."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from ganzoo.metrics.captions import r_precision
from ganzoo.metrics.evaluation import Evaluation
from ganzoo.metrics.metric import Metric
from ganzoo.metrics.report import Figure
from ganzoo.spec.draws import Text


def _text(evaluation: Evaluation) -> Text | None:
    """The sentence that a task of kind match takes."""
    tasks = evaluation.model.tasks("match").values()
    return next(filter(None, map(evaluation.text_of, tasks)), None)


def _find(evaluation: Evaluation) -> dict[str, Figure]:
    model, text = evaluation.model, _text(evaluation)
    assert text

    def share(images: Tensor, captions: np.ndarray) -> float:
        pictures, words = model.match(images), model.match(text=captions)
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


METRIC = Metric("matcher", lambda evaluation: _text(evaluation) is not None, _find)
