"""Differences of plain data, path by path: of two Specs, runs or models."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any, cast

MISSING = None
"""The value of a side that has nothing at a path; JSON's null counts as nothing."""


@dataclass(frozen=True)
class Difference:
    """One path with two values; None where a side has nothing there.

    A list item that only one side has is named by its index there: `layers.+3` if it is in the
    second, `layers.-3` if it is in the first.
    """

    path: str
    first: Any
    second: Any


def differences(first: Any, second: Any, path: str = "") -> Iterator[Difference]:
    """The differences in the order of `first`: mappings by key, lists aligned by equal items."""
    if first == second and type(first) is type(second):
        return
    if isinstance(first, Mapping) and isinstance(second, Mapping):
        one, other = cast("Mapping[str, Any]", first), cast("Mapping[str, Any]", second)
        for key in dict.fromkeys((*one, *other)):
            yield from differences(one.get(key), other.get(key), f"{path}.{key}".lstrip("."))
    elif _is_list(cast("object", first)) and _is_list(cast("object", second)):
        yield from _lists(cast("Sequence[Any]", first), cast("Sequence[Any]", second), path)
    elif first != second:
        yield Difference(path, first, second)


def _lists(first: Sequence[Any], second: Sequence[Any], path: str) -> Iterator[Difference]:
    """Differences of lists of layers or updates; an inserted item does not shift the others."""
    if not any(isinstance(item, Mapping) for item in (*first, *second)):
        yield Difference(path, list(first), list(second))
        return
    words = [[_word(item) for item in items] for items in (first, second)]
    for kind, a, b, c, d in SequenceMatcher(None, *words, autojunk=False).get_opcodes():
        paired = min(b - a, d - c) if kind in ("equal", "replace") else 0
        for offset in range(paired):
            yield from differences(first[a + offset], second[c + offset], f"{path}.{a + offset}")
        for index in range(a + paired, b):
            yield Difference(f"{path}.-{index}", first[index], MISSING)
        for index in range(c + paired, d):
            yield Difference(f"{path}.+{index}", MISSING, second[index])


def _word(item: Any) -> str:
    """The key by which items of two lists are aligned."""
    if isinstance(item, Mapping):
        known = cast("Mapping[str, Any]", item)
        return str(known.get("kind") or known.get("train") or sorted(known))
    return repr(item)


def _is_list(value: object) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)
