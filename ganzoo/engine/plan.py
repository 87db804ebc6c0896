"""The plan: from a Spec to what runs when, as ordinary Python.

The Spec says what each update trains and reads, so all of this is known before training:

- Each value gets a key: the expression, the draws it was made of, and how often each
  of its networks had stepped. Equal keys are computed once and reused, within an
  update and across updates (the fake batch of D's step is the fake batch of G's).
- A value wants gradients of those networks alone that some update trains through it.
  Wanting none it runs without a graph; passed to one that wants none of its own it is
  detached. Gradients are then taken with respect to the trained weights alone, so
  autograd skips the weight gradients of all other networks.

`Plan(spec)` holds one `Round` for each pattern of active updates; `Round.code` is the
Python that the engine runs, that `ganzoo explain --code` shows and a debugger steps through.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from ganzoo.engine import writer
from ganzoo.spec import expression as ex
from ganzoo.spec import vocabulary
from ganzoo.spec.schedule import Stage, Update, updates_of
from ganzoo.spec.spec import Spec

Kind = Literal["number", "draw", "call", "output", "function", "operator", "several"]


@dataclass(eq=False)
class Value:
    """One thing that a round computes.

    `networks`: those that it depends on. `wants`: those whose gradients flow through it.
    `first`, `last`: the executions in which it is first and last used. `nested`: it is read
    once, so the code writes it there and gives it no name.
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

    @property
    def parts(self) -> tuple[Value, ...]:
        return (*self.inputs, *(value for _, value in self.noise))

    @property
    def transparent(self) -> bool:
        """Nothing by itself: numbers, and several values as one argument."""
        return self.kind in {"number", "several"}

    def detaches(self, value: Value) -> bool:
        """Whether this value reads one with a graph but wants no gradient through it."""
        return bool(self.wants and value.wants and not self.wants & value.networks)


@dataclass(frozen=True)
class Execution:
    """One repetition of one item of a round: what it computes and who steps."""

    updates: tuple[Update, ...]
    version: int
    terms: tuple[tuple[Value, ...], ...]
    repetition: int


@dataclass(frozen=True)
class Passes:
    """Forward passes of one network in a round.

    `trained`: its own weights learn from the pass. `through`: gradients only pass through
    it. `free`: without a graph. `penalty`: inside functions such as gradient_penalty.
    """

    trained: int = 0
    through: int = 0
    free: int = 0
    penalty: int = 0

    @property
    def total(self) -> int:
        return self.trained + self.through + self.free + self.penalty


