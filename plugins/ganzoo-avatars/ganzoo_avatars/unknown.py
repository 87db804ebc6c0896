"""The error for unknown names."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from ganzoo import GanzooError


def check(name: str, allowed: Iterable[str], complaint: str) -> None:
    """Raise a GanzooError that begins with `complaint` if `name` is not allowed."""
    known = list(allowed)
    if name in known:
        return
    close = get_close_matches(str(name)[:100], known, n=1)
    meant = f"; did you mean {close[0]!r}?" if close else ";"
    raise GanzooError(f"{complaint}{meant} known: {', '.join(map(repr, known))}")
