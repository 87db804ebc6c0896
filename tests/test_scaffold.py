"""A stranger's plugin: written, built, installed, used, removed, as its author and users would."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from ganzoo.errors import PluginError
from ganzoo.models import store
from ganzoo.plugins.scaffold import FILES, check_name, create, title
from tests.fresh import ROOT, Fresh


def test_from_a_wheel_to_a_model_that_needs_no_plugin(tmp_path: Path) -> None:
    fresh = Fresh(tmp_path)
    assert ROOT not in fresh.work.parents
    fresh.run("ganzoo", "new", "far-gan", "--folder", "elsewhere/project")
    fresh.run("pip", "wheel", "--quiet", "-w", "dist", "./elsewhere/project")
    [wheel] = (fresh.work / "dist").iterdir()
    shutil.rmtree(fresh.work / "elsewhere")
    assert "far-gan" not in fresh.run("ganzoo", "variants")

    fresh.run("pip", "install", wheel)
    assert "FarGAN" not in fresh.run("ganzoo", "show", "gan")
    assert "far-gan" in fresh.run("ganzoo", "variants")
    assert "variants: far-gan" in fresh.run("ganzoo", "plugins")
    small = ["--set", "width=4", "--set", "latent=3", "--batch", "4"]
    fresh.run(
        "ganzoo", "train", "far-gan", "--data", "digits", "--steps", "3", *small, "--out", "run"
    )
    config = json.loads((fresh.work / "run" / "model" / "config.json").read_text())
    assert config["made_by"]["variant"] == "far-gan" and config["made_by"]["plugin"] == "far-gan"
    assert config["made_by"]["plugin_version"] == "0.1.0"
    before = samples(fresh)

    fresh.run("pip", "uninstall", "-y", "far-gan")
    assert "far-gan" not in fresh.run("ganzoo", "plugins")
    assert "no variant 'far-gan'" in fresh.run("ganzoo", "show", "far-gan", code=2)
    assert samples(fresh) == before
    model = store.load(fresh.work / "run" / "model")  # here, where the plugin never was
    assert model.generate(2)[0].size == (28, 28)


def samples(fresh: Fresh) -> bytes:
    fresh.run("ganzoo", "sample", "run", "-n", "4", "-o", "sheet.png")
    return (fresh.work / "sheet.png").read_bytes()


# --------------------------------------------------------------------------- what `new` writes


def test_what_is_written_is_whole(tmp_path: Path) -> None:
    folder = create("tea-gan", tmp_path / "a" / "place")
    written = {path.name: path.read_text() for path in folder.iterdir()}
    assert set(written) == {"README.md", "pyproject.toml", "test_tea_gan.py", "tea_gan.py"}
    assert len(written) == len(FILES)
    assert not [name for name, text in written.items() if "$" in text]
    assert "class TeaGAN(Variant)" in written["tea_gan.py"]
    assert 'conforms("tea-gan", check, width=8)' in written["test_tea_gan.py"]


def test_nothing_is_written_over(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "README.md").write_text("mine")
    with pytest.raises(PluginError, match="exists already, and is not overwritten"):
        create("my-gan", folder)
    assert [path.name for path in folder.iterdir()] == ["README.md"]
    assert (folder / "README.md").read_text() == "mine"
    with pytest.raises(PluginError, match="cannot be written"):
        create("my-gan", folder / "README.md" / "below")


@pytest.mark.parametrize(
    "name, message",
    [
        ("My_GAN", "'my-gan' would do"),
        ("gan--x", "'gan-x' would do"),
        ("../escape", "'escape' would do"),
        ("1gan", "beginning with a letter, at most 40"),
        ("", "cannot be named ''"),
        ("-x", "'x' would do"),
        ("g" * 41, "at most 40"),
        ("gän", "small letters"),
        ("gan\n", "small letters"),
        ("import", "Python's own; 'import-gan' would do"),
        ("json", "Python's own; 'json-gan' would do"),
        ("dcgan", "there is a variant 'dcgan' already, of ganzoo-dcgan"),
        ("torch", "a Python package 'torch' already"),
        ("ganzoo-gan", "a Python package 'ganzoo_gan' already"),
    ],
)
def test_names_that_will_not_do(name: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(PluginError) as caught:
        create(name, tmp_path / "new")
    assert message in str(caught.value) and not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    "name, shown",
    [("my-gan", "MyGAN"), ("lsgan", "LSGAN"), ("tea-cyclegan", "TeaCycleGAN"), ("flow", "Flow"),
     ("gan-2", "GAN2"), ("a-b-c", "ABC")],
)  # fmt: skip
def test_titles(name: str, shown: str) -> None:
    assert title(name) == shown and shown.isidentifier()
    check_name(name)
