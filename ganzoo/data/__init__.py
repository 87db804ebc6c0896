"""Data sets: named ones, folders of pictures, and tensors of your own.

Declarations do not import torch; `load` and `Source` import it at first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ganzoo.data.catalog import DATASETS, DataSet, fields_of, find
from ganzoo.data.decoding import Preprocessing

if TYPE_CHECKING:
    from ganzoo.data.loading import load
    from ganzoo.data.source import Source

__all__ = ["DATASETS", "DataSet", "Preprocessing", "Source", "fields_of", "find", "load"]


def __getattr__(name: str) -> Any:
    if name == "load":
        from ganzoo.data.loading import load

        return load
    if name == "Source":
        from ganzoo.data.source import Source

        return Source
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
