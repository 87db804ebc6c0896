"""Pictures of the same latents during training: when one is due, and how it is drawn.

They are samples of the first generate task; before all of its networks are trained, in an earlier
stage, of the first one whose networks are. Those of a run that translates are in translations.py.

They may cost 3 % of a run, the doctor's checks of them included. The Spec and the length of the run
determine when one is due, not a clock, so that a resumed run has the pictures of an uninterrupted
one: the time of a round, of a picture and of a check are estimated from floating-point operations.
"""

from __future__ import annotations

import io
import math
from pathlib import Path
from typing import Any, NamedTuple

import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F

from ganzoo import pictures
from ganzoo.atomic import write_bytes
from ganzoo.engine.settling import NORMS
from ganzoo.engine.training import Training
from ganzoo.models.model import Model
from ganzoo.runs.about import begins
from ganzoo.runs.folder import PROGRESS
from ganzoo.runs.samples import SHEET, inputs, samples, shown

FRAMES = 40
"""About how many pictures a long run has."""
SHARE, LOOKING = 0.02, 0.01
"""Of the estimated time, which may be off by half, for pictures and for checking them."""
BATCHES = 2
"""Batches for a picture's batch statistics; the model's own come from 50."""
RATES = {"cpu": 200e9, "cuda": 50e12}
"""Operations a second, of a fast device: the time of rounds is rather underestimated."""
ROUND, FRAME = 2e-3, 12e-3
"""Seconds that a round and a picture take beside their operations."""


