"""A figure measured during training, and the best model by it.

The figure compares samples with training images, never with a test split, so that the selected
model can still be tested. The best model so far is in `best/0001000/`; earlier ones stay until a
checkpoint names the new one, so that a kill at any moment loses neither.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ganzoo.data.source import Source
from ganzoo.engine.training import Training
from ganzoo.errors import MetricError, SpecError, UnknownNameError, choices, nearest
from ganzoo.metrics.distributions import frechet_distance, kernel_distance, precision_recall
from ganzoo.metrics.feature_extractors import extractor_of, placed, rounded
from ganzoo.metrics.report import title_of
from ganzoo.models import store
from ganzoo.models.model import Model
from ganzoo.runs.folder import BEST
from ganzoo.runs.settings import Settings
from ganzoo.spec.draws import DATA, Image
from ganzoo.spec.spec import Spec
from ganzoo.version import install

COUNT = 2500
"""Samples for each measurement, and as many training images."""
UNBOUNDED = 1e6
"""How many times the usual work a model of this very run may take."""
LOWER = {"fid", "kid"}
FIGURES: Mapping[str, str] = {
    "fid": "Fréchet distance of features",
    "kid": "kernel distance of features",
    "precision": "share of samples near training images",
    "recall": "share of training images near samples",
    "density": "how many training images' neighbourhoods a sample lies in",
    "coverage": "share of training images with a sample near them",
}
"""The figures for `--figure`; distances are better when lower, the others when higher."""


@dataclass(frozen=True)
class Measured:
    """The value of the figure at a round."""

    step: int
    value: float


def check(spec: Spec, figure: str, every: int, patience: int) -> None:
    """Refuse a figure that cannot be measured for a Spec.

    Raises:
        UnknownNameError: no such figure. SpecError: the Spec cannot draw, or the numbers do
            not fit together. MetricError: a library is missing.
    """
    if not figure:
        if every or patience:
            raise SpecError("--eval-every and --patience go with a figure, such as --figure fid")
        return
    if figure not in FIGURES:
        raise UnknownNameError(
            f"no figure {figure!r}{nearest(figure, FIGURES)} while training: {choices(FIGURES)}"
        )
    if every < 1:
        raise SpecError("give the interval of the figure: --eval-every 1000")
    if all(task.kind != "generate" for task in spec.tasks.values()):
        raise SpecError(
            f"--figure {figure} is of samples, and {spec.title or 'this Spec'} has no task that "
            f"generates; its tasks: {choices(spec.tasks)}"
        )
    try:
        import sklearn  # noqa: F401
        import torchmetrics  # noqa: F401
    except ImportError as error:
        raise MetricError(f"figures need more: {install('metrics')} ({error})") from None


class Selection:
    """Measures a run's figure, and keeps the best model.

    Args:
        folder: of the run. data: the training data.

    Raises:
        MetricError: the data have no feature extractor here.
    """

    def __init__(
        self,
        folder: Path,
        settings: Settings,
        training: Training,
        data: Source,
        note: Callable[[str], None] = lambda text: None,
    ) -> None:
        check(settings.spec, settings.figure, settings.eval_every, settings.patience)
        self.folder, self.settings, self.training, self.data = (
            folder / BEST,
            settings,
            training,
            data,
        )
        self.figure, self.every, self.note = settings.figure, settings.eval_every, note
        self.extractor = placed(extractor_of(settings.data), training.device)
        short = getattr(self.extractor, "short", "")
        word = {"fid": f"fd_{short}", "kid": f"kd_{short}"}.get(self.figure, self.figure)
        self.title = title_of(word if short else self.figure)
        images = [d.field for d in settings.spec.draws.values() if isinstance(d, Image)]
        self.field = next(iter(images), "image")
        self.rows = torch.randperm(len(data), generator=torch.Generator().manual_seed(0))[:COUNT]
        self._real: np.ndarray | None = None
        self.measured: list[Measured] = []

    @property
    def about(self) -> str:
        """What is measured, in words."""
        n = f"{len(self.rows):,}"
        return (
            f"{self.title}: {FIGURES[self.figure]} of {self.extractor.name}, {n} samples against "
            f"{n} training images"
        )

    # ------------------------------------------------------------------------ on the way

    def take_up(self, said: object) -> None:
        """Continue from the facts of a checkpoint, and forget models that came after it."""
        found = said if isinstance(said, list) else []
        self.measured = [Measured(int(step), float(value)) for step, value in found]
        self.sweep()

    def said(self) -> list[tuple[int, float]]:
        return [(one.step, one.value) for one in self.measured]

    def due(self, number: int) -> bool:
        return number % self.every == 0

    def see(self, number: int) -> tuple[float, bool]:
        """Measure round `number`: the value, and whether its model is the best and was kept."""
        before = self.best
        model = self.training.model()
        value = self.value(model)
        one = Measured(number, value)
        self.measured.append(one)
        improved = self.best is one
        if improved:
            facts = {"name": self.settings.name, "training": {"steps": number}}
            store.save(model, self.place(one), overwrite=True, **facts)
        beside = "the best so far" if improved else f"the best is {self.shown(before)}"
        self.note(f"round {number:,}: {self.title} {value:.4g}, {beside}")
        return value, improved

    def value(self, model: Model) -> float:
        """The figure of a model, in six significant digits."""
        spec = model.spec
        draws = [spec.draws[name] for name in spec.draws_of(model.task("generate"))]
        given: dict[str, Any] = {
            draw.kind: self.data.batch(draw.field, self.rows).cpu().numpy()
            for draw in draws
            if isinstance(draw, DATA)
        }
        images = model.generate(len(self.rows), seed=0, output="pt", **given).cpu()
        fake = self.extractor.features(rounded(images))
        value = _measure(self.figure, self._real_features(), fake)
        return float(f"{value:.6g}")

    def _real_features(self) -> np.ndarray:
        if self._real is None:
            images = self.data.batch(self.field, self.rows).cpu().add(1).div(2)
            self._real = self.extractor.features(images)
        return self._real

    # -------------------------------------------------------------------------- the best

    @property
    def best(self) -> Measured | None:
        """The best so far; the first of equal ones."""
        return self.better_of(self.measured)

    def better_of(self, some: list[Measured]) -> Measured | None:
        finite = [one for one in some if math.isfinite(one.value)]
        sign = 1 if self.figure in LOWER else -1
        return min(finite, key=lambda one: (sign * one.value, one.step), default=None)

    @property
    def exhausted(self) -> bool:
        """Whether the last `patience` measurements brought no improvement.

        Measurements before the last stage of a Spec do not count.
        """
        if not self.settings.patience:
            return False
        spec = self.training.spec
        start = spec.steps - spec.stages[-1].steps
        since = max(start, self.best.step if self.best else 0)
        return sum(one.step > since for one in self.measured) >= self.settings.patience

    def place(self, one: Measured) -> Path:
        return self.folder / f"{one.step:07d}"

    def shown(self, one: Measured | None) -> str:
        return f"{one.value:.4g} of round {one.step:,}" if one else "none yet"

    def load(self, one: Measured) -> Model:
        """The best model; StoreError if it has been removed."""
        return store.load(self.place(one), device=self.training.device, limit=UNBOUNDED)

    def sweep(self) -> None:
        """Remove all models except the best."""
        kept = self.best
        for path in self.folder.glob("[0-9]*"):
            if kept is None or path != self.place(kept):
                shutil.rmtree(path, ignore_errors=True)

    def facts(self, chosen: Measured, measured: list[Measured], rounds: int) -> dict[str, Any]:
        """The entry of config.json on how the model was selected.

        Args:
            rounds: trained in all; `of` are those of the run's settings.
        """
        return {
            "figure": self.title,
            "value": chosen.value,
            "step": chosen.step,
            "rounds": rounds,
            "of": self.settings.steps,
            "every": self.every,
            "patience": self.settings.patience,
            "measured": len(measured),
            "samples": len(self.rows),
            "feature_extractor": self.extractor.name,
            "split": "train",
        }


def _measure(figure: str, real: np.ndarray, fake: np.ndarray) -> float:
    if figure == "fid":
        return frechet_distance(real, fake)
    if figure == "kid":
        return kernel_distance(real, fake)
    return precision_recall(real, fake)[figure]
