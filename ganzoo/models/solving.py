"""Optimization at inference: values that minimize an expression are found before a task runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ganzoo.nn.optimizers import make, rates_of, set_rates
from ganzoo.spec import expression as ex
from ganzoo.spec.numbers import Clock
from ganzoo.spec.tasks import Task

if TYPE_CHECKING:
    from ganzoo.models.model import Model


def solve(
    model: Model, task: Task, values: Mapping[str, Tensor]
) -> tuple[dict[str, Tensor], dict[ex.Expression, Tensor]]:
    """The values that `task` solves for in one batch: `values` with the noise that was found, and
    the values of the lets that were.

    Samples are independent: the expression is summed over the samples, and a mean over them is
    multiplied by their number.
    """
    n = next(value.shape[0] for value in values.values() if value.ndim)
    sought: dict[str, Tensor] = {}
    for name in task.solve:
        start = values[name] if name in model.spec.draws else model.evaluate(name, values)
        if not model.spec.draws_in(name):  # computed from states alone: the same for all samples
            start = start.expand(n, *start.shape)
        sought[name] = start.detach().clone().requires_grad_()
    points = list(sought.values())
    draws = {name: point for name, point in sought.items() if name in model.spec.draws}
    lets: dict[ex.Expression, Tensor] = {
        ex.Name(name): point for name, point in sought.items() if name not in model.spec.draws
    }
    rates = rates_of(task.solver, model.spec.let, Clock(0, n, 0.0))
    optimizer = make(task.solver, points, {k: torch.tensor(rate) for k, rate in rates.items()})
    assert task.minimize is not None
    for step in range(task.steps):
        clock = Clock(step, n, step / task.steps)
        set_rates(optimizer, rates_of(task.solver, model.spec.let, clock))
        value = model.evaluate(task.minimize, {**values, **draws}, lets, gradients=True)
        total = value.sum() if value.ndim else value * n
        for point, gradient in zip(points, torch.autograd.grad(total, points), strict=True):
            point.grad = gradient
        optimizer.step()
    for point in points:
        point.requires_grad_(False)
    return {**values, **draws}, lets
