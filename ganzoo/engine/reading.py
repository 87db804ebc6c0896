"""From the expressions of a round to its values, each known by a key and computed once.

The key of a value has the expression, the draws that it depends on, and how often each of its
networks has stepped. A state is updated with the value of the same meaning that the round computed
last, which is computed again only where there is none.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any

from ganzoo.engine.values import Execution, Kind, Remembering, Value
from ganzoo.spec import expression as ex
from ganzoo.spec import numbers, vocabulary
from ganzoo.spec.schedule import Stage, updates_of
from ganzoo.spec.spec import Spec


class Reader:
    """Reads the expressions of one round, in the order in which they run.

    Args:
        active: for each item of the stage's round, then for each state of the Spec, whether it
            runs in this pattern.

    Attributes:
        executions: of updates, in order. remembers: the states that change after the round.
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

    @property
    def values(self) -> tuple[Value, ...]:
        """All values that were read, used or not."""
        return tuple(self._known.values())

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
        """The inputs of the states that are due after the round."""
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
        """All values that a `grad` in these expressions differentiates with respect to."""
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
                # memoized: lets that use each other twice would double the work each time
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
        """A pass of a network. A moving average is not trained; it is updated after the round."""
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
            # numbers computed from means are computed again, from the means over all processes
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


def _folded(operator: str, values: list[float]) -> float | None:
    """The result of an operator on plain numbers; None where that is not a finite number."""
    if len(values) == 1:
        return -values[0]
    if operator not in numbers.BINARY or (operator == "/" and not values[1]):
        return None
    found = float(numbers.BINARY[operator](*values))
    return found if math.isfinite(found) else None


def _identifier(text: str) -> str:
    """`gradient_penalty(C, x, fake).mix` to `mix`; a plain name is unchanged."""
    return text.rsplit(".", 1)[-1]
