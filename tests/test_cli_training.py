"""`ganzoo train` and `ganzoo save`: how they stop, go on, refuse and end."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from PIL import Image as Picture

import ganzoo.data
from ganzoo import hub, runs
from ganzoo.cli import training as commands
from ganzoo.cli.console import check_output
from ganzoo.engine.training import Training
from ganzoo.errors import DataError
from ganzoo.models import store
from ganzoo.spec import Label
from tests.builders import run
from tests.table import TABLE


def trained(monkeypatch, tiny: Path, photos: Path, out: Path, *more: object) -> int:
    words = ["--data", f"folder:{photos}", "--steps", 6, "--out", out, "--precision", "fp32"]
    return run(monkeypatch, "train", tiny, *words, *more)


@pytest.fixture
def stopped(monkeypatch, tiny, photos, tmp_path) -> Path:
    """A run that Ctrl-C stopped after its third round."""
    with monkeypatch.context() as patch:
        asked_to_stop(patch, signal.SIGINT, 3)
        assert trained(patch, tiny, photos, tmp_path / "stopped", "--seed", 3) == 130
    return tmp_path / "stopped"


def asked_to_stop(monkeypatch, number: int, at: int) -> None:
    """Send this process a signal in round `at`."""
    plain = Training.round

    def round_(training: Training) -> str:
        if training.step == at - 1:
            os.kill(os.getpid(), number)
        return plain(training)

    monkeypatch.setattr(Training, "round", round_)


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_lets_the_round_end_and_saves(
    name, monkeypatch, tiny, photos, tmp_path, capsys
) -> None:
    number = getattr(signal, name)
    before = signal.getsignal(number)
    out = tmp_path / "run"
    with monkeypatch.context() as patch:
        asked_to_stop(patch, number, 4)
        assert trained(patch, tiny, photos, out) == 128 + number
    assert signal.getsignal(number) is before
    assert runs.state(out) == "resumable"
    said = capsys.readouterr().err.replace("\n", "")
    assert f"stopped; continue with: ganzoo train --resume {out}" in said
    assert run(monkeypatch, "train", "--resume", out) == 0
    assert [record["step"] for record in runs.log(out)] == [1, 2, 3, 4, 5, 6]
    assert trained(monkeypatch, tiny, photos, tmp_path / "whole") == 0
    one, other = ((f / "model" / store.WEIGHTS).read_bytes() for f in (out, tmp_path / "whole"))
    assert one == other


def test_a_signal_in_the_last_round_stops_nothing(monkeypatch, tiny, photos, tmp_path) -> None:
    asked_to_stop(monkeypatch, signal.SIGTERM, 6)
    assert trained(monkeypatch, tiny, photos, tmp_path / "run") == 0
    assert runs.state(tmp_path / "run") == "done"


def test_an_ignored_signal_stays_ignored(monkeypatch, tiny, photos, tmp_path) -> None:
    """As under nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        asked_to_stop(monkeypatch, signal.SIGHUP, 3)
        assert trained(monkeypatch, tiny, photos, tmp_path / "run") == 0
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_resumed_run_is_not_contradicted(monkeypatch, stopped, capsys) -> None:
    for word, value, has in (("seed", 4, 3), ("precision", "bf16", "fp32")):
        assert run(monkeypatch, "train", "--resume", stopped, f"--{word}", value) == 2
        assert f"--{word} {value}: the run has {word} {has}" in capsys.readouterr().err
    words = ["--seed", 3, "--precision", "fp32"]
    assert run(monkeypatch, "train", "--resume", stopped, *words) == 0
    assert run(monkeypatch, "train", "--resume", stopped, "--precision", "auto") == 0
    assert "is finished" in capsys.readouterr().out


def test_a_run_goes_on_from_everywhere(monkeypatch, tiny, photos, tmp_path, capsys) -> None:
    """What it was given beside the working directory of that time."""
    monkeypatch.chdir(photos.parent)
    with monkeypatch.context() as patch:
        asked_to_stop(patch, signal.SIGTERM, 2)
        assert trained(patch, tiny, Path("photos"), Path("run")) == 143
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert run(monkeypatch, "train", "--resume", "../run") == 0
    assert run(monkeypatch, "train", "--resume", "nowhere") == 2
    assert "no run in nowhere: there is no run.json" in capsys.readouterr().err


