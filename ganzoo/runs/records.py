"""The log of a run: what data it read, then lines of JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ganzoo.atomic import append_text, write_text
from ganzoo.runs.settings import LOG

RECORDS = 1000
"""About how many lines a whole run writes to its log."""


def log(folder: str | Path) -> list[dict[str, Any]]:
    """The lines of a run's log: step, seconds, losses; none if it has not begun.

    Some have more: `ganzoo.runs.doctor` reads it.

    Damaged lines, such as those cut short by a kill, are left out.
    """
    try:
        lines = (Path(folder) / LOG).read_text("utf-8", "replace").splitlines()
    except OSError:
        return []
    return [record for record in map(_record, lines) if record]


def rewrite(folder: Path, data: str, records: Iterable[Mapping[str, Any]]) -> None:
    """Replace the log by what was read (`Source.report`), and these lines."""
    lines = [{"data": data.splitlines()}, *records]
    write_text(folder / LOG, "".join(json.dumps(line) + "\n" for line in lines))


def append(folder: Path, record: Mapping[str, Any]) -> None:
    append_text(folder / LOG, json.dumps(record) + "\n")


def _record(line: str) -> dict[str, Any] | None:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return record if is_record(record) else None


def is_record(record: object) -> bool:
    """Whether it is a line of a log: a step, and losses by name."""
    if not isinstance(record, dict) or type(record.get("step")) is not int:
        return False
    losses, seconds = record.get("losses"), record.get("seconds", 0.0)
    return isinstance(losses, dict) and all(map(_is_number, (seconds, *losses.values())))


def _is_number(value: object) -> bool:
    return type(value) in (int, float) and math.isfinite(value)  # type: ignore[arg-type]
