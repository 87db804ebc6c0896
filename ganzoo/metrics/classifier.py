"""The accuracy of a classifier."""

from __future__ import annotations

from ganzoo.metrics import classes
from ganzoo.metrics.evaluation import Evaluation
from ganzoo.metrics.metric import Metric
from ganzoo.metrics.report import Figure
from ganzoo.spec.draws import Label


def _find(evaluation: Evaluation) -> dict[str, Figure]:
    model, found = evaluation.model, dict[str, Figure]()
    truths = dict(evaluation.fields_of_labels())
    for name, task in model.tasks("classify").items():
        # a Spec may give its draws other names than the fields of the data
        draw = evaluation.spec.draws.get(task.field)
        field = draw.field if isinstance(draw, Label) else task.field
        if field not in truths:
            continue
        said = truths[field] >= 0
        what = "class" if task.field == "label" else task.field.replace("_", " ")
        found["accuracy" if what == "class" else f"{task.field}_accuracy"] = evaluation.figure(
            classes.accuracy(model.classify(evaluation.real, task=name)[said], truths[field][said]),
            "higher",
            f"share of test images whose {what} it finds",
            generated=0,
        )
    return found


METRIC = Metric("classifier", lambda evaluation: bool(evaluation.model.tasks("classify")), _find)
