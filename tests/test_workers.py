"""Threads of generators."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from ganzoo.workers import workers


def test_results_come_in_order() -> None:
    with workers() as threads:
        assert [*threads.map(abs, range(-100, 0))] == [*range(100, 0, -1)]


def test_a_generator_may_be_dropped_in_one_of_its_own_threads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Which cannot wait for itself: that was an error that nobody could catch."""
    wrong: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", wrong.append)
    pools: list[ThreadPoolExecutor] = []

    def numbers() -> Iterator[int]:
        with workers() as threads:
            pools.append(threads)
            yield from threads.map(abs, range(3))

    held = [numbers()]
    assert next(held[0]) == 0
    pools[0].submit(held.clear).result(10)
    assert not held and not wrong
