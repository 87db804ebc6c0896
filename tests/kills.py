"""Kill runs at file operations, and see what becomes of them.

A process that has imported everything is forked for each command. In the fork every operation
that changes a file below the run's folder is counted: opening it to write, each write, fsync,
rename, mkdir, link and removal. At the chosen one the fork kills itself with SIGKILL, before the
operation or in the middle of a write. Whatever is left must be a folder that is begun,
resumable or done, or one in which a run can be started again; and resumed to its end it must
have every file and every bit of a run that was not killed.
"""

from __future__ import annotations

import builtins
import contextlib
import io
import json
import os
import random
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
import typer.main
from PIL import Image

import ganzoo.data
from ganzoo import pictures, runs
from ganzoo.cli.console import app
from ganzoo.data.source import Source
from ganzoo.engine import checkpoint
from ganzoo.engine.training import Training
from ganzoo.models import store
from ganzoo.runs import selection
from ganzoo.runs.recorder import Recorder
from tests.table import TABLE, arrays, fields

MEASURED = "measured"
"""The row whose runs have a figure, and keep the best model by it."""
ROWS = ("gan", "wgan_gp", "bigan", "ganomaly", "stackgan", MEASURED)
SPECS = {**{row: TABLE[row] for row in ROWS if row != MEASURED}, MEASURED: TABLE["cgan"]}
STEPS, LONGER = 6, 9
WORSE = {2: 3.0, 4: 1.0, 6: 2.0, 8: 0.0, 9: 4.0}
"""What is added to the figure of a round, so that the best one is on the way: 4, and then 8."""
PHASES = ("start", "train", "finish")
CHANGES = {
    "os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.link", "os.symlink", "os.truncate",
}  # fmt: skip


@dataclass(frozen=True)
class Kill:
    """When a process kills itself: at the `number`th operation of a phase, from 1.

    `half`: in the middle of it, where it is a write.
    """

    phase: str
    number: int
    half: bool = False


