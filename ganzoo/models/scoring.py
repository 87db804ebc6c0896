"""Scores that are the same to the last bit in any company, and fast for few images, too.

Which kernel a library takes, and so how it rounds, may depend on how many samples there are.
Images are therefore scored so many at a time: `SCORED`, with the last batch filled up. One image
alone would so cost as much as 256. Kernels of convolutions, though, mostly round the same for
any number of samples, and those of matrix products do where the number of rows is fixed
(`FixedRows`). Whether all that a model does is so on this machine is not assumed but tried, once
for each expression: noise is scored in both sizes, and only where every bit agrees are few images
scored `FEW` at a time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from ganzoo.errors import TaskError
from ganzoo.models import execution
from ganzoo.nn.work import Work
from ganzoo.spec.tasks import Task

if TYPE_CHECKING:
    from ganzoo.models.model import Model

SCORED = (256, 64, 16)
"""Images that are scored at once: the first number that is not too much work. Many are faster,
an image for an image."""
SCORED_OPERATIONS, SCORED_BYTES = 3e10, 5e8
"""What the images that are scored at once may cost, unless they are the fewest."""
FEW = 8
"""Images that are scored at once where there are few."""
SHARE = 4
"""Few are those that fill at most one part in so many of a batch; eight at once cost twice as
much, an image for an image."""
ROWS = 32
"""Rows of each matrix product, so that its rounding depends on nothing else."""

SAME_FOR_FEW: WeakKeyDictionary[Model, dict[tuple[Any, ...], bool]] = WeakKeyDictionary()
"""What was found for each model: whether few at once get the bits of many."""


class FixedRows(TorchFunctionMode):
    """Within it, linear maps take `ROWS` rows at a time, the last of them filled up with zeros."""

    def __torch_function__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        if func is torch.nn.functional.linear:
            return _linear(*args, **(kwargs or {}))
        return func(*args, **(kwargs or {}))


def _linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """As torch's, of (..., inputs)."""
    rows = input.reshape(-1, input.shape[-1])
    parts: list[Tensor] = []
    for part in rows.split(ROWS):
        filled = torch.nn.functional.pad(part, (0, 0, 0, ROWS - len(part)))
        parts.append(torch.nn.functional.linear(filled, weight, bias)[: len(part)])
    return torch.cat(parts).reshape(*input.shape[:-1], -1)


def alike(model: Model, task: Task, text: str, values: Mapping[str, Tensor]) -> Tensor:
    """As `execution.run`, and what a sample gets does not depend on which others there are.

    Args:
        text: the expression. values: what it reads, by name, each (n, ...) or one number.
    """
    n, large = execution.count(values), scored_at_once(model)
    execution.at_once(model, text, large, exact=True)
    whole = n // large * large
    rest = n - whole
    if 0 < rest <= large // SHARE and _same_for_few(model, task, text, values, large):
        sizes = [(0, whole, large)] * (whole > 0) + [(whole, rest, FEW)]
    else:
        sizes = [(0, n, large)]
    with FixedRows():
        parts = [
            _filled(model, task, text, execution.rows(values, first, number), size)
            for first, number, size in sizes
        ]
    return parts[0] if len(parts) == 1 else torch.cat(parts)


def _filled(model: Model, task: Task, text: str, values: Mapping[str, Tensor], size: int) -> Tensor:
    """What comes of samples in batches of `size`, the last one filled up with the first sample."""
    n = execution.count(values)
    missing = -n % size
    filled = {
        name: torch.cat([value, value[:1].expand(missing, *value.shape[1:])])
        if value.ndim and missing
        else value
        for name, value in values.items()
    }
    return execution.run(model, task, text, filled, size)[:n]


def _same_for_few(
    model: Model, task: Task, text: str, values: Mapping[str, Tensor], large: int
) -> bool:
    """Whether `FEW` samples at once get the bits that `large` at once get, on this machine.

    Tried with noise in the place of what is scored, in the first, a middle and the last part of
    a batch; kept for each expression, the shapes and device of what it reads, and the number of
    threads. Where a task solves for something, trying costs too much.
    """
    if task.solve or large < FEW * SHARE:
        return False
    shapes = tuple((name, value.shape[1:], value.device) for name, value in values.items())
    key = (text, shapes, large, torch.get_num_threads())
    tried = SAME_FOR_FEW.setdefault(model, {})
    if key not in tried:
        chance = torch.Generator().manual_seed(0)
        noise = {
            name: torch.empty(large, *value.shape[1:]).uniform_(-1, 1, generator=chance).to(value)
            if value.ndim and value.is_floating_point()
            else value[:1].expand(large, *value.shape[1:])
            if value.ndim
            else value
            for name, value in values.items()
        }
        tried[key] = _agree(model, task, text, noise, large)
    return tried[key]


def _agree(model: Model, task: Task, text: str, values: Mapping[str, Tensor], large: int) -> bool:
    """Whether `FEW` at once get the bits of `large` at once, at three places of the batch."""
    try:
        with FixedRows():
            whole = _filled(model, task, text, values, large)
            return all(
                torch.equal(
                    _filled(model, task, text, execution.rows(values, first, FEW), FEW),
                    whole[first : first + FEW],
                )
                for first in (0, large // 2, large - FEW)
            )
    except TaskError:  # noise has no finite score; what is asked may have one
        return False


def scored_at_once(model: Model) -> int:
    """How many images are scored at once: as its networks have it, and nothing else."""
    work = reduce(Work.then, (net.work for net in model.networks.values()), Work())
    return next(
        (
            size
            for size in SCORED[:-1]
            if size * work.operations <= SCORED_OPERATIONS and 4 * size * work.most <= SCORED_BYTES
        ),
        SCORED[-1],
    )
