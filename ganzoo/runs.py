"""Runs: what a training leaves behind, so that it can be seen, resumed and used.

run.json                what is trained, on what, from which seed
checkpoint.safetensors  the last good state; `ganzoo train --resume FOLDER` goes on from it
log.jsonl               one line now and then: step, seconds, losses
progress/000500.png     the same latents, as training goes on
snapshots/000500/       the model as it was then, where the run keeps them
samples.png, losses.png, animation.gif
metrics.json            speed and last losses
model/                  the trained model, for `from_pretrained`
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from ganzoo import pictures
from ganzoo.atomic import write_text
from ganzoo.data.source import Source
from ganzoo.engine import Step, train
from ganzoo.errors import StoreError, TrainingError
from ganzoo.metrics import history
from ganzoo.models import store
from ganzoo.models.model import Model
from ganzoo.seed import key
from ganzoo.spec import older
from ganzoo.spec.draws import Image, Label, Text
from ganzoo.spec.spec import Spec, pretty_json, strict_json

RUN, CHECKPOINT, LOG = "run.json", "checkpoint.safetensors", "log.jsonl"
RECORDS = 1000
"""Lines that a whole run leaves in its log, about."""
FRAMES = 40
"""Pictures that a whole run leaves of its fixed latents, about."""
SHEET = 64
"""Samples on a sheet."""
HELD_OUT, MOST_HELD_OUT = 0.05, 2000
"""The share of the data, and its limit, that is kept for fitting thresholds."""


@dataclass(frozen=True)
class Settings:
    """What a run is: everything that `resume` needs to know.

    `data` is the name of a data set, `made_by` the variant, its settings and the plugin;
    `snapshots` keeps the model at every picture, so that figures can be followed over time.
    """

    name: str
    spec: Spec
    data: str
    steps: int
    batch: int
    seed: int = 0
    precision: str = "auto"
    snapshots: bool = False
    made_by: Mapping[str, Any] = field(default_factory=lambda: dict[str, Any]())

    def write(self, folder: Path) -> None:
        facts = asdict(self) | {"spec": self.spec.to_dict(), "made_by": dict(self.made_by)}
        write_text(folder / RUN, pretty_json(facts) + "\n")

    @classmethod
    def read(cls, folder: Path) -> Settings:
        """The settings of the run in `folder`; TrainingError where there is none."""
        try:
            facts = strict_json((folder / RUN).read_text("utf-8"))
            facts.pop("compile", None)  # runs of 0.1 said whether they used torch.compile
            return cls(**{**facts, "spec": Spec.from_dict(older.updated(facts["spec"]))})
        except OSError as error:
            raise TrainingError(f"no run in {folder}: {RUN} cannot be read ({error})") from None
        except (TypeError, KeyError) as error:
            raise TrainingError(f"{folder / RUN} was made by another ganzoo ({error})") from None


def start(folder: str | Path, settings: Settings) -> Path:
    """Make the folder of a new run; StoreError where it holds anything already."""
    folder = Path(folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        hint = (
            f"go on with it: ganzoo train --resume {folder}"
            if (folder / RUN).is_file()
            else "give another folder"
        )
        raise StoreError(f"{folder} is not empty; {hint}")
    folder.mkdir(parents=True, exist_ok=True)
    settings.write(folder)
    return folder


def extend(folder: str | Path, steps: int) -> Settings:
    """Let the run in `folder` last `steps` rounds, and be as if it had been started so.

    Raises:
        TrainingError: there is no run, it is that long already, or its schedule depends on its
            length, so that a longer one would have begun otherwise.
    """
    folder = Path(folder)
    settings = Settings.read(folder)
    if steps == settings.steps:
        return settings
    if steps < settings.steps:
        raise TrainingError(
            f"the run in {folder} is of {settings.steps:,} rounds; --steps can only make it longer"
        )
    if not settings.spec.open_ended:
        raise TrainingError(
            f"the run in {folder} has stages or rates that fall with its {settings.steps:,} "
            "rounds, so a longer one is another run; start it anew, in another folder"
        )
    longer = replace(settings, steps=steps)
    longer.write(folder)
    shutil.rmtree(folder / "model", ignore_errors=True)  # it is not done any more
    return longer


def carry_out(
    folder: str | Path,
    data: Source,
    *,
    device: str | None = None,
    graph: bool | None = None,
    checkpoint_seconds: float = 60.0,
    facts: Mapping[str, Any] | None = None,
) -> Generator[Step]:
    """Train the run in `folder` to its end, from its checkpoint where it has one.

    Logs, takes pictures and saves on the way; when the last step is yielded, everything is
    written. Closing the generator saves a checkpoint first.

    Args:
        graph: as `ganzoo.train` takes it.
        checkpoint_seconds: seconds between checkpoints.
        facts: what the model's config.json shall say beside what the run knows.
    """
    folder = Path(folder)
    settings = Settings.read(folder)
    checkpoint = folder / CHECKPOINT
    main = int(os.environ.get("RANK", "0")) == 0
    for stale in folder.glob(f".{CHECKPOINT}.*"):  # of a kill while it was written
        stale.unlink(missing_ok=True)
    data, held_out = hold_out(settings.spec, data)
    resume = checkpoint if checkpoint.is_file() else None
    if resume is None and main:
        (folder / LOG).unlink(missing_ok=True)
    steps = train(
        settings.spec,
        data,
        steps=settings.steps,
        batch=settings.batch,
        seed=settings.seed,
        precision=settings.precision,  # type: ignore[arg-type]
        device=device,
        graph=graph,
        resume=resume,
    )
    recorder = _Recorder(folder, settings) if main else None
    step, saved = None, time.monotonic()
    try:
        for step in steps:
            last = step.number == step.total
            if recorder:
                if step.number == 1 or resume:
                    recorder.begin(step)
                    resume = None
                recorder.see(step)
            if last and recorder:
                # before the last checkpoint: a run that has one is done
                recorder.finish(step, data, held_out, facts or {})
            if last or time.monotonic() - saved > checkpoint_seconds:
                step.save(checkpoint)
                saved = time.monotonic()
            yield step
    except (KeyboardInterrupt, GeneratorExit):
        # a second Ctrl-C can break off a round, and half a round is no state to resume
        if step and step.number < step.total and not step.training.within_round:
            step.save(checkpoint)
        raise


class _Recorder:
    """Writes the log and the pictures of a run."""

    def __init__(self, folder: Path, settings: Settings) -> None:
        self.folder, self.settings = folder, settings
        self.every = max(1, settings.steps // RECORDS)
        self.frame_every = max(1, settings.steps // FRAMES)
        self.records: list[dict[str, Any]] = []
        self.generates = shown(settings.spec)

    def begin(self, step: Step) -> None:
        """Take up the log where the checkpoint stands; what came after it is done again."""
        done = step.number - 1
        self.records = [record for record in log(self.folder) if record["step"] <= done]
        write_text(self.folder / LOG, "".join(json.dumps(record) + "\n" for record in self.records))
        before = self.records[-1]["seconds"] if self.records else 0.0
        self.started = time.monotonic() - before

    def see(self, step: Step) -> None:
        number, last = step.number, step.number == step.total
        if number == 1 or last or number % self.every == 0:
            record = {
                "step": number,
                "seconds": round(time.monotonic() - self.started, 3),
                "losses": {term: round(value, 6) for term, value in step.losses().items()},
            }
            self.records.append(record)
            with (self.folder / LOG).open("a", encoding="utf-8") as file:
                file.write(json.dumps(record) + "\n")
        if not (number == 1 or last or number % self.frame_every == 0):
            return
        model = step.model() if self.generates or self.settings.snapshots else None
        if model and self.generates:
            path = self.folder / "progress" / f"{number:07d}.png"
            path.parent.mkdir(exist_ok=True)
            pictures.save_sheet(samples(model, SHEET), path)
        if model and self.settings.snapshots:
            folder = self.folder / "snapshots" / f"{number:07d}"
            facts = {"name": self.settings.name, "training": {"steps": number}}
            store.save(model, folder, dtype="float16", overwrite=True, **facts)

    def finish(
        self, step: Step, data: Source, held_out: Source | None, facts: Mapping[str, Any]
    ) -> None:
        """The model, the last pictures and the figures of a run that is done."""
        settings, last = self.settings, self.records[-1]
        model = step.model()
        if held_out:
            fit_thresholds(model, held_out)
        seconds = last["seconds"]
        training = {
            "steps": step.total,
            "batch": settings.batch,
            "seed": settings.seed,
            "precision": step.training.precision,
            "seconds": seconds,
        }
        store.save(
            model,
            self.folder / "model",
            overwrite=True,
            name=settings.name,
            made_by=dict(settings.made_by),
            data={"name": settings.data, "size": len(data)},
            training=training,
            **facts,
        )
        metrics = {**training, "steps_per_second": step.total / max(seconds, 1e-9), **last}
        write_text(self.folder / "metrics.json", pretty_json(metrics) + "\n")
        pictures.loss_plot(self.records, self.folder / "losses.png", settings.name)
        if self.generates:
            sheet = pictures.save_sheet(samples(model, SHEET), self.folder / "samples.png")
            shutil.copy(sheet, self.folder / "model" / "samples.png")
            frames = sorted((self.folder / "progress").glob("*.png"))
            pictures.animation([_open(frame) for frame in frames], self.folder / "animation.gif")


def hold_out(spec: Spec, data: Source) -> tuple[Source, Source | None]:
    """What to train on, and what is held out for fitting the thresholds of its score tasks.

    Which samples that are depends on nothing but how many there are. All is trained on where
    no task of the Spec declares a quantile.

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
    """Fit the thresholds of a model's score tasks on what `hold_out` kept from its training."""
    field = next(f for f, draw in held_out.fields.fields.items() if isinstance(draw, Image))
    images = held_out.batch(field, torch.arange(len(held_out)))
    model.fit_thresholds(images.add(1).div(2))


