"""Images in the latent space of a generator that has no encoder: finds noise that draws them.

Gradient descent on the noise, as in arXiv:1609.03552 and arXiv:1703.05921: minimizes the distance
of the drawn image to the given one, on several scales, and how unlikely the noise is. Several
starts are run together, and the best of each image is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ganzoo.errors import TaskError, choices
from ganzoo.models.latents import PSI, noises, of_seed
from ganzoo.models.model import Model
from ganzoo.spec.draws import DATA, Categorical, Image, Label, Normal
from ganzoo.spec.tasks import Task

STEPS, STARTS = 200, 8
RATE = 0.05
"""Of Adam; decays to zero along half a cosine."""
USUAL = 1e-3
"""Weight of the mean square of noise beyond that of normal noise, relative to pixels."""
SCALES = 3
"""How often images are halved; the distance is the mean over all sizes."""


@dataclass(frozen=True, eq=False)
class Projection:
    """The positions of images in the latent space of a model.

    Args:
        images: what is drawn there, float32 (n, c, h, w) in [0, 1].
        noise: by name, float32 (n, ...); `model.generate(noise=..., label=...)` draws it again.
        labels: the class of each, int64 (n,); None for a model without classes.
        errors: the mean squared error of pixels in [0, 1], float32 (n,).
        starting: the same at the best start, before the search.
        step: how many steps were made.
    """

    images: np.ndarray
    noise: dict[str, np.ndarray]
    labels: np.ndarray | None
    errors: np.ndarray
    starting: np.ndarray
    step: int = 0


def project(
    model: Model,
    images: Any,
    *,
    steps: int = STEPS,
    starts: int = STARTS,
    seed: int = 0,
    label: Any = None,
    task: str | None = None,
    note: Callable[[int], None] = lambda step: None,
) -> Projection:
    """Find noise that draws images like these.

    Args:
        images: as the tasks of a model take them.
        steps: of the search. starts: how many for each image.
        seed: of the starts. label: the class of each image, by number or name, or one for all;
            by default the starts use the classes in turn.
        task: the name of the generate task, where there are several.
        note: called at every step.

    Raises:
        TaskError: the model draws from more than noise and a class, or from nothing continuous.
    """
    *_, last = projecting(
        model, images, steps=steps, starts=starts, seed=seed, label=label, task=task, note=note
    )
    return last


def projecting(
    model: Model,
    images: Any,
    *,
    steps: int = STEPS,
    starts: int = STARTS,
    seed: int = 0,
    label: Any = None,
    task: str | None = None,
    every: int | None = None,
    note: Callable[[int], None] = lambda step: None,
) -> Iterator[Projection]:
    """The search of `project` while it goes on: what is best at the start, and on the way.

    Args:
        every: after how many steps the next one is given; by default the last alone. The others
            are those of `project`.

    Raises:
        TaskError: as `project` does, when the first is asked for.
    """
    chosen = model.task("generate", task)
    draw = drawn_image(model, chosen)
    wanted = model.seen(images, draw).to(model.device)
    n = len(wanted)
    given, labels = _conditions(model, chosen, n, starts, label)
    start = of_seed(model, chosen, n * starts, seed)
    if not start:
        raise TaskError(f"{model.title} has no noise that could be sought")
    sought = {key: torch.from_numpy(rows).to(model.device) for key, rows in start.items()}
    for rows in sought.values():
        rows.requires_grad_()
    target = wanted.repeat_interleave(starts, 0)
    optimizer = torch.optim.Adam(list(sought.values()), lr=RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, max(1, steps))
    limits = noises(model, chosen)

    def drawn() -> Tensor:
        found = model.evaluate(
            chosen.output, {**given, **sought}, numbers=_numbers(chosen), gradients=True
        )
        return found.add(1).div(2)

    def found_at(step: int, starting: Tensor | None) -> tuple[Projection, Tensor]:
        """The best of each image by now, and the errors of all."""
        with torch.no_grad():
            found = drawn().clamp(0, 1)
            if not torch.isfinite(found).all():
                raise TaskError(f"the search of {model.title} gave numbers that are not finite")
            errors = (found - target).square().flatten(1).mean(1).view(n, starts)
        best = errors.argmin(1).cpu() + torch.arange(n) * starts
        return Projection(
            images=found.cpu()[best].numpy(),
            noise={key: rows.detach().cpu()[best].numpy() for key, rows in sought.items()},
            labels=None if labels is None else labels[best.numpy()],
            errors=errors.amin(1).cpu().numpy(),
            starting=(errors if starting is None else starting).amin(1).cpu().numpy(),
            step=step,
        ), errors

    first, starting = found_at(0, None)
    if every or not steps:
        yield first
    for step in range(steps):
        total = _distance(drawn(), target).sum() + USUAL * _unusual(sought, limits).sum()
        optimizer.zero_grad(set_to_none=True)
        total.backward()
        optimizer.step()
        schedule.step()
        note(step)
        done = step + 1
        if done == steps or (every and done % every == 0):
            yield found_at(done, starting)[0]


def drawn_image(model: Model, task: Task) -> Image:
    """The output of a generate task, as a picture would be read."""
    images = {k: d for k, d in model.spec.draws.items() if isinstance(d, Image)}
    with torch.no_grad():
        given, _ = _conditions(model, task, 1, 1, None)
        noise = {key: torch.from_numpy(rows) for key, rows in of_seed(model, task, 1, 0).items()}
        values = given | {key: rows.to(model.device) for key, rows in noise.items()}
        shape = model.evaluate(task.output, values, numbers=task.numbers).shape[1:]
    fitting = [draw for draw in images.values() if draw.shape == tuple(shape)]
    return fitting[0] if fitting else Image(shape=tuple(shape))


def _conditions(
    model: Model, task: Task, n: int, starts: int, label: Any
) -> tuple[dict[str, Tensor], np.ndarray | None]:
    """Classes for each start of each image, by the name of their draw."""
    from ganzoo.models.labels import class_numbers

    given: dict[str, Tensor] = {}
    labels: np.ndarray | None = None
    for name in model.spec.draws_of(task):
        draw = model.spec.draws[name]
        if isinstance(draw, Label | Categorical):
            if label is None or isinstance(draw, Categorical):
                rows = np.tile(np.arange(starts) % draw.classes, n)
            else:
                rows = class_numbers("label", draw, label)
                if len(rows) not in (1, n):
                    raise TaskError(f"label has {len(rows)} entries, and there are {n} images")
                rows = np.repeat(np.resize(rows, n), starts)
            given[name] = torch.from_numpy(rows).to(model.device)
            labels = rows if isinstance(draw, Label) else labels
        elif isinstance(draw, DATA):
            raise TaskError(
                f"{model.title} draws from a {draw.kind}, too, and project seeks noise alone; it "
                f"takes models that draw from {choices(['noise', 'noise and a class'])}"
            )
    if label is not None and labels is None:
        raise TaskError(f"{model.title} has no classes; leave the label out")
    return given, labels


def _numbers(task: Task) -> Mapping[str, float]:
    """The numbers of the task, with no truncation: all that it can draw is searched."""
    return {name: 1.0 if name == PSI else value for name, value in task.numbers.items()}


def _distance(found: Tensor, target: Tensor) -> Tensor:
    """The distance of images, one number each: squared differences on several scales."""
    total = (found - target).square().flatten(1).mean(1)
    count = 1
    for _ in range(SCALES):
        if min(found.shape[2:]) < 4:
            break
        found, target = F.avg_pool2d(found, 2), F.avg_pool2d(target, 2)
        total = total + (found - target).square().flatten(1).mean(1)
        count += 1
    return total / count


def _unusual(sought: Mapping[str, Tensor], limits: Mapping[str, Any]) -> Tensor:
    """How unlikely noise is: how far beyond the length of normal noise, or outside the range."""
    parts: list[Tensor] = []
    for name, rows in sought.items():
        draw, flat = limits[name], rows.flatten(1)
        if isinstance(draw, Normal):
            parts.append(F.relu(flat.square().mean(1) - 1))
        else:
            parts.append((F.relu(flat - draw.high) + F.relu(draw.low - flat)).square().mean(1))
    return torch.stack(parts).sum(0)
