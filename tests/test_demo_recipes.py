"""What the demo says under a result makes that result again: as Python, and as a command."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

import ganzoo
from ganzoo import pictures
from ganzoo.cli.console import app

if find_spec("gradio") is None:
    pytest.skip("no gradio here: pip install 'ganzoo-core[demo]'", allow_module_level=True)

from ganzoo.demo import inputs
from ganzoo.demo.model_registry import ModelRegistry
from ganzoo.demo.pages import anomalies, encode, generate, inspect


@pytest.fixture(scope="module")
def registry() -> ModelRegistry:
    return ModelRegistry()


def run(python: str, place: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.chdir(place)
    space: dict[str, Any] = {}
    exec(python, space)
    return space


def command(line: str) -> str:
    import shlex

    word, *words = shlex.split(line)
    assert word == "ganzoo"
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    return done.output


def drawn(registry: ModelRegistry, name: str, count: int, seed: int, label: str, by: float) -> Any:
    model = registry.model(name)
    noise = generate.noise_of(model, count, seed, by)
    return generate._drawn(model, count, label, noise, by)[0].numpy()


@pytest.mark.parametrize("label, by", [("", 1.0), ("8", 0.7)])
def test_samples(
    registry: ModelRegistry, tmp_path: Path, monkeypatch: Any, label: str, by: float
) -> None:
    settings = ("cdcgan-fashion-mnist", 5, 12, label, by, 1, 2, 0.5)
    python, shell = generate.samples_again(registry, *settings)
    found = run(python, tmp_path, monkeypatch)["found"].images
    expected = drawn(registry, "cdcgan-fashion-mnist", 12, 5, label, by)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    command(shell)
    pictures.save_sheet(expected, tmp_path / "expected.png")
    with Image.open("samples.png") as one, Image.open("expected.png") as other:
        np.testing.assert_array_equal(np.asarray(one), np.asarray(other))


def test_the_way_between_two_seeds(registry, tmp_path, monkeypatch) -> None:
    for name in ("cgan-mnist", "dcgan-mnist"):  # of uniform noise, and of normal noise
        python, shell = generate.way_again(registry, name, 0, 60, "", 0.8, 3, 4, 0.5)
        found = run(python, tmp_path, monkeypatch)["images"]
        path = generate.interpolate(registry, name, 3, 4, 0.5, "", 0.8)
        from ganzoo.demo import outputs

        with Image.open(path) as shown:
            np.testing.assert_array_equal(
                np.asarray(shown), np.asarray(outputs.sheet(found, columns=6))
            )
    command(shell + " --frames 3")
    assert (tmp_path / "walk.gif").exists()


def test_pictures(registry, tmp_path, monkeypatch) -> None:
    values = ganzoo.load_data("digits").batch("image", torch.arange(2)).add(1).mul(127.5)
    for name, value in zip(("a.png", "b.png"), values, strict=True):
        Image.fromarray(value[0].round().byte().numpy()).save(tmp_path / name)
    (tmp_path / "picture.png").write_bytes((tmp_path / "a.png").read_bytes())
    python, shell = anomalies.again_of(registry, "ganomaly-mnist")
    scores = run(python, tmp_path, monkeypatch)["scores"]
    _, numbers, *_ = anomalies.score(registry, "ganomaly-mnist", str(tmp_path / "picture.png"))
    assert numbers["score"] == pytest.approx(float(scores.values[0]), rel=1e-5)
    assert "picture.png" in command(shell)
    python, shell = encode.again_of(registry, "ali-mnist", 0.5)
    assert run(python, tmp_path, monkeypatch)["again"].shape == (1, 1, 28, 28)
    command(shell)
    python, shell = encode.mix_again(registry, "ali-mnist", 0.25)
    mixed = run(python, tmp_path, monkeypatch)["images"]
    model = registry.model("ali-mnist")
    draw = encode.image_of(model.spec)
    seen = [inputs.seen(model, draw, tmp_path / name) for name in ("a.png", "b.png")]
    codes = [model.encode(one, task=model.latent) for one in seen]
    from ganzoo.models.latents import between

    np.testing.assert_allclose(mixed, model.decode(between(*codes, 0.25), output="pt"), atol=1e-5)
    python, _ = inspect.again_of(registry, "ali-mnist")
    run(python, tmp_path, monkeypatch)


def test_a_model_of_a_folder_gives_no_path_away(tmp_path: Path) -> None:
    from ganzoo.models import store
    from tests.builders import model_of

    model = model_of("gan")
    store.save(model, tmp_path / "secret place" / "mine")
    registry = ModelRegistry([str(tmp_path / "secret place" / "mine")], bundled=False)
    (name,) = registry.names(generate.fits)
    for text in generate.samples_again(registry, name, 0, 4, "", 1.0, 1, 2, 0.5):
        assert f"./{name}" in text and str(tmp_path) not in text and "secret" not in text


def test_a_training(monkeypatch) -> None:
    from ganzoo.demo.live_training import LiveTraining
    from ganzoo.demo.pages import train

    live = LiveTraining(["digits"])
    python, shell = train.again_of(live, "digits", "gan", 10, "width=8, batch=8", 3)
    space: dict[str, Any] = {}
    exec(python.replace("steps=10", "steps=1"), space)
    assert space["model"].generate(1)
    assert shell == (
        "ganzoo train gan --data digits --steps 10 --seed 3 --set width=8 --set batch=8"
    )
