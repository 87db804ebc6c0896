"""What a tracker is: somewhere that a run is shown while it trains.

Declared without any tracker's library, so that naming one costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from ganzoo.errors import TrainingError, UnknownNameError, choices, nearest

if TYPE_CHECKING:
    from PIL.Image import Image


class Log(Protocol):
    """What a tracker is told. Whatever it raises ends the tracking, and never the training."""

    def numbers(self, step: int, values: Mapping[str, float]) -> None:
        """Numbers of a round, such as `{"losses/D.real": 0.6, "figures/fid": 23.1}`."""
        ...

    def picture(self, step: int, name: str, image: Image) -> None:
        """A sheet of samples as it was at a round."""
        ...

    def close(self) -> None:
        """The run is done, or stops for now."""
        ...


class RunLog:
    """A `Log` into the run of a library that has `log(values, step=)` and `finish()`.

    Args:
        run: of the library. image: what it takes pictures as.
    """

    def __init__(self, run: Any, image: Callable[[Image], Any]) -> None:
        self.run, self._image = run, image

    def numbers(self, step: int, values: Mapping[str, float]) -> None:
        self.run.log(dict(values), step=step)

    def picture(self, step: int, name: str, image: Image) -> None:
        self.run.log({name: self._image(image)}, step=step)

    def close(self) -> None:
        self.run.finish()


@dataclass(frozen=True)
class Tracked:
    """The run that is tracked.

    Args:
        name: of the run. id: another for each run, and the same when it is resumed.
        folder: where a tracker may keep files; it is made when something is written.
        step: rounds that are done; what was told of later ones is done again.
        config: how it is trained: data, steps, batch, seed, the variant's settings.
        spec: as mathematics, for people. spec_json: as data. command: that started it.
    """

    name: str
    id: str
    folder: Path
    step: int
    config: Mapping[str, str | int | float | bool]
    spec: str
    spec_json: str
    command: str

    @property
    def facts(self) -> dict[str, str | int | float | bool]:
        """All that makes the run again: `config`, the command, the Spec as data."""
        return {**self.config, "command": self.command, "spec": self.spec_json}


@dataclass(frozen=True)
class Tracker:
    """Somewhere that a run is shown while it trains: `ganzoo train ... --track NAME`.

    Args:
        name: the word, of its own. summary: for people.
        open: starts to track a run, with the options of `--track NAME,option=value`.
        options: what each option is.
        needs: modules without which it does not work; install: what brings them.
    """

    name: str
    summary: str
    open: Callable[[Tracked, Mapping[str, str]], Log]
    options: Mapping[str, str] = field(default_factory=lambda: dict[str, str]())
    needs: tuple[str, ...] = ()
    install: str = ""


def parse(text: str, known: Mapping[str, Tracker]) -> tuple[Tracker, dict[str, str]]:
    """The tracker that `wandb,project=digits` means, and its options.

    Raises:
        UnknownNameError: no such tracker, or no such option of it.
    """
    name, *settings = text.split(",")
    if name not in known:
        raise UnknownNameError(
            f"no tracker {name!r}{nearest(name, known)} there is: {choices(known)}"
        )
    tracker, given = known[name], dict[str, str]()
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals or key not in tracker.options:
            raise UnknownNameError(
                f"--track {text}: no option {setting!r}{nearest(key, tracker.options)} "
                f"{name} takes {choices(tracker.options)}, as in {name},option=value"
            )
        given[key] = value
    return tracker, given


def check(texts: Iterable[str], known: Mapping[str, Tracker]) -> None:
    """Refuse what cannot be tracked with, without importing it.

    Raises:
        UnknownNameError: as `parse`. TrainingError: what it needs is not installed.
    """
    for text in texts:
        tracker, _ = parse(text, known)
        missing = [module for module in tracker.needs if find_spec(module) is None]
        if missing:
            raise TrainingError(
                f"--track {tracker.name} needs {', '.join(missing)}, which is not installed: "
                f"{tracker.install}"
            )
