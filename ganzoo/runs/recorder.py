"""What a run writes: its log and pictures during training, and the files of a finished run."""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import Image

from ganzoo import pictures
from ganzoo.atomic import replaced, write_text
from ganzoo.data.source import Source
from ganzoo.engine import Step
from ganzoo.engine.training import Training
from ganzoo.errors import StoreError
from ganzoo.layout import CONFIG
from ganzoo.models import store
from ganzoo.models.model import Model
from ganzoo.runs import records as logs
from ganzoo.runs.doctor import MOMENTS, About, diagnose
from ganzoo.runs.folder import ANIMATION, LAST, LOSSES, METRICS, PROGRESS, SAMPLES, SNAPSHOTS
from ganzoo.runs.frames import FRAMES, Frames
from ganzoo.runs.held_out import fit_thresholds
from ganzoo.runs.looks import Looks
from ganzoo.runs.samples import shown, translated
from ganzoo.runs.selection import Measured, Selection
from ganzoo.runs.settings import MODEL, Settings
from ganzoo.runs.tracking import Tracking
from ganzoo.runs.translations import Translations
from ganzoo.spec.json_text import pretty_json

GRADIENTS = 5
"""Lines of the log from one with norms of gradients to the next: of large networks on small images
they cost 3 % of a round, and in a short run each round has a line."""


