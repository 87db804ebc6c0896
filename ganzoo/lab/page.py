"""The laboratory as one page that works from a local file, without network requests."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any

from ganzoo.lab import lessons
from ganzoo.lab.programs import program

CORE = (
    "tensor", "chance", "network", "optimizers", "functions", "python", "data", "measures",
    "settings", "game", "doctor",
)  # fmt: skip
"""The scripts that compute, in order; none of them needs a document."""
SHOWN = ("picture", "curves", "listing", "app")
"""The scripts that draw and handle input."""


@cache
def page() -> str:
    """The laboratory as HTML, with all losses of ganzoo and of plugins.

    Raises:
        GanzooError: the round of a loss cannot be parametrized by its numbers.
    """
    text = read("lab.html")
    parts = {
        "STYLE": read("lab.css"),
        "PROGRAM": _json(program()),
        "LESSONS": _json([lesson.as_json() for lesson in lessons.all()]),
        "SCRIPT": script(*CORE, *SHOWN),
    }
    for name, part in parts.items():
        text = text.replace(f"/*{name}*/", part)
    return text


def script(*names: str) -> str:
    """Scripts of the page, concatenated."""
    return '"use strict";\n' + "\n".join(read(f"{name}.js") for name in names)


def read(name: str) -> str:
    """A file of the page."""
    return files("ganzoo.lab").joinpath("static", name).read_text("utf-8")


def _json(value: Any) -> str:
    # "</script" would end the element that holds it
    return json.dumps(value, ensure_ascii=False).replace("<", "\\u003c")
