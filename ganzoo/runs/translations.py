"""Pictures of a run that translates: the same inputs during training, each above its translation.

The inputs are from the test split of the data if they have one, else from what is trained on.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL.Image import Image as Picture
from torch import Tensor

from ganzoo import pictures
from ganzoo.data import load
from ganzoo.data.catalog import find
from ganzoo.data.hugging_face import PREFIX
from ganzoo.data.source import Source
from ganzoo.engine.draws import check_fields
from ganzoo.engine.training import Training
from ganzoo.models.model import Model
from ganzoo.plugins.host import default
from ganzoo.runs.frames import BATCHES, Frames, Seconds
from ganzoo.runs.samples import inputs, translated
from ganzoo.seed import key
from ganzoo.spec.draws import Image, Vector
from ganzoo.spec.spec import Spec

ON_A_SHEET, FEWEST = 20, 5
"""Pictures on a sheet, of all tasks together, and the fewest of one task."""

DEARER = 2
"""A translator is larger than its discriminator, so a round, for which they count as equally large,
is overestimated; so much a picture costs more beside it, measured on CycleGAN and pix2pix."""


@dataclass(frozen=True)
class Inputs:
    """What a task translates on every sheet of a run.

    Args:
        to: its domain. images: (n, c, h, w) in [0, 1]. given: its other inputs, by keyword.
    """

    to: str
    images: Tensor
    given: dict[str, Any]


class Translations(Frames):
    """The progress pictures of a run that translates: those of all translate tasks.

    Args:
        folder: of the run.
        training: the state to show; its Spec has a translate task that can be shown.
        data: the training data. name: of the data set, to find its test split.
    """

    public = False  # they show pictures of the data, which are not ours to publish
    examined = False  # translations are as different as their inputs are

    def __init__(self, folder: Path, training: Training, data: Source, name: str) -> None:
        spec = training.spec
        self.inputs = inputs_of(spec, unseen(spec, data, name))
        super().__init__(folder, training, math.inf)

    @property
    def tasks(self) -> list[str]:
        return [*self.inputs]

    @property
    def count(self) -> int:
        return sum(len(one.images) for one in self.inputs.values())

    def draw(self) -> tuple[list[Tensor], Picture]:
        """Take the picture of this round; returns the translations of each task, and the sheet."""
        made = self.of(self.training.model(BATCHES, self.tasks))
        return made, self.keep(made, self.training.step)

    def of(self, model: Model) -> list[Tensor]:
        return [
            model.translate(one.images, to=one.to, output="pt", **one.given)
            for one in self.inputs.values()
        ]

    def sheet(self, made: list[Tensor]) -> Picture:
        return self._stacked(made, 1)

    def _small(self, made: list[Tensor]) -> Picture:
        return self._stacked(made, 2)

    def _stacked(self, made: list[Tensor], smaller: int) -> Picture:
        """The pairs of each task below each other, enlarged by less."""
        sheets: list[Picture] = []
        for one, images in zip(self.inputs.values(), made, strict=True):
            width = max(one.images.shape[-1], images.shape[-1])
            scale = max(1, pictures.scale_of_pairs(len(images), width) // smaller)
            sheets.append(pictures.pairs(one.images, images, scale=scale))
        return pictures.stacked(sheets)

    @property
    def _drawn(self) -> list[str]:
        return self.tasks

    def _sized(self, model: Model) -> None:
        self.of(model)

    def _seconds(self, look: float) -> Seconds:
        found = super()._seconds(look)
        return found._replace(frame=DEARER * found.frame)


def inputs_of(spec: Spec, data: Source) -> dict[str, Inputs]:
    """What each task translates, by its name: pictures of the data, and all classes in turn."""
    names = translated(spec)
    most = max(FEWEST, ON_A_SHEET // len(names))
    found: dict[str, Inputs] = {}
    for name in names:
        task = spec.tasks[name]
        draws = [spec.draws[draw] for draw in spec.draws_of(task)]
        field = next(draw.field for draw in draws if isinstance(draw, Image))
        order = torch.Generator().manual_seed(key(0, "translations"))
        rows = torch.randperm(data.length(field), generator=order)[:most]
        given = inputs(spec, task, len(rows), embedded=True)
        for draw in draws:
            if isinstance(draw, Vector):
                given["vector"] = data.batch(draw.field, rows % data.length(draw.field)).cpu()
        images = data.batch(field, rows).float().cpu().add(1).div(2)
        found[name] = Inputs(task.to or "", images, given)
    return found


def unseen(spec: Spec, data: Source, name: str) -> Source:
    """The test split of a data set, if it has one that need not be downloaded, else `data`."""
    try:
        declared = find(name, default().data)
        if "test" not in declared.splits or name.startswith(PREFIX):
            return data
        test = load(name, "test", memory_limit=0)
        check_fields(spec, test.fields)
        return test
    except Exception:  # of a plugin's loader, too: no run ends for want of a picture
        return data
