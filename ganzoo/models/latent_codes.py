"""Images from codes: the second half of a reconstruction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from ganzoo.errors import TaskError
from ganzoo.models import execution
from ganzoo.models.task_inputs import floats, noise_values
from ganzoo.spec import expression as ex
from ganzoo.spec.draws import DATA, WHOLE, tensor_shape
from ganzoo.spec.tasks import Task

if TYPE_CHECKING:
    from ganzoo.models.model import Model


def latent(model: Model) -> str | None:
    """The first encode task that the first reconstruct task goes through, as in `G(E(x))`."""
    return next(
        (
            name
            for name, task in model.tasks("encode").items()
            if model.tasks("reconstruct") and goes_through(model, task)
        ),
        None,
    )


def decode(model: Model, codes: Any, seed: int) -> Tensor:
    """Images in [-1, 1] of codes, as `Model.decode` says."""
    name = model.latent
    if name is None:
        raise TaskError(f"{model.title} has no codes that it makes images of")
    encoding, task = model.task("encode", name), model.task("reconstruct")
    shape = code_shape(model, encoding)
    wanted = f"codes are float (n, {shape.numel()})"
    rows = np.atleast_2d(floats(codes, wanted))
    if rows.shape != (len(rows), shape.numel()) or not len(rows):
        raise TaskError(f"{wanted}, not {rows.shape}")
    given = torch.from_numpy(rows).to(model.device).reshape(-1, *shape)
    known = model.spec.meaning(encoding.output)
    noise = noise_values(model, task, len(given), seed, {}, {})
    parts: list[Tensor] = []
    for first in range(0, len(given), execution.BATCH):
        some = execution.rows(noise, first, execution.BATCH)
        code = given[first : first + execution.BATCH]
        values = {**some, "": code}
        parts.append(model.evaluate(task.output, values, {known: code}, numbers=task.numbers))
    return execution.finite(model, torch.cat(parts), task.output)


def goes_through(model: Model, encoding: Task) -> bool:
    """Whether its code is the only input from the data that the first reconstruct task needs."""
    code, seen = model.spec.meaning(encoding.output), False
    pending, visited = [model.spec.meaning(model.task("reconstruct").output)], set[Any]()
    while pending:
        node = pending.pop()
        if node == code:
            seen = True
        elif isinstance(node, ex.Name) and node.name in model.spec.let:
            if node.name not in visited:
                visited.add(node.name)
                pending.append(model.spec.meaning(node.name))
        elif isinstance(node, ex.Name) and isinstance(model.spec.draws.get(node.name), DATA):
            return False
        else:
            pending += ex.parts(node)
    return seen


def code_shape(model: Model, encoding: Task) -> torch.Size:
    """The shape of one code, before it is flattened."""
    values: dict[str, Tensor] = {}
    for name in model.spec.draws_in(encoding.output):
        draw = model.spec.draws[name]
        whole = isinstance(draw, WHOLE)
        shape = (1, *tensor_shape(draw))
        values[name] = torch.zeros(
            shape, dtype=torch.int64 if whole else torch.float32, device=model.device
        )
    found = model.evaluate(encoding.output, values, numbers=encoding.numbers)
    return found.shape[1:]
