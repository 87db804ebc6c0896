"""Portraits composited from parts, of which every attribute is known exactly; without end.

README.md has the data sets, and NOTICE.md whose designs the parts are.
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
    # NumPy and torch come with the first portrait, and not with the list of data sets
    if name in _LATER:
        return getattr(import_module(_LATER[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


@hookimpl
def ganzoo_data():
    return declarations()
