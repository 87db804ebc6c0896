"""Metrics: figures of a trained model, each with the protocol that gives it meaning.

Needs scikit-learn and torchmetrics: `pip install "ganzoo-core[metrics]"`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ganzoo.metrics.metric import Metric
from ganzoo.metrics.report import Figure, Report, read

if TYPE_CHECKING:
    from ganzoo.metrics.evaluation import Evaluation, evaluate

__all__ = ["Evaluation", "Figure", "Metric", "Report", "evaluate", "read"]


def __getattr__(name: str) -> Any:
    if name in ("Evaluation", "evaluate"):
        from ganzoo.metrics import evaluation

        return getattr(evaluation, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
