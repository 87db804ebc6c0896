"""Runs: how they begin, stop, go on and end, and what they leave."""

from __future__ import annotations

import json
import math
import os
import resource
import shutil
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image as Picture

import ganzoo
from ganzoo import hub, runs
from ganzoo.data import text_encoder
from ganzoo.data.source import Source
from ganzoo.engine import settling, train
from ganzoo.engine.training import Training
from ganzoo.errors import DataError, SpecError, StoreError, TrainingError
from ganzoo.models import store
from ganzoo.models.model import Model
from ganzoo.runs.frames import Frames, _apart, _every, _operations, _passes
from ganzoo.spec import Image, Spec, Task, Text, Vector
from ganzoo.testing import noise
from tests.builders import gan
from tests.by_hand import small
from tests.table import PIXELS, TABLE, arrays, fields

SHARE = 0.9
runs_trained = import_module("ganzoo.runs.trained")  # behind the function of its name


def with_quantile() -> Spec:
    spec = TABLE["ganomaly"]()
    tasks = {**spec.tasks, "score": spec.tasks["score"].model_copy(update={"quantile": SHARE})}
    return spec.model_copy(update={"tasks": tasks})


def numbered(spec: Spec, n: int = 200) -> Source:
    """Images of one grey each, so that each can be told from the others."""
    draw = next(draw for draw in spec.draws.values() if isinstance(draw, Image))
    greys = torch.arange(n, dtype=torch.uint8).view(n, 1, 1, 1)
    return Source.from_arrays("greys", greys.expand(n, *draw.shape).contiguous())


def greys(source: Source) -> list[int]:
    images = source.batch("image", torch.arange(len(source)))
    return images[:, 0, 0, 0].add(1).mul(127.5).round().int().tolist()


def test_what_is_held_out_is_not_trained_on() -> None:
    spec = with_quantile()
    rest, held = runs.hold_out(spec, numbered(spec))
    assert held is not None and len(held) == 10
    assert sorted(greys(rest) + greys(held)) == list(range(200))
    again = runs.hold_out(spec, numbered(spec))[1]
    assert again is not None and greys(again) == greys(held)
    everything, nothing = runs.hold_out(TABLE["ganomaly"](), numbered(spec))
    assert nothing is None and len(everything) == 200


def test_too_few_to_hold_some_out() -> None:
    spec = with_quantile()
    with pytest.raises(TrainingError, match="give 20 or more"):
        runs.hold_out(spec, numbered(spec, 5))


def test_the_threshold_is_of_the_held_out_images(tmp_path: Path) -> None:
    """The share of the task stays below it; a run that was stopped stores the same."""
    spec = with_quantile()
    data = numbered(spec)
    found = []
    for name, stops in (("whole", False), ("stopped", True)):
        settings = runs.Settings(name, spec, "greys", steps=6, batch=8, precision="fp32")
        folder = runs.start(tmp_path / name, settings)
        if stops:
            steps = runs.carry_out(folder, data)
            for _ in range(3):
                next(steps)
            steps.close()
        for _ in runs.carry_out(folder, data):
            pass
        found.append(store.load(folder / "model"))
    whole, stopped = found
    assert whole.config.thresholds == stopped.config.thresholds
    assert whole.config.thresholds["score"].images == 10
    assert whole.config.data.size == 190
    held = runs.hold_out(spec, data)[1]
    assert held is not None
    images = held.batch("image", torch.arange(10)).add(1).div(2)
    verdicts = whole.score(images).is_anomaly
    assert verdicts is not None and verdicts.sum() in (0, 1)


def test_only_scores_have_a_quantile() -> None:
    with pytest.raises(SpecError, match="has no quantile"):
        Task(kind="generate", output="G(z)", quantile=0.5)
    with pytest.raises(SpecError, match="quantile"):
        Task(kind="score", output="C(x)", quantile=1.0)


# ------------------------------------------------------------------- a run as a transaction


def settings_of(row: str, steps: int = 6, **more: Any) -> runs.Settings:
    return runs.Settings(f"tiny-{row}", TABLE[row](), row, steps, 4, precision="fp32", **more)


