"""Where things compute: every command that computes can be told, and what is told is obeyed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import typer.main

from ganzoo import hub
from ganzoo.cli.console import app
from ganzoo.data.source import Source
from ganzoo.metrics import feature_extractors
from ganzoo.metrics.evaluation import Evaluation
from ganzoo.models import store
from ganzoo.nn import devices
from tests.builders import model_of, run
from tests.table import TABLE, arrays, fields

META = torch.device("meta")
"""A device that is on every machine: it knows shapes, and computes nothing."""


@pytest.fixture
def elsewhere(monkeypatch) -> None:
    """`--device elsewhere` is the meta device."""
    find = devices.find
    monkeypatch.setattr(devices, "find", lambda name: META if name == "elsewhere" else find(name))


def test_a_loaded_model_is_where_it_was_wanted(tmp_path: Path, elsewhere: None) -> None:
    folder = store.save(model_of("bigan"), tmp_path / "model")
    model = store.load(folder, device="elsewhere")
    places = {part.device for net in model.networks.values() for part in net.state_dict().values()}
    places |= {value.device for value in model.state.values()}
    assert places == {META} and model.device == META
    assert hub.from_pretrained(folder).device == torch.device("cpu")


def test_what_measures_a_model_is_where_the_model_is(monkeypatch) -> None:
    source = Source("tiny", fields("gan"), arrays(TABLE["gan"](), 200))
    monkeypatch.setattr("ganzoo.metrics.evaluation.find", lambda *_: None)
    monkeypatch.setattr(
        "ganzoo.metrics.evaluation.train_and_test", lambda *_: (source, source, "test")
    )
    extractor = feature_extractors.Classifier(hub.from_pretrained("classifier-mnist"))
    monkeypatch.setattr(feature_extractors, "extractor_of", lambda _: extractor)
    evaluation = Evaluation(model_of("gan").to(META), "tiny")
    assert evaluation.fresh.device == META
    assert evaluation.extractor is extractor and extractor.model.device == META


COMPUTING = {
    "train", "quickstart", "explain", "save", "sample", "interpolate", "project", "reconstruct",
    "translate", "score", "eval", "compare", "demo", "hub verify",
}  # fmt: skip
ELSEWHERE = {
    "export": "a file is for any device",
    "hub push": "a copy is compared with the model, on the CPU as on every machine",
    "check": "a dry run of shapes",
    "check-plugin": "answers of tiny models, to the last bit",
    "diff": "weights are compared, and nothing computes",
}
"""Commands about models or trainings that compute on the CPU, and why."""


def _commands() -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, command in typer.main.get_command(app).commands.items():  # type: ignore[attr-defined]
        inner = getattr(command, "commands", None)
        found |= {f"{name} {n}": c for n, c in inner.items()} if inner else {name: command}
    return found


def test_every_command_that_computes_can_be_told_where() -> None:
    told = {
        name for name, command in _commands().items()
        if any("--device" in parameter.opts for parameter in command.params)
    }  # fmt: skip
    assert told == COMPUTING
    assert not told & set(ELSEWHERE) and set(ELSEWHERE) <= set(_commands())


@pytest.mark.parametrize(
    "words",
    [("eval",), ("compare", "gan-mnist"), ("hub", "verify"), ("demo", "--model"), ("score", ".")],
    ids=lambda words: " ".join(words),
)
def test_a_device_that_is_not_there_is_refused(words, monkeypatch, capsys, tmp_path: Path) -> None:
    """Which shows, too, that the word reaches what loads."""
    monkeypatch.chdir(tmp_path)
    torch.save({}, "x.png")  # a file that is never read
    first, rest = (words[:1], words[1:]) if words[0] in ("eval", "score") else (words, ())
    assert run(monkeypatch, *first, "ganomaly-mnist", *rest, "--device", "gpu") == 2
    assert "no device 'gpu'; did you mean 'cuda'?" in capsys.readouterr().err


def test_live_training_is_told_where(tmp_path: Path, monkeypatch) -> None:
    from ganzoo.demo import live_training, train_process

    told: list[bytes] = []
    monkeypatch.setattr(train_process.Processes, "_start", lambda self: None)
    monkeypatch.setattr(train_process, "_told", lambda process, job: told.append(job))
    live = live_training.LiveTraining((), 5, "cuda:1")
    live._processes.take(tmp_path, 5)
    assert json.loads(told[0]) == {"folder": str(tmp_path), "seconds": 5, "device": "cuda:1"}
