"""Ten lessons: each has settings of the laboratory, a text, and an exercise.

The texts are in `lessons_text/`; `scripts/lessons.py` writes them to `docs/lessons`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

FORM = re.compile(
    r"# (?P<title>.+)\n\nSettings: `(?P<settings>[^`]*)`\n\n"
    r"(?P<text>.+)\n\n\*\*Try:\*\* (?P<attempt>.+)\n",
    re.DOTALL,
)


@dataclass(frozen=True)
class Lesson:
    """A lesson; `settings` is the fragment of its address, after the `#`."""

    number: int
    name: str
    title: str
    settings: str
    paragraphs: tuple[str, ...]
    attempt: str

    def as_json(self) -> dict[str, Any]:
        return {
            "title": self.title, "settings": self.settings, "paragraphs": self.paragraphs,
            "attempt": self.attempt,
        }  # fmt: skip

    def markdown(self) -> str:
        """Its page in the documentation."""
        parts = (
            f"# {self.number}. {self.title}",
            f"`ganzoo lab --lesson {self.number}`",
            *self.paragraphs,
            f"**Try:** {self.attempt}",
        )
        return "\n\n".join(parts) + "\n"


@cache
def all() -> tuple[Lesson, ...]:
    """All lessons, in order."""
    folder = files("ganzoo.lab").joinpath("lessons_text")
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".md"))
    return tuple(
        _read(number, name, folder.joinpath(name).read_text("utf-8"))
        for number, name in enumerate(names, 1)
    )


def _read(number: int, name: str, text: str) -> Lesson:
    found = FORM.fullmatch(text)
    if found is None:
        raise ValueError(
            f"lesson {name}: a title, its settings, paragraphs and **Try:** in this order"
        )
    paragraphs = tuple(" ".join(part.split()) for part in found["text"].split("\n\n"))
    attempt = " ".join(found["attempt"].split())
    return Lesson(number, name, found["title"], found["settings"], paragraphs, attempt)