def data_of(row: str, n: int = 24, seed: int = 0) -> Source:
    return Source(row, fields(row), arrays(TABLE[row](), n, seed))


def carried_out(folder: Path, row: str = "gan", steps: int = 6, until: int = 0) -> Path:
    """A run; stopped after the round `until`, if that is given."""
    some = runs.carry_out(folder, data_of(row), settings=settings_of(row, steps))
    for step in some:
        if step.number == until:
            some.close()
    return folder


def weights_of(folder: Path) -> bytes:
    return (folder / "model" / "model.safetensors").read_bytes()


def test_the_states_of_a_run(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "run"
    assert runs.state(folder) == "none"
    steps = runs.carry_out(folder, data_of("gan"), settings=settings_of("gan"))
    next(steps)
    assert runs.state(folder) == "begun"
    steps.close()
    assert runs.state(folder) == "resumable" and not (folder / "model").exists()
    numbers = [step.number for step in runs.carry_out(folder, data_of("gan"))]
    assert numbers == [2, 3, 4, 5, 6] and runs.state(folder) == "done"
    assert [*runs.carry_out(folder, data_of("gan"))] == []
    for name in ("metrics.json", "samples.png"):
        content = (folder / name).read_bytes()
        (folder / name).unlink()
        assert runs.state(folder) == "resumable", f"{name} is part of a run that is done"
        assert [step.number for step in runs.carry_out(folder, data_of("gan"))] == [6]
        assert name == "metrics.json" or (folder / name).read_bytes() == content


def test_samples_that_need_numbers_of_the_data_are_not_drawn_while_training(tmp_path: Path) -> None:
    """There are none to draw them with; the run failed at its first picture."""
    spec = gan(
        draws={**gan().draws, "v": Vector(3)},
        networks={**gan().networks, "G": gan().networks["G"].replace(inputs={"z": (), "v": ()})},
        let={"fake": "G(z, v)"},
        tasks={"generate": "fake"},
    )
    held = ganzoo.Fields(fields={draw.field: draw for draw in spec.data_draws().values()})
    data = Source("numbers", held, arrays(spec))
    settings = runs.Settings("numbers", spec, "numbers", steps=2, batch=4)
    assert [*runs.carry_out(tmp_path / "run", data, settings=settings)]
    model = store.load(tmp_path / "run" / "model")
    assert len(model.generate(vector=np.zeros((3, 3)))) == 3


@pytest.mark.parametrize(
    "n, batch, device, error",
    [
        (5, 4, None, "give 20 or more"),
        (40, 1, None, "batch norm needs two samples"),
        (40, 4, "cuda:99", "this machine has"),
        (40, 4, "gpu", "no device"),
    ],
)
def test_a_start_that_is_refused_leaves_nothing(tmp_path, n, batch, device, error) -> None:
    spec = with_quantile()
    made = runs.Settings("x", spec, "greys", 6, batch, precision="fp32")
    folder = tmp_path / "new" / "run"
    with pytest.raises(TrainingError, match=error):
        next(runs.carry_out(folder, numbered(spec, n), settings=made, device=device))
    assert [*tmp_path.iterdir()] == []


def test_a_first_round_that_fails_leaves_nothing(tmp_path: Path, monkeypatch) -> None:
    """As where the device's memory is too small."""

    def fails(training: Training) -> str:
        raise RuntimeError("out of memory")

    monkeypatch.setattr(Training, "round", fails)
    with pytest.raises(RuntimeError, match="out of memory"):
        carried_out(tmp_path / "new" / "run")
    assert [*tmp_path.iterdir()] == []


def test_what_a_killed_start_leaves_does_not_count(tmp_path: Path) -> None:
    for name in (".lock", ".run.json.saving-dead", ".run.json.x7"):
        (tmp_path / name).write_text("{")
    carried_out(tmp_path)
    assert runs.state(tmp_path) == "done"
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".run")]
    before = (tmp_path / "run.json").read_bytes()
    for other in (
        lambda: runs.start(tmp_path, settings_of("gan")),
        lambda: next(runs.carry_out(tmp_path, data_of("gan"), settings=settings_of("gan", seed=1))),
        lambda: carried_out(tmp_path, "dcgan"),
    ):
        with pytest.raises(StoreError, match="is not empty; continue it with"):
            other()
    assert (tmp_path / "run.json").read_bytes() == before


