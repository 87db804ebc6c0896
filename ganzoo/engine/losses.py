"""The loss terms of past rounds, kept on the device until they are read."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from ganzoo.errors import NonFiniteError
from ganzoo.spec.expression import undefined

Term = tuple[str, str]
"""An update and the name of one of its loss terms."""


class Losses:
    """The loss terms of a few rounds in one tensor, copied to the host together, and only if asked.

    width: the most terms of a round. rounds: how many rounds are kept before they are checked.
        texts: the expressions of terms with their lets, by `stage.update.term`, for advice.
    """

    def __init__(
        self,
        width: int,
        device: torch.device,
        rounds: int = 128,
        texts: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        self.texts = texts or {}
        self._memory = torch.zeros(rounds, max(1, width), device=device)
        self._kept: list[tuple[int, str, Sequence[Term]]] = []
        self._latest: dict[Term, float] = {}

    def keep(
        self, step: int, stage: str, names: Sequence[Term], terms: Tensor, saved: Path | None
    ) -> None:
        """Keep the terms of a round, (terms,). They are checked when the memory is full, and on the
        CPU at each round; see `look` for `saved` and the error."""
        if names:
            self._memory[len(self._kept), : len(names)].copy_(terms)
        self._kept.append((step, stage, names))
        if len(self._kept) == len(self._memory) or self._memory.device.type == "cpu":
            self.look(saved)

    def look(self, saved: Path | None) -> None:
        """Copy all kept terms to the host.

        Raises:
            NonFiniteError: for the first term of the first round that is not finite; names the
                checkpoint `saved`.
        """
        if not self._kept:
            return
        kept, self._kept = self._kept, []
        rows = self._memory[: len(kept)].tolist()  # waits for the device
        for (step, stage, names), row in zip(kept, rows, strict=True):
            check(step, stage, names, row, saved, self.texts)
            self._latest.update(zip(names, row, strict=False))

    def take_up(self, latest: dict[Term, float]) -> None:
        """Continue from the terms of a checkpoint; some may not be computed every round."""
        self._kept, self._latest = [], dict(latest)

    def latest(self, saved: Path | None) -> dict[Term, float]:
        """The latest value of each term of the run."""
        self.look(saved)
        return self._latest


def check(
    step: int,
    stage: str,
    names: Sequence[Term],
    values: Sequence[float],
    saved: Path | None,
    texts: Mapping[str, Sequence[str]],
) -> None:
    """NonFiniteError for the first value that is not finite; `step` counts from 0."""
    for (update, term), value in zip(names, values, strict=False):
        if not math.isfinite(value):
            path = f"{stage}.{update}.{term}"
            advice = next(filter(None, map(undefined, texts.get(path, ()))), "")
            raise NonFiniteError(path, step + 1, str(saved) if saved else None, advice)
