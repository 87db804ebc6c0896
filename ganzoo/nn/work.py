"""The cost of a computation, from shapes alone, before anything is computed.

A few lines of config.json can ask for hours and for all the memory of a machine. So the work of a
task is estimated from the shapes of its layers in integers: operations, and the numbers that are in
memory at once. The estimates should be right within a small factor.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass

from torch import nn

from ganzoo.errors import TaskError, UnknownNameError
from ganzoo.layout import LIMIT
from ganzoo.spec.layers.layer import Layer, Shape

OPERATIONS, BYTES = 5e11, 2e9
"""The most that the smallest step of a task may cost: one sample, or the images scored at once.
Half a minute on a small processor; a StyleGAN of 1024x1024 pixels takes a third of both."""
EACH = 50
"""Operations for a number that is made without weights: memory is the limit for those."""


@dataclass(frozen=True)
class Work:
    """The cost of one sample.

    Args:
        operations: multiplications, additions, and others that take as long.
        most: the most numbers that are in memory at once. total: all numbers made on the way,
            which are kept where gradients are taken.
    """

    operations: int = 0
    most: int = 0
    total: int = 0

    def then(self, other: Work) -> Work:
        """The work of one after the other."""
        return Work(
            self.operations + other.operations,
            max(self.most, other.most),
            self.total + other.total,
        )

    def holding(self, numbers: int) -> Work:
        """The same while this many more numbers are kept."""
        return Work(self.operations, self.most + numbers, self.total + numbers)

    def with_gradients(self, steps: int = 1) -> Work:
        """This many passes forward and backward."""
        return Work(3 * steps * self.operations, 2 * self.total, 2 * self.total)

    def batch(self, most: int, limit: float) -> int:
        """How many samples may be computed at once within the memory limit."""
        return max(1, min(most, int(limit * BYTES / max(4 * self.most, 1))))

    def check(self, what: str, times: int, limit: float) -> None:
        """TaskError where computing `times` samples at once costs more than is allowed."""
        operations, size = times * self.operations, 4 * times * self.most
        factor = max(operations / OPERATIONS, size / BYTES)
        if factor <= limit:
            return
        allowed = math.ceil(factor)
        raise TaskError(
            f"{what} would take {_amount(operations, 'FLOP')} and {_amount(size, 'B')} at once, "
            f"and models that are loaded may take {_amount(limit * OPERATIONS, 'FLOP')} and "
            f"{_amount(limit * BYTES, 'B')}. If you trust this one, allow {allowed} times the "
            f"usual: ganzoo.from_pretrained(..., limit={allowed}), `ganzoo --limit {allowed} ...` "
            f"or {LIMIT}={allowed}"
        )


def of_layer(layer: Layer, module: nn.Module, arrives: list[Shape], leaves: Shape) -> Work:
    """The work of a layer without that of the rows in it.

    Args:
        module: the layer's, without its rows.
        arrives: the shapes of its inputs.
    """
    weights = sum(value.numel() for value in module.parameters())
    if layer.takes == "labels":  # weights are looked up
        weights = 0
    places = max(math.prod(shape[1:]) if len(shape) == 3 else 1 for shape in (arrives[0], leaves))
    operations, numbers = layer.beyond(*arrives)
    made = math.prod(leaves) + numbers
    return Work(
        2 * weights * places + EACH * made + operations,
        made + sum(map(math.prod, arrives)),
        made,
    )


def given(limit: float | None) -> float:
    """How many times the usual work is allowed: as given, else GANZOO_LIMIT, else once.

    Raises:
        UnknownNameError: it is not a positive number.
    """
    said: object = os.environ.get(LIMIT) or 1 if limit is None else limit
    try:
        found = float(said)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        found = math.nan
    if not found > 0:
        raise UnknownNameError(
            f"limit is how many times the usual work a model may take, such as 10, not {said!r}"
        )
    return found


def _amount(number: float, unit: str) -> str:
    for size, prefix in ((1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M")):
        if number >= size:
            return f"{number / size:,.1f} {prefix}{unit}"
    return f"{number:,.0f} {unit}"