def test_the_log_keeps_what_was_read_and_left_out(monkeypatch, tiny, photos, tmp_path) -> None:
    """In its first line, also after a resume and after the log was lost."""
    (photos / "bad.png").write_bytes(b"no picture")
    (photos / "notes.heic").touch()
    (photos / ".thumbnails").mkdir()
    Picture.new("RGB", (9, 9)).save(photos / ".thumbnails" / "0.png")
    out = tmp_path / "run"
    with monkeypatch.context() as patch:
        asked_to_stop(patch, signal.SIGTERM, 2)
        assert trained(patch, tiny, photos, out) == 143

    def kept() -> list[str]:
        first = json.loads((out / "log.jsonl").read_text().splitlines()[0])
        assert set(first) == {"data"}
        return first["data"]

    said = ganzoo.data.load(runs.Settings.read(out).data).report.splitlines()
    assert kept() == said
    text = "\n".join(said)
    assert f"pictures in '{photos.name}' as " in text and "fit=crop" in text
    assert "skipped 1: bad.png (" in text
    assert "left out: 1 file of other kinds (.heic 1); hidden folders .thumbnails" in text
    (out / "log.jsonl").unlink()
    assert run(monkeypatch, "train", "--resume", out) == 0
    assert kept() == said
    assert [record["step"] for record in runs.log(out)] == [2, 3, 4, 5, 6]


def test_changed_pictures_are_not_gone_on_with(monkeypatch, stopped, photos, capsys) -> None:
    Picture.new("RGB", (40, 30), (1, 2, 3)).save(photos / "3.png")
    assert run(monkeypatch, "train", "--resume", stopped) == 2
    assert "was trained on other data" in capsys.readouterr().err
    assert runs.state(stopped) == "resumable"


CONDITIONAL = """
draws:
  x: {kind: image, shape: [3, 16, 16]}
  y: {kind: label, classes: 2NAMES}
  z: {kind: normal, size: 2}
networks:
  G:
    inputs: {z: [], y: [{kind: one_hot, classes: 2}]}
    layers: [{kind: linear, units: 768}, tanh, {kind: reshape, shape: [3, 16, 16]}]
  D: {inputs: {x: [], y: [{kind: one_hot, classes: 2}]}, layers: [{kind: linear, units: 1}]}
let: {fake: "G(z, y)"}
round:
  - {train: D, minimize: {real: "bce(D(x, y), 1)", fake: "bce(D(fake, y), 0)"}}
  - {train: G, minimize: {fool: "bce(D(fake, y), 1)"}}
tasks: {generate: fake}
batch: 4
"""


@pytest.fixture
def animals(tmp_path: Path) -> Path:
    """A folder with two classes of pictures."""
    for number, word in enumerate(("cats", "dogs")):
        (tmp_path / "animals" / word).mkdir(parents=True)
        for shade in range(8):
            colour = (20 * shade, 99 * number, 50)
            Picture.new("RGB", (16, 16), colour).save(tmp_path / "animals" / word / f"{shade}.png")
    return tmp_path / "animals"


@pytest.mark.parametrize("until", [2, 6])
def test_the_data_name_the_classes_of_a_spec_file(
    until, monkeypatch, animals: Path, tmp_path: Path, capsys
) -> None:
    """So that a run, stopped or finished, takes them by name."""
    spec, out = tmp_path / "mine.yaml", tmp_path / "out"
    spec.write_text(CONDITIONAL.replace("NAMES", ""))
    with monkeypatch.context() as patch:
        if until < 6:
            asked_to_stop(patch, signal.SIGINT, until)
        assert trained(patch, spec, animals, out) == (0 if until == 6 else 130)
    sheet = tmp_path / "sheet.png"
    assert run(monkeypatch, "sample", out, "--label", "dogs", "-n", 2, "-o", sheet) == 0
    capsys.readouterr()
    assert run(monkeypatch, "sample", out, "--label", "cows", "-n", 2, "-o", sheet) == 2
    assert "allowed: 'cats', 'dogs'" in capsys.readouterr().err
    if until < 6:
        assert run(monkeypatch, "train", "--resume", out) == 0
    draw = store.read_config(out / "model").spec.draws["y"]
    assert isinstance(draw, Label) and draw.names == ("cats", "dogs")


def test_other_names_than_those_of_the_data_are_refused(
    monkeypatch, animals: Path, tmp_path: Path, capsys
) -> None:
    spec, out = tmp_path / "mine.yaml", tmp_path / "out"
    spec.write_text(CONDITIONAL.replace("NAMES", ", names: [dogs, cats]"))
    data = ["--data", f"folder:{animals},size=16"]
    for words in (["train", spec, *data, "--out", out], ["check", spec, *data]):
        assert run(monkeypatch, *words) == 2 and not out.exists()
        said = " ".join(capsys.readouterr().err.split())
        assert "draws.y.names: dogs, cats; the classes of field 'label'" in said
        assert "in this order, cats, dogs. Leave names out" in said
    spec.write_text(CONDITIONAL.replace("NAMES", ", names: [cats, dogs]"))
    assert run(monkeypatch, "check", spec, *data) == 0


