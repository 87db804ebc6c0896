"""The Python and the command line that reproduce the result on a page of the demo.

Both are texts for display, made from validated settings; tests run them and compare the pictures.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from ganzoo import hub
from ganzoo.demo.model_registry import Entry
from ganzoo.models.latents import PSI


@lru_cache(maxsize=1)
def _bundled() -> Mapping[str, Path]:
    return hub.installed()


def name_of(entry: Entry) -> str:
    """The name of a model for `ganzoo.from_pretrained` and commands; folders are not disclosed."""
    bundled = _bundled().get(entry.name) == entry.folder
    return entry.name if bundled else f"./{entry.name}"


def lines(entry: Entry, *more: str) -> str:
    """Python that loads a model, followed by these lines."""
    name = name_of(entry)
    folder = "  # its folder" if name.startswith("./") else ""
    imports = [line for line in more if line.startswith("from ")]
    rest = [line for line in more if not line.startswith("from ")]
    if any("save_sheet(" in line for line in rest):
        imports.append("from ganzoo.pictures import save_sheet")
    load = f"model = ganzoo.from_pretrained({name!r}){folder}"
    return "\n".join(["import ganzoo", *sorted(imports), "", load, *rest])


def command(word: str, entry: Entry, *more: Any) -> str:
    """A command line about a model."""
    return shown("ganzoo", word, name_of(entry), *more)


def shown(*parts: Any) -> str:
    """A command line of these words."""
    return " ".join(shlex.quote(str(part)) for part in parts)


def psi(entry: Entry, task: str) -> bool:
    """Whether the task has a truncation parameter."""
    return PSI in entry.spec.tasks[task].numbers


def other_task(entry: Entry, task: str, kind: str = "generate") -> bool:
    """The name of the task if it must be given: if it is not the first of its kind."""
    return task != next(name for name, one in entry.spec.tasks.items() if one.kind == kind)


def arguments(**given: Any) -> str:
    """Keyword arguments as Python; those with the value None are left out."""
    return "".join(f", {word}={value}" for word, value in given.items() if value is not None)
