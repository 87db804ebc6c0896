"""A figure on the way: what is measured, what is kept, what is published, whatever is killed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ganzoo import hub, runs
from ganzoo.data import load
from ganzoo.data.source import Source
from ganzoo.engine.training import Training
from ganzoo.errors import SpecError, UnknownNameError
from ganzoo.metrics import efficientnet
from ganzoo.models import store
from ganzoo.publish.card import card
from ganzoo.runs import selection
from ganzoo.runs.recorder import Recorder
from ganzoo.runs.selection import Selection
from tests.sick_runs import of_digits
from tests.table import TABLE

pytestmark = pytest.mark.skipif(
    efficientnet.installed() is None, reason="needs features: ganzoo-core[features]"
)


@pytest.fixture(autouse=True)
def few(monkeypatch) -> None:
    monkeypatch.setattr(selection, "COUNT", 40)


def digits() -> Source:
    import torch

    return load("digits").select(torch.arange(60))


def settings_of(steps: int = 9, **more: Any) -> runs.Settings:
    chosen: dict[str, Any] = {"figure": "fid", "eval_every": 2, **more}
    return runs.Settings("tiny", of_digits(), "digits", steps, 8, precision="fp32", **chosen)


def valued(monkeypatch, values: dict[int, float]) -> list[int]:
    """Let the figure of a round be this, in place of what it is; the rounds that are measured."""
    asked: list[int] = []

    def value(self: Selection, model: Any) -> float:
        asked.append(self.training.step)
        return values[self.training.step]

    monkeypatch.setattr(Selection, "value", value)
    return asked


def carried_out(folder: Path, made: runs.Settings | None = None, until: int = 0) -> list[str]:
    said: list[str] = []
    some = runs.carry_out(folder, digits(), settings=made, note=said.append)
    for step in some:
        if step.number == until:
            some.close()
    return said


def weights(folder: Path) -> bytes:
    return (folder / store.WEIGHTS).read_bytes()


def test_the_best_model_is_published_and_the_last_one_kept(tmp_path: Path, monkeypatch) -> None:
    values = {2: 5.0, 4: 3.0, 6: 3.0, 8: 4.0, 9: 6.0}
    asked = valued(monkeypatch, values)
    folder = tmp_path / "run"
    said = carried_out(folder, settings_of())
    assert asked == [2, 4, 6, 8, 9] and runs.state(folder) == "done"
    assert said[:3] == [
        "round 2: fid 5, the best so far",
        "round 4: fid 3, the best so far",
        "round 6: fid 3, the best is 3 of round 4",
    ]
    model = hub.from_pretrained(folder)
    chosen = model.config.training.selection
    assert chosen is not None and model.config.training.steps == 4
    assert (chosen.figure, chosen.value, chosen.step, chosen.rounds, chosen.of) == (
        "fid", 3.0, 4, 9, 9,
    )  # fmt: skip
    assert chosen.measured == 5 and chosen.split == "train"
    assert weights(folder / "model") == weights(folder / "best" / "0000004")
    assert [path.name for path in (folder / "best").iterdir()] == ["0000004"]
    # what a run without a figure would have published is the last one here
    plain = tmp_path / "plain"
    carried_out(plain, settings_of(figure="", eval_every=0))
    assert weights(folder / "last") == weights(plain / "model") != weights(folder / "model")
    assert store.load(folder / "last").config.training.steps == 9
    curve = {line["step"]: line["figures"]["fid"] for line in runs.log(folder) if "figures" in line}
    assert curve == values
    text = card(model)
    assert "the one of round 4 of 9" in text and "fid" in text and "none was chosen" not in text
    assert "none was chosen" in card(hub.from_pretrained(plain))


def test_a_real_figure(tmp_path: Path) -> None:
    """Measured as `ganzoo eval` does, of samples against training images, and drawn."""
    folder = tmp_path / "run"
    said = carried_out(folder, settings_of(steps=4))
    values = [line["figures"]["fid"] for line in runs.log(folder) if "figures" in line]
    assert len(values) == 2 and all(value > 0 for value in values) and values[0] != values[1]
    assert said[0].startswith("round 2: fid ")
    assert not (folder / "last").exists() or hub.from_pretrained(folder).config.training.steps == 2


def test_patience_ends_a_run(tmp_path: Path, monkeypatch) -> None:
    asked = valued(monkeypatch, {2: 5.0, 4: 3.0, 6: 4.0, 8: 4.0, 10: 1.0})
    folder = tmp_path / "run"
    some = runs.carry_out(folder, digits(), settings=settings_of(20, patience=2))
    steps = [(step.number, step.total) for step in some]
    assert steps[-1] == (8, 8) and asked == [2, 4, 6, 8]
    assert runs.state(folder) == "done" and [*runs.carry_out(folder, digits())] == []
    chosen = hub.from_pretrained(folder).config.training.selection
    assert chosen is not None and (chosen.step, chosen.rounds, chosen.of) == (4, 8, 20)


@pytest.mark.parametrize("until", [1, 2, 3, 4, 5, 6, 8])
def test_a_stopped_run_chooses_the_same(until: int, tmp_path: Path, monkeypatch) -> None:
    values = {2: 5.0, 4: 3.0, 6: 4.0, 8: 2.0, 9: 6.0}
    valued(monkeypatch, values)
    folder, whole = tmp_path / "run", tmp_path / "whole"
    carried_out(whole, settings_of())
    carried_out(folder, settings_of(), until=until)
    assert runs.state(folder) == "resumable"
    carried_out(folder)
    assert weights(folder / "model") == weights(whole / "model")
    assert weights(folder / "last") == weights(whole / "last")
    one, other = ([{k: v for k, v in line.items() if k != "seconds"} for line in runs.log(f)]
                  for f in (folder, whole))  # fmt: skip
    assert one == other


@pytest.mark.parametrize("where", ["before", "after", "finish"])
def test_a_killed_run_loses_no_best_model(where: str, tmp_path: Path, monkeypatch) -> None:
    """Killed between the model that is the best and the checkpoint that knows of it, after that,
    and while it finishes."""
    values = {2: 5.0, 4: 3.0, 6: 4.0, 8: 2.0, 9: 6.0}
    valued(monkeypatch, values)
    whole, folder = tmp_path / "whole", tmp_path / "run"
    carried_out(whole, settings_of())

    class Killed(BaseException):
        pass

    with monkeypatch.context() as patch:
        if where == "finish":

            def fails(*given: Any, **named: Any) -> None:
                raise Killed

            patch.setattr(Recorder, "_chosen", fails)
        else:
            plain = Training.save

            def save(self: Training, path: Path, **said: Any) -> Path:
                if where == "before" and self.step == 4:
                    raise Killed
                found = plain(self, path, **said)
                if where == "after" and self.step == 4:
                    raise Killed
                return found

            patch.setattr(Training, "save", save)
        with pytest.raises(Killed):
            carried_out(folder, settings_of())
    kept = {path.name for path in (folder / "best").iterdir()}
    assert kept == ({"0000008"} if where == "finish" else {"0000002", "0000004"})
    carried_out(folder)
    assert runs.state(folder) == "done"
    assert weights(folder / "model") == weights(whole / "model")
    assert [path.name for path in (folder / "best").iterdir()] == ["0000008"]


def test_a_longer_run_is_as_one_that_began_so(tmp_path: Path, monkeypatch) -> None:
    values = {2: 5.0, 4: 3.0, 5: 1.0, 6: 4.0, 8: 2.0, 9: 6.0}
    valued(monkeypatch, values)
    folder, whole = tmp_path / "run", tmp_path / "whole"
    carried_out(folder, settings_of(5))
    assert hub.from_pretrained(folder).config.training.steps == 5
    assert not (folder / "last").exists(), "the best one is the last one"
    longer = runs.extended(runs.Settings.read(folder), 9)
    assert runs.state(folder, longer) == "resumable"
    for _ in runs.carry_out(folder, digits(), settings=longer):
        pass
    carried_out(whole, settings_of(9))
    assert weights(folder / "model") == weights(whole / "model")


def test_measuring_changes_no_bit(tmp_path: Path) -> None:
    """Of the weights of a run, by its figure, its gradients, looks or pictures."""
    bits = []
    for name, more in (("with", {}), ("without", {"figure": "", "eval_every": 0})):
        folder = tmp_path / name
        carried_out(folder, settings_of(6, **more))
        last = folder / "last"
        bits.append(weights(last if last.is_dir() else folder / "model"))
    import ganzoo

    steps = ganzoo.train(of_digits(), digits(), steps=6, batch=8, precision="fp32")
    *_, step = steps
    path = store.save(step.model(), tmp_path / "bare")
    assert bits[0] == bits[1] == weights(path)


def test_what_cannot_be_measured_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    for more, error, text in (
        ({"figure": "fdi"}, UnknownNameError, "did you mean 'fid'"),
        ({"figure": "fid", "eval_every": 0}, SpecError, "eval-every"),
        ({"figure": "", "patience": 3, "eval_every": 0}, SpecError, "go with a figure"),
    ):
        with pytest.raises(error, match=text):
            options: dict[str, Any] = {"every": 2, "patience": 0, **_renamed(more)}
            selection.check(of_digits(), **options)
    made = runs.Settings(
        "x", TABLE["discogan"](), "digits", 6, 4, precision="fp32", figure="fid", eval_every=2
    )
    with pytest.raises(SpecError, match="has no task that generates"):
        selection.check(made.spec, "fid", 2, 0)
    unknown = runs.Settings("x", of_digits(), "nowhere", 6, 4, figure="fid", eval_every=2)
    with pytest.raises(UnknownNameError, match="nowhere"):
        carried_out(folder, unknown)
    assert not folder.exists()


def _renamed(more: dict[str, Any]) -> dict[str, Any]:
    return {("every" if key == "eval_every" else key): value for key, value in more.items()}


def test_old_run_files_are_read(tmp_path: Path) -> None:
    made = settings_of(figure="", eval_every=0)
    made.write(tmp_path)
    facts = json.loads((tmp_path / "run.json").read_text())
    for word in ("figure", "eval_every", "patience", "trackers", "start", "command"):
        del facts[word]
    (tmp_path / "run.json").write_text(json.dumps(facts))
    assert runs.Settings.read(tmp_path) == made