def test_a_stopped_run_draws_and_is_saved(monkeypatch, stopped, tmp_path, capsys) -> None:
    sheet = tmp_path / "sheet.png"
    assert run(monkeypatch, "sample", stopped, "-n", 4, "-o", sheet) == 0
    said = capsys.readouterr()
    assert "is not done; this is its checkpoint, of round 3 of 6" in said.err.replace("\n", "")
    assert sheet.is_file()
    assert run(monkeypatch, "save", stopped, tmp_path / "model") == 0
    assert "its checkpoint, of round 3 of 6" in capsys.readouterr().out.replace("\n", "")
    saved = hub.from_pretrained(tmp_path / "model")
    assert saved.config.training.steps == 3 and saved.config.name == "tiny-photos"
    assert run(monkeypatch, "save", stopped, tmp_path / "model") == 2
    assert "overwrite" in capsys.readouterr().err
    assert run(monkeypatch, "train", "--resume", stopped) == 0
    assert run(monkeypatch, "save", stopped, tmp_path / "model", "--overwrite") == 0
    assert "its model, of 6 rounds" in capsys.readouterr().out.replace("\n", "")


@pytest.mark.parametrize(
    "more, error",
    [
        (["--device", "gpu"], "no device 'gpu'; did you mean 'cuda'?"),
        (["--device", "cuda:99"], "device 'cuda:99': this machine has"),
        (["--precision", "fp16"], "--precision is auto, fp32, tf32 or bf16, not 'fp16'"),
    ],
)
def test_what_is_refused_leaves_no_folder(
    more, error, monkeypatch, tiny, photos, tmp_path, capsys
) -> None:
    assert trained(monkeypatch, tiny, photos, tmp_path / "new" / "run", *more) == 2
    assert error in capsys.readouterr().err.replace("\n", "")
    assert not (tmp_path / "new").exists()


def test_where_nothing_can_be_written_nothing_is_read(
    monkeypatch, tiny, photos, tmp_path, capsys
) -> None:
    """The folder of the run is looked at before the data."""
    (tmp_path / "file").write_text("")

    def never(*given: object) -> None:
        raise AssertionError("the data were read")

    monkeypatch.setattr(ganzoo.data, "load", never)
    assert trained(monkeypatch, tiny, photos, tmp_path / "file" / "run") == 2
    assert "file is a file" in capsys.readouterr().err.replace("\n", "")


def test_other_versions_are_said(monkeypatch, stopped, capsys) -> None:
    from ganzoo.engine import checkpoint

    path = stopped / runs.CHECKPOINT
    state, facts = checkpoint.read(path)
    facts["surroundings"]["torch"] = "2.0.0"
    checkpoint.write(path, state, facts)
    assert run(monkeypatch, "train", "--resume", stopped) == 0
    said = capsys.readouterr().err.replace("\n", "")
    assert "warning: checkpoint" in said and "was trained with torch 2.0.0 (now" in said


@pytest.mark.parametrize(
    "row, command",
    [
        ("gan", "sample run -o samples.png"),
        ("bigan", "sample run -o samples.png"),
        ("ganomaly", "score run PICTURES"),
        ("discogan", "translate run PICTURE --to b -o there.png"),
    ],
)
def test_the_next_command_suits_the_tasks(row: str, command: str, capsys) -> None:
    commands.hint(Path("run"), TABLE[row]())
    assert f"ganzoo {command} " in capsys.readouterr().out


def test_the_next_commands_exist() -> None:
    """Each hint names a command with the options that it has."""
    import typer.main

    from ganzoo.cli.console import app

    known: Any = typer.main.get_command(app)
    for command, _ in commands.HINTS.values():
        name, *words = command.split()
        options = {o for p in known.commands[name].params for o in p.opts}
        assert {word for word in words if word.startswith("-")} <= options


def test_an_output_that_cannot_be_written_is_refused_first(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != tmp_path)
    with pytest.raises(DataError, match="is not writable; give another path"):
        check_output(tmp_path / "a.png", "the sheet", (".png",))
    (tmp_path / "b.png").write_bytes(b"")
    check_output(tmp_path / "b.png", "the sheet", (".png",))
