"""Trackers: what they are told of a run, and that they can neither stop nor burden it."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

import ganzoo
from ganzoo import runs, trackers
from ganzoo.errors import TrainingError, UnknownNameError
from ganzoo.plugins import host
from ganzoo.plugins.host import Host
from ganzoo.trackers import TRACKERS, Tracked, Tracker
from tests.builders import data_of
from tests.table import TABLE

TERMS = {"losses/D.real", "losses/D.fake", "losses/G.adversarial"}


def settings_of(*names: str, steps: int = 6) -> runs.Settings:
    return runs.Settings(
        "tiny-gan", TABLE["gan"](), "gan", steps, 4, precision="fp32", trackers=names,
        made_by={"variant": "gan", "settings": {"width": 8}}, command="ganzoo train gan --lr 1",
    )  # fmt: skip


def carried_out(folder: Path, *names: str, until: int = 0) -> list[str]:
    said: list[str] = []
    made = None if (folder / "run.json").is_file() else settings_of(*names)
    some = runs.carry_out(folder, data_of("gan"), settings=made, note=said.append)
    for step in some:
        if step.number == until:
            some.close()
    return said


class Told:
    """A tracker's log that remembers."""

    def __init__(self, run: Tracked, options: Mapping[str, str]) -> None:
        self.run, self.options = run, dict(options)
        self.numbers_: dict[int, dict[str, float]] = {}
        self.pictures: dict[int, Any] = {}
        self.closed = 0

    def numbers(self, step: int, values: Mapping[str, float]) -> None:
        self.numbers_[step] = dict(values)

    def picture(self, step: int, name: str, image: Any) -> None:
        self.pictures[step] = (name, image.size)

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def told(monkeypatch) -> list[Told]:
    """The logs of a tracker `mine` that a plugin brings."""
    logs: list[Told] = []

    def begin(run: Tracked, options: Mapping[str, str]) -> Told:
        logs.append(Told(run, options))
        return logs[-1]

    mine = Tracker("mine", "remembers", begin, {"project": "which"})
    made = Host()
    plugin = type("Its", (), {"ganzoo_trackers": staticmethod(ganzoo.hookimpl(lambda: [mine]))})
    made.register(plugin, "its")
    monkeypatch.setattr(host, "_host", made)
    return logs


def test_a_tracker_of_a_plugin_is_told_everything(told: list[Told], tmp_path: Path) -> None:
    carried_out(tmp_path / "run", "mine,project=x")
    [log] = told
    assert log.options == {"project": "x"} and log.closed == 1
    assert log.run.name == "tiny-gan" and log.run.step == 0
    assert log.run.command == "ganzoo train gan --lr 1"
    assert log.run.config["settings.width"] == 8 and log.run.config["steps"] == 6
    assert "bce" in log.run.spec and '"networks"' in log.run.spec_json
    lines = {line["step"]: line for line in runs.log(tmp_path / "run")}
    assert log.numbers_.keys() == lines.keys()
    for step, values in log.numbers_.items():
        assert values.keys() >= {*TERMS, "seconds"}
        assert ("gradients/G" in values) == ("gradients" in lines[step])
        assert values["losses/D.real"] == lines[step]["losses"]["D.real"]
    assert any("gradients/G" in values for values in log.numbers_.values()), "on each fifth line"
    assert set(log.pictures) == {1, 6} and log.pictures[1][0] == "samples"


def test_a_resumed_run_is_the_same_run_to_a_tracker(told: list[Told], tmp_path: Path) -> None:
    carried_out(tmp_path / "run", "mine", until=3)
    carried_out(tmp_path / "run")
    carried_out(tmp_path / "other", "mine")
    first, second, other = told
    assert first.closed == second.closed == 1
    assert first.run.id == second.run.id != other.run.id
    assert second.run.step == 3 and second.numbers_.keys() == {4, 5, 6}


def test_a_tracker_that_fails_is_left_alone(told, tmp_path: Path, monkeypatch) -> None:
    def fails(self: Told, step: int, values: Mapping[str, float]) -> None:
        raise OSError("no network")

    monkeypatch.setattr(Told, "numbers", fails)
    said = carried_out(tmp_path / "run", "mine")
    assert runs.state(tmp_path / "run") == "done"
    assert said == ["tracking by mine ended (OSError: no network); the training continues"]


def test_a_tracker_that_cannot_start_leaves_no_run(told, tmp_path: Path, monkeypatch) -> None:
    def fails(self: Told, run: Tracked, options: Mapping[str, str]) -> None:
        raise ValueError("no account")

    monkeypatch.setattr(Told, "__init__", fails)
    with pytest.raises(TrainingError, match=r"--track mine cannot start \(ValueError: no account"):
        carried_out(tmp_path / "run", "mine")
    assert not (tmp_path / "run").exists()


