"""The course of a run: its figures over time, and the doctor's findings in its log."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ganzoo.metrics import history
from ganzoo.runs import doctor
from ganzoo.runs.doctor import About, Finding
from ganzoo.runs.folder import SNAPSHOTS
from ganzoo.runs.records import log
from ganzoo.runs.settings import MODEL, Settings


def course(
    folder: str | Path,
    data: str,
    note: Callable[[str], None] = lambda text: None,
    *,
    device: str = "cpu",
) -> dict[str, Any] | None:
    """The figures of a finished run over time, from its snapshots; measured once, then kept.

    None if the run kept no snapshots.
    """
    folder = Path(folder)
    found = history.read(folder / MODEL)
    # a name that is not a number belongs to a snapshot that was interrupted
    snapshots = [path for path in folder.glob(f"{SNAPSHOTS}/*/") if path.name.isdecimal()]
    if found is None and snapshots:
        found = history.follow(snapshots, log(folder), data, device=device, note=note)
        history.write(found, folder / MODEL)
    return found


def examine(folder: str | Path) -> list[tuple[Finding, bool]]:
    """What the training doctor finds in a run: each finding, and whether it holds at the end.

    Raises:
        TrainingError: there is no run.
    """
    folder = Path(folder)
    settings = Settings.read(folder)
    # of the run as it was: what follows its progress depends on how long it is
    spec = settings.spec.with_steps(settings.steps)
    return doctor.course(log(folder), About.of(spec, settings.batch))
