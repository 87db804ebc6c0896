"""What a run leaves: its log and pictures on the way, and all that a finished one has."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import Image

from ganzoo import pictures
from ganzoo.atomic import replaced, write_text
from ganzoo.data.source import Source
from ganzoo.engine import Step
from ganzoo.engine.training import Training
from ganzoo.layout import CONFIG
from ganzoo.models import store
from ganzoo.models.model import Model
from ganzoo.runs import records as logs
from ganzoo.runs.folder import ANIMATION, LOSSES, METRICS, PROGRESS, SAMPLES, SNAPSHOTS
from ganzoo.runs.frames import FRAMES, Frames
from ganzoo.runs.held_out import fit_thresholds
from ganzoo.runs.samples import SHEET, samples, shown
from ganzoo.runs.settings import MODEL, Settings
from ganzoo.spec.spec import pretty_json


class Recorder:
    """Writes the log and the pictures of a run.

    Args:
        folder: of the run. training: as it stands, at the first round or at a checkpoint.
        read: what it reads, and what of that was left out (`Source.report`).
    """

    def __init__(self, folder: Path, settings: Settings, training: Training, read: str) -> None:
        self.folder, self.settings, self.training = folder, settings, training
        self.every = max(1, settings.steps // logs.RECORDS)
        self.snapshot_every = max(1, settings.steps // FRAMES) if settings.snapshots else 0
        self.frames = Frames(folder, training) if shown(settings.spec) else None
        self._take_up(read)

    def _take_up(self, read: str) -> None:
        """Take up the log where the checkpoint stands; what came after it is done again."""
        done, last = self.training.step, self.training.said.get("record")
        records = [record for record in logs.log(self.folder) if record["step"] <= done]
        if (
            isinstance(last, dict)
            and logs.is_record(last)
            and (not records or records[-1]["step"] < last["step"])
        ):
            # the log was damaged, and the checkpoint has its last line
            records.append(last)
        self.records: list[dict[str, Any]] = records
        logs.rewrite(self.folder, read, records)
        before = float(self.training.said.get("seconds") or 0.0)
        self.started = time.monotonic() - before

    @property
    def seconds(self) -> float:
        """Of the whole run so far, its earlier sessions included."""
        return round(time.monotonic() - self.started, 3)

    def save(self, step: Step, path: Path) -> None:
        """Write a checkpoint that keeps what the log cannot lose."""
        step.save(path, seconds=self.seconds, record=self.records[-1] if self.records else None)

    def see(self, step: Step) -> None:
        """Log the round, and take its pictures, where they are due."""
        number, last = step.number, step.number == step.total
        if number == 1 or last or number % self.every == 0:
            losses = {term: round(value, 6) for term, value in step.losses().items()}
            record = {"step": number, "seconds": self.seconds, "losses": losses}
            self.records.append(record)
            logs.append(self.folder, record)
        if self.frames and self.frames.due(number):
            self.frames.draw()
        if self.snapshot_every and (number == 1 or last or number % self.snapshot_every == 0):
            facts = {"name": self.settings.name, "training": {"steps": number}}
            folder = self.folder / SNAPSHOTS / f"{number:07d}"
            store.save(step.model(), folder, dtype="float16", overwrite=True, **facts)

    def finish(
        self, step: Step, data: Source, held_out: Source | None, facts: Mapping[str, Any]
    ) -> None:
        """The figures and pictures of a run that is done, and at last its model."""
        seconds = self.records[-1]["seconds"] if self.records else self.seconds
        metrics = training_facts(self.settings, step, seconds)
        metrics["steps_per_second"] = step.total / max(seconds, 1e-9)
        metrics |= self.records[-1] if self.records else {"step": step.total}
        write_text(self.folder / METRICS, pretty_json(metrics) + "\n")
        if self.records:
            pictures.loss_plot(self.records, self.folder / LOSSES, self.settings.name)
        with _saved(step, self.folder / MODEL, self.settings, data, held_out, seconds, facts) as (
            model,
            new,
        ):
            if not self.frames:
                return
            drawn = samples(model, SHEET)
            self.frames.keep(drawn, step.number)
            shutil.copy(pictures.save_sheet(drawn, self.folder / SAMPLES), new / SAMPLES)
            frames = [*map(_opened, sorted((self.folder / PROGRESS).glob("[0-9]*.png")))]
            pictures.animation([f for f in frames if f is not None], self.folder / ANIMATION)


def save_model(
    step: Step,
    folder: Path,
    settings: Settings,
    data: Source,
    held_out: Source | None,
    *,
    seconds: float,
) -> Model:
    """Write what a run has learnt at a step, its thresholds fitted; the model of the folder.

    Args:
        folder: of the model; an older one there stays until this one is whole.
        data, held_out: what `hold_out` made of the data. seconds: that it has learnt.
    """
    with _saved(step, folder, settings, data, held_out, seconds, {}) as (model, _):
        return model


@contextmanager
def _saved(
    step: Step,
    folder: Path,
    settings: Settings,
    data: Source,
    held_out: Source | None,
    seconds: float,
    facts: Mapping[str, Any],
) -> Iterator[tuple[Model, Path]]:
    """The model of a step, and its new folder, which takes its place when the block ends."""
    model = step.model()
    if held_out:
        fit_thresholds(model, held_out)
    with replaced(folder, last=CONFIG) as new:
        yield model, new
        store.write(
            model,
            new,
            name=settings.name,
            made_by=dict(settings.made_by),
            data={"name": settings.data, "size": len(data)},
            training=training_facts(settings, step, seconds),
            **facts,
        )


def training_facts(settings: Settings, step: Step, seconds: float) -> dict[str, Any]:
    """What config.json and metrics.json say of how a model was trained."""
    return {
        "steps": step.number,
        "batch": settings.batch,
        "seed": settings.seed,
        "precision": step.training.precision,
        "seconds": seconds,
    }


def _opened(path: Path) -> Image.Image | None:
    """A progress picture; None for one that is damaged, which the animation does without."""
    try:
        with Image.open(path, formats=["PNG"]) as file:
            file.load()
            return file
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError):
        return None
