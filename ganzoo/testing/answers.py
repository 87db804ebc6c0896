"""Outputs of tasks, and whether they match the kind of the task."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ganzoo.models.model import Model
from ganzoo.spec.draws import Image, Label
from ganzoo.spec.spec import Spec
from ganzoo.spec.tasks import Task
from ganzoo.testing.subject import ROWS, NotConforming

ASKED = 3
"""The number of samples."""


def check_answer(place: str, task: Task, value: Tensor, spec: Spec) -> None:
    """Raise NotConforming if an output does not match the kind of its task."""
    shape = tuple(value.shape)
    if shape[:1] != (ASKED,):
        raise NotConforming(f"{place} gives {shape} for {ASKED} samples; the first axis is samples")
    if not torch.isfinite(value).all():
        raise NotConforming(f"{place} gives numbers that are not finite")
    pictures = task.kind in ("generate", "reconstruct", "translate")
    if pictures and (len(shape) != 4 or shape[1] not in (1, 3, 4)):
        raise NotConforming(
            f"{place} of kind {task.kind} gives {shape}; pictures are (n, channels, height, "
            "width), with 1, 3 or 4 channels"
        )
    if task.kind == "reconstruct":
        wanted = tuple(given_for(spec, task, ASKED)["image"].shape)
        if shape != wanted:
            raise NotConforming(f"{place} makes {shape} of images {wanted}; they should be equal")
    if task.kind == "encode" and len(shape) != 2:
        raise NotConforming(f"{place} gives {shape}; codes are (n, d)")


def ask(model: Model, name: str, task: Task, n: int = ASKED) -> dict[str, Tensor]:
    """The outputs of a task for `n` samples, by name."""
    given = given_for(model.spec, task, n)
    if task.kind in ("reconstruct", "translate", "score", "classify") and "image" not in given:
        raise NotConforming(
            f"task {name!r} is of kind {task.kind}, which takes an image, but its expression "
            f"{task.output!r} does not use one"
        )
    match task.kind:
        case "generate":
            return {"": model.generate(n, output="pt", task=name, **given)}
        case "encode":
            return {"": torch.from_numpy(model.encode(task=name, **given))}
        case "classify":
            images = given.pop("image")
            found = model.classify(images, task=name, probabilities=True, **given)
            return {"": torch.from_numpy(found)}
        case "match":
            asked = {"images" if word == "image" else word: value for word, value in given.items()}
            return {"": torch.from_numpy(model.match(task=name, **asked))}
        case "reconstruct":
            return {"": model.reconstruct(given["image"], output="pt", task=name)}
        case "translate":
            return {"": model.translate(given["image"], to=str(task.to), output="pt")}
        case _:
            images = given.pop("image")
            scores = model.score(images, task=name, maps=task.map is not None, **given)
            found = {"": torch.from_numpy(scores.values)}
            return found | ({} if scores.maps is None else {".map": torch.from_numpy(scores.maps)})


def given_for(spec: Spec, task: Task, n: int) -> dict[str, Any]:
    """Values for the inputs of a task, by keyword of the call."""
    generator = torch.Generator().manual_seed(1)
    found: dict[str, Any] = {}
    for name in spec.draws_of(task):
        draw = spec.draws[name]
        match draw:
            case Image():
                # rows of one seed, so that the first do not depend on how many there are
                found["image"] = torch.rand(ROWS, *draw.shape, generator=generator)[:n]
            case Label():
                found["label"] = [index % draw.classes for index in range(n)]
            case _ if name in spec.data_draws():
                found[draw.kind] = torch.randn(ROWS, draw.size, generator=generator)[:n]  # type: ignore
            case _:
                pass
    return found
