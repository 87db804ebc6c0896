"""Inputs of tasks as options of commands: classes, sentences, chosen noise, and numbers."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image as Picture

from ganzoo import pictures
from ganzoo.cli import training
from ganzoo.metrics.evaluation import untrained
from ganzoo.models import store
from ganzoo.models.model import Model
from ganzoo.publish.card import card
from ganzoo.spec import (
    Categorical,
    Flatten,
    Image,
    Label,
    Linear,
    Network,
    Normal,
    OneHot,
    Reshape,
    Tanh,
    Task,
    Update,
    Vector,
)
from tests.builders import critic, gan, run

SHAPE = (1, 8, 8)
NAMES = ("black", "light blond", "grey")


@pytest.fixture(scope="module")
def model() -> Model:
    """A model whose tasks take all kinds of inputs."""
    layers = [Linear(64), Tanh(), Reshape(SHAPE)]
    spec = gan(
        draws={
            "x": Image(SHAPE),
            "y": Label(3, names=NAMES, independent=True),
            "z": Normal(4),
            "c": Categorical(5),
            "v": Vector(2),
        },
        networks={
            "G": Network({"z": (), "c": [OneHot(5)], "v": ()}, layers),
            "T": Network({"x": [Flatten()], "y": [OneHot(3)]}, layers),
            "D": critic(),
        },
        let={"fake": "G(z, c, v)"},
        round=[
            Update("D", {"real": "bce(D(x), 1)", "fake": "bce(D(fake), 0)"}),
            Update(("G", "T"), {"fool": "bce(D(fake), 1) + bce(D(T(x, y)), 1)"}),
        ],
        tasks={
            "generate": Task("generate", "G(z * size, c, v)", numbers={"size": 1.0}),
            "translate": Task("translate", "T(x, y)", to="hair"),
            "reconstruct": Task("reconstruct", "T(x, y)"),
            "score": Task("score", "squared_norm(x - T(x, y))"),
        },
    )
    made = untrained(Model(spec, {}))
    for name in ("G", "T"):
        for weights in made.networks[name].parameters():
            weights.data.mul_(4)  # so that samples differ
    made.config = made.config.replace(name="tiny")
    return made


@pytest.fixture(scope="module")
def folder(model: Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return store.save(model, tmp_path_factory.mktemp("model") / "tiny")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    rng, place = np.random.default_rng(0), tmp_path_factory.mktemp("pictures")
    files = [place / f"{name}.png" for name in "ab"]
    for file in files:
        Picture.fromarray(rng.integers(0, 255, SHAPE[1:], np.uint8)).save(file)
    return files


@pytest.mark.parametrize("label", [1, "light blond", "LIGHT BLOND"])
def test_a_picture_is_translated_to_the_class_that_is_named(
    monkeypatch, capsys, model, folder, files, tmp_path, label
) -> None:
    sheet = tmp_path / "there.png"
    words = ["translate", folder, *files, "--to", "hair", "--label", label, "-o", sheet]
    assert run(monkeypatch, *words) == 0
    assert f"in hair (label {label})" in capsys.readouterr().out.replace("\n", " ")
    wanted = [model.translate(files, to="hair", label=n, output="pt") for n in (1, 2)]
    assert shown(sheet) == pictures.pairs(model.seen(files, Image(SHAPE)), wanted[0]).tobytes()
    assert not torch.equal(*wanted)


def shown(sheet: Path) -> bytes:
    with Picture.open(sheet) as picture:
        return picture.tobytes()


def test_each_class_is_a_row_of_translations(monkeypatch, model, folder, files, tmp_path) -> None:
    sheet = tmp_path / "there.png"
    words = ["translate", folder, *files, "--to", "hair", "--label", "each"]
    assert run(monkeypatch, *words, "-o", sheet) == 0
    rows = [model.translate(files, to="hair", label=n, output="pt") for n in range(3)]
    assert shown(sheet) == pictures.pairs(model.seen(files, Image(SHAPE)), *rows).tobytes()
    assert run(monkeypatch, *words, "-o", f"{tmp_path}/all/") == 0
    lines = (tmp_path / "all" / "manifest.jsonl").read_text().splitlines()
    said = [json.loads(line) for line in lines]
    assert [(one["of"], one["label"], one["class"]) for one in said] == [
        (str(file), n, name) for file in files for n, name in enumerate(NAMES)
    ]
    for one in said:
        with Picture.open(tmp_path / "all" / one["file"]) as picture:
            (wanted,) = model.translate(one["of"], to="hair", label=one["label"])
            assert picture.tobytes() == wanted.tobytes()


def test_reconstructions_and_scores_take_a_class(
    monkeypatch, capsys, model, folder, files, tmp_path
) -> None:
    sheet, table = tmp_path / "pairs.png", tmp_path / "scores.csv"
    assert run(monkeypatch, "reconstruct", folder, *files, "--label", "grey", "-o", sheet) == 0
    wanted = model.reconstruct(files, label=2, output="pt")
    assert shown(sheet) == pictures.pairs(model.seen(files, Image(SHAPE)), wanted).tobytes()
    assert run(monkeypatch, "score", folder, *files, "--label", "grey", "--csv", table) == 0
    scores = [float(line.split(",")[1]) for line in table.read_text().splitlines()[1:]]
    assert scores == pytest.approx(model.score(files, label=2).values, rel=1e-6)
    assert scores != pytest.approx(model.score(files, label=1).values, rel=1e-6)
    capsys.readouterr()
    several = ["--label", "grey", "--label", "black"]
    assert run(monkeypatch, "reconstruct", folder, *files, *several, "-o", sheet) == 2
    assert "--label: this command takes one value, not several" in said(capsys)


def test_chosen_noise_and_numbers_are_set_by_name(monkeypatch, model, folder, tmp_path) -> None:
    path, vector = tmp_path / "samples.npz", ["--set", "vector=0.5,-1"]
    assert run(monkeypatch, "sample", folder, "-n", 7, "--set", "c=each", *vector, "-o", path) == 0
    found = np.load(path)
    assert found["c"].tolist() == [0, 1, 2, 3, 4, 0, 1]
    wanted = model.generate(7, c=found["c"], vector=[0.5, -1], output="np")
    assert np.array_equal(found["images"], (wanted * 255).round().astype(np.uint8))
    more = [*vector, "c=3", "size=0.2"]
    assert run(monkeypatch, "sample", folder, "-n", 7, *more, "-o", path) == 0
    found = np.load(path)
    assert found["c"].tolist() == [3] * 7 and found["size"].tolist() == [0.2] * 7
    smaller = model.generate(7, c=3, vector=[0.5, -1], size=0.2, output="np")
    assert np.array_equal(found["images"], (smaller * 255).round().astype(np.uint8))
    assert not np.allclose(smaller, model.generate(7, c=3, vector=[0.5, -1], output="np"))


def test_an_interpolation_keeps_what_was_set(monkeypatch, model, folder, tmp_path) -> None:
    walks = [tmp_path / f"{n}.gif" for n in range(2)]
    for n, walk in enumerate(walks):
        words = ["--set", f"c={n}", "vector=0,1", "--frames", 20, "-o", walk]
        assert run(monkeypatch, "interpolate", folder, 3, 5, *words) == 0
        with Picture.open(walk) as film:
            first = np.asarray(film.convert("L"))[::32, ::32].astype(float)
        wanted = model.generate(seed=3, c=n, vector=[0, 1], output="np")[0, ..., 0]
        assert np.abs(first - 255 * wanted).max() < 10
    assert walks[0].read_bytes() != walks[1].read_bytes()


@pytest.mark.parametrize(
    "words, message",
    [
        ("translate PICTURE --to hair", "needs --label N (0 to 2, or 'black', 'grey', 'light bl"),
        ("translate PICTURE --to hair --label gray", "no class 'gray'; did you mean 'grey'?"),
        ("translate PICTURE --to hair --label 3", "whole numbers from 0 to 2"),
        ("translate PICTURE --to hair --label each --label 1", "--label each means all classes"),
        ("translate PICTURE --to hair --label 1 --set c=3", "takes no --set c; it takes --label N"),
        ("reconstruct PICTURE", "needs --label N"),
        ("score PICTURE", "needs --label N"),
        ("sample", "needs --set vector=... (2 numbers separated by commas)"),
        ("sample --set vector=1", "--set vector is 2 numbers separated by commas, not '1'"),
        ("sample --set vector=1,2 --label 3", "takes no --label; it takes --set c=N (0 to 4), "),
        ("sample --set vector=1,2 --set c=9", "c: whole numbers from 0 to 4"),
        ("sample --set vector=1,2 --set c", "--set c: write name=value"),
        ("sample --set vector=1,2 --set size=big", "--set size is one finite number, not 'big'"),
        ("sample --set vector=1,2 --set sise=1", "takes no --set sise; did you mean 'size'? it t"),
        ("interpolate 1 2 --set vector=1,2 c=1 c=2", "--set c: this command takes one value"),
        ("project PICTURE --label 1", "has no classes; leave --label out"),
    ],
)
def test_an_input_that_is_wrong_or_missing_is_named(
    monkeypatch, capsys, folder, files, tmp_path, words, message
) -> None:
    monkeypatch.chdir(tmp_path)
    command, *rest = words.replace("PICTURE", str(files[0])).split()
    assert run(monkeypatch, command, folder, *rest) == 2
    assert message in said(capsys)


def said(capsys) -> str:
    return capsys.readouterr().err.replace("\n", " ")


@pytest.mark.parametrize("task", ["generate", "translate", "reconstruct", "score"])
def test_the_command_after_training_runs_as_printed(
    monkeypatch, capsys, model, files, tmp_path, task
) -> None:
    monkeypatch.chdir(tmp_path)
    spec = model.spec.replace(tasks={task: model.spec.tasks[task]})
    networks = {name: model.networks[name] for name in spec.published}
    store.save(Model(spec, networks), Path("here"))
    training.hint(Path("here"), spec)
    printed = capsys.readouterr().out.replace("\n", " ")
    command = printed.replace("PICTURES", "PICTURE").replace("PICTURE", str(files[0]))
    command = command.removesuffix(f" {training.HINTS[task][1]} ")
    assert run(monkeypatch, *shlex.split(command)[1:]) == 0, command


def test_the_commands_of_a_card_run_as_printed(monkeypatch, model, files, tmp_path) -> None:
    monkeypatch.chdir(tmp_path)
    store.save(model, Path("tiny"))
    text = card(model, called="tiny")
    commands = [line for line in text.splitlines() if line.startswith("ganzoo ")]
    assert [line.split()[1] for line in commands] == ["sample", "translate"]
    for line in commands:
        words = shlex.split(line.replace("picture.png", str(files[0])))[1:]
        assert run(monkeypatch, *words) == 0, line
    (code,) = (part.split("```")[0] for part in text.split("```python\n")[1:])
    calls = [line for line in code.splitlines() if " = model." in line]
    assert len(calls) == len(model.spec.tasks)
    for call in calls[1:]:
        exec(call, {"model": model, "images": files})
