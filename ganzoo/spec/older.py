"""Upgrades Specs that were written by earlier versions of ganzoo.

Before tasks had the kinds `classify` and `match`, and updates a `distance`, names carried that
meaning: an encode task `classes` made a model a classifier, `words` beside `pictures` a matcher,
and a term `critic` of the first update was the negative of a distance. A Spec is saved with all
its defaults, so a missing key shows that it was written by an earlier version.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast


def updated(data: Any) -> Any:
    """The plain data of a Spec, upgraded; malformed parts are left for validation to report."""
    spec = _mapping(data)
    if spec is None:
        return data
    spec = dict(spec)
    if (tasks := _mapping(spec.get("tasks"))) is not None:
        spec["tasks"] = _tasks(tasks, spec.get("draws"))
    if isinstance(spec.get("stages"), list | tuple) and spec["stages"]:
        spec["stages"] = [_stage(spec["stages"][0]), *spec["stages"][1:]]
    return spec


def _mapping(data: Any) -> dict[str, Any] | None:
    """`data` if it is a mapping, else None: nothing has been validated yet."""
    return cast("dict[str, Any]", data) if isinstance(data, dict) else None


def _tasks(tasks: Mapping[str, Any], draws: Any) -> dict[str, Any]:
    given = {name: _mapping(task) for name, task in tasks.items()}
    old = {
        name
        for name, task in given.items()
        if task is not None and task.get("kind") == "encode" and "of" not in task
    }
    labels = [_mapping(draw) for draw in (_mapping(draws) or {}).values()]
    fields: list[Any] = [
        draw.get("field", "label")
        for draw in labels
        if draw is not None and draw.get("kind") == "label"
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
    """The first stage, with `distance` added to its first update where it applies."""
    known = _mapping(stage) or {}
    updates: Any = known.get("round")
    if not isinstance(updates, list) or not updates:
        return stage
    head, *others = cast("list[Any]", updates)
    first = _mapping(head)
    if first is None or "distance" in first:
        return stage
    if next(iter(_mapping(first.get("minimize")) or {}), "") != "critic":
        return stage
    return {**known, "round": [{**first, "distance": "critic"}, *others]}
