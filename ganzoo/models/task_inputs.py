"""The inputs of a task as tensors: those that users give, and noise from a seed."""

from __future__ import annotations

from collections.abc import Mapping
from operator import index
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from ganzoo.data.text_encoder import embed
from ganzoo.errors import TaskError, choices, nearest
from ganzoo.models.images import image_tensor
from ganzoo.models.labels import class_numbers
from ganzoo.nn.functions.distributions import truncate
from ganzoo.seed import key
from ganzoo.spec.draws import (
    DATA,
    NOISE,
    Categorical,
    Image,
    Label,
    Normal,
    Text,
    Uniform,
    tensor_shape,
)
from ganzoo.spec.tasks import Task

if TYPE_CHECKING:
    from ganzoo.models.model import Model


def given_values(
    model: Model, task: Task, given: Mapping[str, Any], n: int | None
) -> tuple[dict[str, Tensor], int]:
    """The values of data draws, of classes and of numbers that callers may set, and the number of
    samples. Classes that are not given are drawn elsewhere."""
    given = dict(given)
    draws = {
        name: model.spec.draws[name]
        for name in model.spec.draws_of(task)
        if isinstance(model.spec.draws[name], DATA)
        or (isinstance(model.spec.draws[name], Categorical) and name in given)
    }
    words = {name: _word(name, draw) for name, draw in draws.items()}
    numbers = {
        name: _number(model, name, given.pop(name, number)) for name, number in task.numbers.items()
    }
    for word in given:
        if word not in words.values():
            chosen = [n for n in model.spec.draws_of(task)
                      if isinstance(model.spec.draws[n], Categorical)]  # fmt: skip
            allowed = [*words.values(), *chosen, *task.numbers]
            allowed += ["n", "seed", "output", "noise", "task"]
            raise TaskError(
                f"{model.title} takes no {word!r}{nearest(word, allowed)} "
                f"it takes: {choices(allowed)}"
            )
    values: dict[str, Tensor] = {}
    for name, draw in draws.items():
        if words[name] not in given:
            raise TaskError(f"{model.title} needs {words[name]}=...")
        values[name] = _value(model, words[name], draw, given[words[name]])
    sizes = {value.shape[0] for value in values.values()}
    n = _how_many(n) if n is not None else max(sizes, default=1)
    for name, value in values.items():
        if value.shape[0] == 1:
            values[name] = value.expand(n, *value.shape[1:])
        elif value.shape[0] != n:
            raise TaskError(f"{words[name]} has {value.shape[0]} entries, and n is {n}")
    return {**values, **numbers}, n


def noise_values(
    model: Model,
    task: Task,
    n: int,
    seed: int,
    given: Mapping[str, Any],
    known: Mapping[str, Any],
) -> dict[str, Tensor]:
    """The noise of a task: as `given` by name, else from the seed; without what is `known`."""
    names = [
        name
        for name in model.spec.draws_of(task)
        if isinstance(model.spec.draws[name], NOISE) and name not in known
    ]
    for name in given:
        if name not in names:
            raise TaskError(f"no noise {name!r}{nearest(name, names)} allowed: {choices(names)}")
    values: dict[str, Tensor] = {}
    for name in names:
        draw = model.spec.draws[name]
        assert isinstance(draw, NOISE)
        if name in given and isinstance(draw, Categorical):
            value = _value(model, name, draw, given[name])
        elif name in given:
            shape = (n, *tensor_shape(draw))
            wanted = f"noise {name!r} is float {shape}"
            value = torch.from_numpy(floats(given[name], wanted))
            if value.shape != shape:
                raise TaskError(f"{wanted}, not {tuple(value.shape)}")
        else:
            # a value to solve for starts from the same point for every sample
            rows = 1 if name in task.solve else n
            value = sample_noise(draw, rows, seed, name)
            value = value.expand(n, *value.shape[1:])
        values[name] = value.to(model.device)
    return values


def sample_noise(draw: Normal | Uniform | Categorical, n: int, seed: int, name: str) -> Tensor:
    """Noise (n, ...) of a seed, row by row, so that the first rows do not depend on `n`.

    Classes are whole numbers (n,).
    """
    generator = torch.Generator().manual_seed(key(seed, "sample", name))
    shape = tensor_shape(draw)
    if isinstance(draw, Categorical):
        return torch.rand(n, generator=generator).mul(draw.classes).long()
    rows = torch.empty(n, *shape)
    for row in rows:
        if isinstance(draw, Normal):
            row.copy_(torch.randn(shape, generator=generator))
        else:
            row.uniform_(draw.low, draw.high, generator=generator)
    if isinstance(draw, Normal) and draw.truncation is not None:
        return truncate(rows, draw.truncation)
    return rows


def _number(model: Model, name: str, value: Any) -> Tensor:
    """A number that a task declares, as a 0-dim tensor."""
    wrong = TaskError(f"{name} is one finite number, not {value!r}")
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise wrong from None
    if not np.isfinite(number):
        raise wrong
    return torch.tensor(number, device=model.device)


def _value(model: Model, word: str, draw: Any, value: Any) -> Tensor:
    match draw:
        case Image():
            return image_tensor(value, draw, model.preprocessing).to(model.device)
        case Label() | Categorical():
            return torch.from_numpy(class_numbers(word, draw, value)).to(model.device)
        case _:
            wanted = f"{draw.kind}: float (n, {draw.size})"
            if isinstance(draw, Text) and (sentences := _sentences(value)):
                value = embed(sentences, draw.encoder)
            rows = np.atleast_2d(floats(value, wanted))
            if rows.shape != (len(rows), draw.size) or not len(rows):
                raise TaskError(f"{wanted}, not {rows.shape}")
            return torch.from_numpy(rows).to(model.device)


def _how_many(n: Any) -> int:
    """The number of samples: any integer of at least 1, NumPy's too."""
    try:
        found = 0 if isinstance(n, bool) else index(n)
    except TypeError:
        found = 0
    if found < 1:
        raise TaskError(f"n is the number of samples, at least 1, not {n!r}")
    return found


def _sentences(value: Any) -> list[str]:
    """The sentences of a text that is given in words; none if it is given in numbers."""
    if isinstance(value, str):
        return [value]
    several = isinstance(value, list | tuple | np.ndarray)
    return list(value) if several and any(isinstance(part, str) for part in value) else []


def _array(value: Any) -> np.ndarray:
    return np.asarray(value.numpy(force=True) if isinstance(value, Tensor) else value)


def floats(value: Any, wanted: str) -> np.ndarray:
    """Numbers as float32, a copy; a TaskError says what was expected."""
    try:
        found = np.array(_array(value), dtype=np.float32)
    except (TypeError, ValueError):
        raise TaskError(f"{wanted}, not {value!r}") from None
    if not np.isfinite(found).all():
        raise TaskError(f"{wanted}, all of them finite")
    return found


def _word(name: str, draw: Any) -> str:
    """The keyword of an input: its kind, or the own name of classes that are noise."""
    return name if isinstance(draw, Categorical) else draw.kind
