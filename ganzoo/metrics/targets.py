"""Which figures a model's own training loss targets: they flatter it, and are marked.

Found in the Spec: a loss term that compares a task's output with what a figure compares it with.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from typing import Any

from ganzoo.spec import expression as ex
from ganzoo.spec.spec import Spec

DISTANCES = {"l1", "mse", "distance"}
"""Functions of two images that are 0 where they are equal."""
VERDICTS = {"cross_entropy"}
"""Functions of the class numbers that a net predicts, and the true ones."""


def spelled_out(spec: Spec, text: str) -> ex.Expression:
    """An expression with every let replaced by its definition."""
    return _spelled_out(spec, ex.parse(text))


def _spelled_out(spec: Spec, node: Any) -> Any:
    if isinstance(node, ex.Name) and node.name in spec.let:
        return _spelled_out(spec, ex.parse(spec.let[node.name]))
    if isinstance(node, tuple):
        return tuple(_spelled_out(spec, part) for part in node)
    if not is_dataclass(node) or isinstance(node, ex.Name | type):
        return node
    return replace(
        node, **{f.name: _spelled_out(spec, getattr(node, f.name)) for f in fields(node)}
    )


def _names(node: ex.Expression) -> set[str]:
    """The draws, networks and functions of an expression after this replacement."""
    return {part.name for part in ex.walk(node) if isinstance(part, ex.Name | ex.Call)}


def calls(spec: Spec, functions: set[str]) -> Iterator[ex.Call]:
    """The calls of some functions in the losses, with lets replaced."""
    for path, text in spec.expressions():
        if ".minimize." in path and path.startswith("stages."):
            for node in ex.walk(spelled_out(spec, text)):
                if isinstance(node, ex.Call) and node.name in functions:
                    yield node


def compared(spec: Spec, one: str, other: str) -> bool:
    """Whether a loss is a distance of two expressions, such as `x` and `G(E(x))`."""
    wanted = {str(spelled_out(spec, text)) for text in (one, other)}
    return any(
        {str(argument) for argument in call.arguments[:2]} == wanted
        for call in calls(spec, DISTANCES)
    )


def cycled(spec: Spec, there: str, back: str) -> bool:
    """Whether a loss is a distance of images and their round trip: `BA(AB(a))` and `a`."""
    ways = spec.networks_in(there) | spec.networks_in(back)
    for call in calls(spec, DISTANCES):
        for image, again in (call.arguments[:2], call.arguments[1::-1]):
            names = _names(again)
            if isinstance(image, ex.Name) and (
                ways == names & set(spec.networks)
                and {image.name} == names & set(spec.draws) == {*spec.draws_in(there)}
            ):
                return True
    return False


def classified(spec: Spec, output: str) -> bool:
    """Whether a net that learns to draw is trained for the classes that another sees in it."""
    makers = spec.networks_in(output)
    for stage in spec.stages:
        for update in stage.updates:
            if not makers & set(update.train):
                continue
            for text in update.minimize.values():
                for node in ex.walk(spelled_out(spec, text)):
                    if (
                        isinstance(node, ex.Call)
                        and node.name in VERDICTS
                        and makers & _names(node)
                    ):
                        return True
    return False
