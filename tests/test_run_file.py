"""Run files, `ganzoo init`, and how people type rates and lengths."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest

from ganzoo import hub, runs
from ganzoo.data import load
from ganzoo.errors import SpecError
from ganzoo.plugins.host import default
from ganzoo.runs.run_file import RunFile, is_run, template
from ganzoo.spec import files
from tests.builders import run


def written(folder: Path, text: str, name: str = "run.yaml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_a_run_file_trains_as_its_options_would(monkeypatch, tiny, photos, tmp_path) -> None:
    file = written(
        tmp_path,
        "spec: tiny.yaml\ndata: folder:photos,size=16\nsteps: 4\nbatch: 4\nseed: 3\n"
        "precision: fp32\nout: made/run\n",
    )
    monkeypatch.chdir(tmp_path.parent)
    assert run(monkeypatch, "train", file) == 0
    settings = runs.Settings.read(tmp_path / "made" / "run")
    assert (settings.steps, settings.batch, settings.seed) == (4, 4, 3)
    words = ["--data", f"folder:{photos},size=16", "--steps", 4, "--batch", 4, "--seed", 3]
    other = tmp_path / "other"
    assert run(monkeypatch, "train", tiny, *words, "--precision", "fp32", "--out", other) == 0
    made = tmp_path / "made" / "run"
    one, two = ((f / "model" / "model.safetensors").read_bytes() for f in (made, other))
    assert one == two


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_options_come_before_the_file(monkeypatch, tiny, photos, tmp_path) -> None:
    file = written(
        tmp_path,
        f"variant: dcgan\ndata: folder:{photos},size=16\nset: {{width: 4, latent: 8}}\n"
        "steps: 9\nbatch: 4\nseed: 7\nlr: 1e-3\nout: run\ntrack: tensorboard\n",
    )
    assert run(
        monkeypatch, "train", file, "--steps", 2, "--set", "width=8", "--lr", "2e-3",
        "--seed", 0, "--out", tmp_path / "mine",
    ) == 0  # fmt: skip
    settings = runs.Settings.read(tmp_path / "mine")
    made = settings.made_by["settings"]
    assert (settings.steps, made["width"], made["latent"], made["lr"]) == (2, 8, 8, 2e-3)
    assert settings.trackers == ("tensorboard",) and settings.seed == 0
    assert settings.command.startswith("ganzoo train ") and "--lr 2e-3" in settings.command


def test_mistakes_in_a_run_file_have_their_place(tmp_path: Path, monkeypatch, capsys) -> None:
    for text, words in (
        ("variant: dcgan\nstep: 5\n", "unknown key 'step'.*did you mean 'steps'"),
        ("variant: dcgan\nspec: x.yaml\n", "one of them"),
        ("variant: dcgan\nbatch: many\n", "batch"),
        ("variant: dcgan\nsteps: 0\n", "steps"),
    ):
        with pytest.raises(SpecError, match=words) as caught:
            RunFile.read(written(tmp_path, text))
        assert "run.yaml" in str(caught.value)
    with pytest.raises(SpecError, match="give either --steps or --epochs"):
        from ganzoo.cli.planning import planned

        planned(RunFile(variant="dcgan", steps=3, epochs=2.0))
    assert run(monkeypatch, "train", tmp_path / "none.yaml") == 2
    assert "none.yaml" in capsys.readouterr().err


def test_a_spec_is_no_run(tiny: Path) -> None:
    assert not is_run(files.plain(tiny))
    assert is_run({"variant": "dcgan"}) and not is_run([]) and not is_run({"steps": 3})


def test_paths_are_beside_the_file(tmp_path: Path) -> None:
    text = "spec: s.yaml\ndata: folder:photos,size=16\nout: runs/x\nfrom: dcgan-mnist\n"
    file = written(tmp_path, text)
    found = RunFile.read(file)
    assert found.spec == str(tmp_path / "s.yaml") and found.out == str(tmp_path / "runs/x")
    assert found.data == f"folder:{tmp_path}/photos,size=16" and found.start == "dcgan-mnist"
    assert RunFile.read(written(tmp_path, "variant: gan\ndata: folder:/p\n")).data == "folder:/p"


@pytest.mark.parametrize("name", ["dcgan", "wgan", "gan"])
def test_init_writes_what_train_would_do_without_it(name, monkeypatch, tmp_path, capsys) -> None:
    """Every line that is on says the default, and every line that is off is one that is right."""
    file = tmp_path / "my.yaml"
    assert run(monkeypatch, "init", file, "--variant", name, "--data", "digits") == 0
    assert f"ganzoo train {file}" in capsys.readouterr().out
    found = RunFile.read(file)
    made = default().variant(name).parse({})
    spec = made.spec(load("digits").fields)
    assert (found.variant, found.data, found.steps, found.batch) == (
        name, "digits", spec.steps, spec.batch,
    )  # fmt: skip
    assert found.settings == {}
    lines = [line for line in file.read_text().splitlines() if line.startswith("  # ")]
    on = "\n".join(line.replace("  # ", "  ") for line in lines)
    full = RunFile.read(written(tmp_path, f"variant: {name}\nsettings:\n{on}\n", "full.yaml"))
    assert default().variant(name).parse(dict(full.settings)) == made
    off = [line[2:] for line in file.read_text().splitlines() if re.match(r"# [a-z_]+: ", line)]
    everything = RunFile.read(written(tmp_path, "\n".join(["variant: gan", *off]), "off.yaml"))
    assert everything.figure == "fid" and everything.track == ("tensorboard",)
    assert run(monkeypatch, "init", file) == 2
    assert "already exists" in capsys.readouterr().err
    assert run(monkeypatch, "init", file, "--overwrite") == 0


def test_epochs_are_passes_over_the_data(monkeypatch, photos, tmp_path, capsys) -> None:
    words = ["--data", f"folder:{photos},size=16", "--batch", 4, "--set", "width=4"]
    for name, batches in (("dcgan", 1), ("wgan", 5)):
        out = tmp_path / name
        assert run(monkeypatch, "train", name, *words, "--epochs", 3, "--out", out) == 0
        assert runs.Settings.read(out).steps == math.ceil(3 * 12 / (4 * batches))
        assert "3 epochs of 12 pictures" in capsys.readouterr().err.replace("\n", " ")


def test_a_learning_rate_that_is_not_one_says_how(monkeypatch, tiny, capsys) -> None:
    assert run(monkeypatch, "train", "wgan", "--data", "digits", "--lr", "1e-4") == 2
    assert "--set lr=1e-4 --set lr_generator=1e-4" in capsys.readouterr().err.replace("\n", "")
    assert run(monkeypatch, "train", tiny, "--lr", "1e-4") == 2
    assert "set the rates in" in capsys.readouterr().err


def test_a_figure_from_the_command_line(monkeypatch, tmp_path, capsys) -> None:
    """Which model is published is said."""
    from ganzoo.runs import selection

    monkeypatch.setattr(selection, "COUNT", 40)
    out = tmp_path / "run"
    words = ["--data", "digits", "--steps", 6, "--batch", 8, "--set", "width=4", "--out", out]
    assert run(monkeypatch, "train", "dcgan", *words, "--figure", "fid", "--eval-every", 2) == 0
    said = capsys.readouterr()
    chosen = hub.from_pretrained(out).config.training.selection
    assert chosen is not None and chosen.measured == 3
    assert f"round {chosen.step} of 6" in said.out.replace("\n", " ")
    assert "round 2: fid" in said.err


def test_from_the_command_line(monkeypatch, tmp_path, capsys) -> None:
    out = tmp_path / "run"
    words = ["--data", "digits", "--set", "width=32", "--steps", 2, "--batch", 8, "--out", out]
    assert run(monkeypatch, "train", "dcgan", *words, "--from", "dcgan-mnist") == 0
    said = capsys.readouterr().err.replace("\n", " ")
    assert "G from dcgan-mnist: " in said and "D from dcgan-mnist: begins anew" in said
    assert hub.from_pretrained(out).config.training.start is not None


def test_the_template_is_short() -> None:
    text = template("gan", "digits", {"width": 3}, 10, 4)
    assert max(map(len, text.splitlines())) < 100
