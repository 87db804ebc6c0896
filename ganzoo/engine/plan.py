"""The plan: from a Spec to what runs when, as ordinary Python.

The Spec says what each update trains and reads, so all of this is known before training:

- Each value gets a key: the expression, the draws it was made of, and how often each
  of its networks had stepped. Equal keys are computed once and reused, within an
  update and across updates (the fake batch of D's step is the fake batch of G's).
- A value wants gradients of those networks alone that some update trains through it.
  Wanting none it runs without a graph; passed to one that wants none of its own it is
  detached. Gradients are then taken with respect to the trained weights alone, so
  autograd skips the weight gradients of all other networks.
- What a `grad(y, x)` of an update is taken with respect to is a point: one leaf that all
  terms of that update read in the place of x. It counts as a network of its own name,
  so the two rules above find the passes that `grad` shares with the loss.
- What states compute after the round is whatever the round computed last of the same
  meaning, and is computed anew only where there is no such value.

`Plan(spec)` holds one `Round` for each pattern of active updates; `Round.code` is the
Python that the engine runs, that `ganzoo explain --code` shows and a debugger steps through.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from ganzoo.engine import writer
from ganzoo.engine.writer import Tools
from ganzoo.spec import expression as ex
from ganzoo.spec import numbers, vocabulary
from ganzoo.spec.schedule import Stage, Update, updates_of
from ganzoo.spec.spec import Spec

Kind = Literal[
    "number", "scheduled", "draw", "state", "call", "output", "function", "operator", "several",
    "point", "gradient",
]  # fmt: skip


@dataclass(eq=False)
class Value:
    """One thing that a round computes.

    `scheduled` is a number that follows the run, `point` what a gradient is taken with respect to
    (its word is the name under which it counts as a network), `average` a pass of a network's
    moving average, `everywhere` a mean that several processes take together. `meaning`: equal for values of equal expressions, whatever draws and steps.
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
    average: bool = False
    everywhere: bool = False
    meaning: int = -1

    @property
    def parts(self) -> tuple[Value, ...]:
        return (*self.inputs, *(value for _, value in self.noise))

    @property
    def transparent(self) -> bool:
        """Nothing by itself: numbers, and several values as one argument."""
        return self.kind in {"number", "several"}

    @property
    def reduced(self) -> bool:
        """A mean over the batch, which over several processes is the mean of theirs."""
        function = vocabulary.function(self.word) if self.kind == "function" else None
        return function is not None and function.reduces

    @property
    def batchless(self) -> bool:
        """No row for each sample."""
        match self.kind:
            case "number" | "scheduled":
                return True
            case "function" | "operator" | "state":
                return self.reduced or all(part.batchless for part in self.parts)
            case _:
                return False

    @property
    def aliases(self) -> bool:
        """A point that is but another name: gradients of trained weights flow on behind it."""
        return self.kind == "point" and bool(self.wants & self.inputs[0].networks)

    def detaches(self, value: Value) -> bool:
        """Whether this value reads one with a graph but wants no gradient through it."""
        return bool(self.wants and value.wants and not self.wants & value.networks)


Place = tuple[int, int]
"""An execution of a round, and an update of it."""


@dataclass(frozen=True)
class Execution:
    """One repetition of one item of a round: what it computes and who steps."""

    updates: tuple[Update, ...]
    version: int
    terms: tuple[tuple[Value, ...], ...]
    repetition: int


