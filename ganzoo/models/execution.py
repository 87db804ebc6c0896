"""Expressions of tasks: evaluated, in batches for many samples, within limits, finite."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ganzoo.errors import TaskError
from ganzoo.models.solving import solve
from ganzoo.nn.interpreter import Evaluator
from ganzoo.spec import expression as ex
from ganzoo.spec import vocabulary
from ganzoo.spec.tasks import Task

if TYPE_CHECKING:
    from ganzoo.models.model import Model

BATCH = 256
"""Samples that are computed at once."""


def evaluate(
    model: Model,
    text: str,
    values: Mapping[str, Tensor],
    known: Mapping[ex.Expression, Tensor] | None = None,
    *,
    numbers: Mapping[str, Any] | None = None,
    gradients: bool = False,
) -> Any:
    """The value of an expression, as `Model.evaluate` says."""

    def call(name: str, inputs: Sequence[Tensor], output: str | None) -> Tensor:
        return model.networks[name](*inputs, outputs=(output or "",))

    batches = {name: value for name, value in values.items() if value.ndim}
    evaluator = Evaluator(
        model.spec, call, batches, lambda *shape: torch.rand(*shape, device=model.device), known,
        recall=model.state.__getitem__, whole=model.networks.__getitem__,
    )  # fmt: skip
    evaluator.values |= {name: value for name, value in values.items() if not value.ndim}
    for name, number in (numbers or {}).items():
        evaluator.values.setdefault(name, torch.tensor(float(number), device=model.device))
    at_once(model, text, 1)
    if gradients:
        with torch.enable_grad():
            return evaluator(text)
    # what is computed in inference mode can have no gradient
    with torch.no_grad() if differentiates(model, text) else torch.inference_mode():
        found = evaluator(text)
    return found.detach() if isinstance(found, Tensor) else found


def run(
    model: Model, task: Task, text: str, values: Mapping[str, Tensor], batch: int = BATCH
) -> Tensor:
    """An expression of a task, in batches; values that the task solves for are found first."""
    if not task.solve:
        return finite(model, outputs(model, text, values, batch), text)
    if model.limit is not None and task.minimize in model.work:
        work = model.work[task.minimize].with_gradients(task.steps)
        work.check(f"{task.minimize!r} of {model.title}", 1, model.limit)
    parts: list[Tensor] = []
    for first in range(0, count(values), batch):
        some = rows(values, first, batch)
        parts.append(model.evaluate(text, *solve(model, task, some)))
    return finite(model, torch.cat(parts), text)


def outputs(model: Model, text: str, values: Mapping[str, Tensor], batch: int = BATCH) -> Tensor:
    """As `Model.evaluate`, for an expression with one row for each sample: in batches."""
    n, step = count(values), at_once(model, text, batch)
    parts = [model.evaluate(text, rows(values, i, step)) for i in range(0, n, step)]
    return torch.cat(parts)


def finite(model: Model, values: Tensor, text: str) -> Tensor:
    """The same values; TaskError where some are not finite."""
    if not torch.isfinite(values).all():
        raise TaskError(
            f"{text!r} of {model.title} gives numbers that are not finite (NaN or infinite): "
            "its weights, or what it was given, are out of any sensible range"
        )
    return values


def at_once(model: Model, text: str, batch: int, *, exact: bool = False) -> int:
    """How many samples of an expression are computed at once, at most `batch`.

    Raises:
        TaskError: one is too much work for a model that was loaded; with `exact`, `batch` are.
    """
    work = model.work.get(text)
    if work is None:
        return batch
    if ex.GRADIENT in model.spec.names_in(text):
        work = work.with_gradients()
    if model.limit is not None:
        work.check(f"{text!r} of {model.title}", batch if exact else 1, model.limit)
    return batch if exact else work.batch(batch, model.limit or 1)


def differentiates(model: Model, text: str) -> bool:
    """Whether an expression takes gradients: by `grad`, or in a function of a network."""
    spec = model.spec
    names = spec.names_in(text) - {*spec.networks, *spec.draws, *spec.let, *spec.state}
    functions = (vocabulary.function(name) for name in names - {ex.GRADIENT})
    return ex.GRADIENT in names or any(f is not None and f.networks for f in functions)


def count(values: Mapping[str, Tensor]) -> int:
    """The number of samples in the values."""
    return next(value.shape[0] for value in values.values() if value.ndim)


def rows(values: Mapping[str, Tensor], first: int, count: int) -> dict[str, Tensor]:
    """Some of the samples; 0-dim numbers apply to all."""
    return {
        name: value[first : first + count] if value.ndim else value
        for name, value in values.items()
    }
