# pyright: reportIncompatibleVariableOverride=false
"""State: named values that last from round to round.

    state:
      k: {next: "clip(k + 0.001 * (0.5 * real - made), 0, 1)"}
      old: {kind: pool, of: fake, size: 50}

Each changes once after a round, all from their old values, without gradients. The torch side
of the core's kinds is in `ganzoo.nn.state`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

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
    every: Count = Field(1, kw_only=True)
    on: Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(min_length=1)] = Field(
        (0,), kw_only=True
    )

    @model_validator(mode="after")
    def _sometimes(self) -> Self:
        if wrong := [on for on in self.on if on >= self.every]:
            raise SpecError([("on", f"{wrong[0]} is never round % every; every is {self.every}")])
        return self

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
    it is a constant: no gradient flows into it.
    """

    texts: ClassVar[Mapping[str, Literal["read", "next"]]] = {"next": "next"}

    kind: Literal["running"] = Field("running", init=False)
    next: ExpressionText
    start: float = 0.0
    size: Count | None = None

    def tensors(self, shapes: Mapping[str, tuple[int, ...]]) -> Mapping[str, Tensor]:
        return _code().running(self.start, self.size)

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
        return _code().pool(self.size, shapes["of"])

    def value(self, held: Mapping[str, Tensor], **values: Tensor) -> Tensor:
        return _code().seen(held, **values)

    def after(self, held: Mapping[str, Tensor], **values: Tensor) -> Mapping[str, Tensor]:
        return _code().exchanged(held, **values)


def _code() -> Any:
    """The torch side, when something runs."""
    return import_module("ganzoo.nn.state")


class ForeignState(State):
    """A state of a plugin that is not here: kept as it was written, and never held."""

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
        ForeignState,
        lambda data: "running" if "next" in data or not data else "pool" if "of" in data else None,
    ),
]
