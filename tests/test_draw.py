"""Samples as sheets, folders and arrays; ways between them; pictures sought among them."""

from __future__ import annotations

import json
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image as Picture

import ganzoo
from ganzoo import cli
from ganzoo.data import load
from ganzoo.errors import TaskError
from ganzoo.metrics.evaluation import untrained
from ganzoo.models import drawing, latents, store
from ganzoo.models.model import Model
from ganzoo.models.projection import project
from ganzoo.spec import Image, Label, Linear, Network, Normal, OneHot, Reshape, Tanh, Task, Uniform
from tests.builders import critic, gan


@pytest.fixture(scope="module")
def model() -> Model:
    """Of three classes, with both kinds of noise."""
    label = Label(3, names=("cat", "dog", "each day"))
    spec = gan(
        draws={"x": Image((1, 8, 8)), "y": label, "z": Normal(4), "u": Uniform(2, low=0, high=1)},
        networks={
            "G": Network(
                {"z": (), "u": (), "y": [OneHot(3)]},
                [Linear(64), Tanh(), Reshape((1, 8, 8))],
            ),
            "D": critic(),
        },
        let={"fake": "G(z, u, y)"},
        tasks={"generate": "fake"},
    )
    made = untrained(Model(spec, {}))
    for weights in made.networks["G"].parameters():
        weights.data.mul_(4)  # so that samples differ
    made.config = made.config.replace(name="tiny")
    return made


