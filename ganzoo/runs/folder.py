"""The folder of a run: its state, its owner, and how a run begins."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Literal

from ganzoo.atomic import is_leftover, remove_leftovers
from ganzoo.errors import StoreError, TrainingError
from ganzoo.layout import CONFIG, RUN, WEIGHTS
from ganzoo.lock import LOCK, owned
from ganzoo.runs.samples import shown, translated
from ganzoo.runs.settings import BATCHES, CHECKPOINT, LOG, MODEL, Settings

State = Literal["none", "begun", "resumable", "done"]
METRICS, LOSSES, SAMPLES, ANIMATION = "metrics.json", "losses.png", "samples.png", "animation.gif"
PROGRESS, SNAPSHOTS, BEST, LAST = "progress", "snapshots", "best", "last"
TRACKERS = "trackers"
"""The folder for files of trackers."""


def state(folder: str | Path, settings: Settings | None = None) -> State:
    """The state that `ganzoo train --resume` would find in a folder; see `ganzoo.runs`.

    Args:
        settings: of the run, if its run.json has been read already.
    """
    folder = Path(folder)
    if settings is None and not (folder / RUN).is_file():
        return "none"
    settings = settings or Settings.read(folder)
    pictures = (SAMPLES, ANIMATION) if shown(settings.spec) or translated(settings.spec) else ()
    if trained_steps(folder) == settings.steps and all(
        (folder / name).is_file() for name in (METRICS, LOSSES, *pictures)
    ):
        return "done"
    return "resumable" if (folder / CHECKPOINT).is_file() else "begun"


def trained_steps(folder: Path) -> int | None:
    """The rounds of the run whose model is there; None if it has no complete one.

    One that was selected by a figure may have trained for fewer.
    """
    try:
        config = json.loads((folder / MODEL / CONFIG).read_text("utf-8"))
        chosen = config["training"].get("selection")
        steps = chosen["of"] if chosen else config["training"]["steps"]
    except (OSError, ValueError, RecursionError, TypeError, KeyError, AttributeError):
        return None
    return steps if type(steps) is int and (folder / MODEL / WEIGHTS).is_file() else None


def start(folder: str | Path, settings: Settings, device: str | None = None) -> Path:
    """Create the folder of a new run.

    Args:
        device: on which it will be trained; resolves the precision "auto".

    Raises:
        StoreError: it has any contents, or cannot be written.
        TrainingError: another process trains there; no such device.
    """
    folder = Path(folder)
    settings = settings.settled(device)
    check_place(folder)
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with owner(folder):
        check_vacant(folder)
        with writing(folder):
            settings.write(folder)
    return folder


def extended(settings: Settings, steps: int) -> Settings:
    """The run with `steps` rounds, as if it had been started with them; nothing is written yet.

    Raises:
        TrainingError: it is longer already, or its schedule depends on its length, so that a
            longer one would have differed from the start.
    """
    if steps == settings.steps:
        return settings
    if steps < settings.steps:
        raise TrainingError(
            f"the run is of {settings.steps:,} rounds; --steps can only make it longer"
        )
    if not settings.spec.open_ended:
        raise TrainingError(
            f"the run has stages or rates that fall with its {settings.steps:,} rounds, so a "
            "longer one is another run; start it anew, in another folder"
        )
    return replace(settings, steps=steps)


# ------------------------------------------------------------------------ before it begins


def check_vacant(folder: Path) -> None:
    """StoreError unless a run can begin in a folder: it does not exist, or is empty.

    Files of an interrupted start do not count.
    """
    if not folder.exists():
        return
    if not folder.is_dir():
        raise StoreError(f"{folder} is a file; give a folder")
    if all(path.name == LOCK or _is_of_start(path) for path in folder.iterdir()):
        return
    hint = (
        f"continue it with: ganzoo train --resume {folder}"
        if (folder / RUN).is_file()
        else "give another folder"
    )
    raise StoreError(f"{folder} is not empty; {hint}")


def _is_of_start(path: Path) -> bool:
    return is_leftover(path) or path.name.startswith(f".{RUN}.")  # as earlier versions named them


def check_place(folder: Path) -> None:
    """StoreError where nothing can be written to a folder, which need not exist yet."""
    place = folder.absolute()
    while not place.exists() and place != place.parent:
        place = place.parent
    if not place.is_dir():
        raise StoreError(f"{folder} cannot be made: {place} is a file")
    if not os.access(place, os.W_OK | os.X_OK):
        full = os.statvfs(place).f_flag & os.ST_RDONLY if hasattr(os, "statvfs") else 0
        why = "is on a file system that is read-only" if full else "is not yours to write to"
        raise StoreError(f"{folder} cannot be written: {place} {why}; give another folder")


def check_room(folder: Path, needed: int) -> None:
    """StoreError where the disk does not have so many bytes free."""
    with suppress(OSError):
        free = shutil.disk_usage(folder).free
        if free < needed:
            raise StoreError(
                f"{folder}: the disk has {free / 1e6:,.1f} MB to spare, and the run needs about "
                f"{needed / 1e6:,.1f} MB; make room, or give another folder"
            )


def clear_start(folder: Path) -> None:
    """Remove the files of a start that failed."""
    with suppress(OSError):
        for name in (RUN, LOG, LOCK, BATCHES):
            (folder / name).unlink(missing_ok=True)
        shutil.rmtree(folder / TRACKERS, ignore_errors=True)


# --------------------------------------------------------------------------- while it runs


@contextmanager
def owner(folder: Path) -> Iterator[None]:
    """Own the folder of a run.

    Raises:
        TrainingError: another process does.
        StoreError: it cannot be written.
    """
    try:
        lock = owned(folder)
        lock.__enter__()
    except BlockingIOError as error:
        raise TrainingError(
            f"{error.strerror} trains in {folder}; wait until it is done, or stop it"
        ) from None
    except OSError as error:
        raise unwritable(folder, error) from None
    try:
        yield
    finally:
        lock.__exit__(None, None, None)


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Turns errors of the disk inside into a StoreError that says what to do."""
    try:
        yield
    except OSError as error:
        raise unwritable(folder, error) from None


def unwritable(folder: Path, error: OSError) -> StoreError:
    kept = (
        f"; its checkpoint is kept, continue with: ganzoo train --resume {folder}"
        if (folder / CHECKPOINT).is_file()
        else ""
    )
    return StoreError(f"{folder} cannot be written ({error.strerror or error}){kept}")


def tidy(folder: Path) -> None:
    """Clean the folder of a run that is done, unless it is owned or cannot be written."""
    with suppress(TrainingError, StoreError, OSError), owner(folder):
        sweep(folder, done=True)


def sweep(folder: Path, *, done: bool = False) -> None:
    """Remove partial files of a killed process in the folder of a run; for its owner.

    Args:
        done: the run is done, and needs no data for its model any more.
    """
    if done:
        (folder / BATCHES).unlink(missing_ok=True)
    for name in (RUN, CHECKPOINT, BATCHES, LOG, METRICS, LOSSES, SAMPLES, ANIMATION, MODEL, LAST):
        remove_leftovers(folder / name)
        for stale in folder.glob(f".{name}.*"):  # as earlier versions named them
            if stale.is_file() and not is_leftover(stale):
                stale.unlink(missing_ok=True)
    for inner in (PROGRESS, SNAPSHOTS, BEST):
        for half in (folder / inner).glob(".*"):
            if is_leftover(half):
                shutil.rmtree(half, ignore_errors=True) if half.is_dir() else half.unlink()
