"""Noise that a model draws from: of a seed, truncated, and interpolated."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ganzoo.models.model import Model
from ganzoo.models.task_inputs import sample_noise
from ganzoo.spec.draws import Normal, Uniform
from ganzoo.spec.tasks import Task

PSI = "psi"
"""The name of a task's own truncation, if it has one (arXiv:1812.04948)."""


def noises(model: Model, task: Task) -> dict[str, Normal | Uniform]:
    """The continuous noise that a task draws, by name."""
    draws = {name: model.spec.draws[name] for name in model.spec.draws_of(task)}
    return {name: draw for name, draw in draws.items() if isinstance(draw, Normal | Uniform)}


def of_seed(
    model: Model, task: Task, count: int, seed: int, truncation: float = 1.0
) -> dict[str, np.ndarray]:
    """The noise that `generate` draws for a seed, float32 (count, ...) by name.

    Args:
        truncation: the factor of its distance from the mean; at most 1 for uniform noise, whose
            range was all that was trained on. Less than 1 gives more typical samples.
    """
    found: dict[str, np.ndarray] = {}
    for name, draw in noises(model, task).items():
        rows = sample_noise(draw, count, seed, name).numpy()
        if isinstance(draw, Normal):
            found[name] = rows * np.float32(truncation)
        else:
            middle = np.float32((draw.low + draw.high) / 2)
            found[name] = middle + (rows - middle) * np.float32(min(truncation, 1.0))
    return found


def between(first: np.ndarray, second: np.ndarray, place: float) -> np.ndarray:
    """Noise between `first` (0) and `second` (1), row by row, (n, ...).

    Along the great circle (arXiv:1609.04468), with lengths interpolated, too: the straight line
    would pass through noise of lengths that hardly ever occur.
    """
    shape = first.shape
    first, second = (rows.reshape(len(rows), -1) for rows in (first, second))
    lengths = [np.linalg.norm(rows, axis=1, keepdims=True) + 1e-9 for rows in (first, second)]
    a, b = first / lengths[0], second / lengths[1]
    angle = np.arccos(np.clip((a * b).sum(1, keepdims=True), -1 + 1e-6, 1 - 1e-6))
    way = (np.sin((1 - place) * angle) * a + np.sin(place * angle) * b) / np.sin(angle)
    found = way * ((1 - place) * lengths[0] + place * lengths[1])
    return found.astype(np.float32).reshape(shape)


def straight(first: np.ndarray, second: np.ndarray, place: float) -> np.ndarray:
    """Linear interpolation from `first` (0) to `second` (1): for codes, and uniform noise."""
    return ((1 - place) * first + place * second).astype(np.float32)


def on_the_way(
    model: Model,
    task: Task,
    first: Mapping[str, np.ndarray],
    second: Mapping[str, np.ndarray],
    place: float,
) -> dict[str, np.ndarray]:
    """All noise of a task between two others: normal noise on the sphere, uniform linearly."""
    return {
        name: (between if isinstance(draw, Normal) else straight)(first[name], second[name], place)
        for name, draw in noises(model, task).items()
    }