class Operations:
    """Counts the changes to files below a folder, by phase; kills at one of them."""

    def __init__(self, below: Path, kill: Kill | None) -> None:
        self.below, self.kill = f"{below}{os.sep}", kill
        self.phase = "start"
        self.counts = dict.fromkeys(PHASES, 0)
        self.active = True

    def install(self) -> None:
        sys.addaudithook(self._event)
        write, fsync, opened = os.write, os.fsync, builtins.open

        def counted_write(handle: int, content: Any) -> int:
            if self._is_ours(handle):
                self.happens(lambda: write(handle, bytes(content)[: len(content) // 2]))
            return write(handle, content)

        def counted_fsync(handle: int) -> None:
            if self._is_ours(handle):
                self.happens()
            fsync(handle)

        def counted_open(file: Any, mode: str = "r", *rest: Any, **named: Any) -> Any:
            found = opened(file, mode, *rest, **named)
            if set(mode) & set("wxa+") and self._is_path(file):
                plain = found.write

                def put(content: Any) -> int:
                    self.happens(lambda: (plain(content[: len(content) // 2]), found.flush()))
                    return plain(content)

                found.write = put
            return found

        os.write, os.fsync = counted_write, counted_fsync
        builtins.open = io.open = counted_open  # type: ignore[assignment]
        first, finish = Training.round, Recorder.finish

        def round_(training: Training) -> str:
            if self.phase == "start":
                self.phase = "train"
            return first(training)

        def finish_(*given: Any, **named: Any) -> None:
            self.phase = "finish"
            finish(*given, **named)

        Training.round, Recorder.finish = round_, finish_  # type: ignore[method-assign]

    def happens(self, half: Callable[[], Any] | None = None) -> None:
        """An operation is about to happen."""
        if not self.active:
            return
        self.counts[self.phase] += 1
        kill = self.kill
        if kill and (kill.phase, kill.number) == (self.phase, self.counts[self.phase]):
            self.active = False
            if kill.half and half:
                half()
            os.kill(os.getpid(), signal.SIGKILL)

    def _event(self, event: str, given: tuple[Any, ...]) -> None:
        if event == "open":
            path, _, flags = given
            if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT) and self._is_path(path):
                self.happens()
        elif event in CHANGES and any(map(self._is_path, given[:2])):
            self.happens()

    def _is_path(self, path: Any) -> bool:
        return isinstance(path, str | os.PathLike) and str(Path(path).absolute()).startswith(
            self.below
        )

    def _is_ours(self, handle: int) -> bool:
        with contextlib.suppress(OSError):
            return str(Path(f"/proc/self/fd/{handle}").readlink()).startswith(self.below)
        return False


def source(row: str) -> Source:
    known = "cgan" if row == MEASURED else row
    return Source(f"tiny-{row}", fields(known), arrays(SPECS[row](), 24))


class Brightness:
    """A feature extractor in place of a net: the means of the quarters of images."""

    name, sha256, fields, short = "brightness", "0" * 64, (), ""

    def features(self, images: torch.Tensor) -> Any:
        return torch.nn.functional.adaptive_avg_pool2d(images.mean(1, True), 2).flatten(1).numpy()

    def classes(self, images: torch.Tensor, field: str = "label") -> None:
        return None


def _worsened(value: Callable[..., float]) -> Callable[..., float]:
    """The figure as it is measured, and worse by what `WORSE` says of the round."""

    def measured(self: selection.Selection, model: Any) -> float:
        return value(self, model) + WORSE[self.training.step]

    return measured


def _plain_plot(records: Any, path: Path, *given: Any, **named: Any) -> Path:
    """In place of matplotlib, which takes longer than all else together."""
    Image.new("L", (8 + len(records), 8)).save(path)
    return path


@dataclass(frozen=True)
class Ended:
    """How a process ended: its exit status (-9 for a kill), its operations, what it said."""

    status: int
    counts: dict[str, int]
    said: str


def process(words: list[str], below: Path, kill: Kill | None = None) -> Ended:
    """`ganzoo WORDS` in a fork; it is killed when `kill` says."""
    hears, tells = os.pipe()
    child = os.fork()
    if child:
        os.close(tells)
        with os.fdopen(hears, "rb") as told:
            content = told.read()
        _, status = os.waitpid(child, 0)
        found = json.loads(content) if content else {"counts": {}, "said": ""}
        return Ended(os.waitstatus_to_exitcode(status), found["counts"], found["said"])
    status, said = 1, io.StringIO()
    operations = Operations(below, kill)
    try:
        os.close(hears)
        sys.stdout = sys.stderr = said
        operations.install()
        status = _command()(words, standalone_mode=False) or 0
    except BaseException as error:
        said.write(f"{type(error).__name__}: {error}")
    operations.active = False
    os.write(tells, json.dumps({"counts": operations.counts, "said": said.getvalue()}).encode())
    os._exit(status)


# ------------------------------------------------------------------------- what is left


def content(folder: Path) -> dict[str, Any]:
    """What a run left, by file: all of it, but for the times."""
    found: dict[str, Any] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_dir():
            found[name] = "folder"
        elif path.name in ("config.json", "metrics.json", "run.json"):
            found[name] = _untimed(json.loads(path.read_text()))
        elif path.name == "log.jsonl":
            found[name] = [_untimed(json.loads(line)) for line in path.read_text().splitlines()]
        elif path.name == runs.CHECKPOINT:
            state, facts = checkpoint.read(path)
            tensors = {key: (str(v.dtype), v.numpy().tobytes()) for key, v in state.items()}
            found[name] = tensors, _untimed(facts)
        elif path.name != ".lock":
            found[name] = path.read_bytes()
        else:
            found[name] = "lock"
    return found


def _untimed(value: Any) -> Any:
    if isinstance(value, dict):
        times = ("seconds", "steps_per_second")
        return {key: _untimed(part) for key, part in value.items() if key not in times}
    return value


def difference(found: dict[str, Any], wanted: dict[str, Any]) -> str:
    """In what two runs differ; nothing where they are the same."""
    if missing := wanted.keys() - found.keys():
        return f"missing: {sorted(missing)}"
    if extra := found.keys() - wanted.keys():
        return f"left over: {sorted(extra)}"
    return ", ".join(f"{name} differs" for name in wanted if found[name] != wanted[name])


# ------------------------------------------------------------------------------- trials


class Trials:
    """Runs of one row of the table, killed and resumed.

    Args:
        home: an empty folder of its own.
    """

    def __init__(self, row: str, home: Path) -> None:
        self.row, self.home = row, home
        home.mkdir(parents=True)
        spec = SPECS[row]()
        if row == "stackgan":  # its two stages share the rounds
            spec = spec.with_steps(STEPS)
        self.longer = spec.open_ended
        self.spec = home / f"{row}.json"
        self.spec.write_text(spec.to_json())
        self.whole = home / "whole"
        self.counts = {"run": self._done(self._start(self.whole), self.whole)}
        self.wanted = content(self.whole)
        if row == MEASURED:  # else nothing is tested of the best model
            assert {"best/0000004", "last", "model"} <= self.wanted.keys()
        self.extended = home / "extended"
        if self.longer:
            shutil.copytree(self.whole, self.extended)
            words = ["train", "--resume", str(self.extended), "--steps", str(LONGER)]
            self.counts["extension"] = self._done(words, self.extended)
            self.wanted_longer = content(self.extended)
        publishing = self._save(home / "saved")
        self.counts["publishing"] = self._done(publishing, home / "saved")

    def _done(self, words: list[str], folder: Path) -> dict[str, int]:
        ended = process(words, self.home)
        assert ended.status == 0, ended.said
        return ended.counts

    def _start(self, folder: Path) -> list[str]:
        return [
            "train", str(self.spec), "--data", f"tiny-{self.row}", "--steps", str(STEPS),
            "--batch", "4", "--seed", "3", "--precision", "fp32", "--out", str(folder),
            *(["--figure", "fid", "--eval-every", "2"] if self.row == MEASURED else []),
        ]  # fmt: skip

    def _save(self, folder: Path) -> list[str]:
        return ["save", str(self.whole), str(folder), "--overwrite"]

    def moment(self, kind: str, phase: str, chance: random.Random) -> Kill:
        most = self.counts[kind][phase]
        return Kill(phase, chance.randint(1, max(1, most)), chance.random() < 0.5)

    def run(self, phase: str, chance: random.Random) -> str:
        """One run, killed in a phase and, half of the time, once more; what is wrong with it."""
        folder = self.home / "killed"
        shutil.rmtree(folder, ignore_errors=True)
        told: list[str] = []
        words = self._start(folder)
        kill: Kill | None = self.moment("run", phase, chance)
        for _ in range(4):
            ended = process(words, self.home, kill)
            told.append(f"{' '.join(words[:2])} {kill}: {ended.status} {ended.said[-300:]}")
            if ended.status not in (0, -signal.SIGKILL):
                return f"it failed; {' | '.join(told)}"
            try:
                state = runs.state(folder)
            except Exception as error:
                return f"no state: {error}; {' | '.join(told)}"
            if state == "done" and kill is None:
                break
            words = self._start(folder) if state == "none" else ["train", "--resume", str(folder)]
            again = chance.random() < 0.5 and kill is not None and len(told) < 3
            kill = self.moment("run", chance.choice(PHASES), chance) if again else None
        wrong = difference(content(folder), self.wanted)
        return f"{wrong}; {' | '.join(told)}" if wrong else ""

    def extension(self, chance: random.Random) -> str:
        """A finished run made longer, and killed meanwhile: a whole model is always there."""
        folder = self.home / "longer"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self.whole, folder)
        phase = chance.choice([p for p in PHASES if self.counts["extension"][p]])
        kill: Kill | None = self.moment("extension", phase, chance)
        words = ["train", "--resume", str(folder), "--steps", str(LONGER)]
        told: list[str] = []
        while True:
            ended = process(words, self.home, kill)
            told.append(f"{kill}: {ended.status} {ended.said[-300:]}")
            if ended.status not in (0, -signal.SIGKILL):
                return f"it failed; {' | '.join(told)}"
            try:
                steps = store.load(folder / "model").config.training.steps
            except Exception as error:
                return f"no model: {error}; {' | '.join(told)}"
            if steps not in ((4, 8) if self.row == MEASURED else (STEPS, LONGER)):
                return f"a model of {steps} rounds; {' | '.join(told)}"
            if kill is None:
                break
            kill = None
        wrong = difference(content(folder), self.wanted_longer)
        return f"{wrong}; {' | '.join(told)}" if wrong else ""

    def publishing(self, chance: random.Random) -> str:
        """A model saved over another one, and killed meanwhile: one of them is always there."""
        folder, there = self.home / "model", chance.random() < 0.5
        shutil.rmtree(folder, ignore_errors=True)
        if there:
            shutil.copytree(self.home / "saved", folder)
        kill = self.moment("publishing", "start", chance)
        ended = process(self._save(folder), self.home, kill)
        if there or folder.exists():
            try:
                store.load(folder)
            except Exception as error:
                return f"no model: {error}; {kill}"
        again = process(self._save(folder), self.home)
        if ended.status not in (0, -signal.SIGKILL) or again.status:
            return f"it failed: {ended.said} {again.said}; {kill}"
        left = [path.name for path in self.home.iterdir() if path.name.startswith(".")]
        if left:
            return f"left over: {left}; {kill}"
        return difference(content(folder), content(self.home / "saved"))


@lru_cache
def _command() -> Any:
    return typer.main.get_command(app)


def _prepare(folder: Path) -> None:
    """Do in this process what all that are forked from it need: patches, imports, one run.

    Tiny data sets have names here, every round saves a checkpoint, and the loss plot is plain.
    """
    torch.set_num_threads(1)
    named = {f"tiny-{row}": row for row in ROWS}
    trained: Any = import_module("ganzoo.runs.trained")  # behind the function of its name
    ganzoo.data.load = trained.load = lambda name, *_, **__: source(named[name])
    pictures.loss_plot = _plain_plot
    selection.extractor_of = lambda name: Brightness()
    selection.Selection.value = _worsened(selection.Selection.value)  # type: ignore[method-assign]
    defaults = runs.carry_out.__kwdefaults__
    assert defaults
    defaults["checkpoint_seconds"] = 0.0
    folder.mkdir()
    spec = folder / "spec.json"
    spec.write_text(SPECS[MEASURED]().to_json())
    words = [
        str(spec), "--data", f"tiny-{MEASURED}", "--steps", "2", "--out", str(folder / "run"),
        "--figure", "fid", "--eval-every", "2",
    ]  # fmt: skip
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        _command()(["train", *words], standalone_mode=False)
        _command()(["save", str(folder / "run"), str(folder / "model")], standalone_mode=False)
    shutil.rmtree(folder)


def trials(
    home: Path, number: int, seed: int, rows: tuple[str, ...] = ROWS
) -> Iterator[tuple[str, str, str]]:
    """(row, kind, what is wrong) of each trial; a third of the kills fall into start and finish."""
    _prepare(home / "warm")
    chance = random.Random(seed)
    ready = {row: Trials(row, home / row) for row in rows}
    kinds = ("train", "start", "train", "finish", "train", "extension", "train", "publishing")
    for index in range(number):
        row = rows[index % len(rows)]
        kind = kinds[index // len(rows) % len(kinds)]
        one = ready[row]
        match kind:
            case "extension" if one.longer:
                yield row, kind, one.extension(chance)
            case "publishing":
                yield row, kind, one.publishing(chance)
            case "extension":
                yield row, "finish", one.run("finish", chance)
            case phase:
                yield row, phase, one.run(phase, chance)
