"""The draws of a round in tensors that stay in place, written before the round reads them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from torch import Tensor

from ganzoo.engine.draws import Draws

Drawn = tuple[int, str]
"""A version of a draw: which of the batches that a round draws under that name."""


class Inputs:
    """What a round reads that is new each time. All kinds of rounds share the tensors.

    Only what must come from outside is kept here (numbers of rows, noise as the generator gives
    it); the batch that is made of it is computed inside the round.
    """

    def __init__(self, draws: Draws) -> None:
        self.draws = draws
        self._kept: dict[Drawn, tuple[Tensor, ...]] = {}

    def write(self, step: int, wanted: Iterable[Drawn]) -> None:
        """Write what step `step` draws."""
        for version, name in wanted:
            kept = self._kept.get((version, name))
            raw = self.draws.raw(step, version, name, into=kept or ())
            if kept is None:
                copies = tuple(part.to(self.draws.device, copy=True) for part in raw)
                self._kept[version, name] = copies
                continue
            for place, part in zip(kept, raw, strict=True):
                if part is not place:
                    place.copy_(part, non_blocking=True)

    def __call__(self, version: int, *names: str) -> Any:
        """The batches of some draws, from what was written."""
        made = [self.draws.batch_of(name, self._kept[version, name]) for name in names]
        return made[0] if len(made) == 1 else made
