"""The plan: from a Spec to what runs when, as ordinary Python.

The Spec says what each update trains and reads, so all of this is known before training:

- Each value has a key: the expression, the draws that it depends on, and how often each of its
  networks has stepped. Equal keys are computed once and reused, within an update and across
  updates (the fake batch of D's step is the fake batch of G's).
- A value wants gradients only of the networks that some update trains through it. If it wants
  none, it runs without a graph; passed to a value that wants none of its gradients, it is
  detached. Gradients are then taken with respect to the trained weights alone, so autograd
  skips the weight gradients of all other networks.
- The second argument of `grad(y, x)` becomes a point: one leaf that all terms of that update
  read in place of x. It counts as a network of its own, so the two rules above find the
  passes that `grad` shares with the loss.
- A state is updated with the value of the same meaning that the round computed last, which is
  computed again only where there is none.

`Plan(spec)` holds one `Round` for each pattern of active updates; `Round.code` is the
Python that the engine runs, that `ganzoo explain --code` shows and a debugger steps through.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

from ganzoo.engine import flow, writer
from ganzoo.engine.reading import Reader
from ganzoo.engine.values import Passes, Place, Value
from ganzoo.engine.writer import Tools
from ganzoo.spec import vocabulary
from ganzoo.spec.schedule import Stage
from ganzoo.spec.spec import Spec


class Round:
    """One round of a stage, for one pattern of active items.

    Args:
        active: for each item of the stage's round, then for each state of the Spec, whether it
            runs in this pattern.
    """

    def __init__(self, spec: Spec, stage: Stage, active: tuple[bool, ...]) -> None:
        self.spec, self.stage, self.active = spec, stage, active
        reader = Reader(spec, stage, active)
        self.executions, self.remembers = reader.executions, reader.remembers
        flow.want(self.executions, reader.values)
        flow.share(self.executions)
        flow.live(self.executions, self.remembers, reader.values)
        self.values = tuple(value for value in reader.values if value.first >= 0)

    @property
    def updates(self) -> int:
        """How many updates it makes, each as often as it is repeated."""
        return sum(len(execution.updates) for execution in self.executions)

    def keeps_graph(self, execution: int, update: int) -> bool:
        """Whether a later gradient of this round runs through the graph of this one."""
        paths, last = self._gradient_paths
        here = (execution, update)
        return any(last[value] > here for value in paths[here])

    @cached_property
    def _gradient_paths(self) -> tuple[dict[Place, set[int]], dict[int, Place]]:
        """The values that the gradient of each update runs through, and the last update of each."""
        paths: dict[Place, set[int]] = {}
        last: dict[int, Place] = {}
        for e, execution in enumerate(self.executions):
            for u, (update, terms) in enumerate(
                zip(execution.updates, execution.terms, strict=True)
            ):
                found, wanted = set[int](), set(update.train)
                pending = list(terms)
                while pending:
                    value = pending.pop()
                    if id(value) not in found and value.networks & wanted:
                        found.add(id(value))
                        pending += value.parts
                paths[e, u] = found
                last |= dict.fromkeys(found, (e, u))
        return paths, last

    @cached_property
    def readers(self) -> dict[tuple[int, str], Value]:
        """The value that stands for each output of each pass, by the pass and the output."""
        found: dict[tuple[int, str], Value] = {}
        for value in self.values:
            if value.kind == "output":
                found.setdefault((id(value.inputs[0]), value.word), value)
        return found

    @cached_property
    def called(self) -> frozenset[str]:
        """The functions that it calls."""
        return frozenset(value.word for value in self.values if value.kind == "function")

    # ---------------------------------------------------------------------------- facts

    @cached_property
    def draws(self) -> tuple[tuple[int, str], ...]:
        """What it draws: (version, name) of each batch."""
        return tuple((value.version, value.word) for value in self.values if value.kind == "draw")

    @cached_property
    def terms(self) -> tuple[tuple[str, str], ...]:
        """The loss terms that it computes, in order: (update, term)."""
        return tuple(
            (update.name, term)
            for execution in self.executions
            for update in execution.updates
            for term in update.minimize
        )

    def passes(self) -> dict[str, Passes]:
        """Forward passes by network."""
        found = {name: Passes() for name in self.spec.networks}

        def add(name: str, **more: int) -> None:
            old = found[name]
            found[name] = Passes(
                **{key: getattr(old, key) + more.get(key, 0) for key in old.__dataclass_fields__}
            )

        for value in self.values:
            if value.kind == "call":
                how = (
                    "trained" if value.word in value.wants else "through" if value.wants else "free"
                )
                add(value.word, **{how: 1})
            elif value.kind == "function":
                function = vocabulary.function(value.word)
                for name in filter(None, value.passed):
                    add(name, penalty=function.passes if function else 0)
        return found

    def plain_passes(self) -> dict[str, int]:
        """Forward passes of a loop that shares nothing between its updates."""
        found = dict.fromkeys(self.spec.networks, 0)
        for execution in self.executions:
            seen: set[int] = set()
            pending = [term for terms in execution.terms for term in terms]
            while pending:
                value = pending.pop()
                if id(value) in seen:
                    continue
                seen.add(id(value))
                pending += value.parts
                if value.kind == "call":
                    found[value.word] += 1
                function = vocabulary.function(value.word) if value.kind == "function" else None
                for name in filter(None, value.passed if function else ()):
                    found[name] += function.passes if function else 0
        for value in self.values:  # those that only states need
            if value.kind == "call" and value.first == len(self.executions):
                found[value.word] += 1
        return found

    @cached_property
    def scheduled(self) -> tuple[str, ...]:
        """The expressions of the numbers that the host computes for it."""
        return tuple(value.word for value in self.values if value.kind == "scheduled")

    @cached_property
    def averages(self) -> tuple[str, ...]:
        """The networks whose moving averages it calls."""
        calls = (value for value in self.values if value.kind == "call" and value.average)
        return tuple(dict.fromkeys(value.word for value in calls))

    # ----------------------------------------------------------------------------- code

    @cached_property
    def code(self) -> str:
        """The round as Python source: a function of `draw`, `gradients` and `apply`."""
        return writer.write(self)

    def compile(self, names: Mapping[str, Any], tools: Tools | None = None) -> Callable[..., None]:
        """The function, with networks looked up in `names`, and everything else in `tools`."""
        return writer.compile_round(self, names, tools or writer.Tools())


class Plan:
    """All rounds of a Spec. `round(stage, r)` is round `r` of a stage."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self._rounds: dict[tuple[int, tuple[bool, ...]], Round] = {}
        self._scheduled: dict[int, tuple[str, ...]] = {}

    def active(self, stage: int, round: int) -> tuple[bool, ...]:
        """Which items of the stage run in its round number `round`, then which states change
        after it."""
        items = (*self.spec.stages[stage].round, *self.spec.state.values())
        return tuple(round % item.every in item.on for item in items)

    def round(self, stage: int, round: int) -> Round:
        key = (stage, self.active(stage, round))
        if key not in self._rounds:
            self._rounds[key] = Round(self.spec, self.spec.stages[stage], key[1])
        return self._rounds[key]

    @cached_property
    def differentiates_twice(self) -> bool:
        """Whether some round may take gradients of gradients: by `grad`, in a function that calls
        networks, or in one of a plugin."""
        return any(
            _may_differentiate(value)
            for stage in range(len(self.spec.stages))
            for numbers in self.alike(stage)
            for value in self.round(stage, numbers[0]).values
        )

    def period(self, stage: int) -> int:
        """After how many rounds the pattern of active updates repeats."""
        items = (*self.spec.stages[stage].round, *self.spec.state.values())
        return math.lcm(*(item.every for item in items))  # bounded by the language

    def versions(self, stage: int) -> int:
        """The most batches of each draw that a round of the stage uses."""
        return 1 + sum(item.repeat - 1 for item in self.spec.stages[stage].round)

    def scheduled(self, stage: int) -> tuple[str, ...]:
        """The numbers that the host computes before rounds of the stage, as expressions."""
        if stage not in self._scheduled:
            rounds = (round for _, round in self.patterns(stage))
            found = dict.fromkeys(text for round in rounds for text in round.scheduled)
            self._scheduled[stage] = tuple(found)
        return self._scheduled[stage]

    def patterns(self, stage: int) -> list[tuple[int, Round]]:
        """The different rounds of a stage, each with the first round number that it stands for."""
        return [(numbers[0], self.round(stage, numbers[0])) for numbers in self.alike(stage)]

    def alike(self, stage: int) -> list[list[int]]:
        """The round numbers of one period, grouped by equal rounds."""
        found: dict[tuple[bool, ...], list[int]] = {}
        for round in range(self.period(stage)):
            found.setdefault(self.active(stage, round), []).append(round)
        return [*found.values()]


def _may_differentiate(value: Value) -> bool:
    function = vocabulary.function(value.word) if value.kind == "function" else None
    called = function is not None and (function.networks or function.implementation is not None)
    return value.kind == "gradient" or bool(called)
