"""Pictures of runs that translate: what they show, and that they change nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from PIL import Image as Picture

from ganzoo import pictures, runs
from ganzoo.data import load
from ganzoo.data.source import Source
from ganzoo.engine import train
from ganzoo.models import store
from ganzoo.runs import frames
from ganzoo.runs.samples import translated
from ganzoo.runs.translations import Translations, inputs_of, unseen
from ganzoo.spec import (
    Conv,
    Fields,
    Flatten,
    Image,
    Label,
    LeakyReLU,
    Linear,
    Network,
    OneHot,
    Spec,
    Tanh,
    Task,
    Update,
    Upsample,
    Vector,
)
from tests.table import TABLE, arrays
from tests.table import fields as fields_of

SMALL, LARGE = (1, 8, 8), (3, 16, 16)


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take a picture in every second round, which so small a run would not pay for."""
    monkeypatch.setattr(frames, "_every", lambda *costs: 2)


def carried_out(folder: Path, data: Source, spec: Spec, name: str = "", until: int = 0) -> Path:
    """A run of six rounds; stopped after the round `until`, if that is given."""
    settings = runs.Settings("tiny", spec, name or data.name, 6, 4, precision="fp32")
    some = runs.carry_out(folder, data, settings=settings)
    for step in some:
        if step.number == until:
            some.close()
    return folder


def discogan_data() -> Source:
    return Source("discogan", fields_of("discogan"), arrays(TABLE["discogan"](), 24))


def contents(folder: Path) -> dict[str, bytes]:
    names = ("samples.png", "animation.gif", "model/model.safetensors", "progress/*")
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for name in names
        for path in folder.glob(name)
    }


def shown(path: Path) -> bytes:
    with Picture.open(path) as picture:
        return picture.convert("RGB").tobytes()


def test_a_run_leaves_its_translations_below_their_inputs(tmp_path: Path) -> None:
    """Of both directions, and a frame of the animation for each progress picture."""
    spec, data = TABLE["discogan"](), discogan_data()
    folder = carried_out(tmp_path / "run", data, spec)
    model = store.load(folder / "model")
    sheets: list[Picture.Image] = []
    for field, to in (("a", "b"), ("b", "a")):
        images = inputs_of(spec, data)[f"to_{to}"].images
        assert len(images) == 10
        held = data.batch(field, torch.arange(24)).add(1).div(2)
        assert all((held == image).flatten(1).all(1).any() for image in images)
        sheets.append(pictures.pairs(images, model.translate(images, to=to, output="pt")))
    assert shown(folder / "samples.png") == pictures.stacked(sheets).tobytes()
    progress = sorted(path.name for path in (folder / "progress").iterdir())
    assert progress == [f"{n:07d}.png" for n in (1, 2, 4, 6)]
    with Picture.open(folder / "animation.gif") as film:
        assert getattr(film, "n_frames", 1) == 4
        assert film.size == pictures_size(folder / "progress" / progress[0])
    # pictures of somebody's data are not published unasked
    assert sorted(path.name for path in (folder / "model").iterdir()) == [
        "config.json", "model.safetensors",
    ]  # fmt: skip


def pictures_size(path: Path) -> tuple[int, int]:
    with Picture.open(path) as picture:
        return picture.size


def test_a_run_that_was_stopped_has_the_same_pictures(tmp_path: Path) -> None:
    spec, data = TABLE["discogan"](), discogan_data()
    whole = carried_out(tmp_path / "whole", data, spec)
    stopped = carried_out(tmp_path / "stopped", data, spec, until=3)
    assert not (stopped / "samples.png").exists() and (stopped / "progress/0000002.png").exists()
    for _ in runs.carry_out(stopped, data):
        pass
    assert len(contents(whole)) == 7 and contents(stopped) == contents(whole)


def test_pictures_leave_the_training_as_it_is(tmp_path: Path, monkeypatch) -> None:
    spec, data = TABLE["discogan"](), discogan_data()
    seen = carried_out(tmp_path / "seen", data, spec)
    monkeypatch.setattr(Translations, "due", lambda frames, number: False)
    unseen_ = carried_out(tmp_path / "unseen", data, spec)
    assert not (unseen_ / "progress/0000002.png").exists()
    weights = "model/model.safetensors"
    assert contents(seen)[weights] == contents(unseen_)[weights]


def test_a_run_is_done_with_its_pictures(tmp_path: Path) -> None:
    """A run of an earlier version gets them when it is resumed."""
    spec, data = TABLE["discogan"](), discogan_data()
    folder = carried_out(tmp_path / "run", data, spec)
    assert runs.state(folder) == "done"
    before = contents(folder)
    for name in ("samples.png", "animation.gif"):
        (folder / name).unlink()
    assert runs.state(folder) == "resumable"
    assert [step.number for step in runs.carry_out(folder, data)] == [6]
    assert contents(folder) == before


