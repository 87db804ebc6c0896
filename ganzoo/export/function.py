"""A task as a function of tensors alone, which `torch.export` can follow."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ganzoo.errors import TaskError
from ganzoo.export.contract import Input, inputs
from ganzoo.models.model import Model
from ganzoo.nn.interpreter import Evaluator
from ganzoo.spec.draws import Image, Normal, Text
from ganzoo.spec.tasks import Task

BATCH = 3
"""Samples in the batch for tracing a task; a batch of one would be special."""


class TaskFunction(nn.Module):
    """A task of a model: tensors in, a tuple of tensors out, as `contract.outputs` lists them.

    Images are float32 (n, c, h, w) in [0, 1] on both sides, where networks have [-1, 1].
    """

    def __init__(self, model: Model, task: Task) -> None:
        super().__init__()
        self._model, self.task = [model], task  # in a list: the weights are registered below
        self.takes = inputs(model, task)
        self.networks = nn.ModuleDict(model.networks)
        for name, value in model.state.items():
            self.register_buffer(f"state_{name}", value)
        self._threshold = next(
            (model.thresholds[n] for n, t in model.spec.tasks.items()
             if t is task and n in model.thresholds), None,
        )  # fmt: skip

    def forward(self, *values: Tensor) -> tuple[Tensor, ...]:
        batches: dict[str, Tensor] = {}
        numbers: dict[str, Tensor] = {}
        for one, value in zip(self.takes, values, strict=True):
            if one.draw is None:
                numbers[one.name] = value
            else:
                batches[one.name] = value * 2 - 1 if isinstance(one.draw, Image) else value
        found = self._evaluated(self.task.output, batches, numbers)
        match self.task.kind:
            case "generate" | "reconstruct" | "translate":
                return (((found + 1) / 2).clamp(0, 1),)
            case "encode":
                return (found.flatten(1),)
            case "match":
                return (F.normalize(found.flatten(1), dim=1, eps=1e-12),)
            case "classify":
                return (found.flatten(1).softmax(1),)
            case "score":
                scores = found.flatten()
                made = [scores]
                if self._threshold is not None:
                    made.append(scores > torch.tensor(self._threshold, dtype=torch.float32))
                if self.task.map is not None:
                    where = self._evaluated(self.task.map, batches, numbers)
                    made.append(where.mean(1).clamp_min(0))
                return tuple(made)

    def _evaluated(
        self, text: str, batches: dict[str, Tensor], numbers: dict[str, Tensor]
    ) -> Tensor:
        spec = self._model[0].spec

        def call(name: str, given: Sequence[Tensor], output: str | None) -> Tensor:
            return self.networks[name](*given, outputs=(output or "",))  # type: ignore[reportCallIssue]

        evaluator = Evaluator(
            spec, call, batches, lambda *shape: torch.rand(*shape),
            recall=lambda name: getattr(self, f"state_{name}"),
            whole=lambda name: self.networks[name],
        )  # fmt: skip
        evaluator.values |= numbers
        return evaluator(text)


def example(takes: Sequence[Input], batch: int = BATCH) -> dict[str, Tensor]:
    """Some values of inputs, by name: classes in turn, sentences of length 1 as encoders give them
    (what networks give for longer ones is far off and rounded badly), normal noise, and values
    between 0 and 1 for the rest."""
    generator = torch.Generator().manual_seed(0)
    found: dict[str, Tensor] = {}
    for one in takes:
        if one.draw is None:
            found[one.name] = torch.tensor(one.default, dtype=torch.float32)
        elif one.whole:
            found[one.name] = torch.arange(batch) % one.draw.classes  # type: ignore[union-attr]
        else:
            chance = torch.randn if isinstance(one.draw, Normal | Text) else torch.rand
            values = chance(batch, *one.shape, generator=generator)
            found[one.name] = F.normalize(values) if isinstance(one.draw, Text) else values
    return found


def followed(model: Model, name: str) -> torch.export.ExportedProgram:
    """The task of that name as an `ExportedProgram` of any batch, on the CPU, in float32.

    Raises:
        TaskError: the task cannot be traced, such as one that searches or takes gradients.
    """
    task = model.spec.tasks[name]
    if task.solve:
        raise TaskError(
            f"the task {name!r} of {model.title} searches for {', '.join(task.solve)} in "
            f"{task.steps} steps; a file of one function cannot"
        )
    function = TaskFunction(model, task)
    # the model's own networks stay unchanged, on their device
    function.networks = deepcopy(function.networks).float().cpu()
    values = example(function.takes)
    batch = torch.export.Dim("batch", min=1)
    shapes = tuple({0: batch} if one.draw is not None else None for one in function.takes)
    try:
        with torch.no_grad():
            return torch.export.export(
                function.eval(), tuple(values.values()), dynamic_shapes=(shapes,), strict=False
            )
    except Exception as error:  # whatever torch, or a plugin's function, fails on
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise TaskError(
            f"the task {name!r} of {model.title} cannot be exported: {reason[:300]}"
        ) from error
