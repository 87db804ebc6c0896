"""What a metric is: which models it applies to, and the figures that it finds.

Declared without torch, so that plugins can be looked at without it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ganzoo.metrics.report import Figure

if TYPE_CHECKING:
    from ganzoo.metrics.evaluation import Evaluation

CORE = (
    "distributions",
    "general",
    "class_balance",
    "modes",
    "attributes",
    "likelihood",
    "memorisation",
    "conditions",
    "captions",
    "diversity",
    "obedience",
    "classifier",
    "matcher",
    "codes",
    "reconstructions",
    "translations",
    "anomalies",
    "critics",
    "strangeness",
    "course",
    "fidelity",
)
"""The metrics that come with ganzoo, in the order in which they run.

Each is a module of this package of that name, with a `METRIC`. Those of plugins run after them.
"""


@dataclass(frozen=True)
class Metric:
    """Something to measure of a model, for `ganzoo eval`.

    Args:
        name: the word, of its own.
        applies: whether it can be measured, as the model's tasks, its Spec and the data say;
            never its variant. It is asked before anything is computed.
        find: the figures by name. Figures of another metric must not have the same names.
    """

    name: str
    applies: Callable[[Evaluation], bool]
    find: Callable[[Evaluation], Mapping[str, Figure]]
