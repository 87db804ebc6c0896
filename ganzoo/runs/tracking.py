"""Trackers of a run. An error of a tracker ends the tracker, and not the run."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from PIL import Image

from ganzoo.atomic import write_text
from ganzoo.errors import GanzooError, TrainingError, plain
from ganzoo.plugins.host import default
from ganzoo.runs.folder import TRACKERS
from ganzoo.runs.settings import Settings
from ganzoo.spec import latex
from ganzoo.trackers import Log, Tracked, parse

ID = "id"
"""The file with the ids of this run in trackers."""


class Tracking:
    """The trackers of a run.

    Args:
        folder: of the run. step: rounds done. note: called with errors of trackers.

    Raises:
        TrainingError: one cannot start.
    """

    def __init__(
        self, folder: Path, settings: Settings, step: int, note: Callable[[str], None]
    ) -> None:
        self.note, self.logs = note, dict[str, Log]()
        self.told: dict[str, float] = {}
        if not settings.trackers:
            return
        known = default().trackers
        place = folder / TRACKERS
        id_ = _id(place)
        for text in settings.trackers:
            tracker, options = parse(text, known)
            run = Tracked(
                name=settings.name, id=id_, folder=place.absolute() / tracker.name, step=step,
                config=_config(settings), spec=latex.text(settings.spec),
                spec_json=settings.spec.to_json(), command=settings.command,
            )  # fmt: skip
            try:
                self.logs[tracker.name] = tracker.open(run, options)
            except GanzooError:
                raise
            except Exception as error:
                self.close()
                raise TrainingError(
                    f"--track {text} cannot start ({type(error).__name__}: {plain(error)}); leave "
                    "it out, or fix the problem"
                ) from error

    def record(self, record: Mapping[str, Any]) -> None:
        """Pass on a line of the log."""
        values: dict[str, float] = {
            f"{part}/{name}": float(value)
            for part in ("losses", "figures", "gradients", "verdicts", "samples")
            for name, value in record.get(part, {}).items()
        }
        values["seconds"] = float(record["seconds"])
        self._tell(lambda log: log.numbers(record["step"], values))

    def picture(self, step: int, image: Image.Image) -> None:
        self._tell(lambda log: log.picture(step, "samples", image))

    def close(self) -> None:
        self._tell(lambda log: log.close())
        self.logs.clear()

    def _tell(self, what: Callable[[Log], None]) -> None:
        for name, log in [*self.logs.items()]:
            try:
                what(log)
            except Exception as error:
                del self.logs[name]
                self.note(
                    f"tracking by {name} ended ({type(error).__name__}: {plain(error)}); the "
                    "training continues"
                )


def _id(place: Path) -> str:
    """The id of this run in trackers; made once."""
    path = place / ID
    if not path.is_file():
        write_text(path, secrets.token_hex(4))
    return path.read_text("utf-8").strip()[:32]


def _config(settings: Settings) -> dict[str, str | int | float | bool]:
    """The settings of a run, flat."""
    facts: dict[str, Any] = {
        "data": settings.data, "steps": settings.steps, "batch": settings.batch,
        "seed": settings.seed, "precision": settings.precision, "title": settings.spec.title,
        "variant": settings.made_by.get("variant", ""),
    }  # fmt: skip
    own = settings.made_by.get("settings", {})
    facts |= {f"settings.{name}": value for name, value in own.items()}
    return {k: v if isinstance(v, str | int | float | bool) else str(v) for k, v in facts.items()}
