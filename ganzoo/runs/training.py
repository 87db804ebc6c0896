"""Carrying out a run: from its folder to its model, from any state."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from ganzoo import trackers
from ganzoo.data.source import Source
from ganzoo.engine import Step, distribution, prepare, rounds
from ganzoo.engine.training import Training
from ganzoo.layout import RUN
from ganzoo.plugins.host import default
from ganzoo.runs import folder as folders
from ganzoo.runs import transfer
from ganzoo.runs.folder import check_place, check_room, check_vacant, owner, sweep, writing
from ganzoo.runs.held_out import hold_out
from ganzoo.runs.recorder import Recorder
from ganzoo.runs.selection import Selection
from ganzoo.runs.settings import BATCHES, CHECKPOINT, Settings


def carry_out(
    folder: str | Path,
    data: Source,
    *,
    settings: Settings | None = None,
    device: str | None = None,
    graph: bool | None = None,
    shared_norm: bool = True,
    accumulate: int = 1,
    checkpoint_seconds: float = 60.0,
    facts: Mapping[str, Any] | None = None,
    note: Callable[[str], None] = lambda text: None,
) -> Generator[Step]:
    """Train the run in `folder` to its end, from its checkpoint if it has one.

    Logs, takes pictures and saves meanwhile; when the last step is yielded, everything is written.
    Closing the generator saves a checkpoint first. Nothing is yielded if the run is done.

    Whatever can be refused is refused before anything is written: a new run then leaves no folder,
    and one that is made longer stays unchanged.

    Of several processes (torchrun), only process 0 reads and writes the folder; all train, and read
    the checkpoint, so all must see its file system. When torchrun has restarted them, a run that
    has begun in the folder continues from its checkpoint.

    Args:
        settings: of a new run; or new settings for a run to continue with, if they differ from
            those of its run.json (`extended`).
        graph: as in `ganzoo.train`.
        shared_norm, accumulate: as in `ganzoo.train`.
        checkpoint_seconds: seconds between checkpoints.
        facts: other facts for the model's config.json.
        note: called with a line for each observation: figures, and findings of the doctor.

    Raises:
        TrainingError: another process trains there; the checkpoint is damaged or of another run;
            a tracker is not installed, or cannot start.
        MetricError: the figure of the run cannot be measured here.
        StoreError: the folder is not free, or cannot be written.
    """
    folder = Path(folder)
    main = distribution.rank() == 0
    given = settings
    with ExitStack() as held:
        found = distribution.told(lambda: _looked(folder, given, device, held))
        if found is None:
            return
        stored, settings, resumable = found
        new = stored is None
        trackers.check(settings.trackers, default().trackers)
        used, held_out = hold_out(settings.spec, data)
        training = _prepared(settings, used, device, graph, shared_norm, accumulate)
        if resumable:
            training.load(folder / CHECKPOINT)
        elif settings.start:
            transfer.begin(training, settings.start)
        if training.threads.most > 1 and training.threads.free:
            note(f"rounds use {training.threads}")
        selection = None
        if settings.figure:
            made_here: list[Selection] = []
            wanted = (folder, settings, training, used, note)
            distribution.told(lambda: made_here.append(Selection(*wanted)))
            selection = next(iter(made_here), None)
        made: list[Path] | None = None
        if main:
            if new:
                made = [place for place in (folder, *folder.parents) if not place.exists()]
                with writing(folder):
                    folder.mkdir(parents=True, exist_ok=True)
                held.enter_context(owner(folder))
                check_vacant(folder)  # no other process was faster
            try:
                check_room(folder, _bytes(training))
                with writing(folder):
                    sweep(folder)
                    if settings != stored:
                        settings.write(folder)
            except Exception:
                if made is not None:
                    _undo(folder, made)
                raise
        yield from _rounds(
            folder, settings, training, (used, held_out), data.report, main, checkpoint_seconds,
            facts or {}, made, selection, note,
        )  # fmt: skip


def _looked(
    folder: Path, settings: Settings | None, device: str | None, held: ExitStack
) -> tuple[Settings | None, Settings, bool] | None:
    """The settings in run.json, those to continue with, and whether from a checkpoint; None if the
    run is done.

    Args:
        held: keeps the folder owned, if there is one.
    """
    new = settings is not None and not (folder / RUN).is_file()
    check_place(folder)
    if new:
        check_vacant(folder)
    else:
        Settings.read(folder)  # there is one
        held.enter_context(owner(folder))
    stored = None if new else Settings.read(folder)
    settings = (settings or stored or Settings.read(folder)).settled(device)
    if stored and replace(stored.settled(device), steps=settings.steps) != settings:
        check_vacant(folder)  # it holds another run
    if not new and folders.state(folder, settings) == "done":
        sweep(folder, done=True)
        return None
    return stored, settings, not new and (folder / CHECKPOINT).is_file()


def _prepared(
    settings: Settings,
    data: Source,
    device: str | None,
    graph: bool | None,
    shared_norm: bool,
    accumulate: int,
) -> Training:
    training = prepare(
        settings.spec,
        data,
        steps=settings.steps,
        batch=settings.batch,
        seed=settings.seed,
        precision=settings.precision,  # type: ignore[arg-type]
        graph=graph,
        shared_norm=shared_norm,
        accumulate=accumulate,
        device=device,
    )
    plugin = settings.made_by.get("plugin")
    training.plugins = (plugin,) if isinstance(plugin, str) and plugin else ()
    return training


def _rounds(
    folder: Path,
    settings: Settings,
    training: Training,
    data: tuple[Source, Source | None],
    read: str,
    main: bool,
    checkpoint_seconds: float,
    facts: Mapping[str, Any],
    made: list[Path] | None,
    selection: Selection | None,
    note: Callable[[str], None],
) -> Generator[Step]:
    """The remaining rounds, with everything that is written meanwhile and at the end.

    Args:
        read: the data that were read, and those that were skipped.
        made: folders that were created for a new run; they are removed if its first round fails.
    """
    checkpoint = folder / CHECKPOINT
    recorder: Recorder | None = None
    step, saved = None, time.monotonic()
    try:
        if main:
            with writing(folder):
                recorder = Recorder(folder, settings, training, data[0], read, selection, note)
                if training.step < training.spec.steps:
                    training.write_batches(folder / BATCHES)
        if training.step == training.spec.steps or _ended(recorder, settings, training):
            # it was killed while it finished
            step = Step(training.step, training.step, training.spec.stages[-1].name, training)
            if recorder:
                _finish(folder, recorder, step, data, facts)
            yield step
            return
        for step in rounds(training):
            improved = False
            if recorder:
                with writing(folder):
                    improved = recorder.see(step)
            if _ended(recorder, settings, training):
                step = replace(step, total=step.number)
            last = step.number == step.total
            if main and (last or improved or time.monotonic() - saved > checkpoint_seconds):
                _save(step, recorder, checkpoint)
                saved = time.monotonic()
            if last and recorder:
                # after the last checkpoint, from which all of it can be made again
                _finish(folder, recorder, step, data, facts)
            yield step
            if last:
                return
    except (KeyboardInterrupt, GeneratorExit):
        # a second Ctrl-C can interrupt a round, and half a round is not a state to resume
        if main and step and step.number < step.total and not step.training.within_round:
            _save(step, recorder, checkpoint)
        raise
    except Exception:
        if step is None and made is not None and training.step == 0:
            _undo(folder, made)
        raise
    finally:
        if recorder:
            recorder.close()


def _finish(
    folder: Path,
    recorder: Recorder,
    step: Step,
    data: tuple[Source, Source | None],
    facts: Mapping[str, Any],
) -> None:
    with writing(folder):
        recorder.finish(step, *data, facts)
        sweep(folder, done=True)


def _ended(recorder: Recorder | None, settings: Settings, training: Training) -> bool:
    """Whether the run ends before its last round; the same in all processes."""
    number = training.step
    if not settings.patience or number % settings.eval_every or number == training.spec.steps:
        return False
    return distribution.told(lambda: recorder is not None and recorder.exhausted)


def _save(step: Step, recorder: Recorder | None, checkpoint: Path) -> None:
    with writing(checkpoint.parent):
        if recorder:
            recorder.save(step, checkpoint)
        else:
            step.save(checkpoint)


def _bytes(training: Training) -> int:
    """About how many bytes a run writes: two checkpoints, two models, pictures."""
    weights = sum(
        parameter.numel() * parameter.element_size()
        for net in training.networks.values()
        for parameter in (*net.parameters(), *net.buffers())
    )
    return 2 * 4 * weights + 2 * weights + 20_000_000


def _undo(folder: Path, made: list[Path]) -> None:
    """Remove the files of a start that failed, and the folders that it created."""
    folders.clear_start(folder)
    for place in made:
        try:
            place.rmdir()
        except OSError:
            return