class Recorder:
    """Writes the log and the pictures of a run, and reports what is seen in them.

    Args:
        folder: of the run. training: at the first round or at a checkpoint.
        data: the training data. read: what was read and skipped (`Source.report`).
        selection: measures the figure of the run, if it has one.
        note: called with a line for each finding.
    """

    def __init__(
        self,
        folder: Path,
        settings: Settings,
        training: Training,
        data: Source,
        read: str,
        selection: Selection | None = None,
        note: Callable[[str], None] = lambda text: None,
    ) -> None:
        self.folder, self.settings, self.training = folder, settings, training
        self.selection, self.note, self.read = selection, note, read
        self.every = max(1, settings.steps // logs.RECORDS)
        self.snapshot_every = max(1, settings.steps // FRAMES) if settings.snapshots else 0
        self.looks = Looks(training, data, settings.data)
        look = self.looks.seconds
        self.frames: Frames | None = None
        if shown(settings.spec):
            self.frames = Frames(folder, training, look)
        elif translated(settings.spec):
            self.frames = Translations(folder, training, data, settings.data)
        self.about = About.of(training.spec, settings.batch)
        self._asked = max(1, settings.steps // MOMENTS)
        self._take_up()
        self.tracking = Tracking(folder, settings, training.step, note)
        training.watched = self._measures_gradients

    def _take_up(self) -> None:
        """Cut the log back to the checkpoint; later lines are written again."""
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
        logs.rewrite(self.folder, self.read, records)
        if self.selection:
            self.selection.take_up(self.training.said.get("figures"))
        self._found = {finding.rule for finding in diagnose(records, self.about)}
        before = float(self.training.said.get("seconds") or 0.0)
        self.started = time.monotonic() - before

    @property
    def seconds(self) -> float:
        """Seconds of the whole run so far, including earlier sessions."""
        return round(time.monotonic() - self.started, 3)

    @property
    def exhausted(self) -> bool:
        """Whether the run ends here, because its figure does not improve."""
        return self.selection is not None and self.selection.exhausted

    def save(self, step: Step, path: Path) -> None:
        """Write a checkpoint with what must survive damage to the log."""
        figures = {"figures": self.selection.said()} if self.selection else {}
        step.save(
            path, seconds=self.seconds, record=self.records[-1] if self.records else None, **figures
        )
        if self.selection:
            # models before the best one are no longer needed
            self.selection.sweep()

    def _logs(self, number: int) -> bool:
        """Whether round `number` gets a line of the log."""
        measured = self.selection is not None and self.selection.due(number)
        last = number == self.training.spec.steps
        return number == 1 or last or measured or number % self.every == 0 or self._draws(number)

    def _measures_gradients(self, number: int) -> bool:
        """Whether that line has the norms of gradients: the first, the last, and some between."""
        ends = number in (1, self.training.spec.steps)
        return ends or number % (self.every * GRADIENTS) == 0

    def _draws(self, number: int) -> bool:
        return self.frames is not None and self.frames.due(number)

    def see(self, step: Step) -> bool:
        """Log the round, measure it and take its pictures, where they are due.

        Returns:
            Whether it is the best so far, so that a checkpoint should be kept.
        """
        number, last, improved = step.number, step.number == step.total, False
        if self._logs(number):
            losses = {term: round(value, 6) for term, value in step.losses().items()}
            record: dict[str, Any] = {"step": number, "seconds": self.seconds, "losses": losses}
            if self._measures_gradients(number) and (norms := self.training.gradient_norms()):
                record["gradients"] = {name: float(f"{v:.4g}") for name, v in norms.items()}
            if self._draws(number) and self.frames:
                made, picture = self.frames.draw()
                if self.frames.looked_at(number):
                    record |= self.looks.see(made)
                self.tracking.picture(number, picture)
            if self.selection and self.selection.due(number):
                value, improved = self.selection.see(number)
                record |= _figures(self.selection, value)
            self.records.append(record)
            logs.append(self.folder, record)
            self.tracking.record(record)
            if record.keys() & {"samples", "figures"} or number % self._asked == 0:
                self._ask()
        if self.snapshot_every and (number == 1 or last or number % self.snapshot_every == 0):
            facts = {"name": self.settings.name, "training": {"steps": number}}
            folder = self.folder / SNAPSHOTS / f"{number:07d}"
            store.save(step.model(), folder, dtype="float16", overwrite=True, **facts)
        return improved

    def _ask(self) -> None:
        """Run the doctor; each finding is reported once."""
        for finding in diagnose(self.records, self.about):
            if finding.rule not in self._found:
                self._found.add(finding.rule)
                self.note(f"round {finding.step:,}: {finding}")

    def finish(
        self, step: Step, data: Source, held_out: Source | None, facts: Mapping[str, Any]
    ) -> None:
        """Write the figures and pictures of a run that is done, and finally its model.

        If a figure was measured, the model is the best by it, and the last one is saved beside it.
        """
        seconds = self.records[-1]["seconds"] if self.records else self.seconds
        about = training_facts(self.settings, step, seconds)
        last = step.model()
        model, chosen = self._chosen(step, last)
        frames = self.frames
        drawn = frames.of(model) if frames else None
        if frames and drawn is not None and frames.examined and self.records:
            # the doctor sees the sheet of samples, too
            self.records[-1] |= self.looks.see(drawn)
        logs.rewrite(self.folder, self.read, self.records)
        self._ask()
        metrics: dict[str, Any] = {**about, **({"selection": chosen} if chosen else {})}
        metrics["steps_per_second"] = step.number / max(seconds, 1e-9)
        metrics |= self.records[-1] if self.records else {"step": step.number}
        write_text(self.folder / METRICS, pretty_json(metrics) + "\n")
        if self.records:
            pictures.loss_plot(self.records, self.folder / LOSSES, self.settings.name)
        if frames:
            frames.keep(drawn if model is last else frames.of(last), step.number)
        if model is last:
            shutil.rmtree(self.folder / LAST, ignore_errors=True)
        else:
            with _saved(last, self.folder / LAST, self.settings, data, held_out, about, facts):
                pass
        if chosen:
            about = {**about, "steps": chosen["step"], "selection": chosen}
        with _saved(model, self.folder / MODEL, self.settings, data, held_out, about, facts) as new:
            if frames is None:
                return
            sheet = frames.sheet(drawn)
            sheet.save(self.folder / SAMPLES, optimize=True)
            if frames.public:
                shutil.copy(self.folder / SAMPLES, new / SAMPLES)
            self.tracking.picture(step.number, sheet)
            taken = [*map(_opened, sorted((self.folder / PROGRESS).glob("[0-9]*.png")))]
            # without a progress picture that can be read, the final sheet stands alone
            film = [frame for frame in taken if frame is not None] or [sheet]
            pictures.animation(film, self.folder / ANIMATION)

    def _chosen(self, step: Step, last: Model) -> tuple[Model, dict[str, Any]]:
        """The model to publish, and the entry of config.json on how it was selected.

        The last one is measured, too. No checkpoint records that, since a run that is made longer
        continues as if it had not ended here.
        """
        selection = self.selection
        if selection is None:
            return last, {}
        measured = [*selection.measured]
        if not measured or measured[-1].step != step.number:
            value = selection.value(last)
            measured.append(Measured(step.number, value))
            if self.records:
                self.records[-1] |= _figures(selection, value)
        best = selection.better_of(measured) or measured[-1]
        model = last
        if best.step != step.number:
            try:
                model = selection.load(best)
            except StoreError as error:
                self.note(f"the best model is lost, so that the last one is published ({error})")
                best = measured[-1]
        return model, selection.facts(best, measured, step.number)

    def close(self) -> None:
        self.tracking.close()


def _figures(selection: Selection, value: float) -> dict[str, Any]:
    return {"figures": {selection.figure: value}} if math.isfinite(value) else {}


def save_model(
    step: Step,
    folder: Path,
    settings: Settings,
    data: Source,
    held_out: Source | None,
    *,
    seconds: float,
) -> Model:
    """Write the model at a step, its thresholds fitted; returns its folder.

    Args:
        folder: of the model; an older one there stays until this one is complete.
        data, held_out: as `hold_out` split them. seconds: trained so far.
    """
    model, about = step.model(), training_facts(settings, step, seconds)
    with _saved(model, folder, settings, data, held_out, about, {}):
        return model


@contextmanager
def _saved(
    model: Model,
    folder: Path,
    settings: Settings,
    data: Source,
    held_out: Source | None,
    about: Mapping[str, Any],
    facts: Mapping[str, Any],
) -> Iterator[Path]:
    """The new folder of a model, which replaces the old one when the block ends.

    Args:
        about: how it was trained. facts: other facts for config.json.
    """
    if held_out:
        fit_thresholds(model, held_out)
    with replaced(folder, last=CONFIG) as new:
        yield new
        store.write(
            model,
            new,
            name=settings.name,
            made_by=dict(settings.made_by),
            data={"name": settings.data, "size": len(data)},
            training=about,
            **facts,
        )


def training_facts(settings: Settings, step: Step, seconds: float) -> dict[str, Any]:
    """The entries of config.json and metrics.json on how a model was trained."""
    return {
        "steps": step.number,
        "batch": settings.batch,
        "seed": settings.seed,
        "precision": step.training.precision,
        "seconds": seconds,
        **({"start": dict(settings.start)} if settings.start else {}),
    }


def _opened(path: Path) -> Image.Image | None:
    """A progress picture; None if it is damaged, and the animation goes without it."""
    try:
        with Image.open(path, formats=["PNG"]) as file:
            file.load()
            return file
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError):
        return None
