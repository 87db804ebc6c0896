"""Expressions evaluated directly, with nothing shared: for dry runs and for tasks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from itertools import combinations
from typing import Any

import torch
from torch import Tensor

from ganzoo.errors import ShapeError, SpecError
from ganzoo.nn import functions, soundness
from ganzoo.nn.functions.arithmetic import alike
from ganzoo.nn.modules import SHAPE_FAULTS, first_line, shape_text
from ganzoo.spec import expression as ex
from ganzoo.spec import numbers, vocabulary
from ganzoo.spec.numbers import Clock
from ganzoo.spec.spec import Spec


class Evaluator:
    """Evaluates expressions of a Spec: names from `values`, networks from `call`.

    This defines the meaning of an expression; `ganzoo.engine.plan` makes the fast version.
    `known` has the values of whole expressions, which are then not computed.
    `recall` returns the value of a state, given by keyword the values that it reads; `clock` is the
    position in the run, for numbers that follow it. `whole` returns a network itself, for functions
    that read weights. A `dry` run has tensors without numbers, and refuses accidental fits such as
    sums that broadcast; `seen` is called with the results of arithmetic and functions.
    """

    def __init__(
        self,
        spec: Spec,
        call: Callable[[str, Sequence[Tensor], str | None], Tensor],
        values: Mapping[str, Tensor],
        noise: Callable[..., Tensor],
        known: Mapping[ex.Expression, Tensor] | None = None,
        recall: Callable[..., Tensor] | None = None,
        clock: Clock | None = None,
        whole: Callable[[str], Any] | None = None,
        dry: bool = False,
        seen: Callable[[Any], None] | None = None,
    ) -> None:
        self.spec, self.call, self.noise, self.dry = spec, call, noise, dry
        self.draws = dict(values)
        self.values = dict(values)
        self.known = dict(known or {})
        self.recall, self.whole, self.seen = recall, whole, seen
        self.clock = clock or Clock(0, spec.batch, 0.0)

    def __call__(self, text: str) -> Any:
        return self._value(ex.parse(text))

    def _value(self, node: ex.Expression) -> Any:
        if node in self.known:
            return self.known[node]
        if self.spec.schedule.has(node):
            number = numbers.value(str(node), self.spec.let, self.clock)
            return torch.full((), number, device=self._device)
        match node:
            case ex.Number(value):
                return value
            case ex.Name(name):
                if name not in self.values:
                    state = name in self.spec.state
                    self.values[name] = self._state(name) if state else self(self.spec.let[name])
                return self.values[name]
            case ex.Negative(operand):
                value = self._value(operand)
                if soundness.whole(value):
                    raise ShapeError(f"{node}: {_NO_NUMBER}")
                return -value
            case ex.Binary(operator, left, right):
                values = (self._value(left), self._value(right))
                try:
                    alike(*values)
                    if self.dry:
                        self._check_operands((left, right), values)
                    return self._made(BINARY[operator](*values))
                except (*SHAPE_FAULTS, ZeroDivisionError) as error:
                    raise ShapeError(f"{node}, of {_shapes(values)}: {first_line(error)}") from None
            case ex.Several(items):
                return tuple(self._value(item) for item in items)
            case ex.Call(name, arguments, output) if name in self.spec.networks:
                return self.call(name, [self._value(a) for a in arguments], output)
            case ex.Call(ex.GRADIENT, (of, at)):
                return self._gradient(of, at)
            case ex.Call(name, arguments):
                return self._function(node, name, arguments)

    def _check_operands(self, nodes: Sequence[ex.Expression], values: Sequence[Any]) -> None:
        """ValueError for labels, and for a batch of numbers beside a batch of vectors.

        The latter look like a state beside its batch if a vector has as many numbers as the batch
        has samples.
        """
        if any(map(soundness.whole, values)):
            raise ValueError(_NO_NUMBER)
        ranks = [value.ndim if isinstance(value, Tensor) else 0 for value in values]
        for node, rank in zip(nodes, ranks, strict=True):
            if rank == 1 < max(ranks) and self.spec.draws_in(str(node)):
                beside = shape_text(values[ranks.index(max(ranks))].shape)
                raise ValueError(f"{node} is one number per sample, and is combined with {beside}")

    @property
    def _device(self) -> torch.device | None:
        return next((v.device for v in self.draws.values()), None)

    @property
    def _is_meta(self) -> bool:
        return any(value.is_meta for value in self.draws.values())

    @property
    def _batch(self) -> int:
        return next(iter(self.draws.values())).shape[0]

    def _state(self, name: str) -> Tensor:
        state = self.spec.state[name]
        assert self.recall is not None, name
        texts = {key: text for key, text in state.expressions() if state.texts[key] == "read"}
        values = {key: self(text) for key, text in texts.items()}
        words = state.noise if texts else ()
        return self.recall(name, **values, **{key: self.noise(self._batch) for key in words})

    def _gradient(self, of: ex.Expression, at: ex.Expression) -> Tensor:
        with torch.enable_grad():
            point = self._value(at)
            if not point.requires_grad:  # else the values behind it learn, too
                point = point.detach().requires_grad_()
            # lets between the two are evaluated again, at the point
            inner = Evaluator(
                self.spec, self.call, self.draws, self.noise, {**self.known, at: point},
                self.recall, self.clock, self.whole, self.dry, self.seen,
            )  # fmt: skip
            value = inner._value(of)
            if point.is_meta and not value.requires_grad:  # shapes come in closed form
                return torch.empty_like(point)
            [found] = torch.autograd.grad(value.sum(), point, create_graph=True)
        return found

    def _function(self, node: ex.Call, name: str, arguments: Sequence[ex.Expression]) -> Any:
        function = vocabulary.function(name)
        assert function is not None, name  # the Spec was validated
        values: list[Any] = []
        for parameter, argument in zip(function.parameters, arguments, strict=False):
            if parameter in function.networks and isinstance(argument, ex.Name):
                values.append(self._network(argument.name, parameter in function.weights))
            else:
                values.append(self._value(argument))
        noise = {
            key: self.noise(self._batch, width) if width else self.noise(self._batch)
            for key, width in function.draws.items()
        }
        try:
            if not self.dry:
                return self._made(functions.load(name)(*values, **noise))
            if name in functions.ELEMENTWISE:
                for pair in combinations(values, 2):
                    alike(*pair)
                self._check_operands(arguments, values)
            # functions of the core check their own arguments
            watched = function.implementation is not None  # a plugin's
            with soundness.strict(meta=self._is_meta) if watched else nullcontext():
                run = functions.load(name)
                found = run(*values, **noise) if watched else _of_shapes(run, values, noise)
            soundness.check_size(str(node), found)
            return self._made(soundness.passed_on(name, values, found))
        except SpecError:
            raise
        except SHAPE_FAULTS as error:
            raise ShapeError(f"{node}, of {_shapes(values)}: {first_line(error)}") from None

    def _made(self, value: Any) -> Any:
        if self.seen is not None:
            self.seen(value)
        return value

    def _network(self, name: str, weights: bool) -> Any:
        """The argument of a function that takes a network: something to call, or to read weights
        of."""
        if weights:
            assert self.whole is not None, name
            return self.whole(name)
        return lambda *inputs: self.call(name, inputs, None)


_NO_NUMBER = "a label is not a number; one_hot or embedding turns it into numbers"


def _shapes(values: Sequence[Any]) -> str:
    numbers = (value for value in values if not callable(value))  # networks have no shape
    return ", ".join(shape_text(v.shape) if isinstance(v, Tensor) else str(v) for v in numbers)


BINARY: dict[str, Callable[[Any, Any], Any]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
    "<": lambda a, b: (a < b) * 1.0,
    ">": lambda a, b: (a > b) * 1.0,
}


def _of_shapes(
    function: Callable[..., Any], values: Sequence[Any], noise: Mapping[str, Any]
) -> Any:
    """What a function gives for these shapes; outside of a graph, without loading torch's compiler.

    On the meta device many of torch's functions are written in Python, and the first of them loads
    the compiler, which takes seconds. Zeros that take no memory give the same shapes.
    """
    given = [*values, *noise.values()]
    tensors = [value for value in given if isinstance(value, Tensor)]
    simple = all(isinstance(value, Tensor | int | float) for value in given)
    if torch.is_grad_enabled() or not simple or not all(value.is_meta for value in tensors):
        return function(*values, **noise)

    def zeros(value: Any) -> Any:
        if not isinstance(value, Tensor):
            return value
        return torch.zeros((), dtype=value.dtype, device="cpu").expand(value.shape)

    found = function(*map(zeros, values), **{name: zeros(value) for name, value in noise.items()})
    if not isinstance(found, Tensor):
        return found
    return torch.empty(found.shape, dtype=found.dtype, device="meta")