@dataclass(frozen=True)
class Remembering:
    """A state that changes after the round: its name, and the values that it is made from."""

    state: str
    values: tuple[tuple[str, Value], ...]


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
        active: for each item of the stage's round, then for each state of the Spec, whether it
            runs in this pattern.
    """

    def __init__(self, spec: Spec, stage: Stage, active: tuple[bool, ...]) -> None:
        self.spec, self.stage, self.active = spec, stage, active
        self._known: dict[tuple[Any, ...], Value] = {}
        self._steps = dict.fromkeys(spec.networks, 0)
        self._lets: dict[tuple[Any, ...], Value] = {}
        self._meanings: dict[tuple[Any, ...], int] = {}
        self._latest: dict[int, Value] = {}
        self._points: frozenset[ex.Expression] = frozenset()
        self._remembering = False
        self.executions = tuple(self._execute())
        self.remembers = tuple(self._remember())
        self._want()
        self._share()
        self._live()

    # ------------------------------------------------------------- values and their keys

    def _execute(self) -> Iterator[Execution]:
        version = 0
        for item, active in zip(self.stage.round, self.active, strict=False):
            for repetition in range(item.repeat if active else 0):
                version += repetition > 0
                updates = updates_of(item)
                texts = (text for update in updates for text in update.minimize.values())
                self._points = frozenset(self._points_of(texts))
                terms = tuple(
                    tuple(self._text(text, version) for text in update.minimize.values())
                    for update in updates
                )
                yield Execution(updates, version, terms, repetition)
                for update in updates:
                    for name in update.train:
                        self._steps[name] += 1

        self._version = version

    def _remember(self) -> Iterator[Remembering]:
        """What the states that are due compute after the round."""
        self._remembering = True
        due = self.active[len(self.stage.round) :]
        for (name, state), active in zip(self.spec.state.items(), due, strict=True):
            if active:
                texts = dict(state.expressions())
                self._points = frozenset(self._points_of(texts.values()))
                values = {key: self._text(text, self._version) for key, text in texts.items()}
                values |= {key: self._draw(f"{name}.{key}", self._version) for key in state.noise}
                yield Remembering(name, tuple(values.items()))

    def _points_of(self, texts: Iterable[str]) -> Iterator[ex.Expression]:
        """All that some `grad` in these expressions is taken with respect to."""
        pending, seen = list(texts), set[str]()
        while pending:
            for node in ex.walk(ex.parse(pending.pop())):
                if isinstance(node, ex.Call) and self._is_gradient(node):
                    yield node.arguments[1]
                if isinstance(node, ex.Name) and node.name not in seen:
                    seen.add(node.name)
                    if node.name in self.spec.let:
                        pending.append(self.spec.let[node.name])
                    if node.name in self.spec.state:
                        pending += self.spec.read_by(node.name)

    def _is_gradient(self, node: ex.Call) -> bool:
        return node.name == ex.GRADIENT and node.name not in self.spec.networks

    def _text(self, text: str, version: int) -> Value:
        return self._value(ex.parse(text), version)

    def _value(self, node: ex.Expression, version: int) -> Value:
        if node in self._points:
            base = self._plain(node, version)
            word = f"d {node}"
            return self._keep(
                ("point", word, id(base)), kind="point", word=word, inputs=(base,),
                networks=base.networks | {word}, hint=f"{_identifier(str(node))}_point",
            )  # fmt: skip
        return self._plain(node, version)

    def _plain(self, node: ex.Expression, version: int) -> Value:
        if self.spec.schedule.has(node):
            hint = node.name if isinstance(node, ex.Name) else "number"
            text = str(node)
            return self._keep(("scheduled", text), kind="scheduled", word=text, hint=hint)
        match node:
            case ex.Number(number):
                return self._keep(("number", number), kind="number", word=str(node), number=number)
            case ex.Name(name) if name in self.spec.draws:
                return self._draw(name, version)
            case ex.Name(name) if name in self.spec.state:
                return self._state(name, version)
            case ex.Name(name):
                # kept, or lets that use each other twice would double the work each time
                key = (name, version, self._points, self._remembering, *self._steps.values())
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
            case ex.Call(name, arguments, output, average) if name in self.spec.networks:
                inputs = tuple(self._value(argument, version) for argument in arguments)
                call = self._pass(name, inputs, average)
                if (output or "") not in call.outputs:
                    call.outputs.append(output or "")
                return self._compound("output", output or "", (call,))
            case ex.Call() if self._is_gradient(node):
                of, at = (self._value(argument, version) for argument in node.arguments)
                return self._compound("gradient", at.word, (of, at))
            case ex.Call():
                return self._call(node, version)

    def _pass(self, name: str, inputs: tuple[Value, ...], average: bool) -> Value:
        """A pass of a network; its average takes no part in the game, and steps after the round."""
        flows = frozenset[str]().union(*(value.networks for value in inputs))
        steps = -1 if average else self._steps[name]
        return self._keep(
            ("call", name, steps, *map(id, inputs)), kind="call", word=name, inputs=inputs,
            average=average, networks=flows if average else flows | {name},
        )  # fmt: skip

    def _state(self, name: str, version: int) -> Value:
        state = self.spec.state[name]
        texts = {key: text for key, text in state.expressions() if state.texts[key] == "read"}
        inputs = tuple(self._text(text, version) for text in texts.values())
        words = state.noise if texts else ()
        noise = tuple((key, self._draw(f"{name}.{key}", version)) for key in words)
        # a constant in losses, so it depends on no network
        return self._keep(
            ("state", name, *map(id, inputs), *(id(value) for _, value in noise)),
            kind="state", word=name, inputs=inputs, passed=tuple(texts), noise=noise, hint=name,
        )  # fmt: skip

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
        noise = tuple((key, self._draw(f"{node}.{key}", version)) for key in function.draws)
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
        if all(part.kind == "number" for part in parts):
            found = _folded(operator, [part.number for part in parts])
            if found is not None:
                word = repr(found).removesuffix(".0")
                return self._keep(("number", found), kind="number", word=word, number=found)
        return self._compound("operator", operator, parts)

    def _compound(self, kind: Kind, word: str, inputs: tuple[Value, ...]) -> Value:
        flows = frozenset[str]().union(*(value.networks for value in inputs))
        key = (kind, word, *map(id, inputs))
        return self._keep(key, kind=kind, word=word, inputs=inputs, networks=flows)

    def _keep(self, key: tuple[Any, ...], **fields: Any) -> Value:
        value = self._known.get(key) or Value(**fields)
        if value.meaning < 0:
            value.meaning = self._meaning(value)
        if self._remembering:
            before = self._latest.get(value.meaning)
            # numbers made of means are made anew, from the means over all processes
            if before is not None and (before.reduced or not before.batchless):
                return before
        self._known[key] = self._latest[value.meaning] = value
        return value

    def _meaning(self, value: Value) -> int:
        if value.kind == "point":  # the same numbers
            return value.inputs[0].meaning
        parts = tuple(part.meaning for part in value.parts)
        said = (value.kind, value.word, value.number, value.passed, value.average, parts)
        return self._meanings.setdefault(said, len(self._meanings))

    # ---------------------------------------------------------------- gradients and life

    def _want(self) -> None:
        def mark(value: Value, wanted: frozenset[str]) -> None:
            if not wanted <= value.wants:
                value.wants |= wanted
                if value.kind == "gradient":  # needs a graph from y to x whoever learns by it
                    wanted |= {value.word}
                for part in value.parts:
                    mark(part, wanted & part.networks)

        for execution in self.executions:
            for update, terms in zip(execution.updates, execution.terms, strict=True):
                for term in terms:
                    mark(term, frozenset(update.train) & term.networks)
        for value in [*self._known.values()]:
            if value.kind == "gradient":
                mark(value.inputs[0], frozenset({value.word}))

    def _share(self) -> None:
        """Find the means that several processes must take together.

        The mean of what the processes lose is what one would lose where a mean stands alone, or in
        sums and multiples by constants. Where anything else is made of it, all need the same.
        """
        seen = set[tuple[int, bool]]()

        def constant(value: Value) -> bool:
            alone = value.kind in {"number", "scheduled", "state"} and not value.parts
            return alone or (value.kind == "operator" and all(map(constant, value.parts)))

        def visit(value: Value, summed: bool) -> None:
            if (id(value), summed) in seen:
                return
            seen.add((id(value), summed))
            match value.kind, value.word, value.inputs:
                case "operator", "*", (left, right):
                    visit(left, summed and constant(right))
                    visit(right, summed and constant(left))
                case "operator", "/", (left, right):
                    visit(left, summed and constant(right))
                    visit(right, False)
                case "operator", "+" | "-", parts:
                    for part in parts:
                        visit(part, summed)
                case "function", "detach", (inner,):
                    visit(inner, summed)
                case _:
                    value.everywhere = value.everywhere or (value.reduced and not summed)
                    for part in value.parts:
                        visit(part, False)

        for execution in self.executions:
            for term in (term for terms in execution.terms for term in terms):
                visit(term, True)

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
        kept = [value for remembered in self.remembers for _, value in remembered.values]
        for value in kept:
            visit(value, len(self.executions))
        users: dict[int, list[Value]] = {}
        for value in self.values:
            for part in value.parts:
                users.setdefault(id(part), []).append(value)
        terms = {id(t) for execution in self.executions for ts in execution.terms for t in ts}
        terms |= set(map(id, kept))
        for value in self.values:
            readers = users.get(id(value), [])
            value.nested = (
                value.kind in {"function", "operator", "output", "gradient"}
                and not value.hint
                and id(value) not in terms
                and len(readers) == 1
                and not readers[0].transparent
                and readers[0].kind != "point"
                and (value.kind != "output" or len(value.inputs[0].outputs) == 1)
                and readers[0].first == value.first
                and bool(readers[0].wants) == bool(value.wants)
                and not readers[0].detaches(value)
            )

    def keeps_graph(self, execution: int, update: int) -> bool:
        """Whether a later gradient of this round runs through the graph of this one."""
        paths, last = self._gradient_paths
        here = (execution, update)
        return any(last[value] > here for value in paths[here])

    @cached_property
    def _gradient_paths(self) -> tuple[dict[Place, set[int]], dict[int, Place]]:
        """The values through which the gradient of each update runs, and for each the last."""
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
                for name in filter(None, value.passed if function else ()):
                    found[name] += function.passes if function else 0
        for value in self.values:  # what states need alone
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
        """The function, with networks looked up in `names`, and all else it asks for in `tools`."""
        return writer.compile_round(self, names, tools or writer.Tools())


def _folded(operator: str, values: list[float]) -> float | None:
    """What an operator gives of plain numbers; None where that is no finite number."""
    if len(values) == 1:
        return -values[0]
    if operator not in numbers.BINARY or (operator == "/" and not values[1]):
        return None
    found = float(numbers.BINARY[operator](*values))
    return found if math.isfinite(found) else None


def _identifier(text: str) -> str:
    """`gradient_penalty(C, x, fake).mix` to `mix`; a plain name stays."""
    return text.rsplit(".", 1)[-1]


class Plan:
    """All rounds of a Spec. `round(stage, r)` is what happens in round `r` of a stage."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self._rounds: dict[tuple[int, tuple[bool, ...]], Round] = {}
        self._scheduled: dict[int, tuple[str, ...]] = {}

    def active(self, stage: int, round: int) -> tuple[bool, ...]:
        """Which items of the stage's round run in its round number `round`, then which states
        change after it."""
        items = (*self.spec.stages[stage].round, *self.spec.state.values())
        return tuple(round % item.every in item.on for item in items)

    def round(self, stage: int, round: int) -> Round:
        key = (stage, self.active(stage, round))
        if key not in self._rounds:
            self._rounds[key] = Round(self.spec, self.spec.stages[stage], key[1])
        return self._rounds[key]

    def period(self, stage: int) -> int:
        """After how many rounds the pattern of active updates repeats."""
        items = (*self.spec.stages[stage].round, *self.spec.state.values())
        return math.lcm(*(item.every for item in items))  # bounded by the language

    def versions(self, stage: int) -> int:
        """How many batches of each draw a round of the stage uses at most."""
        return 1 + sum(item.repeat - 1 for item in self.spec.stages[stage].round)

    def scheduled(self, stage: int) -> tuple[str, ...]:
        """The numbers that the host computes before rounds of the stage, as expressions."""
        if stage not in self._scheduled:
            rounds = (round for _, round in self.patterns(stage))
            found = dict.fromkeys(text for round in rounds for text in round.scheduled)
            self._scheduled[stage] = tuple(found)
        return self._scheduled[stage]

    def patterns(self, stage: int) -> list[tuple[int, Round]]:
        """The different rounds of a stage, each with the first round number it stands for."""
        return [(numbers[0], self.round(stage, numbers[0])) for numbers in self.alike(stage)]

    def alike(self, stage: int) -> list[list[int]]:
        """The numbers of the rounds of one period, those of the same work together."""
        found: dict[tuple[bool, ...], list[int]] = {}
        for round in range(self.period(stage)):
            found.setdefault(self.active(stage, round), []).append(round)
        return [*found.values()]
