"""How many modes of the data samples cover, where modes are countable combinations.

The protocol of arXiv:1712.04086: 26 samples for each mode, each classified; how many modes occur,
and how far their frequencies are from uniform.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ganzoo.metrics import classes
from ganzoo.metrics.evaluation import Evaluation
from ganzoo.metrics.metric import Metric
from ganzoo.metrics.report import Figure

EACH = 26
"""Samples for each mode: 26,000 for the thousand of three stacked digits."""


def _applies(evaluation: Evaluation) -> bool:
    declared = evaluation.declared.feature_extractors
    combined = bool(declared) and declared[0].apart
    return combined and bool(evaluation.classes) and bool(evaluation.model.tasks("generate"))


def _find(evaluation: Evaluation) -> dict[str, Figure]:
    number = evaluation.classes
    total = EACH * number
    given: dict[str, Any] = {}
    if evaluation.asked:  # all classes equally often
        given["label"] = np.arange(total) % number
    samples = evaluation.generate(total, **given)
    known = evaluation.known_sample(total)
    seen = evaluation.extractor.classes(samples)
    real = evaluation.extractor.classes(evaluation.images(evaluation.train, known))
    if seen is None or real is None:
        return {}
    training = "training images"
    return {
        "modes_covered": evaluation.figure(
            covered(seen, number),
            "higher",
            f"of {number:,} modes, those that the extractor sees in at least one of {total:,} "
            "samples",
            {training: covered(real, number)},
            real=len(real),
            generated=total,
            bound=training,
        ),
        "modes_divergence": evaluation.figure(
            divergence(seen, number),
            "lower",
            "Kullback-Leibler divergence in nats of the modes that the extractor sees from equal "
            "shares",
            {training: divergence(real, number)},
            real=len(real),
            generated=total,
            bound=training,
        ),
    }


def covered(seen: np.ndarray, number: int) -> int:
    """How many of `number` modes occur among class numbers (n,)."""
    return int((classes.shares(seen, number) > 0).sum())


def divergence(seen: np.ndarray, number: int) -> float:
    """KL of the shares of class numbers (n,) from equal ones: log(number) minus their entropy."""
    return math.log(number) - classes.entropy(seen, number)


METRIC = Metric("modes", _applies, _find)