@pytest.fixture(scope="module")
def folder(model: Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("model") / "tiny"
    store.save(model, place)
    return place


def run(monkeypatch: pytest.MonkeyPatch, *words: object) -> int:
    monkeypatch.setattr(sys, "argv", ["ganzoo", *map(str, words)])
    try:
        cli.main()
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0


def test_a_folder_of_samples_says_how_to_draw_each_again(
    folder: Path, model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = f"{tmp_path}/new/"
    words = ["sample", folder, "-n", 5, "--seed", 7, "--label", "dog", "--label", 0, "-o", place]
    assert run(monkeypatch, *words) == 0
    rows = [json.loads(line) for line in (Path(place) / "manifest.jsonl").read_text().splitlines()]
    assert rows[2] == {"file": "00002.png", "seed": 7, "row": 2, "label": 1, "class": "dog"}
    assert [row["class"] for row in rows] == ["dog", "cat", "dog", "cat", "dog"]
    again = model.generate(5, seed=7, label=[row["label"] for row in rows])
    for row, image in zip(rows, again, strict=True):
        assert np.array_equal(np.array(Picture.open(Path(place) / row["file"])), np.array(image))
    # another run would mix its pictures with a manifest that does not name them
    assert run(monkeypatch, *words) == 2


def test_an_archive_of_samples(
    folder: Path, model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.npz"
    assert run(monkeypatch, "sample", folder, "-n", 4, "--label", "each", "-o", path) == 0
    found = np.load(path)
    assert found["images"].shape == (4, 8, 8, 1) and found["images"].dtype == np.uint8
    assert found["label"].tolist() == [0, 1, 2, 0] and found["row"].tolist() == [0, 1, 2, 3]
    assert found["class"].tolist() == ["cat", "dog", "each day", "cat"]
    wanted = model.generate(4, label=[0, 1, 2, 0], output="np")
    assert np.array_equal(found["images"], (wanted * 255).round().astype(np.uint8))


def test_truncation_draws_nearer_to_the_middle(model: Model) -> None:
    def spread(truncation: float | None) -> float:
        found = drawing.drawn(model, 64, truncation=truncation, label=[0] * 64)
        return float(found.images.std(0).mean())

    assert spread(0.3) < 0.6 * spread(None) and spread(1.0) == spread(None)
    found = drawing.drawn(model, 2, truncation=0.3, label=[0, 0])
    assert found.rows[1]["truncation"] == 0.3
    # uniform noise never leaves its range
    noise = latents.of_seed(model, model.task("generate"), 99, 0, 2.0)
    assert noise["u"].min() >= 0 and noise["u"].max() <= 1 and np.abs(noise["z"]).max() > 3


def test_truncation_is_the_tasks_own_number_where_it_has_one(model: Model) -> None:
    task = Task("generate", "G(psi * z, u, y)", numbers={"psi": 0.9})
    spec = model.spec.replace(tasks={"generate": task})
    styled = Model(spec, model.networks)
    found = drawing.drawn(styled, 3, truncation=0.2, label=[0, 1, 2]).images
    assert np.allclose(found, styled.generate(3, label=[0, 1, 2], psi=0.2, output="pt").numpy())


def test_a_walk_begins_and_ends_where_it_says(model: Model) -> None:
    frames = drawing.walk(model, [3, 9, 4], 9, label="dog")
    assert frames.shape == (9, 1, 8, 8)
    for place, seed in ((0, 3), (4, 9), (8, 4)):
        wanted = model.generate(1, seed=seed, label="dog", output="pt").numpy()
        assert np.abs(frames[place] - wanted[0]).max() < 1e-3
    assert np.abs(frames[2] - frames[0]).max() > 0.01
    with pytest.raises(TaskError, match="at least two stops"):
        drawing.walk(model, [3], 9)


@pytest.mark.parametrize("ending", [".gif", ".mp4"])
def test_the_way_between_two_seeds_as_an_animation(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    if ending == ".mp4" and not find_spec("av"):
        pytest.skip("no PyAV here: pip install 'ganzoo-core[video]'")
    path = tmp_path / f"walk{ending}"
    words = ["interpolate", folder, 1, 2, "--frames", 12, "--label", "cat", "-o", path]
    assert run(monkeypatch, *words) == 0
    if ending == ".gif":
        with Picture.open(path) as animation:
            assert getattr(animation, "n_frames", 1) > 5 and animation.size == (256, 256)
    else:
        import av

        with av.open(str(path)) as video:
            frames = [*video.decode(video=0)]
        assert len(frames) == 12 and (frames[0].width, frames[0].height) == (256, 256)


def test_a_way_that_leads_nowhere(
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for words, said in (
        (["1"], "from 1 to where?"),
        (["1", "x.png"], "all seeds or all pictures"),
        (["x.png", "y.png"], "its stops must be seeds"),
    ):
        out = tmp_path / "w.gif"
        assert run(monkeypatch, "interpolate", folder, *words, "-o", out) == 2
        assert said in " ".join(capsys.readouterr().err.split()) and not out.exists()


def test_a_picture_that_the_model_draws_is_found_again(model: Model) -> None:
    """Classes are tried in turn, and the right one wins."""
    wanted = model.generate(2, seed=5, label=[2, 0], output="pt")
    found = project(model, wanted, steps=150, starts=6, seed=1)
    assert found.labels is not None and found.labels.tolist() == [2, 0]
    assert (found.errors < 0.1 * found.starting).all() and found.errors.max() < 0.02
    again = model.generate(2, noise=found.noise, label=found.labels, output="pt").numpy()
    assert np.abs(again - found.images).max() < 1e-5
    # uniform noise stays in its range, or nearly so
    assert found.noise["u"].min() > -0.2 and found.noise["u"].max() < 1.2


def test_the_command_project(
    folder: Path, model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "in").mkdir()
    for number, image in enumerate(model.generate(2, label=1)):
        image.save(tmp_path / "in" / f"{number}.png")
    sheet, kept = tmp_path / "pairs.png", tmp_path / "found.npz"
    words = ["project", folder, tmp_path / "in", "--steps", 30, "--label", "dog"]
    assert run(monkeypatch, *words, "-o", sheet, "--noise", kept) == 0
    found = np.load(kept)
    assert found["label"].tolist() == [1, 1] and found["z"].shape == (2, 4)
    assert sheet.exists() and (found["errors"] < 0.1).all()


def test_a_folder_in_and_a_folder_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    model = Path(__file__).parents[1] / "model_cards" / "bigan-mnist"
    source = load("digits").batch("image", torch.arange(3)).add(1).mul(127.5).byte()
    (tmp_path / "in" / "deep").mkdir(parents=True)
    for number, image in enumerate(source[:, 0].numpy()):
        Picture.fromarray(image).save(
            tmp_path / "in" / ("deep" if number else "") / f"{number}.png"
        )
    (tmp_path / "in" / "bad.png").write_text("no picture")
    words = ["reconstruct", model, tmp_path / "in", "-o", f"{tmp_path}/out/"]
    assert run(monkeypatch, *words) == 1  # one was left out
    assert "bad.png" in capsys.readouterr().err
    rows = [
        json.loads(line) for line in (tmp_path / "out" / "manifest.jsonl").read_text().splitlines()
    ]
    assert [Path(row["of"]).name for row in rows] == ["0.png", "1.png", "2.png"]
    loaded = ganzoo.from_pretrained(model)
    wanted = loaded.reconstruct(rows[1]["of"])[0]
    found = np.array(Picture.open(tmp_path / "out" / rows[1]["file"]))
    assert np.abs(found.astype(int) - np.array(wanted)).max() <= 1


def test_shells_complete_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ganzoo.cli import completion

    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs" / "one").mkdir(parents=True)
    assert "dcgan-mnist" in completion.models("dcg")
    assert completion.models("runs/o") == ["runs/one"] and completion.models("ru") == ["runs"]
    assert "fashion-mnist" in completion.data("fash")
    assert completion.data("folder:ru") == ["folder:runs"]
    assert "wgan-gp" in completion.variants("wgan")
    (tmp_path / "mine.yaml").touch()
    assert completion.variants("mi") == ["mine.yaml"] and completion.losses("hin") == ["hinge"]
    assert {"wgan-gp", "wgan-gp-mnist"} <= set(completion.specs("wgan-gp"))
    assert completion.trackers("tens") == ["tensorboard"]
    for some in (completion.data("fashion"), completion.specs("wgan"), completion.variants("w")):
        assert len(some) == len(set(some)), "each name once"
