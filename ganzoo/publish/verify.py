"""Verify a published model: its files are hashed, its figures measured again."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ganzoo import hub
from ganzoo.errors import IntegrityError, StoreError
from ganzoo.hub import fetch, local, remote
from ganzoo.hub.names import repository
from ganzoo.layout import CONFIG, WEIGHTS
from ganzoo.metrics import evaluate, history, report
from ganzoo.metrics.report import Report
from ganzoo.models import store


@dataclass(frozen=True)
class Verdict:
    """The result.

    Args:
        folder: the one checked. hashed: files with the right hashes, and which record names them.
        said, found: the figures of the card, and of now; None where there are none.
        drifted: figures that changed, with both values.
        missing: figures of the card that could not be measured here.
    """

    folder: Path
    hashed: dict[str, str]
    said: Report | None
    found: Report | None
    drifted: dict[str, tuple[float, float]]
    missing: tuple[str, ...]

    @property
    def holds(self) -> bool:
        """Whether everything was confirmed."""
        return not (self.drifted or self.missing)


def verify(
    name: str | os.PathLike[str],
    *,
    revision: str | None = None,
    figures: bool = True,
    device: str = "cpu",
    note: Callable[[str], None] = lambda text: None,
    **where: Any,
) -> Verdict:
    """Check a model by name: hashes first, then every figure of its card.

    Args:
        figures: measure them, which takes minutes. device: where.
        where: endpoint, token, cache_dir, local_files_only; as for `resolve`.

    Raises:
        IntegrityError: a file differs from what config.json, metrics.json or the hub's record says.
        MetricError: the figures cannot be measured here.
    """
    folder = hub.resolve(name, revision=revision, **where)
    note("hashes")
    model = store.load(folder, device=device)  # compares the weights with config.json
    weights = model.weights_sha256
    hashed = {WEIGHTS: CONFIG}
    for file, record in _by_record(folder, name, revision, where).items():
        hashed[file] = f"{hashed[file]}, {record}" if file in hashed else record
    said = report.read(folder)
    if said is not None:
        if said.weights != weights:
            raise IntegrityError(
                f"{folder / report.FILE} is of weights {said.weights[:12]}..., and these are "
                f"{weights[:12]}...: its figures are those of another model"
            )
        hashed[WEIGHTS] += f", {report.FILE}"
    if said is None or not figures:
        return Verdict(folder, hashed, said, None, {}, ())
    counts = {max(figure.real, figure.generated) for figure in said.figures.values()}
    count = max(counts, default=0)
    course = history.read(folder)
    found = evaluate(
        model, said.data, count=max(count, 100), seed=said.seed, history=course, note=note
    )
    missing = tuple(name for name in said.figures if name not in found.figures)
    return Verdict(folder, hashed, said, found, report.drift(said, found), missing)


def _by_record(
    folder: Path, name: str | os.PathLike[str], revision: str | None, where: dict[str, Any]
) -> dict[str, str]:
    """The files of a model in the hub's cache that match the hub's record."""
    cache = local.cache_of(where.get("endpoint"), where.get("cache_dir"))
    wanted = None if Path(name).is_dir() else repository(str(name), revision)
    if wanted is None or where.get("local_files_only") or not folder.is_relative_to(cache):
        return {}
    there = fetch.at(wanted, folder.name)
    remote.say(f"asking {remote.scrubbed(remote.address(where.get('endpoint')))} for {there}")
    info = remote.info(there, endpoint=where.get("endpoint"), token=where.get("token"))
    for file in info.files:
        path = folder / file.name
        if not path.is_file():
            raise StoreError(f"{path} is missing; get it with `ganzoo hub pull {wanted}`")
        if problem := fetch.differs(path, file):
            raise IntegrityError(
                f"{path} is not what the hub's record says: {problem}. Bring it again with "
                f"`ganzoo hub pull {wanted}`"
            )
    return {file.name: "the hub's record" for file in info.files}
