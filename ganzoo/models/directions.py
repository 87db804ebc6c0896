"""Ways through a latent space: a plane through three seeds, directions that change much, classes.

Directions are the singular vectors of the first layer that noise meets (arXiv:2007.06600): moving
along the first one changes what leaves that layer the most. They are found from how its outputs
follow the noise, so that they are those of the layer as it runs, whatever joins the noise before.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ganzoo.errors import TaskError
from ganzoo.models.execution import BATCH
from ganzoo.models.latents import noises, of_seed
from ganzoo.models.model import Model
from ganzoo.spec.draws import Normal
from ganzoo.spec.tasks import Task

Noise = Mapping[str, np.ndarray]


def on_the_plane(
    model: Model, task: Task, corners: Sequence[Noise], x: Any, y: Any
) -> dict[str, np.ndarray]:
    """Noise on the plane through three others: float32 (n, ...) by name.

    The first corner is at (0, 0), the second at (1, 0), the third at (0, 1). Normal noise is
    divided by the length of its three weights: what is mixed from independent normal noise is
    then as likely as any. Uniform noise stays in its range.

    Args:
        corners: noise of one sample each, (1, ...) by name. x, y: numbers, or n of each.
    """
    x, y = np.broadcast_arrays(np.atleast_1d(x), np.atleast_1d(y))
    weights = np.stack([1 - x - y, x, y], 1)  # (n, 3)
    found: dict[str, np.ndarray] = {}
    for name, draw in noises(model, task).items():
        rows = np.concatenate([corner[name] for corner in corners])  # (3, ...)
        mixed = np.tensordot(weights, rows, 1)
        if isinstance(draw, Normal):
            length = np.linalg.norm(weights, axis=1)
            mixed = mixed / length.reshape(-1, *[1] * (mixed.ndim - 1))
        else:
            mixed = mixed.clip(draw.low, draw.high)
        found[name] = mixed.astype(np.float32)
    return found


@dataclass(frozen=True, eq=False)
class Directions:
    """Directions in the noise of a task, the one that changes the most first.

    Args:
        noise: of length 1 over all noise together, float32 (k, ...) by name.
        shares: how much of the first layer's variance each causes, (k,); all would sum to 1.
    """

    noise: dict[str, np.ndarray]
    shares: np.ndarray


def directions(model: Model, task: Task, count: int = 5) -> Directions:
    """The directions of noise that change the outputs of the first layer the most.

    Raises:
        TaskError: the task draws no noise, or no layer with weights takes it.
    """
    sizes_ = [rows[0].size for rows in of_seed(model, task, 1, 0).values()]
    if not sizes_:
        raise TaskError(f"{model.title} has no noise that has directions")
    # more samples than numbers, so that a linear layer is found exactly
    samples = BATCH * -(-2 * sum(sizes_) // BATCH)
    given = of_seed(model, task, samples, 0)
    flat = np.concatenate([rows.reshape(samples, -1) for rows in given.values()], 1)
    outputs = _first_outputs(model, task, samples, given)
    centred = flat - flat.mean(0)
    slopes, *_ = np.linalg.lstsq(centred, outputs - outputs.mean(0), rcond=None)
    vectors, sizes, _ = np.linalg.svd(slopes, full_matrices=False)
    rows = vectors.T[:count]
    # of the two ways that a direction may point, the one with the larger sum
    rows = rows * np.where(rows.sum(1, keepdims=True) < 0, -1, 1)
    parts: dict[str, np.ndarray] = {}
    first = 0
    for name, values in given.items():
        size = values[0].size
        part = rows[:, first : first + size].reshape(len(rows), *values.shape[1:])
        parts[name] = part.astype(np.float32)
        first += size
    total = float((sizes**2).sum()) or 1.0
    return Directions(parts, sizes[:count] ** 2 / total)


def moved(
    model: Model, task: Task, noise: Noise, along: Directions, amounts: Sequence[float]
) -> dict[str, np.ndarray]:
    """Noise moved along directions, by these amounts; uniform noise stays in its range."""
    found: dict[str, np.ndarray] = {}
    for name, draw in noises(model, task).items():
        way = np.tensordot(np.asarray(amounts), along.noise[name][: len(amounts)], 1)
        rows = noise[name] + way[None]
        if not isinstance(draw, Normal):
            rows = rows.clip(draw.low, draw.high)
        found[name] = rows.astype(np.float32)
    return found


def _first_outputs(model: Model, task: Task, samples: int, noise: Noise) -> np.ndarray:
    """What leaves the first layer with weights whose outputs follow the noise, (n, d)."""
    found: list[Tensor] = []
    chosen: list[nn.Module] = []
    here = threading.get_ident()

    def keep(module: nn.Module, _: Any, output: Any) -> None:
        # other threads may use the same model
        if threading.get_ident() != here or not isinstance(output, Tensor):
            return
        numbers = output.is_floating_point() and output.ndim > 1
        # what does not differ between samples is not made of noise
        if not chosen and numbers and float(output.flatten(1).std(0).max()) > 1e-6:
            chosen.append(module)
        if chosen and module is chosen[0]:
            found.append(output.detach().flatten(1).cpu())
            raise _Enough  # of these samples; the layers after it are of no interest

    handles = [
        module.register_forward_hook(keep)
        for net in model.networks.values()
        for module in net.modules()
        if _weighted(module)
    ]
    labels = _same_class(model, task, BATCH)
    try:
        for start in range(0, samples, BATCH):
            some = {name: rows[start : start + BATCH] for name, rows in noise.items()}
            with suppress(_Enough):
                model.generate(BATCH, noise=some, task=name_of(model, task), output="pt", **labels)
    finally:
        for handle in handles:
            handle.remove()
    rows = torch.cat(found) if found else None
    if rows is None or len(rows) != samples:
        raise TaskError(f"no layer of {model.title} takes noise by weights; it has no directions")
    return rows.double().numpy()


class _Enough(Exception):
    """Ends a forward pass whose first layer is all that was asked for."""


def _weighted(module: nn.Module) -> bool:
    own = [weight for weight in module.parameters(recurse=False) if weight.ndim > 1]
    return bool(own) and not _of_labels(module)


def _of_labels(module: nn.Module) -> bool:
    return getattr(getattr(module, "_layer", None), "takes", None) == "labels"


def _same_class(model: Model, task: Task, samples: int) -> dict[str, Any]:
    kinds = {model.spec.draws[name].kind for name in model.spec.draws_of(task)}
    return {"label": [0] * samples} if "label" in kinds else {}


def name_of(model: Model, task: Task) -> str:
    """The name of a task of the model."""
    return next(name for name, one in model.spec.tasks.items() if one is task)


@contextmanager
def towards_class(model: Model, number: int, amount: float) -> Iterator[None]:
    """Inside, what this thread draws of a class is that share on its way to another class.

    What layers make of a label (its unit vector, its embedding) is mixed, as sums and differences
    of words are in arXiv:1511.06434.

    Args:
        number: of the other class. amount: 0 (as given) to 1 (the other class).
    """
    here = threading.get_ident()
    busy: list[bool] = []

    def mix(module: nn.Module, given: Any, output: Tensor) -> Tensor | None:
        if busy or threading.get_ident() != here:
            return None
        busy.append(True)
        try:
            other = module(torch.full_like(given[0], number))
        finally:
            busy.pop()
        return torch.lerp(output, other, amount)

    handles = [
        module.register_forward_hook(mix)
        for net in model.networks.values()
        for module in net.modules()
        if _of_labels(module)
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
