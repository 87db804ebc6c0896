"""State: named values that persist from round to round.

    state:
      k: {next: "clip(k + 0.001 * (0.5 * real - made), 0, 1)"}
      old: {kind: pool, of: fake, size: 50}

All states are updated together after a round, from their old values and without gradients. The
torch code of a kind is here, too. It never reads a tensor's value on the host (no `if`, no
`.item()`) but computes with tensors, so that every round runs the same operations.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Self

from pydantic import ConfigDict, Field, SerializeAsAny, model_validator

from ganzoo.spec.frozen import Count, Frozen
from ganzoo.spec.kinds import Kinds
from ganzoo.spec.schedule import ExpressionText, Remainders, check_rounds

if TYPE_CHECKING:
    from torch import Tensor


class State(Frozen):
    """Base of all kinds of state.

    A kind of a plugin declares in `texts` which of its fields are expressions, and implements
    `tensors`, `value` and `after`. These get the values of the expressions by field and must not
    branch on values of tensors (no `if`, no `.item()`), but compute with tensors.

    Args:
        every, on: the rounds in which it is updated: those with `round % every in on`.
    """

    texts: ClassVar[Mapping[str, Literal["read", "next"]]] = {}
    """The fields that are expressions: `read` ones are computed where a loss uses the state, `next`
    ones after the round."""
    noise: ClassVar[tuple[str, ...]] = ()
    """Names of uniform noise in [0, 1), shape (batch,), that `value` and `after` get by keyword."""

    kind: str = Field(init=False)
    every: Count = Field(default=1, kw_only=True)
    on: Remainders = Field(default=(0,), kw_only=True)

    @model_validator(mode="after")
    def _sometimes(self) -> Self:
        check_rounds(self)
        return self

    @property
    def is_number(self) -> bool:
        """Whether it is a single number; these are logged with the losses, and may be unused."""
        return False

    def expressions(self) -> Iterator[tuple[str, str]]:
        """Its expressions with their fields."""
        for name in self.texts:
            yield name, getattr(self, name)

    def tensors(self, shapes: Mapping[str, tuple[int, ...]]) -> Mapping[str, Tensor]:
        """Its initial tensors by name, on the CPU.

        Args:
            shapes: the shapes of its `read` expressions by field, without the batch axis.
        """
        raise NotImplementedError(f"state {self.kind!r} has no tensors(shapes)")

    def value(self, held: Mapping[str, Tensor], **values: Tensor) -> Tensor:
        """Its value in an expression.

        Args:
            held: its tensors. values: its `read` expressions and noise, by name.
        """
        raise NotImplementedError(f"state {self.kind!r} has no value(held, ...)")

    def after(self, held: Mapping[str, Tensor], **values: Tensor) -> Mapping[str, Tensor]:
        """Its tensors after the round.

        Args:
            held: its tensors before. values: all its expressions and noise, by name, with the
                samples of all processes.
        """
        raise NotImplementedError(f"state {self.kind!r} has no after(held, ...)")


class Running(State):
    """A number, or a vector of `size` numbers, that `next` computes after each round.

    `k: {next: "clip(k + 0.001 * (0.5 * real - made), 0, 1)"}` starts at `start`, by default 0. In
    losses it is a constant without a gradient. Single numbers are logged with the losses, so an
    unused one serves as a measure: `convergence: {next: "real + abs(0.5 * real - made)"}`.
    """

    texts: ClassVar[Mapping[str, Literal["read", "next"]]] = {"next": "next"}

    kind: Literal["running"] = Field("running", init=False)
    next: ExpressionText
    start: float = 0.0
    size: Count | None = None

    @property
    def is_number(self) -> bool:
        return self.size is None

    def tensors(self, shapes: Mapping[str, tuple[int, ...]]) -> Mapping[str, Tensor]:
        import torch

        return {"value": torch.full((self.size,) if self.size else (), self.start)}

    def value(self, held: Mapping[str, Tensor], **values: Tensor) -> Tensor:
        return held["value"]

    def after(self, held: Mapping[str, Tensor], **values: Tensor) -> Mapping[str, Tensor]:
        return {"value": values["next"]}


class Pool(State):
    """A history of up to `size` samples of `of`; its value is a batch (arXiv:1612.07828).

    Until the pool is full, samples are stored and returned unchanged. Afterwards each sample is,
    with probability 1/2, exchanged for a stored one, which is returned instead. Samples of a batch
    use different slots; if the batch is larger than the pool, the others are returned unchanged.
    """

    texts: ClassVar[Mapping[str, Literal["read", "next"]]] = {"of": "read"}
    noise: ClassVar[tuple[str, ...]] = ("place", "swap")

    kind: Literal["pool"] = Field("pool", init=False)
    of: ExpressionText
    size: Annotated[int, Field(ge=1, le=100_000)] = 50

    def tensors(self, shapes: Mapping[str, tuple[int, ...]]) -> Mapping[str, Tensor]:
        """An empty pool: `samples` (size, ...), of which the first `filled` (int64) are in use."""
        import torch

        samples = torch.zeros((self.size, *shapes["of"]))
        return {"samples": samples, "filled": torch.zeros((), dtype=torch.int64)}

    def value(self, held: Mapping[str, Tensor], **values: Tensor) -> Tensor:
        """The batch, with stored samples in place of the exchanged ones."""
        import torch

        of = values["of"]
        slot, _, exchanged = _slots(held, **values)
        old = held["samples"][slot].to(of.dtype)
        return torch.where(exchanged.view(-1, *[1] * (of.ndim - 1)), old, of)

    def after(self, held: Mapping[str, Tensor], **values: Tensor) -> Mapping[str, Tensor]:
        """The pool after the exchange."""
        import torch

        of, samples, filled = values["of"], held["samples"], held["filled"]
        size, batch = len(samples), len(of)
        slot, new, old = _slots(held, **values)
        # the source of each slot: itself, or a sample of the batch; samples that are not stored
        # write to an extra slot behind the last
        source = torch.arange(size + 1, device=of.device)
        target = torch.where(new | old, slot, torch.full_like(slot, size))
        source = source.scatter(0, target, size + torch.arange(batch, device=of.device))[:size]
        together = torch.cat((samples, of.to(samples.dtype)))
        return {"samples": together[source], "filled": (filled + batch).clamp_max(size)}


def _slots(
    held: Mapping[str, Tensor], of: Tensor, place: Tensor, swap: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """For each sample: its slot, whether it fills a free slot, and whether it is exchanged."""
    import torch

    size, batch, filled = len(held["samples"]), len(of), held["filled"]
    number = torch.arange(batch, device=of.device)
    free = filled + number
    new = free < size
    # slots in random order, one for each sample, all different
    order = place.argsort()
    rank = torch.empty_like(order).scatter(0, order, number)
    first, end = rank * size // batch, (rank + 1) * size // batch
    chosen = first + ((place * 1e4) % 1 * (end - first)).long()
    old = (filled >= size) & (swap < 0.5) & (end > first)
    return torch.where(new, free, chosen).clamp_max(size - 1), new, old


class UnknownState(State):
    """A state of a plugin that is not installed: kept as written, never computed."""

    model_config = ConfigDict(extra="allow")
    kind: str = ""

    @classmethod
    def _accepts(cls, key: str) -> bool:
        return True


STATES: dict[str, type[State]] = {cls.model_fields["kind"].default: cls for cls in (Running, Pool)}


AnyState = Annotated[
    SerializeAsAny[State],
    Kinds(
        "states",
        State,
        UnknownState,
        lambda data: "running" if "next" in data or not data else "pool" if "of" in data else None,
    ),
]
