"""The schedule: updates, groups of updates that step together, rounds and stages."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Protocol, Self

from pydantic import Discriminator, Field, Tag, model_validator

from ganzoo.errors import SpecError, choices, nearest
from ganzoo.spec.frozen import Count, Frozen, Identifier, Named
from ganzoo.spec.optimizers import Adam, AnyOptimizer, Optimizer

Steps = Annotated[int, Field(ge=1, le=100_000_000)]
Limit = Annotated[float, Field(gt=0, le=1e6)]
ExpressionText = Annotated[str, Field(min_length=1, max_length=1000)]
Remainders = Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(min_length=1)]
"""The rounds of something that happens in some of them: those with `round % every in on`."""


class _Due(Protocol):
    @property
    def every(self) -> int: ...
    @property
    def on(self) -> tuple[int, ...]: ...


def check_rounds(item: _Due) -> None:
    """Raise SpecError if a number of `on` is never `round % every`."""
    if wrong := [on for on in item.on if on >= item.every]:
        raise SpecError([("on", f"{wrong[0]} is never round % every; every is {item.every}")])


class Update(Frozen):
    """One optimizer step of the networks in `train` on the sum of the terms of `minimize`.

    Args:
        train: the networks that learn; all others are frozen in this update.
        minimize: the loss terms by name, each an expression whose value is a single number.
        optimizer: the kind of optimizer and its settings. Updates of the same name share its state
            across stages; `{of: D}` steps with the optimizer of update D.
        repeat: the number of steps in a row; each one after the first draws anew.
        every, on: the rounds in which it runs: those with `round % every in on`.
        clip_weights: after the step, all weights are clipped to [-c, c] (arXiv:1701.07875).
        clip_norm: before the step, the gradient is scaled down if its norm over all weights
            exceeds this value (arXiv:1211.5063).
        name: the name in logs and checkpoints; by default the networks' names.
        distance: the term that is the negative of a distance between data and fakes, which these
            networks (a critic) learn to estimate; metrics and model cards use it.
    """

    train: Annotated[tuple[Identifier, ...], Field(min_length=1)]
    minimize: Annotated[Named[ExpressionText], Field(min_length=1, max_length=100)]
    optimizer: AnyOptimizer = Adam()
    repeat: Annotated[int, Field(ge=1, le=1000)] = 1
    every: Count = 1
    on: Remainders = (0,)
    clip_weights: Limit | None = None
    name: Annotated[str, Field(max_length=200, pattern=r"^[A-Za-z0-9_]*$")] = ""
    clip_norm: Limit | None = Field(None, kw_only=True)
    distance: Identifier | None = Field(None, kw_only=True)

    if TYPE_CHECKING:

        def __init__(
            self,
            train: str | Sequence[str],
            minimize: Mapping[str, str],
            optimizer: Optimizer = ...,
            repeat: int = 1,
            every: int = 1,
            on: Sequence[int] = (0,),
            clip_weights: float | None = None,
            name: str = "",
            *,
            clip_norm: float | None = None,
            distance: str | None = None,
        ) -> None: ...

    def replace(self, **changes: Any) -> Self:
        """As `Frozen.replace`; with another `train`, a default name changes with it."""
        if "train" in changes and self.name == "_".join(self.train):
            changes.setdefault("name", "")
        return super().replace(**changes)

    @model_validator(mode="before")
    @classmethod
    def _default_name(cls, value: Any) -> Any:
        train = value.get("train") if isinstance(value, dict) else None  # type: ignore[reportUnknownVariableType]
        if train and isinstance(train, str | list | tuple):
            names = [train] if isinstance(train, str) else [str(part) for part in train]  # type: ignore[reportUnknownVariableType]
            name = value.get("name") or "_".join(names)  # type: ignore[reportUnknownVariableType, reportUnknownMemberType]
            return {**value, "train": tuple(names), "name": name}  # type: ignore[reportUnknownVariableType]
        return value  # type: ignore[reportUnknownVariableType]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if len(set(self.train)) < len(self.train):
            raise SpecError([("train", "a network is named twice")])
        if self.distance is not None and self.distance not in self.minimize:
            near = nearest(self.distance, self.minimize)
            text = f"no term {self.distance!r}{near} minimize has: {choices(self.minimize)}"
            raise SpecError([("distance", text)])
        check_rounds(self)
        return self


class Together(Frozen):
    """Updates that step at the same time, from the same forward passes (BiGAN's D and E, G)."""

    together: Annotated[tuple[Update, ...], Field(min_length=1, max_length=32)]
    repeat: Annotated[int, Field(ge=1, le=1000)] = 1
    every: Count = 1
    on: Remainders = (0,)

    if TYPE_CHECKING:

        def __init__(
            self,
            together: Sequence[Update],
            repeat: int = 1,
            every: int = 1,
            on: Sequence[int] = (0,),
        ) -> None: ...

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        trained: set[str] = set()
        for index, update in enumerate(self.together):
            path = f"together.{index}"
            if update.repeat != 1 or update.every != 1:
                raise SpecError([(path, "give repeat and every to the group, not to its updates")])
            if twice := trained & set(update.train):
                text = f"{min(twice)!r} is already trained by another update of the group"
                raise SpecError([(f"{path}.train", text)])
            trained |= set(update.train)
        check_rounds(self)
        return self

    @property
    def updates(self) -> tuple[Update, ...]:
        return self.together


def updates_of(item: Update | Together) -> tuple[Update, ...]:
    """The updates that step at the same time: one, or those of a group."""
    return item.together if isinstance(item, Together) else (item,)


def _tag(value: Any) -> str:
    keys = value if isinstance(value, dict) else getattr(value, "__dict__", {})  # type: ignore[reportUnknownVariableType]
    return "group" if "together" in keys else "update"


RoundItem = Annotated[
    Annotated[Update, Tag("update")] | Annotated[Together, Tag("group")], Discriminator(_tag)
]


MAX_STEPS, MAX_PERIOD, MAX_KINDS = 1_000, 10_000, 100
"""The most optimizer steps in a round; of a stage, the longest period of its schedule in rounds,
and the most kinds of rounds, since a plan is made for each."""


def too_many_kinds(items: Iterable[_Due]) -> str:
    """What is wrong if `every` and `on` make too many kinds of rounds to plan; else empty."""
    dues = sorted({(item.every, tuple(sorted(set(item.on)))) for item in items})
    period = math.lcm(*(every for every, _ in dues))
    if period > MAX_PERIOD:
        named = ", ".join(f"{every:,}" for every in sorted({every for every, _ in dues})[-3:])
        return (
            f"every {named} together repeat after {period:,} rounds; at most {MAX_PERIOD:,} are "
            "allowed. Choose numbers that divide each other"
        )
    sets = [(every, frozenset(on)) for every, on in dues]
    kinds = {tuple(n % every in on for every, on in sets) for n in range(period)}
    if len(kinds) > MAX_KINDS:
        return f"{len(kinds):,} different kinds of rounds; at most {MAX_KINDS}"
    return ""


class Stage(Frozen):
    """A number of rounds with the same updates. Stages run one after the other.

    Args:
        round: the updates of one round (one training step), in order.
        steps: the number of rounds; if the caller gives a total, the stage's share of it.
        freeze: networks that do not learn in this stage; they are in evaluation mode, so that
            their batch statistics do not change either.
        name: the name in logs: a letter, then letters, digits or _.
    """

    round: Annotated[tuple[RoundItem, ...], Field(min_length=1, max_length=50)]
    steps: Steps = 10_000
    freeze: tuple[Identifier, ...] = ()
    name: Identifier = "train"

    if TYPE_CHECKING:

        def __init__(
            self,
            round: Sequence[Update | Together],
            steps: int = 10_000,
            freeze: Sequence[str] = (),
            name: str = "train",
        ) -> None: ...

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        steps = sum(item.repeat * len(updates_of(item)) for item in self.round)
        if steps > MAX_STEPS:
            raise SpecError(
                [("round", f"{steps:,} steps of optimizers in one round; at most {MAX_STEPS:,}")]
            )
        if problem := too_many_kinds(self.round):
            raise SpecError([("round", problem)])
        return self

    @property
    def updates(self) -> tuple[Update, ...]:
        return tuple(update for item in self.round for update in updates_of(item))
