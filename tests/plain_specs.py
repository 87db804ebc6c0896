"""Specs of the table as plain data, with one value changed, and what is said about them."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from ganzoo.errors import SpecError
from ganzoo.spec import Spec
from tests.table import TABLE

rows = pytest.mark.parametrize("name", TABLE)
PLAIN = {name: row().to_dict() for name, row in TABLE.items()}
GONE = object()
"""In place of a value: the key is taken out."""

D0, G0, ROUND = "networks.D.layers.0", "networks.G.layers.0", "stages.0.round"

Path = tuple[str | int, ...]


def steps(path: str) -> Path:
    return tuple(int(part) if part.isdigit() else part for part in path.split("."))


def changed(row: str, path: str, value: Any) -> dict[str, Any]:
    """The plain data of a row with one value replaced, added or taken out."""
    data = copy.deepcopy(PLAIN[row])
    *way, last = steps(path)
    place: Any = data
    for step in way:
        place = place[step]
    if value is GONE:
        del place[last]
    else:
        place[last] = value
    return data


def problems(data: Any) -> list[tuple[str, str]]:
    with pytest.raises(SpecError) as caught:
        Spec.from_dict(data)
    return caught.value.problems