def test_a_folder_that_cannot_be_written_is_refused_first(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"cannot be made: .*file is a file"):
        carried_out(tmp_path / "file" / "run")
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != tmp_path)
    with pytest.raises(StoreError, match="is not yours to write to; give another folder"):
        carried_out(tmp_path / "run")
    monkeypatch.undo()
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=1000))
    with pytest.raises(StoreError, match=r"the disk has 0\.0 MB to spare, and the run needs"):
        carried_out(tmp_path / "run")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_disk_that_fills_up_loses_nothing(tmp_path: Path) -> None:
    folder = carried_out(tmp_path / "run", until=2)
    before = (folder / "checkpoint.safetensors").read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1500, limits[1]))
    try:
        with pytest.raises(StoreError, match=r"cannot be written .*; its checkpoint is kept"):
            for _ in runs.carry_out(folder, data_of("gan"), checkpoint_seconds=0.0):
                pass
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (folder / "checkpoint.safetensors").read_bytes() == before
    for _ in runs.carry_out(folder, data_of("gan")):
        pass
    assert weights_of(folder) == weights_of(carried_out(tmp_path / "whole"))


def test_one_training_in_a_folder(tmp_path: Path) -> None:
    steps = runs.carry_out(tmp_path / "run", data_of("gan"), settings=settings_of("gan"))
    next(steps)
    for given in ({}, {"settings": settings_of("gan", 9)}):
        with pytest.raises(
            TrainingError, match=f"process {os.getpid()} on .* trains in .*run; wait"
        ):
            next(runs.carry_out(tmp_path / "run", data_of("gan"), **given))
    steps.close()
    assert next(runs.carry_out(tmp_path / "run", data_of("gan"))).number == 2


def test_made_longer_a_run_keeps_its_model_until_the_new_one_is_whole(tmp_path: Path) -> None:
    folder = carried_out(tmp_path / "run")
    before, longer = weights_of(folder), runs.extended(runs.Settings.read(folder), 9)
    assert runs.Settings.read(folder).steps == 6, "nothing is written yet"
    with pytest.raises(TrainingError, match="was trained on other data"):
        next(runs.carry_out(folder, data_of("gan", seed=1), settings=longer))
    assert runs.state(folder) == "done"
    steps = runs.carry_out(folder, data_of("gan"), settings=longer)
    assert next(steps).number == 7 and runs.state(folder) == "resumable"
    assert weights_of(folder) == before
    steps.close()
    assert store.load(folder / "model").config.training.steps == 6
    assert [step.number for step in runs.carry_out(folder, data_of("gan"))] == [8, 9]
    assert weights_of(folder) == weights_of(carried_out(tmp_path / "long", steps=9))


def test_a_damaged_log_or_picture_stops_nothing(tmp_path: Path) -> None:
    folder = carried_out(tmp_path / "run", until=4)
    log = folder / "log.jsonl"
    lines = log.read_bytes().splitlines()
    junk = [b"\xff\x00", b"[" * 5000, b'{"step": "4"}', b'{"step": 2, "losses": {"a": "b"}}', b"3"]
    log.write_bytes(b"\n".join([*lines[:2], *junk, *lines[4:]]))
    for picture in (folder / "progress").iterdir():
        picture.write_bytes(b"no picture")
    for _ in runs.carry_out(folder, data_of("gan")):
        pass
    assert [record["step"] for record in runs.log(folder)] == [1, 4, 5, 6]
    assert weights_of(folder) == weights_of(carried_out(tmp_path / "whole"))
    with Picture.open(folder / "animation.gif") as film:
        assert film.n_frames == 1
    log.write_bytes(b"")  # all of it lost, after the last round
    (folder / "metrics.json").unlink()
    for _ in runs.carry_out(folder, data_of("gan")):
        pass
    assert json.loads((folder / "metrics.json").read_text())["losses"].keys() == {
        "D.real", "D.fake", "G.adversarial",
    }  # fmt: skip


