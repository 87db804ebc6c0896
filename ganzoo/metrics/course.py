"""The course of a critic's estimate, as a run recorded it."""

from __future__ import annotations

from ganzoo.metrics import history
from ganzoo.metrics.evaluation import Evaluation
from ganzoo.metrics.metric import Metric
from ganzoo.metrics.report import Figure


def _find(evaluation: Evaluation) -> dict[str, Figure]:
    assert evaluation.history
    return history.figures_of(evaluation.history)


METRIC = Metric("course", lambda evaluation: bool(evaluation.history), _find)
