"""Data that a run does not train on, to fit the thresholds of its scores."""

from __future__ import annotations

import torch

from ganzoo.data.source import Source
from ganzoo.errors import TrainingError
from ganzoo.models.model import Model
from ganzoo.seed import key
from ganzoo.spec.draws import Image
from ganzoo.spec.spec import Spec

HELD_OUT, MOST_HELD_OUT = 0.05, 2000
"""The share of the data that is held out for fitting thresholds, and its limit."""


def hold_out(spec: Spec, data: Source) -> tuple[Source, Source | None]:
    """The data to train on, and the held-out data for fitting the thresholds of score tasks.

    Which samples are held out depends only on their number. All are trained on if no task of the
    Spec declares a quantile.

    Raises:
        TrainingError: there are too few samples to hold some out.
    """
    if all(task.quantile is None for task in spec.tasks.values()):
        return data, None
    number = min(MOST_HELD_OUT, round(HELD_OUT * len(data)))
    if number < 1:
        raise TrainingError(
            f"the Spec fits a threshold on {HELD_OUT:.0%} of the data, and {data.name!r} has "
            f"{len(data)} samples; give 20 or more"
        )
    order = torch.randperm(len(data), generator=torch.Generator().manual_seed(key(0, "held out")))
    held, rest = order[:number], order[number:]
    return data.select(rest.sort().values), data.select(held.sort().values)


def fit_thresholds(model: Model, held_out: Source) -> None:
    """Fit the thresholds of a model's score tasks on the data that `hold_out` held out."""
    field = next(f for f, draw in held_out.fields.fields.items() if isinstance(draw, Image))
    images = held_out.batch(field, torch.arange(len(held_out)))
    model.fit_thresholds(images.add(1).div(2))
