"""What a metric is: which models it applies to, and how its figures are found.

Declared without torch, so that plugins can be listed without importing it.
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
    """A metric for `ganzoo eval`.

    Args:
        name: must be unique.
        applies: whether it can be measured, by the model's tasks, its Spec and the data; never by
            its variant. It is called before anything is computed.
        find: returns the figures by name. No other metric may use the same names.
    """

    name: str
    applies: Callable[[Evaluation], bool]
    find: Callable[[Evaluation], Mapping[str, Figure]]