class Frames:
    """The progress pictures of a run.

    Args:
        folder: of the run.
        training: the state to show; its Spec has a generate task.
        look: seconds that the doctor takes to look at one.
    """

    public = True
    """Whether the model's folder, which may be published, has the last one."""
    examined = True
    """Whether the doctor looks at them."""
    count = SHEET
    """Pictures that are computed for one."""

    def __init__(self, folder: Path, training: Training, look: float = 0.0) -> None:
        self.folder, self.training = folder / PROGRESS, training
        spec = training.spec
        self.begins = {name: begins(spec, [spec.tasks[name]]) for name in self.tasks}
        """The rounds before each task draws with networks that are trained."""
        self.task = next(iter(self.begins))
        self.given: dict[str, dict[str, Any]] = {}
        seconds = self._seconds(look)
        self.every = _every(training.spec.steps, seconds.round, seconds.frame)
        self.apart = _apart(training.spec.steps, self.every, seconds.round, seconds.look)

    @property
    def tasks(self) -> list[str]:
        """The tasks that may be shown."""
        return shown(self.training.spec)

    def due(self, number: int) -> bool:
        """Whether round `number` gets a picture; that of the last round shows the finished
        model."""
        total = self.training.spec.steps
        return number < total and (number == 1 or number % self.every == 0)

    def looked_at(self, number: int) -> bool:
        """Whether the doctor looks at the picture of round `number`, if that gets one.

        It looks at the last one in any case, and not at the first, which says nothing yet.
        """
        return self.apart > 0 and number % (self.every * self.apart) == 0

    def draw(self) -> tuple[Any, Image.Image]:
        """Take the picture of this round; returns its samples, (n, c, h, w) in [0, 1], and the
        sheet."""
        number = self.training.step
        trained = (name for name, first in self.begins.items() if number > first)
        task = next(trained, self.task)
        made = self._samples(self.training.model(BATCHES, [task]), task)
        return made, self.keep(made, number)

    def of(self, model: Model) -> Any:
        """The samples of a finished model."""
        return samples(model, SHEET)

    def sheet(self, made: Any) -> Image.Image:
        """The sheet of a finished run."""
        return pictures.sheet(made)

    def keep(self, made: Any, number: int) -> Image.Image:
        """Write the picture of round `number`."""
        sheet, content = self._small(made), io.BytesIO()
        # the fastest compression: it takes a tenth of the best one's time
        sheet.save(content, "PNG", compress_level=1)
        write_bytes(self.folder / f"{number:07d}.png", content.getvalue(), sync=False)
        return sheet

    def _small(self, made: Any) -> Image.Image:
        # those of an earlier stage are smaller; all frames of an animation are of one size
        if made.shape[2:] != self.size:
            made = F.interpolate(made, size=self.size)
        return pictures.sheet(made, scale=max(1, pictures.scale_of(SHEET, made.shape[-1]) // 2))

    def _samples(self, model: Model, task: str = "") -> Any:
        task = task or self.task
        given = self.given.get(task)
        if given is None:
            spec = self.training.spec
            given = self.given[task] = inputs(spec, spec.tasks[task], SHEET, embedded=True)
        return model.generate(SHEET, output="pt", task=task, **given)

    @property
    def _drawn(self) -> list[str]:
        """The tasks of the last picture."""
        return [self.task]

    def _sized(self, model: Model) -> None:
        self.size = self._samples(model).shape[2:]

    def _seconds(self, look: float) -> Seconds:
        """About how long a round takes, a picture, and a look at it."""
        training = self.training
        model = training.model(0, self._drawn)
        one = _operations(model, self._sized) / self.count
        per_second = RATES.get(training.device.type, RATES["cuda"])
        batch = training.draws.batch
        averaged = [net for name, net in model.networks.items() if name in training.spec.ema]
        normed = any(isinstance(module, NORMS) for net in averaged for module in net.modules())
        settled = BATCHES * batch if normed else 0
        # the other networks are assumed to be about as large as those that draw
        rounds = _passes(training) * one * batch / per_second
        return Seconds(
            ROUND + rounds,
            FRAME + (settled + self.count) * one / per_second,
            look + 2 * self.count * one / per_second,
        )


class Seconds(NamedTuple):
    """About how long a round takes, a picture, and a look at it."""

    round: float
    frame: float
    look: float


def _every(steps: int, round_: float, frame: float) -> int:
    """How many rounds there are between two pictures."""
    # the first one is drawn in any case, and once more to measure its cost
    number = max(0, min(FRAMES, int(SHARE * steps * round_ / frame) - 2))
    return math.ceil(steps / (number + 1))


def _apart(steps: int, every: int, round_: float, look: float) -> int:
    """How many pictures lie between two that are looked at; 0 where the run pays for none."""
    # the last one is looked at in any case, and what tells classes is loaded once
    number = min(steps // every, int(LOOKING * steps * round_ / look) - 2)
    return math.ceil(steps / every / number) if number > 0 else 0


def _passes(training: Training) -> float:
    """Approximate passes through a network in a round; backward passes count as forward ones."""
    spec, plan = training.spec, training.plan
    total = 0.0
    for index, stage in enumerate(spec.stages):
        some = [plan.round(index, number) for number in range(min(6, stage.steps))]
        costs = [
            sum(3 * p.trained + 2 * p.through + p.free + 3 * p.penalty for p in r.passes().values())
            for r in some
        ]
        total += stage.steps / spec.steps * sum(costs) / len(costs)
    return total


def _operations(model: Model, work: Any) -> float:
    """Approximate operations of `work(model)`: two for each weight at every position."""
    total = 0.0

    def count(module: nn.Module, given: tuple[Any, ...], made: Any) -> None:
        nonlocal total
        weights = sum(parameter.numel() for parameter in module.parameters(recurse=False))
        if weights and isinstance(made, Tensor) and given and isinstance(given[0], Tensor):
            places = min(given[0].shape[2:].numel(), made.shape[2:].numel())
            total += 2.0 * weights * len(made) * places

    hooks = [
        module.register_forward_hook(count)
        for net in model.networks.values()
        for module in net.modules()
    ]
    with torch.no_grad():
        work(model)
    for hook in hooks:
        hook.remove()
    return total
