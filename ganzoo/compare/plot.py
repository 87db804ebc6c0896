"""A comparison as one picture, drawn by matplotlib."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ganzoo.compare.columns import SEED, Column
from ganzoo.compare.figures import Row, rows
from ganzoo.compare.text import line, number
from ganzoo.runs import SHEET

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

_MARGIN, _LABELS, _WIDE, _GAP, _REFERENCES = 0.4, 3.0, 3.6, 0.3, 2.0
"""Inches: around all, the names of figures, a model, between models, the references."""
_INK, _PALE, _RULE, _GOOD = "#1f2328", "#59636e", "#d1d9e0", "#116329"
_BOLD = 0.72
"""How wide bold letters are for their size, about."""
_LARGEST = 30_000
"""Pixels of a picture's side; what draws it takes some more."""


def picture(columns: Sequence[Column]) -> Canvas:
    """A comparison as a figure: sheets in a row, and what was measured as a table below them."""
    from matplotlib.figure import Figure as Canvas
    from matplotlib.lines import Line2D

    figures = rows(columns)
    referred = any(row.references for row in figures)
    lefts = [_MARGIN + _LABELS + i * (_WIDE + _GAP) for i in range(len(columns))]
    end = lefts[-1] + _WIDE
    width = end + (_GAP + _REFERENCES if referred else 0) + _MARGIN
    sheets = [one.sheet for one in columns if one.sheet]
    tall = max((_WIDE * sheet.height / sheet.width for sheet in sheets), default=0.6)
    labels = [_label(row) for row in figures]
    references = [_beside(row) for row in figures]
    states = [_wrapped(one.measured, _WIDE, 8.5) for one in columns]
    head = max(map(len, states)) * 0.16 + 0.24
    heights = [
        max(0.38 + 0.15 * len(label), 0.2 + 0.16 * len(words))
        for label, words in zip(labels, references, strict=True)
    ]
    height = 2 * _MARGIN + 0.9 + tall + 0.2 + head + sum(heights)
    dpi = min(200, _LARGEST / max(width, height))
    canvas = Canvas(figsize=(width, height), dpi=dpi, facecolor="white")

    def write(x: float, y: float, text: str, size: float, **style: Any) -> None:
        """Text at inches from the left and from the top; dollars in it are dollars."""
        style = {"color": _INK, "va": "top", "parse_math": False, **style}
        canvas.text(x / width, 1 - y / height, text, fontsize=size, **style)

    def rule(y: float) -> None:
        ends = [_MARGIN / width, 1 - _MARGIN / width]
        canvas.add_artist(Line2D(ends, [1 - y / height] * 2, color=_RULE, linewidth=0.8))

    for one, left in zip(columns, lefts, strict=True):
        y = _MARGIN
        write(left, y, _short(one.name, _WIDE, 14, _BOLD), 14, fontweight="bold")
        facts = one.facts
        first = ", ".join(filter(None, (one.words, f"trained on {facts['trained on']}")))
        write(left, y + 0.32, _short(first, _WIDE, 9), 9, color=_PALE)
        second = f"{facts['parameters']} parameters, {facts['size on disk']}"
        write(left, y + 0.52, _short(second, _WIDE, 9), 9, color=_PALE)
        y += 0.9
        if one.sheet is None:
            reason = "\n".join(_wrapped(one.reason, _WIDE, 9))
            write(left, y, reason, 9, color=_PALE)
            continue
        deep = _WIDE * one.sheet.height / one.sheet.width
        place = (left / width, 1 - (y + deep) / height, _WIDE / width, deep / height)
        axes = canvas.add_axes(place)
        axes.imshow(one.sheet.convert("RGB"), aspect="auto")
        axes.set_axis_off()
    words = f"{SHEET} samples\nof seed {SEED},\nnone picked"
    write(_MARGIN, _MARGIN + 0.9, words, 9, color=_PALE)

    y = _MARGIN + 0.9 + tall + 0.2
    write(_MARGIN, y + 0.07, "measured on", 10, fontweight="bold")
    for lines, left in zip(states, lefts, strict=True):
        write(left, y + 0.08, "\n".join(lines), 8.5, color=_PALE)
    if referred:
        write(end + _GAP, y + 0.07, "reference", 10, fontweight="bold")
    y += head
    for row, label, beside, deep in zip(figures, labels, references, heights, strict=True):
        rule(y)
        write(_MARGIN, y + 0.08, _short(row.name, _LABELS - _GAP, 11, _BOLD), 11, fontweight="bold")
        write(_MARGIN, y + 0.31, "\n".join(label), 8, color=_PALE)
        for figure, best, left in zip(row.figures, row.best, lefts, strict=True):
            text = "–" if figure is None else number(figure.value) + ("  best" if best else "")
            style = {"color": _GOOD, "fontweight": "bold"} if best else {}
            write(left, y + 0.08, text, 12, **style)
        write(end + _GAP, y + 0.1, "\n".join(beside), 9, color=_PALE)
        y += deep
    rule(y)
    return canvas


def _label(row: Row) -> list[str]:
    """The small print of a row."""
    return [line for text in row.words for line in _wrapped(text, _LABELS - _GAP, 8)]


def _beside(row: Row) -> list[str]:
    """The references of a row."""
    texts = [f"{number(value)} {name}" for name, value in row.references]
    return [line for text in texts for line in _wrapped(text, _REFERENCES, 9)]


def _letters(inches: float, size: float, wide: float = 0.58) -> int:
    """How many letters of a size in points fit, about; they are `wide` for their size."""
    return int(inches * 72 / (wide * size))


def _short(text: str, inches: float, size: float, wide: float = 0.58) -> str:
    """The text, or as much of it as fits."""
    text, room = line(text), _letters(inches, size, wide)
    return text if len(text) <= room else text[: room - 1].rstrip() + "…"


def _wrapped(text: str, inches: float, size: float) -> list[str]:
    """Lines of a text; at most four, as more is not readable in a picture."""
    room = _letters(inches, size)
    return textwrap.wrap(line(text), room, max_lines=4, placeholder=" …")
