"""How often a classifier is right."""

from __future__ import annotations

from ganzoo.metrics import classes
from ganzoo.metrics.evaluation import Evaluation
from ganzoo.metrics.metric import Metric
from ganzoo.metrics.report import Figure


def _find(evaluation: Evaluation) -> dict[str, Figure]:
    model, found = evaluation.model, dict[str, Figure]()
    for field, truth in evaluation.fields_of_labels():
        task, what = ("classes", "class") if field == "label" else (field, field)
        if task not in model.tasks("encode"):
            continue
        seen = model.encode(evaluation.real, task=task).argmax(1)
        found["accuracy" if field == "label" else f"{field}_accuracy"] = evaluation.figure(
            classes.accuracy(seen, truth),
            "higher",
            f"share of test images whose {what} it finds",
            generated=0,
        )
    return found


METRIC = Metric(
    "classifier", lambda evaluation: "classes" in evaluation.model.tasks("encode"), _find
)
