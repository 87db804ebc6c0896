"""Tasks of a model by kind and name, and errors where there is none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ganzoo.errors import PluginError, TaskError, choices, nearest
from ganzoo.models.config import lacks
from ganzoo.spec.draws import Image, Text
from ganzoo.spec.tasks import Task

if TYPE_CHECKING:
    from ganzoo.models.model import Model


def tasks(model: Model, kind: str) -> dict[str, Task]:
    """The tasks of a kind; an error if there is none."""
    found = model.tasks(kind)
    if not found:
        lacking = [name for name in model.spec.lacking if model.spec.tasks[name].kind == kind]
        if lacking:
            raise PluginError(lacks(model.config, f"the task {lacking[0]!r}", lacking[0]))
        can = choices({task.kind for task in model.spec.tasks.values()})
        raise TaskError(
            f"{model.title} cannot {kind}; it can: {can}. `ganzoo models` says what others can"
        )
    return found


def named(model: Model, kind: str, name: str | None) -> tuple[str, Task]:
    """A task with its name; without a name, the first of its kind."""
    found = tasks(model, kind)
    if name is None:
        return next(iter(found.items()))
    if name in model.spec.lacking:
        raise PluginError(lacks(model.config, f"the task {name!r}", name))
    if name not in found:
        raise TaskError(
            f"{model.title} has no task {name!r} of kind {kind}{nearest(name, found)} "
            f"it has: {choices(found)}"
        )
    return name, found[name]


def translation(model: Model, to: str) -> Task:
    """The task of kind translate that leads to the domain `to`."""
    found = {task.to: task for task in tasks(model, "translate").values()}
    if to not in found:
        raise TaskError(
            f"no domain {to!r}{nearest(to, map(str, found))} this model translates to "
            f"{choices(map(str, found))}"
        )
    return found[to]


def matching(model: Model, kind: type[Image] | type[Text]) -> str:
    """The name of the first match task that takes an image, or a sentence."""
    for name, task in tasks(model, "match").items():
        draws = map(model.spec.draws.__getitem__, model.spec.draws_of(task))
        if any(isinstance(draw, kind) for draw in draws):
            return name
    what = "images" if kind is Image else "sentences"
    raise TaskError(f"{model.title} has no task of kind match for {what}")
