"""What a round consists of: values, executions of updates, passes of networks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from ganzoo.spec import vocabulary
from ganzoo.spec.schedule import Update

Kind = Literal[
    "number", "scheduled", "draw", "state", "call", "output", "function", "operator", "several",
    "point", "gradient",
]  # fmt: skip


@dataclass(eq=False)
class Value:
    """One value that a round computes.

    `scheduled` is a number that follows the run, `point` what a gradient is taken with respect to
    (its word is the name under which it counts as a network), `average` a pass of a network's
    moving average, `everywhere` a mean that several processes take together. `meaning` is equal for
    values of equal expressions, whatever their draws and steps.
    `networks`: those that it depends on. `wants`: those whose gradients flow through it.
    `first`, `last`: the executions in which it is first and last used. `nested`: it is used once,
    so the code writes it in place and gives it no name.
    """

    kind: Kind
    word: str
    inputs: tuple[Value, ...] = ()
    networks: frozenset[str] = frozenset()
    version: int = 0
    number: float = 0.0
    passed: tuple[str, ...] = ()
    noise: tuple[tuple[str, Value], ...] = ()
    hint: str = ""
    wants: set[str] = field(default_factory=lambda: set[str]())
    outputs: list[str] = field(default_factory=lambda: list[str]())
    first: int = -1
    last: int = -1
    name: str = ""
    nested: bool = False
    average: bool = False
    everywhere: bool = False
    meaning: int = -1

    @property
    def parts(self) -> tuple[Value, ...]:
        return (*self.inputs, *(value for _, value in self.noise))

    @property
    def transparent(self) -> bool:
        """No operation: numbers, and several values as one argument."""
        return self.kind in {"number", "several"}

    @property
    def reduced(self) -> bool:
        """A mean over the batch, so that the mean over several processes is that of their means."""
        function = vocabulary.function(self.word) if self.kind == "function" else None
        return function is not None and function.reduces

    @property
    def batchless(self) -> bool:
        """Whether it has no row for each sample."""
        match self.kind:
            case "number" | "scheduled":
                return True
            case "function" | "operator" | "state":
                return self.reduced or all(part.batchless for part in self.parts)
            case _:
                return False

    @property
    def aliases(self) -> bool:
        """A point that is only an alias: gradients of trained weights flow on behind it."""
        return self.kind == "point" and bool(self.wants & self.inputs[0].networks)

    def detaches(self, value: Value) -> bool:
        """Whether this value reads one with a graph, but wants no gradient through it."""
        return bool(self.wants and value.wants and not self.wants & value.networks)


Place = tuple[int, int]
"""An execution of a round, and an update of it."""


@dataclass(frozen=True)
class Execution:
    """One repetition of one item of a round: what it computes, and which networks step."""

    updates: tuple[Update, ...]
    version: int
    terms: tuple[tuple[Value, ...], ...]
    repetition: int


@dataclass(frozen=True)
class Remembering:
    """A state that changes after the round: its name, and the values that it reads."""

    state: str
    values: tuple[tuple[str, Value], ...]


@dataclass(frozen=True)
class Passes:
    """Forward passes of one network in a round.

    `trained`: its own weights learn from the pass. `through`: gradients only pass through it.
    `free`: without a graph. `penalty`: inside functions such as gradient_penalty.
    """

    trained: int = 0
    through: int = 0
    free: int = 0
    penalty: int = 0

    @property
    def total(self) -> int:
        return self.trained + self.through + self.free + self.penalty