def test_a_stopped_run_is_a_model(tmp_path: Path, monkeypatch, capsys) -> None:
    """The one that it would have been, had it ended there; with a threshold, if it has one."""
    spec = with_quantile()
    made = runs.Settings("greys", spec, "greys", 6, 8, precision="fp32")
    folder = tmp_path / "run"
    steps = runs.carry_out(folder, numbered(spec), settings=made)
    for step in steps:
        if step.number == 4:
            wanted = step.model()
            steps.close()
    monkeypatch.setattr(runs_trained, "load", lambda name: numbered(spec))
    model = hub.from_pretrained(folder)
    assert "is not done; this is its checkpoint, of round 4 of 6" in capsys.readouterr().err
    runs.fit_thresholds(wanted, runs.hold_out(spec, numbered(spec))[1])  # type: ignore[arg-type]
    images = torch.rand(3, *PIXELS)
    assert (model.score(images).values == wanted.score(images).values).all()
    assert model.thresholds == wanted.thresholds and model.thresholds
    model.save_pretrained(tmp_path / "model")
    config = json.loads((tmp_path / "model" / "config.json").read_text())
    assert config["training"]["steps"] == 4 and config["data"] == {"name": "greys", "size": 190}

    def gone(name: str) -> Source:
        raise DataError("the disk is away")

    monkeypatch.setattr(runs_trained, "load", gone)
    without, which = runs.trained(folder)
    assert not without.thresholds and "without a threshold" in which and "away" in which


def _gone(name: str) -> Source:
    raise DataError("the disk is away")


@pytest.mark.parametrize("row", ["dcgan", "bigan", "stackgan", "cdcgan"])
@pytest.mark.parametrize("kept", [True, False])
def test_a_stopped_run_draws_what_it_would_have_drawn(row, kept, tmp_path, monkeypatch) -> None:
    """From what it keeps in its folder, without its data; or from the data, where it keeps none."""
    if not kept:
        monkeypatch.setattr(settling, "MOST_KEPT", 0)
    steps = runs.carry_out(tmp_path, data_of(row), settings=settings_of(row, 20))
    for step in steps:
        if step.number == 4:
            wanted = step.model()
            steps.close()
    monkeypatch.setattr(runs_trained, "load", _gone if kept else lambda name: data_of(row))
    model, _ = runs.trained(tmp_path)
    for name, net in wanted.networks.items():
        theirs = model.networks[name].state_dict()
        assert all(torch.equal(value, theirs[key]) for key, value in net.state_dict().items())


def test_a_run_that_has_learnt_nothing_is_no_model(tmp_path: Path) -> None:
    folder = runs.start(tmp_path / "run", settings_of("gan"))
    with pytest.raises(StoreError, match="has no model and no checkpoint yet"):
        hub.from_pretrained(folder)
    with pytest.raises(TrainingError, match="no run in"):
        runs.trained(tmp_path)


