"""Whether samples are of all classes, as the feature extractor sees classes."""

from __future__ import annotations

from ganzoo.metrics import classes
from ganzoo.metrics.evaluation import Evaluation
from ganzoo.metrics.metric import Metric
from ganzoo.metrics.report import Figure


def _find(evaluation: Evaluation) -> dict[str, Figure]:
    real, seen = evaluation.seen
    if real is None or seen is None:
        return {}
    number = evaluation.classes
    return {
        "class_entropy": evaluation.figure(
            classes.entropy(seen, number),
            "higher",
            "entropy in nats of the classes that the extractor sees",
            {"test images": classes.entropy(real, number)},
        ),
        "rarest_class": evaluation.figure(
            classes.shares(seen, number).min(),
            "higher",
            "share of the class that the extractor sees least often",
            {"test images": classes.shares(real, number).min()},
        ),
    }


METRIC = Metric("class_balance", lambda evaluation: bool(evaluation.model.tasks("generate")), _find)
