"""The draws of a round in tensors at fixed addresses, written before the round reads them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from torch import Tensor

from ganzoo.engine.draws import Draws

Drawn = tuple[int, str]
"""A version of a draw: which of the batches that a round draws under that name."""


class Inputs:
    """The inputs of a round that are new each time. All kinds of rounds share the tensors.

    Only inputs from the host are kept here (row numbers, noise from the generator); the batch is
    computed from them inside the round.
    """

    def __init__(self, draws: Draws) -> None:
        self.draws = draws
        self._kept: dict[Drawn, tuple[Tensor, ...]] = {}

    def write(self, step: int, wanted: Iterable[Drawn]) -> None:
        """Write the draws of step `step`."""
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
        """The batches of some draws, from the inputs that were written."""
        made = [self.draws.batch_of(name, self._kept[version, name]) for name in names]
        return made[0] if len(made) == 1 else made