def test_what_cannot_be_tracked_with_is_refused_first(tmp_path: Path) -> None:
    for text, words in (
        ("tensorbord", "did you mean 'tensorboard'"),
        ("wandb,projekt=x", "did you mean 'project'"),
        ("wandb,offline", "wandb takes"),
    ):
        with pytest.raises(UnknownNameError, match=words):
            carried_out(tmp_path / "run", text)
    lacking = Tracker("x", "", Told, needs=("no_such_module",), install="pip install x")  # type: ignore[arg-type]
    with pytest.raises(TrainingError, match=r"needs no_such_module.*: pip install x"):
        trackers.check(["x"], {"x": lacking})
    assert not (tmp_path / "run").exists()


def test_no_library_of_a_tracker_is_imported_unless_it_is_asked_for(tmp_path: Path) -> None:
    import subprocess

    code = (
        "import sys\nfrom ganzoo import runs, trackers\n"
        "trackers.check(['tensorboard'], trackers.TRACKERS)\n"
        "print(*{'tensorboard', 'wandb', 'trackio'} & set(sys.modules))"
    )
    if find_spec("tensorboard") is None:
        code = code.replace("trackers.check", "0 and trackers.check")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_tensorboard_reads_what_is_written(tmp_path: Path) -> None:
    """Event files, by TensorBoard's own reader; a stopped run has each round once."""
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing import event_accumulator

    folder = tmp_path / "run"
    carried_out(folder, "tensorboard", until=3)
    carried_out(folder)
    found = event_accumulator.EventAccumulator(str(folder / "trackers" / "tensorboard"))
    found.Reload()
    assert set(found.Tags()["scalars"]) >= TERMS
    events = found.Scalars("losses/D.real")
    lines = runs.log(folder)
    assert [event.step for event in events] == [line["step"] for line in lines]
    assert [event.value for event in events] == pytest.approx(
        [line["losses"]["D.real"] for line in lines], rel=1e-5
    )
    images = found.Images("samples")
    assert [image.step for image in images] == [1, 6]
    assert images[0].encoded_image_string.startswith(b"\x89PNG")
    texts = {
        tag: found.Tensors(tag)[0].tensor_proto.string_val[0].decode()
        for tag in found.Tags()["tensors"]
    }
    assert "bce" in texts["run/spec/text_summary"]
    assert "ganzoo train gan --lr 1" in texts["run/command/text_summary"]
    assert "| batch | 4 |" in texts["run/settings/text_summary"]


@pytest.mark.filterwarnings("ignore")
def test_wandb_offline(tmp_path: Path, monkeypatch) -> None:
    """Weights & Biases itself, without a network."""
    pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_SILENT", "true")
    for word in ("CACHE", "CONFIG", "DATA", "ARTIFACT"):
        monkeypatch.setenv(f"WANDB_{word}_DIR", str(tmp_path / word))
    folder = tmp_path / "run"
    assert carried_out(folder, "wandb,mode=offline,project=digits") == []
    [file] = (folder / "trackers" / "wandb").rglob("run-*.wandb")
    words = (b"losses/D.real", b"settings.width", b"digits", b"ganzoo train gan --lr 1")
    until = time.monotonic() + 120  # a process of its own writes the file, now and then later
    while missing := [word for word in words if word not in file.read_bytes()]:
        assert time.monotonic() < until, missing
        time.sleep(0.05)
    assert [*(folder / "trackers" / "wandb").rglob("*.png")]


@pytest.mark.filterwarnings("ignore")
def test_trackio_on_this_machine(tmp_path: Path, monkeypatch) -> None:
    """Trackio itself, in its local database, in a process of its own, which reads where it is."""
    pytest.importorskip("trackio")
    import subprocess

    code = (
        "import sys\nfrom pathlib import Path\n"
        "from tests.test_trackers import carried_out\n"
        "assert carried_out(Path(sys.argv[1]), 'trackio,project=digits') == []\n"
        "from trackio.sqlite_storage import SQLiteStorage as S\n"
        "[run] = S.get_runs('digits')\n"
        "logs = S.get_logs('digits', run)\n"
        "print(run, sorted({log['step'] for log in logs}), "
        "*(log['losses/D.real'] for log in logs if 'losses/D.real' in log))\n"
    )
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "trackio"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "run")], capture_output=True, text=True,
        check=False, cwd=Path(__file__).parents[1],
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    [line] = [line for line in done.stdout.splitlines() if line.startswith("tiny-gan-")]
    said = line.split(" ", 1)[1]
    assert said.startswith("[1, 2, 3, 4, 5, 6]")
    values = [float(word) for word in said.partition("] ")[2].split()]
    assert values == [line["losses"]["D.real"] for line in runs.log(tmp_path / "run")]


def test_those_of_the_core_have_what_the_command_line_says() -> None:
    assert set(TRACKERS) == {"tensorboard", "wandb", "trackio"}
    for name, tracker in TRACKERS.items():
        assert name in tracker.install and tracker.summary and tracker.needs
