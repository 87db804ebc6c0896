"""Whatever goes wrong around a command: it says so on one line, with status 1 or 2."""

from __future__ import annotations

import errno
import io
import json
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO

import pytest
from PIL import Image as Picture

from ganzoo import cli, hub, runs
from ganzoo.cli import terminal
from ganzoo.cli.failures import failed
from ganzoo.data.catalog import DataSet
from ganzoo.models import store
from ganzoo.plugins.host import default
from scripts import wrong_commands
from tests.builders import data_of, model_of
from tests.table import TABLE

READING = [
    "variants", "losses", "models", "data", "data mnist", "functions", "layers", "layers conv",
    "plugins", "show gan", "show gan --json", "show gan --latex", "show --schema", "show gan-mnist",
    "explain gan --code", "explain gan", "check gan", "hub list", "hub info gan-mnist",
    "hub path gan-mnist", "--version", "--help", "sample --help",
]  # fmt: skip
"""Commands that answer on standard output."""


def called(monkeypatch: pytest.MonkeyPatch, *words: object) -> int:
    monkeypatch.setattr(sys, "argv", ["ganzoo", *map(str, words)])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    return 0 if stop.value.code is None else int(stop.value.code)


@contextmanager
def standard_output(stream: TextIO, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", stream)
        yield


@pytest.mark.parametrize("words", READING)
def test_an_answer_that_cannot_be_written(
    words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with Path("/dev/full").open("w") as full, standard_output(full, monkeypatch):
        assert called(monkeypatch, *words.split()) == 2
    assert "No space left on device; free disk space" in capsys.readouterr().err


@pytest.mark.parametrize("words", READING)
def test_a_reader_that_has_gone(
    words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with (
        suppress(BrokenPipeError),  # closing it fails, too
        os.fdopen(writing, "w") as pipe,
        standard_output(pipe, monkeypatch),
    ):
        assert called(monkeypatch, *words.split()) == 1
    assert capsys.readouterr().err == ""


def test_a_pipe_to_head_in_the_shell() -> None:
    done = subprocess.run(
        f"{sys.executable} -m ganzoo layers | head -n 1", shell=True, capture_output=True,
        text=True, check=False, env={**os.environ, "GANZOO_PLUGINS": ""},
    )  # fmt: skip
    assert done.stdout.startswith("ADA(") or done.stdout.count("\n") == 1
    assert done.stderr == ""


def test_streams_that_are_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    for words, status in ((["losses"], 0), (["show", "nosuch"], 2)):
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stdout", None)
            patch.setattr(sys, "stderr", None)
            assert called(patch, *words) == status
            for stream in (sys.stdout, sys.stderr):
                stream.close()


def test_a_terminal_of_another_alphabet(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    with standard_output(stream, monkeypatch):
        assert called(monkeypatch, "show", "gan") == 0
        assert called(monkeypatch, "functions") == 0


# ------------------------------------------------------------------------- places for outputs

WRITING = {
    "sample": ("sample", "gan-mnist", "-n", "1", "-o", "{}/x.png"),
    "compare": ("compare", "gan-mnist", "cgan-mnist", "-o", "{}/x.png"),
    "train": ("train", "gan", "--data", "digits", "--steps", "1", "--out", "{}/run"),
    "quickstart": ("quickstart", "--seconds", "1", "--out", "{}/quickstart"),
    "new": ("new", "my-gan", "--folder", "{}/my-gan"),
}


@pytest.mark.parametrize("name", WRITING)
@pytest.mark.parametrize("place", ["/sys", "/proc", "/dev/null", "{file}"])
def test_places_where_nothing_can_be_written(
    name: str, place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """These refuse even the administrator, unlike a folder without rights."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("text")
    place = place.format(file=tmp_path / "file")
    words = [word.format(place) for word in WRITING[name]]
    assert called(monkeypatch, *words) == 2
    said = capsys.readouterr().err
    assert said.count("error: ") == 1 and "not foreseen" not in said and place in said


FILLING = {
    **WRITING,
    "train, at a checkpoint": WRITING["train"],
    "score": ("score", "ganomaly-mnist", "{}/0.png", "--csv", "{}/x.csv"),
    "score with maps": ("score", "ganomaly-mnist", "{}/0.png", "--maps", "{}/maps"),
    "reconstruct": ("reconstruct", "bigan-mnist", "{}/0.png", "-o", "{}/x.png"),
    "translate": (
        "translate",
        "discogan-mnist-outlines",
        "{}/0.png",
        "--to",
        "b",
        "-o",
        "{}/x.png",
    ),
    "save": ("save", "{}/stopped", "{}/model"),
    "init": ("init", "{}/run.yaml"),
    "interpolate": ("interpolate", "gan-mnist", "1", "2", "--frames", "4", "-o", "{}/x.gif"),
    "project": ("project", "gan-mnist", "{}/0.png", "--steps", "2", "-o", "{}/x.png"),
    "export": ("export", "gan-mnist", "--to", "onnx", "-o", "{}/out"),
    "eval": ("eval", "{}/model-of-own", "--data", "digits", "-n", "100"),
}
LARGEST = {"train, at a checkpoint": 20_000, "save": 2_000}
"""Bytes that a file can have; 100 by default."""
ELSEWHERE = {
    "demo": "test_demo.py", "lab": "of the demo", "hub pull": "test_hub.py",
    "hub push": "test_hub.py", "hub verify": "writes nothing", "check-plugin": "writes nothing",
    "diff": "writes nothing", "doctor": "writes nothing",
}  # fmt: skip


def test_every_command_is_driven() -> None:
    driven = {*READING, *(" ".join(words) for words in FILLING.values()), *ELSEWHERE}
    for words in wrong_commands.commands():
        name = " ".join(words)
        assert any(line == name or line.startswith(f"{name} ") for line in driven), name


def prepared(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A command of `FILLING`, with what it reads in `folder`, which becomes the current one."""
    monkeypatch.chdir(folder)
    Picture.new("L", (28, 28)).save(folder / "0.png")
    if name == "save":
        stopped_run(folder / "stopped")
    if name == "eval":
        shutil.copytree(hub.installed()["gan-mnist"], folder / "model-of-own")
    return [word.format(folder) for word in FILLING[name]]


@pytest.mark.parametrize("name", FILLING)
def test_a_disk_that_fills_up(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """No file can be longer than some bytes; the message says so, and no half is left as whole."""
    words = prepared(name, tmp_path, monkeypatch)
    if name == "eval":
        before = (tmp_path / "model-of-own" / "metrics.json").read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (LARGEST.get(name, 100), limits[1]))
    try:
        assert called(monkeypatch, *words) == 2
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    said = capsys.readouterr().err
    assert said.count("error: ") == 1 and "not foreseen" not in said, said
    assert "File too large" in said.replace("\n", " "), said
    if name == "eval":
        assert (tmp_path / "model-of-own" / "metrics.json").read_bytes() == before
    if name == "save":
        assert not (tmp_path / "model").exists()


def stopped_run(folder: Path) -> None:
    spec = TABLE["gan"]()
    settings = runs.Settings("gan", spec, "greys", 4, 8, precision="fp32")
    steps = runs.carry_out(folder, data_of("gan"), settings=settings)
    next(steps)
    steps.close()


@pytest.mark.parametrize("file", [store.CONFIG, store.WEIGHTS])
def test_a_read_that_is_interrupted(
    file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = store.save(model_of("gan"), tmp_path / "model")
    real = os.fdopen

    class Broken(io.RawIOBase):
        def __init__(self, handle: int) -> None:
            self.handle = handle

        def close(self) -> None:
            if not self.closed:
                os.close(self.handle)
            super().close()

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: Any) -> int:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    def opened(handle: int, *args: Any, **kwargs: Any) -> Any:
        if Path(f"/proc/self/fd/{handle}").readlink().name == file:
            return Broken(handle)
        return real(handle, *args, **kwargs)

    monkeypatch.setattr("ganzoo.reading.os.fdopen", opened)
    assert called(monkeypatch, "sample", folder, "-o", tmp_path / "x.png") == 2
    assert "Input/output error" in capsys.readouterr().err


READ = {
    "sample of a model": ("sample", "{}/model", "-n", "1", "-o", "{}/x.png"),
    "sample of a stopped run": ("sample", "{}/stopped", "-n", "1", "-o", "{}/x.png"),
    "show": ("show", "{}/spec.yaml"),
    "check": ("check", "{}/spec.yaml"),
    "diff": ("diff", "{}/stopped", "{}/model"),
    "doctor": ("doctor", "{}/stopped"),
    "save": ("save", "{}/stopped", "{}/saved"),
    "resume": ("train", "--resume", "{}/stopped"),
    "train on a folder": (
        "train", "gan", "--data", "folder:{}/pictures,size=16", "--steps", "1",
        "--batch", "2", "--out", "{}/run",
    ),
    "project": ("project", "{}/model", "{}/pictures/0.png", "--steps", "1", "-o", "{}/x.png"),
    "reconstruct": ("reconstruct", "bigan-mnist", "{}/pictures/0.png", "-o", "{}/x.png"),
    "score": ("score", "ganomaly-mnist", "{}/pictures/0.png", "--csv", "{}/x.csv"),
    "compare": ("compare", "{}/model", "{}/model", "-o", "{}/x.png"),
    "export": ("export", "{}/model", "--to", "torch", "-o", "{}/out"),
}  # fmt: skip
"""Commands that read what a person gave them."""


@pytest.fixture
def given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model, a stopped run, a Spec and two pictures."""
    fields = data_of("gan").fields
    greys = DataSet("greys", fields, "", 16, "", "", lambda *_: data_of("gan"))
    monkeypatch.setitem(default().data, "greys", greys)
    store.save(model_of("gan"), tmp_path / "model")
    stopped_run(tmp_path / "stopped")
    (tmp_path / "spec.yaml").write_text(json.dumps(TABLE["gan"]().model_dump(mode="json")))
    (tmp_path / "pictures").mkdir()
    for number in range(2):
        Picture.new("L", (28, 28), 100 * number).save(tmp_path / "pictures" / f"{number}.png")
    return tmp_path


class Disk:
    """Sees which files of a folder are opened for reading, and fails at one of them.

    Python has audit hooks for this, which stay until it ends: so there is one.
    """

    def __init__(self) -> None:
        self.opened: list[str] = []
        self._folder = self._broken = ""
        sys.addaudithook(self._watch)

    @contextmanager
    def failing(self, folder: Path, file: str) -> Iterator[None]:
        self.opened = []
        self._folder, self._broken = f"{folder}/", file
        try:
            yield
        finally:
            self._folder = ""

    def _watch(self, event: str, args: tuple[Any, ...]) -> None:
        if not self._folder or event != "open" or not isinstance(args[0], str):
            return
        path, mode = args[:2]
        writes = isinstance(mode, str) and "r" not in mode
        if writes or not path.startswith(self._folder) or not Path(path).is_file():
            return
        self.opened.append(path.removeprefix(self._folder))
        if self.opened[-1] == self._broken:
            raise OSError(errno.EIO, os.strerror(errno.EIO), path)


@pytest.fixture(scope="session")
def disk() -> Disk:
    return Disk()


@pytest.mark.parametrize("name", READ)
def test_a_disk_that_fails_when_a_file_is_opened(
    name: str, given: Path, disk: Disk, tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """Each file that the command reads, one after the other: it says which, or does without it."""

    def carried_out(file: str = "") -> int:
        folder = tmp_path_factory.mktemp("copy") / "given"
        shutil.copytree(given, folder)
        with disk.failing(folder, file):
            return called(monkeypatch, *(word.format(folder) for word in READ[name]))

    assert carried_out() == 0, capsys.readouterr().err
    files = list(dict.fromkeys(disk.opened))
    assert files
    failed_ = 0
    for file in files:
        capsys.readouterr()
        status = carried_out(file)
        said = capsys.readouterr().err
        assert "not foreseen" not in said and "Traceback" not in said, f"{file}: {said}"
        # 1: a picture was not scored, which is said
        assert status in (0, 2) or (status == 1 and "not scored" in said), f"{file}: {said}"
        failed_ += status != 0
    assert failed_


@pytest.mark.parametrize("name", [name for name in FILLING if name != "train, at a checkpoint"])
def test_a_reader_that_has_gone_while_a_command_works(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It may write its results; nothing reads its messages, and it ends quietly."""
    words = prepared(name, tmp_path, monkeypatch)
    reading, writing = os.pipe()
    os.close(reading)
    with (
        suppress(BrokenPipeError),
        os.fdopen(writing, "w") as pipe,
        standard_output(pipe, monkeypatch),
    ):
        assert called(monkeypatch, *words) in (0, 1)
    said = capsys.readouterr().err
    assert "error: " not in said and "Traceback" not in said, said


# ---------------------------------------------------------------------------- what is said of it


@pytest.mark.parametrize(
    "error, status, said",
    [
        (OSError(errno.ENOSPC, "No space left on device", "x.png"), 2, "x.png: No space left"),
        (OSError("odd"), 2, "error: odd"),
        (PermissionError(errno.EACCES, "Permission denied", "a", None, "b"), 2, "a and b: Perm"),
        (MemoryError(), 2, "out of memory; use fewer samples at once"),
        (RuntimeError("x\x1b[31m\ny"), 1, "RuntimeError: x [31m y. This is a bug"),
        (KeyError("x"), 1, "KeyError: 'x'. This is a bug"),
    ],
)
def test_what_is_said(
    error: Exception, status: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert failed(error) == status
    assert said in capsys.readouterr().err


def test_whoever_reports_a_fault_can_see_where_it_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ValueError("of ours")

    monkeypatch.setattr("ganzoo.hub.entries", broken)
    assert called(monkeypatch, "models") == 1
    said = capsys.readouterr().err
    assert "GANZOO_TRACEBACK=1" in said and "Traceback" not in said
    monkeypatch.setenv("GANZOO_TRACEBACK", "1")
    assert called(monkeypatch, "models") == 1
    assert "in broken" in capsys.readouterr().err


def test_what_others_print_is_not_part_of_an_answer(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from ganzoo.plugins.host import default

    real = default().variant("gan").spec

    def loud(self: Any, data: Any) -> Any:
        print("hello from a plugin")
        return real(self, data)

    monkeypatch.setattr(default().variant("gan"), "spec", loud)
    assert called(monkeypatch, "show", "gan", "--json") == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out)["title"] == "GAN" and "hello from a plugin" in captured.err


def test_several_settings_after_one_option(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert called(monkeypatch, "show", "gan", "--set", "latent=3", "width=5", "--json") == 0
    apart = capsys.readouterr().out
    assert called(monkeypatch, "show", "--set", "latent=3", "--set=width=5", "gan", "--json") == 0
    assert capsys.readouterr().out == apart
    assert json.loads(apart)["draws"]["z"]["size"] == 3


# -------------------------------------------------------------------------- strangers' characters


def test_control_characters_are_spelt_out() -> None:
    assert terminal.harmless("plain text") == "plain text"
    assert terminal.harmless("a\x1b[2J\x07b\nc") == "a\\x1b[2J\\x07b\nc"
    assert terminal.harmless("\u202egpj.exe \x9b31m") == "\\u202egpj.exe \\x9b31m"
    assert terminal.harmless("👩\u200d🚀 é") == "👩\u200d🚀 é"


def test_json_keeps_what_it_says(capsys: pytest.CaptureFixture[str]) -> None:
    value = {"title": "é \u202e \x9b \x7f \U000e0001 👩\u200d🚀"}
    terminal.emit_json(json.dumps(value, ensure_ascii=False))
    shown = capsys.readouterr().out
    assert json.loads(shown) == value
    assert not {"\u202e", "\x9b", "\x7f", "\U000e0001"} & set(shown) and "é" in shown


def test_all_that_a_console_shows_is_harmless(capsys: pytest.CaptureFixture[str]) -> None:
    from ganzoo.cli.console import columns

    table = columns("a\x1b[31m")
    table.add_row("b\x07[bold]c")
    terminal.out.print(table)
    terminal.out.print("d\x9b", "[bold]e[/]", style="red")
    terminal.err.print("f\x1b]0;title\x07", markup=False)
    captured = capsys.readouterr()
    shown = captured.out + captured.err
    assert not {"\x1b", "\x07", "\x9b"} & set(shown) and "e" in shown and "\\x1b]0;title" in shown


# ---------------------------------------------------------------------------- by the dozen


def test_wrong_commands_end_well() -> None:
    """`scripts/wrong_commands.py` tries three hundred, or all that it can make."""
    found = wrong_commands.tried(60)
    assert [(one.words, one.fault, one.said) for one in found if one.fault] == []
    assert {one.status for one in found} <= {1, 2} and len(found) == 60
