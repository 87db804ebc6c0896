"""State at work: what the core's kinds hold, what they mean, and how they change.

Nothing here looks at a number on the host: what depends on one is done with tensors, so that a
round is the same work every time.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

Held = Mapping[str, Tensor]


def running(start: float, size: int | None) -> dict[str, Tensor]:
    return {"value": torch.full((size,) if size else (), start)}


def pool(size: int, shape: tuple[int, ...]) -> dict[str, Tensor]:
    """Empty: `samples` (size, ...), of which the first `filled` (a whole number) are there."""
    return {"samples": torch.zeros((size, *shape)), "filled": torch.zeros((), dtype=torch.int64)}


def seen(held: Held, *, of: Tensor, place: Tensor, swap: Tensor) -> Tensor:
    """The batch that a pool shows: older samples in the place of those that it exchanges."""
    slot, _, exchanged = _slots(held, of, place, swap)
    old = held["samples"][slot].to(of.dtype)
    return torch.where(exchanged.view(-1, *[1] * (of.ndim - 1)), old, of)


def exchanged(held: Held, *, of: Tensor, place: Tensor, swap: Tensor) -> dict[str, Tensor]:
    """What the pool holds once the batch was shown."""
    samples, filled = held["samples"], held["filled"]
    size, batch = len(samples), len(of)
    slot, new, old = _slots(held, of, place, swap)
    # where each place gets its sample from: itself, or one of the batch; those that stay
    # outside write to a place behind the last
    source = torch.arange(size + 1, device=of.device)
    target = torch.where(new | old, slot, torch.full_like(slot, size))
    source = source.scatter(0, target, size + torch.arange(batch, device=of.device))[:size]
    together = torch.cat((samples, of.to(samples.dtype)))
    return {"samples": together[source], "filled": (filled + batch).clamp_max(size)}


def _slots(held: Held, of: Tensor, place: Tensor, swap: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """For each sample its place in the pool, whether it fills it, whether it is exchanged."""
    size, batch, filled = len(held["samples"]), len(of), held["filled"]
    number = torch.arange(batch, device=of.device)
    free = filled + number
    new = free < size
    # places in a random order, as many as there are samples, no place twice
    order = place.argsort()
    rank = torch.empty_like(order).scatter(0, order, number)
    first, end = rank * size // batch, (rank + 1) * size // batch
    chosen = first + ((place * 1e4) % 1 * (end - first)).long()
    old = (filled >= size) & (swap < 0.5) & (end > first)
    return torch.where(new, free, chosen).clamp_max(size - 1), new, old