def log(folder: str | Path) -> list[dict[str, Any]]:
    """The lines of a run's log: step, seconds, losses; none where it has not begun."""
    path = Path(folder) / LOG
    lines = path.read_text("utf-8").splitlines() if path.is_file() else []
    return [record for record in map(_record, lines) if record]


def course(
    folder: str | Path, data: str, note: Callable[[str], None] = lambda text: None
) -> dict[str, Any] | None:
    """How a finished run's figures went, from its snapshots; measured once, then kept.

    None where the run kept no snapshots.
    """
    folder = Path(folder)
    found = history.read(folder / "model")
    snapshots = [*folder.glob("snapshots/*/")]
    if found is None and snapshots:
        found = history.follow(snapshots, log(folder), data, note=note)
        history.write(found, folder / "model")
    return found


def samples(model: Model, n: int, seed: int = 0, *, task: str | None = None) -> Any:
    """`n` samples of a seed, (n, c, h, w) in [0, 1].

    Of each class in turn where it has classes, of each example in turn where it takes sentences.
    """
    given: dict[str, Any] = {}
    for name in model.spec.draws_of(model.task("generate", task)):
        match model.spec.draws[name]:
            case Label(classes=classes):
                given["label"] = [index % classes for index in range(n)]
            case Text(examples=examples) if examples:
                given["text"] = [examples[index % len(examples)] for index in range(n)]
            case _:
                pass
    return model.generate(n, seed=seed, output="pt", task=task, **given)


def shown(spec: Spec) -> bool:
    """Whether there is something to draw while it learns, and nothing is missing for it."""
    for task in spec.tasks.values():
        if task.kind == "generate":
            draws = [spec.draws[name] for name in spec.draws_of(task)]
            return all(draw.examples for draw in draws if isinstance(draw, Text))
    return False


def _open(path: Path) -> Any:
    from PIL import Image

    with Image.open(path) as file:
        file.load()
        return file


def _record(line: str) -> dict[str, Any] | None:
    """A line of the log; None for one that a kill cut short."""
    try:
        record = json.loads(line)
    except ValueError:
        return None
    return record if isinstance(record, dict) and "step" in record else None
