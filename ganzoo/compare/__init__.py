"""Models side by side: samples, figures and mathematics, in one self-contained file."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

from ganzoo.atomic import write_text
from ganzoo.compare.columns import Column, column
from ganzoo.compare.figures import Row, rows
from ganzoo.compare.html import page
from ganzoo.compare.plot import picture

__all__ = ["SUFFIXES", "Column", "Row", "column", "page", "picture", "rows", "save"]

SUFFIXES = (".html", ".png")


def save(columns: Sequence[Column], path: str | Path) -> Path:
    """Write a comparison: a page where `path` ends in .html, else a picture."""
    path = Path(path)
    if path.suffix.lower() == ".html":
        write_text(path, page(columns))
        return path
    with warnings.catch_warnings():
        # of characters that the font lacks, which become boxes
        warnings.filterwarnings("ignore", message="Glyph", category=UserWarning)
        picture(columns).savefig(path)
    return path
