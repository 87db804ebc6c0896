"""Samples of a model to look at."""

from __future__ import annotations

from typing import Any

from ganzoo.models.model import Model
from ganzoo.spec.draws import Label, Text, Vector
from ganzoo.spec.spec import Spec
from ganzoo.spec.tasks import Task

SHEET = 64
"""Samples on a sheet."""


def samples(model: Model, n: int, seed: int = 0, *, task: str | None = None) -> Any:
    """`n` samples of a seed, (n, c, h, w) in [0, 1].

    Of all classes in turn if it has classes, of all examples in turn if it takes sentences.
    """
    given = inputs(model.spec, model.task("generate", task), n)
    return model.generate(n, seed=seed, output="pt", task=task, **given)


def inputs(spec: Spec, task: Task, n: int, *, embedded: bool = False) -> dict[str, Any]:
    """The inputs of a task for `n` samples, beside noise, images and vectors, by kind.

    Args:
        embedded: return sentences as their embeddings, so that they need not be encoded again.
    """
    given: dict[str, Any] = {}
    for name in spec.draws_of(task):
        match spec.draws[name]:
            case Label(classes=classes):
                given["label"] = [index % classes for index in range(n)]
            case Text(examples=examples, encoder=encoder) if examples and embedded:
                from ganzoo.data.text_encoder import embed

                rows = embed(examples, encoder)
                given["text"] = rows[[index % len(examples) for index in range(n)]]
            case Text(examples=examples) if examples:
                given["text"] = [examples[index % len(examples)] for index in range(n)]
            case _:
                pass
    return given


def shown(spec: Spec) -> list[str]:
    """The generate tasks whose samples can be drawn during training, with everything that they
    need; none where the first one's cannot."""
    found: list[str] = []
    for name, task in spec.tasks.items():
        if task.kind == "generate":
            draws = [spec.draws[draw] for draw in spec.draws_of(task)]
            known = all(draw.examples for draw in draws if isinstance(draw, Text))
            if known and not any(isinstance(draw, Vector) for draw in draws):
                found.append(name)
            elif not found:
                return []
    return found


def translated(spec: Spec) -> list[str]:
    """The translate tasks whose translations are shown during training, if samples are not.

    Without those that search for a value, which takes too long, and those for sentences without
    examples.
    """
    if shown(spec):
        return []
    found: dict[str | None, str] = {}
    for name, task in spec.tasks.items():
        if task.kind == "translate" and not task.solve:
            draws = [spec.draws[draw] for draw in spec.draws_of(task)]
            if all(draw.examples for draw in draws if isinstance(draw, Text)):
                found[task.to] = name
    return [*found.values()]
