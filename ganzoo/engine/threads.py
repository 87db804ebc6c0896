"""How many threads of the processor a round uses: as many as its layers can employ.

Threads share the work of one operation of torch, and wait for each other at its end. For small
operations that costs more than it gains. Sums that are shared are added in another order, so the
number of threads changes the last bits of a run: it follows from the Spec, the batch and the
processor alone, never from a measurement, which would differ from run to run.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch

from ganzoo.engine.plan import Plan
from ganzoo.nn.modules import Net

WORTH = 10e6
"""Operations of one layer and batch, as `nn.work` estimates them, that a thread has to have: some
tenths of a millisecond, of which waiting for other threads is a tenth."""
SEEN = 6
"""Rounds of each stage that are looked at."""
EXPLICIT = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")
"""What says how many threads torch has; then rounds use them all."""


@dataclass(frozen=True)
class Threads:
    """How many threads a round uses, of `most` that torch has here, and why.

    `free`: the number was chosen, and not given by the environment.
    """

    number: int
    most: int
    why: str
    free: bool = True

    def __str__(self) -> str:
        return f"{self.number} of {self.most} threads: {self.why}"

    def of_checkpoint(self, facts: Mapping[str, Any]) -> Threads:
        """The number that a run began with, where it can be had."""
        surroundings = facts.get("surroundings")
        number = surroundings.get("threads") if isinstance(surroundings, Mapping) else None
        if not self.free or not isinstance(number, int) or not 0 < number <= self.most:
            return self
        return self if number == self.number else Threads(number, self.most, "as the run began")


def chosen(plan: Plan, networks: Mapping[str, Net], batch: int, device: torch.device) -> Threads:
    """The threads of a run on `device` with this batch in each process and part."""
    most = torch.get_num_threads()
    given = next((word for word in EXPLICIT if os.environ.get(word)), None)
    if device.type != "cpu":
        return Threads(most, most, f"rounds run on {device.type}", free=False)
    if given:
        return Threads(most, most, f"{given} is set", free=False)
    if most == 1:
        return Threads(1, 1, "there is one")
    each = batch * _operations(plan, networks)
    number = max(1, min(most, int(each / WORTH)))
    size = "large enough for all" if number == most else f"enough for {number}"
    return Threads(number, most, f"a layer takes about {each / 1e6:,.1f} MFLOP a batch, {size}")


def _operations(plan: Plan, networks: Mapping[str, Net]) -> float:
    """Operations of a layer for one sample, the mean over the passes of the longest stage."""
    stages = plan.spec.stages
    index = max(range(len(stages)), key=lambda index: stages[index].steps)
    total = layers = 0.0
    for number in range(min(SEEN, stages[index].steps)):
        for name, passes in plan.round(index, number).passes().items():
            times = 3 * passes.trained + 2 * passes.through + passes.free + 3 * passes.penalty
            total += times * networks[name].work.operations
            layers += times * len(networks[name].along)
    return total / max(layers, 1.0)


@contextmanager
def using(number: int) -> Iterator[None]:
    """Let torch use so many threads; afterwards as many as before."""
    before = torch.get_num_threads()
    if number == before:
        yield
        return
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)
