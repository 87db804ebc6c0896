"""A batch processed in parts, for networks whose batch does not fit in memory at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor

from ganzoo.engine.updates import Updater

Pile = tuple[list[Tensor | None], list[Tensor]]
"""The sums of gradients, by weight, and of loss terms."""


def in_parts(
    function: Callable[..., Any],
    draw: Callable[..., Any],
    parts: int,
    updaters: Mapping[str, Updater],
    step: Callable[[str, list[Tensor | None], list[Tensor]], None],
) -> None:
    """Run a round on parts of its batch: all parts reach the next step, which is then made once.

    A part's graph is freed before the next part begins.

    Args:
        function: the round as a generator (`ganzoo.engine.writer.Tools.turns`).
        draw: returns the whole batches.
        step: makes the step of an update, given the means of the parts' gradients and loss terms.
    """
    drawn: dict[tuple[int, str], Tensor] = {}
    piles: dict[str, Pile] = {}

    def part(index: int, version: int, *names: str) -> Any:
        for name in names:
            if (version, name) not in drawn:
                drawn[version, name] = draw(version, name)
        found = [drawn[version, name].chunk(parts)[index] for name in names]
        return found[0] if len(found) == 1 else found

    def gradients(name: str, *terms: Tensor, keep_graph: bool = False) -> None:
        total = (terms[0] if len(terms) == 1 else torch.stack(terms).sum()) / parts
        made = torch.autograd.grad(
            total, updaters[name].parameters, retain_graph=keep_graph, allow_unused=True
        )
        shares = [term.detach() / parts for term in terms]
        sums, means = piles.setdefault(name, ([None] * len(made), [term * 0 for term in shares]))
        piles[name] = (
            [new if old is None else old if new is None else old + new
             for old, new in zip(sums, made, strict=True)],
            [old + new for old, new in zip(means, shares, strict=True)],
        )  # fmt: skip

    turns = [function(partial(part, index), gradients, None) for index in range(parts)]
    while True:
        reached = {next(turn, None) for turn in turns}
        [name] = reached  # all parts run the same code
        if name is None:
            return
        step(name, *piles.pop(name))
