"""Expressions evaluated as they stand, with nothing shared: for dry runs and for tasks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import Tensor

from ganzoo.errors import ShapeError, SpecError
from ganzoo.nn.modules import SHAPE_FAULTS, first_line, shape_text
from ganzoo.spec import expression as ex
from ganzoo.spec import vocabulary
from ganzoo.spec.spec import Spec


class Evaluator:
    """Evaluates expressions of a Spec: names from `values`, networks from `call`.

    The plain meaning of an expression, with no sharing; `ganzoo.engine.plan` makes the fast one.
    `known` has the values of whole expressions, which stand in place of what they would come to.
    """

    def __init__(
        self,
        spec: Spec,
        call: Callable[[str, Sequence[Tensor], str | None], Tensor],
        values: Mapping[str, Tensor],
        noise: Callable[[int], Tensor],
        known: Mapping[ex.Expression, Tensor] | None = None,
    ) -> None:
        self.spec, self.call, self.noise = spec, call, noise
        self.values = dict(values)
        self.known = dict(known or {})

    def __call__(self, text: str) -> Any:
        return self._value(ex.parse(text))

    def _value(self, node: ex.Expression) -> Any:
        if node in self.known:
            return self.known[node]
        match node:
            case ex.Number(value):
                return value
            case ex.Name(name):
                if name not in self.values:
                    self.values[name] = self(self.spec.let[name])
                return self.values[name]
            case ex.Negative(operand):
                return -self._value(operand)
            case ex.Binary(operator, left, right):
                values = (self._value(left), self._value(right))
                try:
                    return BINARY[operator](*values)
                except (*SHAPE_FAULTS, ZeroDivisionError) as error:
                    raise ShapeError(f"{node}, of {_shapes(values)}: {first_line(error)}") from None
            case ex.Several(items):
                return tuple(self._value(item) for item in items)
            case ex.Call(name, arguments, output) if name in self.spec.networks:
                return self.call(name, [self._value(a) for a in arguments], output)
            case ex.Call(name, arguments):
                return self._function(node, name, arguments)

    def _function(self, node: ex.Call, name: str, arguments: Sequence[ex.Expression]) -> Any:
        function = vocabulary.function(name)
        assert function is not None, name  # the Spec was validated
        values: list[Any] = []
        for parameter, argument in zip(function.parameters, arguments, strict=False):
            if parameter in function.networks and isinstance(argument, ex.Name):
                network = argument.name
                values.append(lambda *inputs, n=network: self.call(n, inputs, None))
            else:
                values.append(self._value(argument))
        batch = next(iter(self.values.values())).shape[0]
        noise = {key: self.noise(batch) for key in function.noise}
        try:
            return function.load()(*values, **noise)
        except SpecError:
            raise
        except SHAPE_FAULTS as error:
            raise ShapeError(f"{node}, of {_shapes(values)}: {first_line(error)}") from None


def _shapes(values: Sequence[Any]) -> str:
    return ", ".join(shape_text(v.shape) if isinstance(v, Tensor) else str(v) for v in values)


BINARY: dict[str, Callable[[Any, Any], Any]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
}