def test_pictures_of_the_test_split_are_shown(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = tmp_path / "x"
    for field in "ab":
        (folder / field).mkdir(parents=True)
        for level in range(60):
            Picture.new("L", (16, 16), level).save(folder / field / f"{field}{level}.png")
    name, spec = f"folder:{folder},test=0.3", translator()
    train_, test = (load(name, split) for split in ("train", "test"))
    found = inputs_of(spec, unseen(spec, train_, name))["to_b"].images
    assert {*levels(found)} <= {*levels(test.batch("a", torch.arange(test.length("a"))), -1)}
    assert len({*levels(found)}) > 5
    # without one, or where it does not fit, those that are trained on
    known = {*levels(train_.batch("a", torch.arange(train_.length("a"))), -1)}
    for other in (f"folder:{folder}", f"folder:{folder},test=0.3,size=8", "no such data"):
        found = inputs_of(spec, unseen(spec, train_, other))["to_b"].images
        assert {*levels(found)} <= known


def levels(images: torch.Tensor, low: float = 0.0) -> list[int]:
    return images[:, 0, 0, 0].sub(low).mul(255 / (1 - low)).round().int().tolist()


def test_no_picture_of_a_loader_that_fails_ends_a_run(monkeypatch) -> None:
    def fails(*given: object, **more: object) -> Source:
        raise RuntimeError("of somebody's plugin")

    data = discogan_data()
    monkeypatch.setattr("ganzoo.runs.translations.load", fails)
    assert unseen(TABLE["discogan"](), data, "mnist") is data


def translator(**more: object) -> Spec:
    layers = [Conv(2), LeakyReLU(), Conv(1), Tanh()]
    parts = {
        "draws": {name: Image((1, 16, 16), name, independent=True) for name in "ab"},
        "networks": {
            "T": Network({"image": ()}, layers),
            "D": Network({"image": ()}, [Flatten(), Linear(1)]),
        },
        "round": [
            Update("D", {"real": "bce(D(b), 1)", "fake": "bce(D(T(a)), 0)"}),
            Update("T", {"fool": "bce(D(T(a)), 1)"}),
        ],
        "tasks": {"to_b": Task("translate", "T(a)", to="b")},
        "batch": 4,
    }
    return Spec(**{**parts, **more})


def conditional() -> tuple[Spec, Source]:
    """A small grey image with a class and numbers, to a large one in colour."""
    draws = {
        "a": Image(SMALL, "a"),
        "b": Image(LARGE, "b"),
        "y": Label(3, independent=True),
        "v": Vector(2),
    }
    spec = translator(
        draws=draws,
        networks={
            "T": Network({"image": (), "y": [OneHot(3)], "v": ()}, [Upsample(2), Conv(3), Tanh()]),
            "D": Network({"image": ()}, [Flatten(), Linear(1)]),
        },
        round=[
            Update("D", {"real": "bce(D(b), 1)", "fake": "bce(D(T(a, y, v)), 0)"}),
            Update("T", {"fool": "bce(D(T(a, y, v)), 1)"}),
        ],
        tasks={"to_b": Task("translate", "T(a, y, v)", to="b")},
    )
    fields = {draw.field: draw for draw in draws.values()}
    return spec, Source("tiny", Fields(name="tiny", fields=fields), arrays(spec, 24))


def test_all_classes_are_shown_in_turn_and_sizes_may_differ(tmp_path: Path) -> None:
    spec, data = conditional()
    folder = carried_out(tmp_path / "run", data, spec)
    given = inputs_of(spec, data)["to_b"]
    assert given.given["label"] == [n % 3 for n in range(20)]
    held = data.batch("vector", torch.arange(24)).tolist()
    assert all(row in held for row in given.given["vector"].tolist())
    model = store.load(folder / "model")
    made = model.translate(given.images, to="b", output="pt", **given.given)
    assert made.shape == (20, *LARGE)
    assert shown(folder / "samples.png") == pictures.pairs(given.images, made).tobytes()
    other = model.translate(given.images, to="b", output="pt", **{**given.given, "label": 0})
    assert not torch.allclose(made, other)


def test_only_what_can_be_shown_is() -> None:
    """Not beside samples, and no search for values at every picture."""
    spec = translator()
    assert translated(spec) == ["to_b"]
    assert translated(TABLE["discogan"]()) == ["to_b", "to_a"]
    assert translated(TABLE["gan"]()) == []
    sought = Task("translate", "T(a)", to="b", solve=("a",), minimize="mean(square(T(a)))")
    assert translated(spec.model_copy(update={"tasks": {"to_b": sought}})) == []


def test_the_doctor_does_not_look_at_translations(tmp_path: Path) -> None:
    folder = carried_out(tmp_path / "run", discogan_data(), TABLE["discogan"]())
    records = runs.log(folder)
    assert len(records) > 3
    assert not any(record.keys() & {"samples", "verdicts"} for record in records)


def test_a_picture_costs_more_beside_a_round_of_a_translator(monkeypatch) -> None:
    step = next(train(TABLE["discogan"](), discogan_data(), precision="fp32", batch=4))
    shown_ = Translations(Path("x"), step.training, discogan_data(), "discogan")
    monkeypatch.setattr(frames, "RATES", dict.fromkeys(frames.RATES, 1.0))  # they alone count
    model, seconds = step.training.model(0), shown_._seconds(0.0)
    image = torch.zeros(1, *SMALL)
    one = frames._operations(model, lambda model: model.translate(image, to="b"))
    assert seconds.round == pytest.approx(frames._passes(step.training) * one * 4, rel=1e-3)
    assert seconds.frame == pytest.approx(2 * 20 * one, rel=1e-3)
    assert shown_.apart == 0
