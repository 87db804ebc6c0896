"""What a tracker is: a place where a run is shown while it trains.

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
    """What a tracker receives. Any exception ends the tracking, and never the training."""

    def numbers(self, step: int, values: Mapping[str, float]) -> None:
        """Numbers of a round, such as `{"losses/D.real": 0.6, "figures/fid": 23.1}`."""
        ...

    def picture(self, step: int, name: str, image: Image) -> None:
        """A sheet of samples at a round."""
        ...

    def close(self) -> None:
        """The run is done, or stops for now."""
        ...


class RunLog:
    """A `Log` for a library whose run has `log(values, step=)` and `finish()`.

    Args:
        run: of the library. image: converts pictures for it.
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
        name: of the run. id: unique for each run, and unchanged when it is resumed.
        folder: for files of the tracker; it is created when something is written.
        step: rounds that are done; entries of later ones are sent again.
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
        """Everything needed to repeat the run: `config`, the command, the Spec as data."""
        return {**self.config, "command": self.command, "spec": self.spec_json}


@dataclass(frozen=True)
class Tracker:
    """A place where a run is shown while it trains: `ganzoo train ... --track NAME`.

    Args:
        name: must be unique. summary: for people.
        open: starts to track a run, with the options of `--track NAME,option=value`.
        options: what each option means.
        needs: modules that it requires; install: the command that installs them.
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
    """Refuse a tracker whose library is not installed, without importing it.

    Raises:
        UnknownNameError: as `parse`. TrainingError: a required module is not installed.
    """
    for text in texts:
        tracker, _ = parse(text, known)
        missing = [module for module in tracker.needs if find_spec(module) is None]
        if missing:
            raise TrainingError(
                f"--track {tracker.name} needs {', '.join(missing)}, which is not installed: "
                f"{tracker.install}"
            )
