"""A thread that reads rows of memory-mapped data before they are needed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor

from torch import Tensor

Rows = tuple[Tensor, ...]
Wanted = tuple[int, int, str]
"""A round, a version, the name of a draw."""

DEPTH = 3
"""How many rounds are read ahead."""


class Ahead:
    """Reads the data of later rounds while the current one is computed.

    What is read depends only on what is asked for, so that runs with and without it are the same.

    Args:
        read: returns the rows of (round, version, name); called only in the thread.

    Attributes:
        waited: seconds that `take` has waited for rows.
    """

    def __init__(self, read: Callable[[int, int, str], Rows], depth: int = DEPTH) -> None:
        self.read, self.depth, self.waited = read, depth, 0.0
        self._threads = ThreadPoolExecutor(1, thread_name_prefix="ganzoo-data")
        self._asked: dict[Wanted, Future[Rows]] = {}

    def ask(self, step: int, wanted: Callable[[int], Iterable[tuple[int, str]]], last: int) -> None:
        """Start to read for rounds `step` to `step + depth`, unless that has been started.

        Args:
            wanted: returns (version, name) of the draws of a round. last: the end of the run.
        """
        for asked in [*self._asked]:
            if not step <= asked[0] <= step + self.depth:  # the run has moved elsewhere
                self._asked.pop(asked).cancel()
        for round in range(step, min(step + self.depth + 1, last)):
            for version, name in wanted(round):
                asked = (round, version, name)
                if asked not in self._asked:
                    self._asked[asked] = self._threads.submit(self.read, *asked)

    def take(self, step: int, version: int, name: str) -> Rows:
        """The rows, already read or waited for."""
        asked = self._asked.pop((step, version, name), None)
        begun = time.perf_counter()
        asked = asked or self._threads.submit(self.read, step, version, name)
        found = asked.result()
        self.waited += time.perf_counter() - begun
        return found

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
