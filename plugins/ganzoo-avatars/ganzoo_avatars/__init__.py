"""Portraits composited from parts, with all attributes known exactly; an unlimited number.

README.md describes the data sets; NOTICE.md credits the designers of the parts.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ganzoo import hookimpl

from .captions import caption, free_sentences, held_out
from .drawings import DRAWINGS
from .sets import declarations

if TYPE_CHECKING:
    from .loading import attributes, names, portraits, sentences
    from .portrait import Portraits, draw

__all__ = [
    "DRAWINGS",
    "Portraits",
    "attributes",
    "caption",
    "draw",
    "free_sentences",
    "held_out",
    "names",
    "portraits",
    "sentences",
]

_LATER = {
    **dict.fromkeys(("attributes", "names", "portraits", "sentences"), "ganzoo_avatars.loading"),
    **dict.fromkeys(("Portraits", "draw"), "ganzoo_avatars.portrait"),
}


def __getattr__(name: str) -> Any:
    # NumPy and torch are imported with the first portrait, and not to list data sets
    if name in _LATER:
        return getattr(import_module(_LATER[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


@hookimpl
def ganzoo_data():
    return declarations()