def test_a_run_says_where_its_data_are_and_what_auto_was(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    made = runs.Settings("x", TABLE["gan"](), "folder:a,b/photos,size=16,flip", 6, 4)
    written = runs.Settings.read(runs.start(tmp_path / "run", made))
    assert written.data == f"folder:{tmp_path}/a,b/photos,size=16,flip"
    assert written.precision in ("fp32", "bf16")
    for text in ("{", '{"name": 1}', "[]", "\udcff", written_with(tmp_path / "run", steps="6")):
        (tmp_path / "run" / "run.json").write_bytes(text.encode("utf-8", "surrogateescape"))
        with pytest.raises(TrainingError, match=r"run\.json (is damaged|cannot be read)"):
            runs.state(tmp_path / "run")


def written_with(folder: Path, **change: Any) -> str:
    return json.dumps({**json.loads((folder / "run.json").read_text()), **change})


# ---------------------------------------------------------------------------- its pictures


def test_progress_pictures_are_as_many_as_a_run_pays_for(tmp_path: Path) -> None:
    """By operations: the more a round costs beside a picture, the more there are; never over 40."""
    numbers = [_every(1000, round_, frame) for round_, frame in ((1, 100), (1, 1), (1, 0.01))]
    assert numbers == [1000, math.ceil(1000 / 19), math.ceil(1000 / 41)]
    carried_out(tmp_path / "run", steps=12)
    drawn = sorted(path.name for path in (tmp_path / "run" / "progress").iterdir())
    assert drawn == ["0000001.png", "0000012.png"]


def test_the_doctor_looks_at_as_many_as_a_run_pays_for() -> None:
    """At each of 40 pictures where looking costs nothing, at every fifth, or at the last alone."""
    found = [_apart(1000, 25, 1, look) for look in (0.01, 1, 100)]
    assert found == [1, 5, 0]
    step = next(train(TABLE["dcgan"](), data_of("dcgan"), precision="fp32"))
    frames = Frames(Path("x"), step.training, look=1e9)
    assert not any(map(frames.looked_at, range(1, 1000))), "too much for a short run"
    frames.every, frames.apart = 10, 2
    assert [n for n in range(1, 100) if frames.looked_at(n)] == [20, 40, 60, 80]


def test_the_cost_of_a_picture_is_estimated() -> None:
    """Two operations for each weight, at each place that it is applied to."""
    step = next(train(TABLE["dcgan"](), data_of("dcgan"), precision="fp32"))
    frames = Frames(Path("x"), step.training)
    one = 2 * (6 * 24 + 2 * 2 * 24 + 6 * 4 * 16 * 4 + 4 * 4 * 8 + 4 * 16 * 16 + 0)
    model = step.training.model(0, ["generate"])
    found = _operations(model, frames._samples) / 64
    assert 0.8 * one < found < 1.25 * one
    assert _passes(step.training) == 11  # G learns from one pass, D from two and lets one through


def test_the_pictures_of_an_earlier_stage_are_of_what_it_trains(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """StackGAN's first stage draws small pictures; the second's networks have learnt nothing yet.

    All frames are of one size, as an animation needs it.
    """
    spec = small("stackgan", steps_small=2, steps_large=2)
    text = next(name for name, draw in spec.draws.items() if isinstance(draw, Text))
    told = spec.draws[text].model_copy(update={"examples": ("a", "b")})
    spec = spec.model_copy(update={"draws": {**spec.draws, text: told}})
    monkeypatch.setattr(text_encoder, "embed", lambda said, _: np.ones((len(said), 384), "f4"))
    steps = train(spec, noise(16, 3), batch=4, precision="fp32")
    first = next(steps)
    frames = Frames(tmp_path, first.training)
    assert frames.begins["stage1"] == 0 < frames.begins["generate"] < spec.steps
    drawn, early = frames.draw()
    stage1 = first.training.model(2, ["stage1"])
    assert torch.equal(drawn, frames._samples(stage1, "stage1"))
    while next(steps).number <= frames.begins["generate"]:
        pass
    late, sheet = frames.draw()
    assert late.shape[2:] == frames.size and drawn.shape[2] < late.shape[2]
    assert early.size == sheet.size


def test_a_picture_needs_only_what_it_shows() -> None:
    """Few batches, and statistics of the networks that draw."""
    spec = TABLE["bigan"]().model_copy(update={"ema": {"G": 0.9, "E": 0.9}})
    step = next(train(spec, data_of("bigan"), precision="fp32"))
    some, none, whole = (
        step.training.model(2, ["generate"]),
        step.training.model(0, ["generate"]),
        step.model(),
    )

    def mean(model: Model, name: str) -> torch.Tensor:
        found = model.networks[name].state_dict()
        return next(value for key, value in found.items() if key.endswith("running_mean"))

    assert not torch.equal(mean(some, "G"), mean(none, "G"))
    assert torch.equal(mean(some, "E"), mean(none, "E"))
    assert not torch.equal(mean(some, "E"), mean(whole, "E"))
