"""Scheduled numbers: expressions that are computed on the host before each round.

    lr: cosine(images / 20e6, 2e-4, 5e-5)
    gamma: ramp(2 * progress - 1, 10, 1)

They consist of numbers, the words of the run (`RUN`), the functions of `HOST` and lets made of
these. They are computed in plain Python, in double precision.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, get_args, get_origin

from pydantic import BaseModel, Field, GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from ganzoo.errors import SpecError, choices
from ganzoo.spec import expression as ex

RUN = ("step", "images", "progress", "batch")
"""The words of the run; a draw, let, network or state of the same name hides them."""


@dataclass(frozen=True)
class Clock:
    """The position in a run.

    `step`: rounds completed in this stage. `images`: step times batch. `progress`: the completed
    fraction of the stage, in [0, 1]. `batch`: the size of the global batch.
    """

    step: int
    batch: int
    progress: float

    @property
    def images(self) -> int:
        return self.step * self.batch


def ramp(t: float, a: float, b: float) -> float:
    return a + min(max(t, 0.0), 1.0) * (b - a)


def cosine(t: float, a: float, b: float) -> float:
    return b + (a - b) * (1 + math.cos(math.pi * min(max(t, 0.0), 1.0))) / 2


def _sign(value: float) -> float:
    return float((value > 0) - (value < 0))


def _clip(value: float, low: float, high: float) -> float:
    return min(max(value, low), high)


def _where(condition: float, a: float, b: float) -> float:
    return a if condition > 0 else b


def _square(value: float) -> float:
    return value * value


def _relu(value: float) -> float:
    return max(value, 0.0)


def _lerp(a: float, b: float, t: float) -> float:
    return a + t * (b - a)


def _minimum(a: float, b: float) -> float:
    return min(a, b)


def _maximum(a: float, b: float) -> float:
    return max(a, b)


HOST: Mapping[str, Callable[..., float]] = {
    "ramp": ramp,
    "cosine": cosine,
    "minimum": _minimum,
    "maximum": _maximum,
    "clip": _clip,
    "where": _where,
    "power": math.pow,
    "exp": math.exp,
    "log": math.log,
    "sqrt": math.sqrt,
    "square": _square,
    "abs": math.fabs,
    "sign": _sign,
    "relu": _relu,
    "lerp": _lerp,
}
"""The functions that scheduled numbers may use; they mean the same as in losses."""

BINARY: Mapping[str, Callable[[float, float], float]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
    "<": lambda a, b: float(a < b),
    ">": lambda a, b: float(a > b),
}


class Schedule:
    """Computes the scheduled numbers of a Spec on the host, before each round.

    Args:
        lets: the lets of the Spec. taken: its other names, which hide the words of the run.
    """

    def __init__(self, lets: Mapping[str, str], taken: frozenset[str]) -> None:
        self.lets, self.taken = lets, taken
        # memoized by let: where lets use each other twice, the work would double at each
        self._lets: dict[str, bool | None] = {}

    def has(self, node: ex.Expression) -> bool:
        """Whether an expression is computed on the host: it uses a word of the run or a function
        of `HOST`, and nothing that the host does not know."""
        return not isinstance(node, ex.Number) and bool(self._moves(node))

    def _moves(self, node: ex.Expression) -> bool | None:
        """None if the host cannot compute it; else whether it has a word of the run or a
        function."""
        match node:
            case ex.Number():
                return False
            case ex.Name(name) if name in self.lets:
                if name not in self._lets:
                    self._lets[name] = None  # in case the let refers to itself
                    self._lets[name] = self._moves(ex.parse(self.lets[name]))
                return self._lets[name]
            case ex.Name(name):
                return True if name in RUN and name not in self.taken else None
            case ex.Call(name, _, output, average):
                if name not in HOST or name in self.taken or output or average:
                    return None
            case ex.Several():
                return None
            case _:
                pass
        found = [self._moves(part) for part in ex.parts(node)]
        return None if None in found else any(found) or isinstance(node, ex.Call)


def value(text: str, lets: Mapping[str, str], clock: Clock) -> float:
    """The value of an expression at `clock`.

    Raises:
        SpecError: it has a word that the host does not know, or its value is not finite.
    """
    try:
        found = _Host(lets, clock).value(ex.parse(text))
    except (ArithmeticError, ValueError, TypeError) as error:
        at = f"step {clock.step}, progress {clock.progress:g}"
        raise SpecError(f"{text!r} has no value at {at} ({error})") from None
    if not math.isfinite(found):
        raise SpecError(f"{text!r} is {found} at step {clock.step}, progress {clock.progress:g}")
    return float(found)


class _Host:
    def __init__(self, lets: Mapping[str, str], clock: Clock) -> None:
        self.lets, self.clock = lets, clock
        self._values: dict[str, float | None] = {}

    def value(self, node: ex.Expression) -> float:
        match node:
            case ex.Number(number):
                return number
            case ex.Name(name) if name in self.lets:
                if name not in self._values:
                    self._values[name] = None
                    self._values[name] = self.value(ex.parse(self.lets[name]))
                found = self._values[name]
                if found is None:
                    raise SpecError(f"{name!r} is defined by itself")
                return found
            case ex.Name(name) if name in RUN:
                return float(getattr(self.clock, name))
            case ex.Negative(operand):
                return -self.value(operand)
            case ex.Binary(operator, left, right):
                return BINARY[operator](self.value(left), self.value(right))
            case ex.Call(name, arguments, None, False) if name in HOST:
                return HOST[name](*map(self.value, arguments))
            case _:
                word = node.name if isinstance(node, ex.Name | ex.Call) else str(node)
                allowed = [*RUN, *self.lets, *HOST]
                raise SpecError(
                    f"{word!r} is not known before a round begins{ex.meant(word, allowed)} "
                    f"allowed: numbers, {choices(RUN)}, lets made of them, and the functions "
                    f"{choices(HOST, 30)}"
                )


@dataclass(frozen=True)
class Numeric:
    """Marks a field as a number that may be scheduled: a float within limits, or an expression.

        lr: Annotated[float | str, Numeric(gt=0, le=1e6)] = 2e-4

    The limits may be None. Values of an expression are checked against them as well. With
    `vanishes`, an expression may be 0 although a plain number may not: a learning rate of 0 never
    learns, but a schedule may start from 0 or end there.
    """

    ge: float | None = None
    gt: float | None = None
    le: float | None = None
    lt: float | None = None
    vanishes: bool = False

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        words = ("ge", "gt", "le", "lt")
        limits = {word: limit for word in words if (limit := getattr(self, word)) is not None}
        return core_schema.tagged_union_schema(
            {
                "number": handler.generate_schema(Annotated[float, Field(**limits)]),
                "expression": core_schema.str_schema(min_length=1, max_length=ex.MAX_LENGTH),
            },
            lambda given: "expression" if isinstance(given, str) else "number",
        )

    def problem(self, found: float) -> str:
        """What is wrong with the value of an expression; empty if it is valid."""
        if self.vanishes and found == 0:
            return ""
        if self.ge is not None and not found >= self.ge:
            return f"at least {self.ge:g}"
        if self.gt is not None and not found > self.gt:
            return f"{'at least' if self.vanishes else 'more than'} {self.gt:g}"
        if self.le is not None and not found <= self.le:
            return f"at most {self.le:g}"
        if self.lt is not None and not found < self.lt:
            return f"less than {self.lt:g}"
        return ""


def numbers(model: BaseModel) -> Iterator[tuple[str, float | str, Numeric]]:
    """The fields of `model` that may be scheduled: path, value, limits."""
    for name, field in type(model).model_fields.items():
        given = getattr(model, name)
        if given is None:
            continue
        own = next((part for part in field.metadata if isinstance(part, Numeric)), None)
        if own is not None:
            yield name, given, own
        elif get_origin(field.annotation) is tuple:
            for index, part in enumerate(get_args(field.annotation)):
                limits = [m for m in getattr(part, "__metadata__", ()) if isinstance(m, Numeric)]
                if limits:
                    yield f"{name}.{index}", given[index], limits[0]


def problems(
    model: BaseModel, lets: Mapping[str, str], taken: frozenset[str], steps: int, batch: int
) -> Iterator[tuple[str, str]]:
    """The problems of the expressions among the numbers of `model`, with their paths."""
    for path, given, limits in numbers(model):
        found = isinstance(given, str) and problem(given, limits, lets, taken, steps, batch)
        if found:
            yield path, found


def problem(
    text: str,
    limits: Numeric,
    lets: Mapping[str, str],
    taken: frozenset[str],
    steps: int,
    batch: int,
) -> str:
    """What is wrong with an expression for a number with `limits`; empty if it is valid."""
    visible = {name: let for name, let in lets.items() if name not in taken}
    try:
        tree = ex.parse(text)
        for node in ex.walk(tree):
            if isinstance(node, ex.Name | ex.Call) and node.name in taken:
                return (
                    f"{node.name!r} is not known before a round begins; allowed: numbers, "
                    f"{choices(RUN)}, and lets made of them"
                )
            if isinstance(node, ex.Call) and node.name in HOST:
                _check_arity(node)
        for share in (0.0, 0.25, 0.5, 0.75, 1.0):
            clock = Clock(round(share * steps), batch, share)
            found = value(text, visible, clock)
            if wrong := limits.problem(found):
                return f"{text!r} is {found:g} at progress {share:g}; it must be {wrong}"
    except SpecError as error:
        return error.problems[0][1]
    return ""


def _check_arity(node: ex.Call) -> None:
    from ganzoo.spec.vocabulary import FUNCTIONS

    function = FUNCTIONS[node.name]
    if len(node.arguments) != len(function.parameters):
        raise SpecError(
            f"{node}: {function.signature} takes {len(function.parameters)} arguments, "
            f"not {len(node.arguments)}"
        )


def resolve(given: float | str, lets: Mapping[str, str], clock: Clock) -> float:
    """A number of a field at `clock`."""
    return value(given, lets, clock) if isinstance(given, str) else given
