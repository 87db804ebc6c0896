"""A model as a column of a comparison: its samples, figures and mathematics."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ganzoo import pictures
from ganzoo.errors import TaskError, choices
from ganzoo.hub import resolve
from ganzoo.metrics.report import Report, read
from ganzoo.models import store
from ganzoo.models.model import Model
from ganzoo.nn.build import parameter_count
from ganzoo.runs import SHEET, samples
from ganzoo.spec import latex

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

SEED = 0
"""Of the noise of all the sheets."""


@dataclass(frozen=True)
class Column:
    """One model, as a comparison shows it.

    Args:
        asked: what the caller called it, which is what commands want.
        data: what it learnt from. parameters: by published network. size: bytes of weights.
        mathematics: its Spec for people.
        sheet: its samples; None where it draws none, and `reason` says why.
        report: its figures; None where it has none, or where they are `stale`: those of
            other weights.
    """

    asked: str
    name: str
    title: str
    data: str
    parameters: dict[str, int]
    size: int
    mathematics: str
    sheet: Picture | None
    reason: str
    report: Report | None
    stale: bool

    @property
    def command(self) -> str:
        """What measures it."""
        return f"ganzoo eval {shlex.quote(self.asked)}"

    @property
    def measured(self) -> str:
        """By which protocol its figures came about, or why it has none."""
        if self.stale:
            return f"stale: its figures are those of other weights. Again: {self.command}"
        if self.report is None:
            return f"not measured: {self.command}"
        extractor = self.report.feature_extractor
        by = f", features of {extractor['name']} {extractor['sha256'][:8]}" if extractor else ""
        return f"{self.report.data} {self.report.split}, seed {self.report.seed}{by}"

    @property
    def words(self) -> str:
        """What stands below its name: what the caller called it, where that differs; its title."""
        asked = self.asked if self.asked != self.name else ""
        return ", ".join(filter(None, (asked, self.title)))

    @property
    def facts(self) -> dict[str, str]:
        """What else is to say of it, a line each."""
        networks = ", ".join(f"{name} {count:,}" for name, count in self.parameters.items())
        total = f"{sum(self.parameters.values()):,}"
        several = len(self.parameters) > 1
        return {
            "trained on": self.data or "not said",
            "parameters": f"{total} ({networks})" if several else total,
            "size on disk": f"{self.size / 1e6:.1f} MB",
        }


def column(name: str, *, device: str = "cpu") -> Column:
    """The model of that name, its samples, drawn on `device`, and its figures.

    Raises:
        TrainingError: there is no such device.
        UnknownNameError, StoreError: as `ganzoo.from_pretrained`.
        MetricError: its metrics.json is broken.
    """
    folder = resolve(name)
    model = store.load(folder, device=device)
    report = read(folder)
    stale = report is not None and report.weights != model.weights_sha256
    sheet, reason = _sheet(model)
    return Column(
        asked=name,
        name=model.config.name or folder.name,
        title=model.spec.title,
        data=model.config.data.name,
        parameters={key: parameter_count(net) for key, net in model.networks.items()},
        size=(folder / store.WEIGHTS).stat().st_size,
        mathematics=latex.text(model.spec),
        sheet=sheet,
        reason=reason,
        report=None if stale else report,
        stale=stale,
    )


def _sheet(model: Model) -> tuple[Picture | None, str]:
    """Samples of a model; where it draws none, why."""
    if not model.tasks("generate"):
        can = choices({task.kind for task in model.spec.tasks.values()})
        return None, f"It draws no samples; it can: {can}."
    try:
        return pictures.sheet(samples(model, SHEET, SEED)), ""
    except (TaskError, ValueError) as error:  # needs a text; images of two channels
        return None, f"No samples here: {error}"
