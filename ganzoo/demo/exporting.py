"""A model of the demo as one HTML page, as `ganzoo export NAME --to html` makes it.

A process of its own makes it, since exporting changes torch for all threads while it lasts; it has
a time limit, and what it leaves half done goes with its folder.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import threading
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ganzoo.demo import outputs
from ganzoo.demo.model_registry import Entry
from ganzoo.errors import TaskError
from ganzoo.layout import WEIGHTS

MOST_WEIGHTS = 24_000_000
"""Bytes of a model's weights; the page of a larger one is better made by the command."""
SECONDS = 90.0
"""After which the process that exports is ended."""
EXPORTS: dict[str, Any] = {"concurrency_id": "exports", "concurrency_limit": 1}
"""One at a time, beside all other requests."""


def available() -> bool:
    """Whether pages can be made here: the extra `html` is installed, with its runtime."""
    if not find_spec("ganzoo_browser") or not find_spec("onnxscript"):
        return False
    from ganzoo_browser import RuntimeMissingError, runtime

    try:
        runtime()
    except RuntimeMissingError:
        return False
    return True


def possible(entry: Entry) -> bool:
    """Whether a model is offered as a page."""
    return available() and _size(entry) <= MOST_WEIGHTS


def _size(entry: Entry) -> int:
    try:
        return (entry.folder / WEIGHTS).stat().st_size
    except OSError:
        return sys.maxsize


class Pages:
    """The pages that were made, each kept as long as the files of the app are."""

    def __init__(self) -> None:
        self._made: dict[tuple[str, int], str] = {}
        self._lock = threading.Lock()

    def of(self, entry: Entry) -> str:
        """The file of a model's page, made at first use.

        Raises:
            TaskError: the extra is missing, the model is too large, or it could not be exported.
        """
        command = f"ganzoo export {entry.name} --to html"
        if not available():
            raise TaskError(
                'a page needs a runtime for browsers: pip install "ganzoo-core[html]"; then '
                f"`{command}`"
            )
        if _size(entry) > MOST_WEIGHTS:
            raise TaskError(
                f"{entry.name} has {_size(entry) / 1e6:,.0f} MB of weights, and pages are made "
                f"here of at most {MOST_WEIGHTS / 1e6:.0f} MB. On your own machine: `{command}`"
            )
        key = str(entry.folder), (entry.folder / WEIGHTS).stat().st_mtime_ns
        with self._lock:
            if key not in self._made or not Path(self._made[key]).exists():
                content = _exported(entry.folder, command)
                stem = re.sub(r"[^\w.-]", "_", entry.name, flags=re.ASCII)[:80]
                self._made[key] = outputs.keep(content, ".html", stem or "ganzoo")
            return self._made[key]


def _exported(folder: Path, command: str) -> bytes:
    """What `ganzoo export` writes of a model's folder."""
    outputs.folder().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=outputs.folder(), prefix="export-") as place:
        page = Path(place) / "page.html"
        words = ["export", str(folder.resolve()), "--to", "html", "-o", str(page)]
        quiet = os.environ | {"GANZOO_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
        try:
            done = subprocess.run(
                [sys.executable, "-m", "ganzoo", *words],
                env=quiet, cwd=place, timeout=SECONDS, capture_output=True, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise TaskError(
                f"the page was not done after {SECONDS:.0f} seconds; `{command}` has no limit"
            ) from None
        if not page.exists():  # a task that cannot be exported is left out, which is an error there
            said = done.stderr.decode("utf-8", "replace").strip().splitlines()
            last = said[-1][-300:].replace(str(folder), "the model") if said else "no reason given"
            raise TaskError(f"the page could not be made: {last}")
        return page.read_bytes()
