"""Classes as users give them, by number or by name."""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import Tensor

from ganzoo.errors import TaskError, choices
from ganzoo.spec.draws import Categorical, Label
from ganzoo.spec.spec import Spec
from ganzoo.spec.tasks import Task


def label_of(spec: Spec, task: Task) -> Label | None:
    """The label that a task takes; None if it takes none."""
    draws = map(spec.draws.__getitem__, spec.draws_of(task))
    return next((draw for draw in draws if isinstance(draw, Label)), None)


def class_numbers(word: str, draw: Label | Categorical, value: Any) -> np.ndarray:
    """Class numbers, int64 (n,), from numbers or names, one or several.

    Args:
        word: the name of the input, for errors.

    Raises:
        TaskError: not classes of the draw.
    """
    try:
        if isinstance(draw, Label) and _has_names(value):
            several = [value] if isinstance(value, str) else value
            value = [draw.number(one) if isinstance(one, str) else one for one in several]
        array = value.numpy(force=True) if isinstance(value, Tensor) else value
        found = np.asarray(array).reshape(-1)
    except (TypeError, ValueError):
        found = np.zeros(0)
    known = found.dtype.kind in "iu" and len(found)
    if not known or found.min() < 0 or found.max() >= draw.classes:
        names = getattr(draw, "names", ())
        or_names = f", or names: {choices(names)}" if names else ""
        raise TaskError(
            f"{word}: whole numbers from 0 to {draw.classes - 1}{or_names}, not {value!r}"
        )
    return found.astype(np.int64)


def _has_names(value: Any) -> bool:
    if isinstance(value, np.ndarray):
        return value.dtype.kind in "UO"
    return isinstance(value, str | list | tuple)
