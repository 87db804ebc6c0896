"""How two pieces of plain data differ, path by path: two Specs, two runs, two models."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any, cast

MISSING = None
"""What stands for a side that has nothing at a path; JSON's null counts as nothing."""


@dataclass(frozen=True)
class Difference:
    """One path with two values; None where a side has nothing there.

    Items of lists that only one side has are named by their place on that side, `layers.+3` where
    the second has one more, `layers.-3` where the first has.
    """

    path: str
    first: Any
    second: Any


def differences(first: Any, second: Any, path: str = "") -> Iterator[Difference]:
    """What differs, in the order of the first; mappings by key, lists by what stands in both."""
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
    """Lists of layers and updates: what was put in or taken out does not move the rest."""
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
    """What an item of a list is recognised by."""
    if isinstance(item, Mapping):
        known = cast("Mapping[str, Any]", item)
        return str(known.get("kind") or known.get("train") or sorted(known))
    return repr(item)


def _is_list(value: object) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)
