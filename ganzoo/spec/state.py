"""State: named values that last from round to round.

    state:
      k: {next: "clip(k + 0.001 * (0.5 * real - made), 0, 1)"}
      old: {kind: pool, of: fake, size: 50}

Each changes once after a round, all from their old values, without gradients. A kind stands whole
here, its torch side too, which looks at no number on the host: what depends on one is done with
tensors, so that a round is the same work every time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Self

from pydantic import ConfigDict, Field, SerializeAsAny, model_validator

from ganzoo.errors import SpecError
from ganzoo.spec.frozen import Count, Frozen
from ganzoo.spec.kinds import Kinds
from ganzoo.spec.schedule import ExpressionText

if TYPE_CHECKING:
    from torch import Tensor


class State(Frozen):
    """Base of all kinds of state.

    A plugin's kind says in `texts` which of its fields are expressions, and brings three methods.
    They get the values of these expressions by field, and must decide nothing by the numbers in
    a tensor (no `if`, no `.item()`): what depends on them is done with tensors.

    Args:
        every, on: in which rounds it changes: those with `round % every in on`.
    """

    texts: ClassVar[Mapping[str, Literal["read", "next"]]] = {}
    """Its expressions by field: `read` ones stand in the loss where its name does, `next` ones
    are computed after the round."""
    noise: ClassVar[tuple[str, ...]] = ()
    """Words for uniform numbers in [0, 1), one a sample, that `read` and `next` get by keyword."""

    kind: str = Field(init=False)
    every: Count = Field(default=1, kw_only=True)
    on: Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(min_length=1)] = Field(
        default=(0,), kw_only=True
    )

    @model_validator(mode="after")
    def _sometimes(self) -> Self:
        if wrong := [on for on in self.on if on >= self.every]:
            raise SpecError([("on", f"{wrong[0]} is never round % every; every is {self.every}")])
        return self

    @property
    def is_number(self) -> bool:
        """Whether it is one number, which is logged beside the losses; nothing need read it."""
        return False

    def expressions(self) -> Iterator[tuple[str, str]]:
        """Its expressions with their fields."""
        for name in self.texts:
            yield name, getattr(self, name)

    def tensors(self, shapes: Mapping[str, tuple[int, ...]]) -> Mapping[str, Tensor]:
        """What it holds at first, by word, on the CPU.

        Args:
            shapes: of the values of its `read` expressions, without the batch.
        """
        raise NotImplementedError(f"state {self.kind!r} has no tensors(shapes)")

    def value(self, held: Mapping[str, Tensor], **values: Tensor) -> Tensor:
        """What its name means in an expression; `values` are its `read` expressions and noise."""
        raise NotImplementedError(f"state {self.kind!r} has no value(held, ...)")

    def after(self, held: Mapping[str, Tensor], **values: Tensor) -> Mapping[str, Tensor]:
        """What it holds after the round, by word; `values` are all its expressions and noise.

        Samples of `values` are those of all processes together.
        """
        raise NotImplementedError(f"state {self.kind!r} has no after(held, ...)")


class Running(State):
    """A number, or `size` numbers, that `next` gives anew after a round.

    `k: {next: "clip(k + 0.001 * (0.5 * real - made), 0, 1)"}` begins at `start`, as 0. In losses
    it is a constant: no gradient flows into it. A number is logged beside the losses, so one that
    nothing reads is a measure: `convergence: {next: "real + abs(0.5 * real - made)"}`.
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
    """The last `size` samples of `of`, more or less; its name is a batch (arXiv:1612.07828).

    Until it is full, samples go in and are seen as they are. Then each sample is, with
    probability 1/2, exchanged for an older one, which is seen in its place. No two samples of
    a batch take the same place, so a batch larger than the pool shows the rest as they are.
    """

    texts: ClassVar[Mapping[str, Literal["read", "next"]]] = {"of": "read"}
    noise: ClassVar[tuple[str, ...]] = ("place", "swap")

    kind: Literal["pool"] = Field("pool", init=False)
    of: ExpressionText
    size: Annotated[int, Field(ge=1, le=100_000)] = 50

    def tensors(self, shapes: Mapping[str, tuple[int, ...]]) -> Mapping[str, Tensor]:
        """Empty: `samples` (size, ...), of which the first `filled` (a whole number) are there."""
        import torch

        samples = torch.zeros((self.size, *shapes["of"]))
        return {"samples": samples, "filled": torch.zeros((), dtype=torch.int64)}

    def value(self, held: Mapping[str, Tensor], **values: Tensor) -> Tensor:
        """The batch that it shows: older samples in the place of those that it exchanges."""
        import torch

        of = values["of"]
        slot, _, exchanged = _slots(held, **values)
        old = held["samples"][slot].to(of.dtype)
        return torch.where(exchanged.view(-1, *[1] * (of.ndim - 1)), old, of)

    def after(self, held: Mapping[str, Tensor], **values: Tensor) -> Mapping[str, Tensor]:
        """What it holds once the batch was shown."""
        import torch

        of, samples, filled = values["of"], held["samples"], held["filled"]
        size, batch = len(samples), len(of)
        slot, new, old = _slots(held, **values)
        # where each place gets its sample from: itself, or one of the batch; those that stay
        # outside write to a place behind the last
        source = torch.arange(size + 1, device=of.device)
        target = torch.where(new | old, slot, torch.full_like(slot, size))
        source = source.scatter(0, target, size + torch.arange(batch, device=of.device))[:size]
        together = torch.cat((samples, of.to(samples.dtype)))
        return {"samples": together[source], "filled": (filled + batch).clamp_max(size)}


def _slots(
    held: Mapping[str, Tensor], of: Tensor, place: Tensor, swap: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """For each sample its place in the pool, whether it fills it, whether it is exchanged."""
    import torch

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


class UnknownState(State):
    """A state of a plugin that is not installed: kept as written, never held."""

    model_config = ConfigDict(extra="allow")
    kind: str = ""

    @classmethod
    def _accepts(cls, key: str) -> bool:
        return True


STATES: dict[str, type[State]] = {cls.model_fields["kind"].default: cls for cls in (Running, Pool)}


def _lookup() -> Mapping[str, type[State]]:
    from ganzoo.spec.vocabulary import current

    return current().states


AnyState = Annotated[
    SerializeAsAny[State],
    Kinds(
        "state",
        State,
        STATES,
        _lookup,
        UnknownState,
        lambda data: "running" if "next" in data or not data else "pool" if "of" in data else None,
    ),
]
