# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
"""Specs that an earlier ganzoo wrote, in the words of today.

Before tasks had the kinds `classify` and `match`, and updates a `distance`, the spelling of names
said as much: an encode task `classes` made a model a classifier, `words` beside `pictures` a
matcher, and a term `critic` of the first update was the negative of a distance. A Spec is written
out with all its defaults, so that a key that is not there tells when it was written.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast


def updated(data: Any) -> Any:
    """A Spec as plain data, of any version; what is malformed is left for validation to refuse."""
    if not isinstance(data, dict):
        return data
    spec = dict(cast("dict[str, Any]", data))
    if isinstance(spec.get("tasks"), dict):
        spec["tasks"] = _tasks(spec["tasks"], spec.get("draws"))
    if isinstance(spec.get("stages"), list | tuple) and spec["stages"]:
        spec["stages"] = [_stage(spec["stages"][0]), *spec["stages"][1:]]
    return spec


def _tasks(tasks: Mapping[str, Any], draws: Any) -> dict[str, Any]:
    old = {
        name
        for name, task in tasks.items()
        if isinstance(task, dict) and task.get("kind") == "encode" and "of" not in task
    }
    fields = [  # of any type: nothing has been validated
        draw.get("field", "label")
        for draw in (draws.values() if isinstance(draws, dict) else ())
        if isinstance(draw, dict) and draw.get("kind") == "label"
    ]
    classifies = "classes" in old
    matches = {"pictures", "words"} <= old
    found: dict[str, Any] = {}
    for name, task in tasks.items():
        if name in old and classifies and (name == "classes" or name in fields):
            of = "label" if name == "classes" else name
            task = {**task, "kind": "classify", "of": of}
        elif name in old and matches and name in ("pictures", "words"):
            task = {**task, "kind": "match"}
        found[name] = task
    return found


def _stage(stage: Any) -> Any:
    """The first stage, with the distance of its first update."""
    if not (isinstance(stage, dict) and isinstance(stage.get("round"), list) and stage["round"]):
        return stage
    first, *others = stage["round"]
    if not isinstance(first, dict) or "distance" in first:
        return stage
    terms = first.get("minimize")
    if not (isinstance(terms, dict) and next(iter(terms), "") == "critic"):
        return stage
    return {**stage, "round": [{**first, "distance": "critic"}, *others]}