class Round:
    """What happens in one round of a stage, for one pattern of active items.

    Args:
        active: for each item of the stage's round whether it runs in this pattern.
    """

    def __init__(self, spec: Spec, stage: Stage, active: tuple[bool, ...]) -> None:
        self.spec, self.stage, self.active = spec, stage, active
        self._known: dict[tuple[Any, ...], Value] = {}
        self._steps = dict.fromkeys(spec.networks, 0)
        self._lets: dict[tuple[Any, ...], Value] = {}
        self.executions = tuple(self._execute())
        self._want()
        self._live()

    # ------------------------------------------------------------- values and their keys

    def _execute(self) -> Iterator[Execution]:
        version = 0
        for item, active in zip(self.stage.round, self.active, strict=True):
            for repetition in range(item.repeat if active else 0):
                version += repetition > 0
                updates = updates_of(item)
                terms = tuple(
                    tuple(self._text(text, version) for text in update.minimize.values())
                    for update in updates
                )
                yield Execution(updates, version, terms, repetition)
                for update in updates:
                    for name in update.train:
                        self._steps[name] += 1

    def _text(self, text: str, version: int) -> Value:
        return self._value(ex.parse(text), version)

    def _value(self, node: ex.Expression, version: int) -> Value:
        match node:
            case ex.Number(number):
                return self._keep(("number", number), kind="number", word=str(node), number=number)
            case ex.Name(name) if name in self.spec.draws:
                return self._draw(name, version)
            case ex.Name(name):
                # kept, or lets that use each other twice would double the work each time
                key = (name, version, *self._steps.values())
                if key not in self._lets:
                    self._lets[key] = self._text(self.spec.let[name], version)
                    self._lets[key].hint = self._lets[key].hint or name
                return self._lets[key]
            case ex.Negative(operand):
                return self._operator("-", (self._value(operand, version),))
            case ex.Binary(operator, left, right):
                parts = (self._value(left, version), self._value(right, version))
                return self._operator(operator, parts)
            case ex.Several(items):
                parts = tuple(self._value(item, version) for item in items)
                return self._compound("several", "", parts)
            case ex.Call(name, arguments, output) if name in self.spec.networks:
                inputs = tuple(self._value(argument, version) for argument in arguments)
                call = self._compound("call", name, inputs, steps=self._steps[name], own=name)
                if (output or "") not in call.outputs:
                    call.outputs.append(output or "")
                return self._compound("output", output or "", (call,))
            case ex.Call():
                return self._call(node, version)

    def _call(self, node: ex.Call, version: int) -> Value:
        function = vocabulary.function(node.name)
        assert function is not None, node.name  # the Spec was validated
        inputs: list[Value] = []
        passed: list[str] = []
        for parameter, argument in zip(function.parameters, node.arguments, strict=False):
            if parameter in function.networks and isinstance(argument, ex.Name):
                passed.append(argument.name)
            else:
                passed.append("")
                inputs.append(self._value(argument, version))
        networks = [name for name in passed if name]
        noise = tuple((key, self._draw(f"{node}.{key}", version)) for key in function.noise)
        key = (
            "function",
            node.name,
            tuple(passed),
            *map(id, inputs),
            *(id(value) for _, value in noise),
            *(self._steps[name] for name in networks),
        )
        flows = frozenset(networks).union(*(value.networks for value in inputs))
        return self._keep(
            key,
            kind="function",
            word=node.name,
            inputs=tuple(inputs),
            passed=tuple(passed),
            noise=noise,
            networks=frozenset() if function.stops_gradient else flows,
        )

    def _draw(self, name: str, version: int) -> Value:
        return self._keep(
            ("draw", name, version), kind="draw", word=name, version=version, hint=_identifier(name)
        )

    def _operator(self, operator: str, parts: tuple[Value, ...]) -> Value:
        return self._compound("operator", operator, parts)

    def _compound(
        self, kind: Kind, word: str, inputs: tuple[Value, ...], steps: int = 0, own: str = ""
    ) -> Value:
        flows = frozenset([own] if own else []).union(*(value.networks for value in inputs))
        key = (kind, word, steps, *map(id, inputs))
        return self._keep(key, kind=kind, word=word, inputs=inputs, networks=flows)

    def _keep(self, key: tuple[Any, ...], **fields: Any) -> Value:
        if key not in self._known:
            self._known[key] = Value(**fields)
        return self._known[key]

    # ---------------------------------------------------------------- gradients and life

    def _want(self) -> None:
        def mark(value: Value, wanted: frozenset[str]) -> None:
            if not wanted <= value.wants:
                value.wants |= wanted
                for part in value.parts:
                    mark(part, wanted & part.networks)

        for execution in self.executions:
            for update, terms in zip(execution.updates, execution.terms, strict=True):
                for term in terms:
                    mark(term, frozenset(update.train) & term.networks)

    def _live(self) -> None:
        def visit(value: Value, index: int) -> None:
            value.last = index
            if value.first < 0 or value.transparent:
                value.first = index if value.first < 0 else value.first
                for part in value.parts:
                    visit(part, index)

        for index, execution in enumerate(self.executions):
            for term in (term for terms in execution.terms for term in terms):
                visit(term, index)
        users: dict[int, list[Value]] = {}
        for value in self.values:
            for part in value.parts:
                users.setdefault(id(part), []).append(value)
        terms = {id(t) for execution in self.executions for ts in execution.terms for t in ts}
        for value in self.values:
            readers = users.get(id(value), [])
            value.nested = (
                value.kind in {"function", "operator", "output"}
                and not value.hint
                and id(value) not in terms
                and len(readers) == 1
                and not readers[0].transparent
                and (value.kind != "output" or len(value.inputs[0].outputs) == 1)
                and readers[0].first == value.first
                and bool(readers[0].wants) == bool(value.wants)
                and not readers[0].detaches(value)
            )

    def keeps_graph(self, execution: int, update: int) -> bool:
        """Whether a later gradient of this round runs through the graph of this one."""

        def path(e: int, u: int) -> set[int]:
            found: set[int] = set()
            wanted = set(self.executions[e].updates[u].train)
            pending = list(self.executions[e].terms[u])
            while pending:
                value = pending.pop()
                if id(value) not in found and value.networks & wanted:
                    found.add(id(value))
                    pending += value.parts
            return found

        own = path(execution, update)
        later = (
            (e, u)
            for e in range(execution, len(self.executions))
            for u in range(len(self.executions[e].updates))
            if (e, u) > (execution, update)
        )
        return any(own & path(e, u) for e, u in later)

    # ---------------------------------------------------------------------------- facts

    @property
    def values(self) -> tuple[Value, ...]:
        return tuple(value for value in self._known.values() if value.first >= 0)

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
                for name in filter(None, value.passed):
                    found[name] += function.passes if function else 0
        return found

    # ----------------------------------------------------------------------------- code

    @cached_property
    def code(self) -> str:
        """The round as Python source: a function of `draw`, `gradients` and `apply`."""
        return writer.write(self)

    def compile(self, names: Mapping[str, Any]) -> Callable[..., None]:
        """The function, with networks and functions looked up in `names`."""
        return writer.compile_round(self, names)


def _identifier(text: str) -> str:
    """`gradient_penalty(C, x, fake).mix` to `mix`; a plain name stays."""
    return text.rsplit(".", 1)[-1]


class Plan:
    """All rounds of a Spec. `round(stage, r)` is what happens in round `r` of a stage."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self._rounds: dict[tuple[int, tuple[bool, ...]], Round] = {}

    def active(self, stage: int, round: int) -> tuple[bool, ...]:
        """Which items of the stage's round run in its round number `round`."""
        return tuple(round % item.every in item.on for item in self.spec.stages[stage].round)

    def round(self, stage: int, round: int) -> Round:
        key = (stage, self.active(stage, round))
        if key not in self._rounds:
            self._rounds[key] = Round(self.spec, self.spec.stages[stage], key[1])
        return self._rounds[key]

    def period(self, stage: int) -> int:
        """After how many rounds the pattern of active updates repeats."""
        return math.lcm(*(item.every for item in self.spec.stages[stage].round))

    def versions(self, stage: int) -> int:
        """How many batches of each draw a round of the stage uses at most."""
        return 1 + sum(item.repeat - 1 for item in self.spec.stages[stage].round)

    def patterns(self, stage: int) -> list[tuple[int, Round]]:
        """The different rounds of a stage, each with the first round number it stands for."""
        found: dict[tuple[bool, ...], int] = {}
        for round in range(self.period(stage)):
            found.setdefault(self.active(stage, round), round)
        return [(first, self.round(stage, first)) for first in found.values()]
