"""Metrics: what figures say of a trained model, with what they mean nothing without.

Needs scikit-learn and torchmetrics: `pip install "ganzoo-core[metrics]"`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ganzoo.metrics.report import Figure, Report, read

if TYPE_CHECKING:
    from ganzoo.metrics.evaluation import evaluate

__all__ = ["Figure", "Report", "evaluate", "read"]


def __getattr__(name: str) -> Any:
    if name == "evaluate":
        from ganzoo.metrics.evaluation import evaluate

        return evaluate
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
