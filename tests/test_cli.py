"""The command line, as a person types it: real processes where start-up matters, else in here."""

import json
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image as Picture

from ganzoo import hub, runs
from ganzoo.engine import checkpoint
from ganzoo.metrics import report
from ganzoo.models import store
from ganzoo.spec import files
from tests.builders import TINY, model_of, run


@pytest.mark.parametrize("command", ["variants", "models", "data", "plugins", "losses"])
def test_listings_import_no_torch(command: str) -> None:
    code = (
        f"import sys; sys.argv = ['ganzoo', {command!r}]\n"
        "from ganzoo.cli import main\n"
        "main()\n"
        "assert 'torch' not in sys.modules and 'matplotlib' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert {
        "variants": "dcgan", "models": "size", "data": "mnist", "plugins": "ganzoo-gan",
        "losses": "D minimizes  real: hinge(D(x), 1)",
    }[command] in done.stdout  # fmt: skip


def test_version(monkeypatch, capsys) -> None:
    assert run(monkeypatch, "--version") == 0
    assert re.fullmatch(r"ganzoo \d+\.\d+\.\d+\n", capsys.readouterr().out)


def test_show_says_the_mathematics(monkeypatch, capsys) -> None:
    assert run(monkeypatch, "show", "dcgan") == 0
    assert "real: bce(D(x), 1)" in capsys.readouterr().out
    assert run(monkeypatch, "show", "dcgan", "--latex") == 0
    assert r"\min_{D}" in capsys.readouterr().out
    assert run(monkeypatch, "show", "dcgan", "--json", "--set", "width=16") == 0
    spec = json.loads(capsys.readouterr().out)
    assert spec["networks"]["D"]["layers"][0]["channels"] == 16
    assert run(monkeypatch, "show", "--schema") == 0
    assert json.loads(capsys.readouterr().out)["title"] == "Spec"


def test_whatever_has_a_spec_is_shown_checked_and_explained(
    monkeypatch, capsys, tiny: Path, tmp_path: Path
) -> None:
    """A model, a run and a config.json as well as a variant; all are found in one way."""
    folder = store.save(model_of("ganomaly"), tmp_path / "model")
    run_folder = tmp_path / "begun"
    runs.start(run_folder, runs.Settings("tiny", files.read(tiny), "digits", steps=4, batch=4))
    monkeypatch.chdir(tmp_path)
    for target, title in (
        ("gan-mnist", "GAN"),
        (folder, "GANomaly"),
        (folder / "config.json", "GANomaly"),
        ("model/config.json", "GANomaly"),
        (run_folder, "tiny"),
    ):
        for words in (["show"], ["check"], ["explain"]):
            assert run(monkeypatch, *words, target) == 0, (words, target)
            said = capsys.readouterr().out
            assert words != ["show"] or said.startswith(title), said
        assert run(monkeypatch, "diff", target, target) == 0
        assert "do not differ" in capsys.readouterr().out
        assert run(monkeypatch, "show", target, "--set", "width=4") == 2
        assert "--set is for variants" in capsys.readouterr().err
    assert run(monkeypatch, "show", "gan-mnist", "--loss", "hinge") == 0
    assert "real: hinge(D(x), 1)" in capsys.readouterr().out
    # a Spec may be in a file of that name, too, and a folder beside a variant is no model
    Path("config.json").write_text(files.read(tiny).to_json())
    Path("dcgan").mkdir()
    assert run(monkeypatch, "show", "config.json") == run(monkeypatch, "show", "dcgan") == 0
    said = capsys.readouterr().out
    assert said.startswith("tiny") and "\nDCGAN" in said


def test_a_name_that_nothing_with_a_spec_has(monkeypatch, capsys, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    Path("empty").mkdir()
    Path("runs").mkdir()
    for name, said in (
        (
            "gan-mnits",
            "no variant 'gan-mnits', and no model of that name; did you mean 'gan-mnist'?",
        ),
        ("dcgn", "did you mean 'dcgan'? variants: "),
        ("empty", "no model in empty: there is no config.json"),
        ("runs/nosuch", "no folder 'runs/nosuch'; models and runs in runs: none"),
    ):
        for words in (["show", name], ["check", name], ["explain", name], ["diff", "gan", name]):
            assert run(monkeypatch, *words) == 2
            assert said in " ".join(capsys.readouterr().err.split()), words


def test_what_the_networks_of_a_model_take_is_shown(monkeypatch, capsys, tmp_path: Path) -> None:
    """For `{model: NAME, network: F}` one needs the shapes of its inputs, and its taps."""
    folder = store.save(model_of("ganomaly"), tmp_path / "model")
    assert run(monkeypatch, "show", folder) == 0
    said = capsys.readouterr().out
    code = model_of("ganomaly").networks["GD"].shapes[0][0]
    assert "GE: (x 1x8x8) > " in said and f"GD: (code {code}) > " in said
    assert re.search(r"^taps +D: features$", said, re.MULTILINE)
    broken = tmp_path / "broken.yaml"
    broken.write_text(TINY.replace("units: 256", "units: 255").replace("D(fake)", "D(tanh(fake))"))
    assert run(monkeypatch, "show", broken) == 0  # `check` is for its mistakes
    assert "G: (z " in capsys.readouterr().out


def test_a_data_set_is_shown_with_its_classes(monkeypatch, capsys, photos: Path) -> None:
    assert run(monkeypatch, "data", "fashion-mnist") == 0
    said = capsys.readouterr().out
    assert "image: image 1x28x28\n" in said
    assert "label: label, 10 classes: T-shirt/top, trouser, pullover, " in said
    assert "licence   MIT, Zalando SE\n" in said and "splits    train, test\n" in said
    assert run(monkeypatch, "data", "mnist-outlines") == 0
    assert "b: image 1x28x28, unpaired\n" in capsys.readouterr().out
    assert run(monkeypatch, "data", "stacked-mnist") == 0
    said = capsys.readouterr().out
    assert "1,000 classes: 000, 001, " in said and ", 119, ...\n" in said
    assert run(monkeypatch, "data", "mnist,without=2") == 0
    assert "60,000 for training, before classes are left out" in capsys.readouterr().out
    assert run(monkeypatch, "data", f"folder:{photos},size=16") == 0
    assert "image: image 3x16x16" in capsys.readouterr().out
    assert run(monkeypatch, "data", "minst") == 2
    assert "did you mean 'mnist'?" in capsys.readouterr().err


def test_another_loss_is_shown_checked_explained_and_said(monkeypatch, capsys, tiny: Path) -> None:
    assert run(monkeypatch, "show", "dcgan", "--loss", "hinge") == 0
    said = capsys.readouterr()
    assert "real: hinge(D(x), 1)" in said.out and "DCGAN with hinge loss" in said.out
    assert "with loss hinge:\n  D minimizes real: hinge(D(x), 1)" in said.err
    assert run(monkeypatch, "show", "dcgan", "--json", "--loss", "wgan-gp,penalty=3") == 0
    said = capsys.readouterr()
    [critic, _] = json.loads(said.out)["stages"][0]["round"]
    assert critic["minimize"]["penalty"] == "3 * gradient_penalty(D, x, fake)"
    assert "D has layer norm in place of batch norm" in said.err
    assert run(monkeypatch, "check", tiny, "--loss", "rpgan") == 0
    assert "is valid" in capsys.readouterr().out
    assert run(monkeypatch, "explain", tiny, "--loss", "rpgan") == 0
    # of pairs: four passes that share fakes, and one in each penalty
    assert re.search(r"^D\s+6\s+6\s+2\s+1\s+1\s+2\s*$", capsys.readouterr().out, re.MULTILINE)
    assert run(monkeypatch, "explain", tiny, "--loss", "wgan", "--code") == 0
    assert "for k in range(0, 4):" in capsys.readouterr().out


def test_a_run_remembers_its_loss(monkeypatch, capsys, photos, tmp_path) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["--steps", 2, "--batch", 4, "--set", "width=4", "--loss", "rpgan,gamma=2"]
    assert run(monkeypatch, "train", "dcgan", "--data", f"folder:{photos},size=16", *words) == 0
    folder = Path("runs/dcgan-rpgan-photos")
    config = json.loads((folder / "model" / "config.json").read_text())
    assert config["made_by"]["variant"] == "dcgan"
    loss = config["made_by"]["loss"]
    assert (loss["name"], loss["plugin"]) == ("rpgan", "ganzoo")
    assert loss["settings"] == {"gamma": 2.0, "repeat": 1}
    assert any("layer norm in place of batch norm" in change for change in loss["changes"])
    [discriminator, _] = config["spec"]["stages"][0]["round"]
    assert discriminator["minimize"]["r1"] == "1 * r1(D, x)"
    assert run(monkeypatch, "sample", folder, "-o", "samples.png") == 0


def test_explain_counts_and_shows_code(monkeypatch, capsys, tiny: Path) -> None:
    assert run(monkeypatch, "explain", tiny) == 0
    text = capsys.readouterr().out
    # G runs once where a plain loop runs it twice
    assert re.search(r"^G\s+1\s+2\s+1\s", text, re.MULTILINE), text
    assert run(monkeypatch, "explain", tiny, "--code") == 0
    assert "D(fake.detach())" in capsys.readouterr().out


def test_check_finds_what_is_wrong(monkeypatch, capsys, tiny: Path) -> None:
    assert run(monkeypatch, "check", tiny) == 0
    assert "is valid" in capsys.readouterr().out
    tiny.write_text(TINY.replace("units: 256", "units: 255"))
    assert run(monkeypatch, "check", tiny) == 2
    assert "networks.G.layers.1: reshape 1x16x16 cannot take 255" in capsys.readouterr().err


def test_a_file_trains_on_a_folder_and_draws(monkeypatch, capsys, tiny, photos, tmp_path) -> None:
    out = tmp_path / "run"
    assert run(monkeypatch, "train", tiny, "--data", f"folder:{photos}", "--out", out) == 0
    for name in ("model/config.json", "samples.png", "losses.png", "animation.gif", "log.jsonl"):
        assert (out / name).is_file(), name
    metrics = json.loads((out / "metrics.json").read_text())
    assert metrics["step"] == 40 and metrics["losses"]
    with Picture.open(out / "animation.gif") as film:
        assert film.n_frames >= 2  # of forty tiny rounds pictures may cost no more
    sheet = tmp_path / "sheet.png"
    assert run(monkeypatch, "sample", out, "-n", 9, "-o", sheet) == 0
    with Picture.open(sheet) as picture:
        assert picture.size[0] > 100 and len(picture.convert("L").getcolors() or []) != 1
    assert run(monkeypatch, "train", tiny, "--data", f"folder:{photos}", "--out", out) == 2
    assert f"ganzoo train --resume {out}" in capsys.readouterr().err.replace("\n", "")


def test_a_stopped_run_goes_on_and_its_log_is_whole(monkeypatch, tiny, photos, tmp_path) -> None:
    """Two halves leave the weights, the log and the pictures of one whole run."""
    from ganzoo.data import load
    from ganzoo.spec import files

    data = f"folder:{photos},size=16,channels=1"
    settings = runs.Settings("tiny", files.read(tiny), data, steps=40, batch=8)
    whole, halves = tmp_path / "whole", tmp_path / "halves"
    for _ in runs.carry_out(runs.start(whole, settings), load(data)):
        pass
    steps = runs.carry_out(runs.start(halves, settings), load(data))
    for step in steps:
        if step.number == 17:
            break
    steps.close()
    assert not (halves / "model").exists()
    # a line of the future, and one that a kill cut short
    with (halves / "log.jsonl").open("a") as log:
        log.write('{"step": 30, "seconds": 1, "losses": {}}\n{"step": 31, "sec')
    assert run(monkeypatch, "train", "--resume", halves) == 0
    one, two = (folder / "model" / "model.safetensors" for folder in (whole, halves))
    assert one.read_bytes() == two.read_bytes()
    read, *lines = [json.loads(line) for line in (halves / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == list(range(1, 41))
    first, *again = [json.loads(line) for line in (whole / "log.jsonl").read_text().splitlines()]
    assert read == first and set(read) == {"data"}
    assert [line["losses"] for line in lines] == [line["losses"] for line in again]


def test_a_run_with_too_little_time_is_saved_and_goes_on(
    monkeypatch, capsys, tiny, photos, tmp_path
) -> None:
    """Two calls that are each too short, one that is not: the weights of one whole run."""
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    data = ["--data", f"folder:{photos}"]
    assert run(monkeypatch, "train", tiny, *data, "--out", whole, "--minutes", 10) == 0
    assert (whole / "model").is_dir()
    assert run(monkeypatch, "train", tiny, *data, "--out", parts, "--minutes", 0) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "1 of 40 rounds are done and saved" in said
    assert f"Continue with: ganzoo train --resume {parts}" in said
    assert run(monkeypatch, "train", "--resume", parts, "--minutes", 0) == 0
    assert "2 of 40 rounds" in " ".join(capsys.readouterr().out.split())
    assert not (parts / "model").exists()
    assert run(monkeypatch, "train", "--resume", parts, "--graph") == 0
    one, two = (folder / "model" / "model.safetensors" for folder in (whole, parts))
    assert one.read_bytes() == two.read_bytes()


def test_a_run_made_longer_is_the_run_that_was_long(monkeypatch, tiny, photos, tmp_path) -> None:
    """Bit for bit, its log too; a schedule that depends on the length is refused."""
    data = f"folder:{photos},size=16,channels=1"
    long, short = tmp_path / "long", tmp_path / "short"
    assert run(monkeypatch, "train", tiny, "--data", data, "--steps", 8, "--out", long) == 0
    assert run(monkeypatch, "train", tiny, "--data", data, "--steps", 5, "--out", short) == 0
    assert run(monkeypatch, "train", "--resume", short, "--steps", 4) == 2
    assert (short / "model").is_dir(), "what is refused changes nothing"
    assert run(monkeypatch, "train", "--resume", short, "--steps", 8) == 0
    one, other = (store.load(folder / "model") for folder in (long, short))
    nets = [model.networks["G"].parameters() for model in (one, other)]
    for mine, theirs in zip(*nets, strict=True):
        assert torch.equal(mine, theirs)
    assert one.config.training.steps == other.config.training.steps == 8
    assert [r["losses"] for r in runs.log(long)] == [r["losses"] for r in runs.log(short)]
    tiny.write_text(
        TINY.replace(
            'fake: "bce(D(fake), 0)"}}',
            'fake: "bce(D(fake), 0)"}, optimizer: {kind: adam, decay: {}}}',
        )
    )
    falling = tmp_path / "falling"
    assert run(monkeypatch, "train", tiny, "--data", data, "--steps", 5, "--out", falling) == 0
    assert run(monkeypatch, "train", "--resume", falling, "--steps", 8) == 2
    assert runs.Settings.read(falling).steps == 5


def test_scores_of_a_folder(monkeypatch, capsys, photos, tmp_path) -> None:
    model = model_of("ganomaly")
    values = model.score(sorted(photos.iterdir())).values
    threshold = float(np.sort(values)[-2])
    thresholds = {"score": {"value": threshold, "quantile": 0.9, "images": 12}}
    folder = store.save(model, tmp_path / "model", name="parts", thresholds=thresholds)
    table, maps = tmp_path / "scores.csv", tmp_path / "maps"
    assert run(monkeypatch, "score", folder, photos, "--csv", table, "--maps", maps) == 0
    said = capsys.readouterr().out
    assert "1 of 12 above the threshold" in said and said.count("strange") >= 1
    assert len(table.read_text().splitlines()) == 13 and len(list(maps.iterdir())) == 12
    (photos / "broken.png").write_bytes(b"no picture")
    assert run(monkeypatch, "score", folder, photos, "--csv", table) == 1
    assert "broken.png" in capsys.readouterr().err
    assert len(table.read_text().splitlines()) == 14


def test_a_model_of_ones_own_parts(monkeypatch, capsys, photos, tmp_path) -> None:
    """Train on a folder of normal parts: the threshold comes with it."""
    for index in range(12, 24):
        Picture.new("RGB", (40, 30), (100, 5 * index, 50)).save(photos / f"{index}.png")
    out = tmp_path / "parts"
    words = ["--set", "width=4", "--set", "latent=4", "--batch", 8, "--steps", 3, "--out", out]
    data = f"folder:{photos},size=16"
    assert run(monkeypatch, "train", "ganomaly", "--data", data, *words) == 0
    config = json.loads((out / "model" / "config.json").read_text())
    assert config["thresholds"]["score"]["images"] == 1 and config["data"]["size"] == 23
    capsys.readouterr()
    assert run(monkeypatch, "score", out, photos) == 0
    assert "of 24 above the threshold" in capsys.readouterr().out


def test_pictures_stand_above_their_reconstructions(monkeypatch, capsys, photos, tmp_path) -> None:
    model = model_of("bigan")
    folder = store.save(model, tmp_path / "model", name="tiny[red]")
    files, sheet = sorted(photos.iterdir())[:3], tmp_path / "pair.png"
    assert run(monkeypatch, "reconstruct", folder, *files, "-o", sheet) == 0
    said = capsys.readouterr().out
    assert "3 pictures" in said and "tiny[red]" in said and str(sheet) in said.replace("\n", "")
    wanted = model.reconstruct(files, output="np")[..., 0]
    with Picture.open(sheet) as picture:
        pixels = np.asarray(picture).astype(int)
    side = 8 * 16  # 8x8 as large as it gets
    for index, file in enumerate(files):
        left = 16 + index * (side + 16)
        with Picture.open(file) as image:
            grey = image.convert("L").getpixel((0, 0))
        above = pixels[16 : 16 + side : 16, left : left + side : 16]
        below = pixels[32 + side : 32 + 2 * side : 16, left : left + side : 16]
        assert abs(above - grey).max() <= 1
        assert abs(below - 255 * wanted[index]).max() <= 1 and below.std() > 5


def test_pictures_stand_above_their_translations(monkeypatch, capsys, photos, tmp_path) -> None:
    model = model_of("discogan")
    folder = store.save(model, tmp_path / "model", name="tiny[red]")
    file, sheet = photos / "3.png", tmp_path / "there.png"
    assert run(monkeypatch, "translate", folder, file, "--to", "b", "-o", sheet) == 0
    said = capsys.readouterr().out
    assert "1 picture" in said and "makes of it in b" in said and "tiny[red]" in said
    wanted = 255 * model.translate(file, to="b", output="np")[0, ..., 0]
    with Picture.open(sheet) as picture:
        below = np.asarray(picture).astype(int)[160:288:16, 16:144:16]
    assert abs(below - wanted).max() <= 1
    assert run(monkeypatch, "translate", folder, file, "--to", "c", "-o", sheet) == 2
    assert "no domain 'c'" in capsys.readouterr().err
    assert run(monkeypatch, "translate", folder, file, "-o", sheet) == 2
    assert "Missing option '--to'" in capsys.readouterr().err
    assert run(monkeypatch, "translate", folder, file, "--to", "b", "-o", file) == 2
    assert "one of the pictures" in capsys.readouterr().err


def test_a_sheet_replaces_no_picture_that_it_shows(monkeypatch, capsys, photos, tmp_path) -> None:
    folder = store.save(model_of("bigan"), tmp_path / "model")
    photo = photos / "0.png"
    before = photo.read_bytes()
    assert run(monkeypatch, "reconstruct", folder, photo, "-o", photos / ".." / "photos/0.png") == 2
    assert "one of the pictures" in capsys.readouterr().err
    assert photo.read_bytes() == before
    photo.write_bytes(before[:60])
    assert run(monkeypatch, "reconstruct", folder, photo, "-o", tmp_path / "pair.png") == 2
    said = capsys.readouterr().err.replace("\n", "")
    assert f"{str(photo)!r} cannot be read" in said and "Traceback" not in said
    assert not (tmp_path / "pair.png").exists()


def test_a_folder_is_measured_and_its_figures_kept(monkeypatch, capsys, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    shutil.copytree(hub.installed()["dcgan-mnist"], folder)
    (folder / "metrics.json").unlink()
    words = ["eval", folder, "--data", "digits", "-n", 100]
    assert run(monkeypatch, *words) == 0
    shown = capsys.readouterr().out
    assert "fid" in shown and "training images" in shown and "100 generated" in shown
    kept = json.loads((folder / "metrics.json").read_text())
    assert run(monkeypatch, *words, "--json") == 0
    assert json.loads(capsys.readouterr().out) == kept
    assert kept["data"] == "digits" and kept["figures"]["fid"]["generated"] == 100


def test_a_bundled_model_is_compared_and_not_written_over(monkeypatch, capsys) -> None:
    path = hub.installed()["dcgan-mnist"] / "metrics.json"
    before = path.read_bytes()
    assert run(monkeypatch, "eval", "dcgan-mnist", "--data", "digits", "-n", 100) == 0
    assert "as published" not in capsys.readouterr().out, "by another protocol"
    said = report.parse(json.loads(before))
    off = replace(said, figures={"fid": replace(said.figures["fid"], value=99.0)})
    for found, words in ((said, "as published"), (off, "fid: published as 1")):
        monkeypatch.setattr("ganzoo.metrics.evaluate", lambda *_, found=found, **__: found)
        monkeypatch.setattr(type(said), "protocol", 1)
        assert run(monkeypatch, "eval", "dcgan-mnist") == 0
        captured = capsys.readouterr()
        assert words in captured.out + captured.err
    assert path.read_bytes() == before


@pytest.mark.parametrize("ending", ["html", "png"])
def test_models_stand_side_by_side(monkeypatch, capsys, tmp_path: Path, ending: str) -> None:
    folders = [
        store.save(model_of("gan", seed), tmp_path / f"model{seed}", name=f"tiny{seed}")
        for seed in (1, 2)
    ]
    report = {
        "format_version": 1, "model": "tiny1", "weights": "0" * 64, "data": "mnist",
        "split": "test", "seed": 0, "feature_extractor": None, "figures": {},
    }  # fmt: skip
    (folders[0] / "metrics.json").write_text(json.dumps(report))
    path = tmp_path / f"both.{ending}"
    assert run(monkeypatch, "compare", *folders, "-o", path) == 0
    captured = capsys.readouterr()
    assert "tiny1, tiny2" in captured.out and path.stat().st_size > 1000
    said = captured.err.replace("\n", "")
    assert "tiny1: stale" in said and f"ganzoo eval {folders[0]}" in said and "tiny2" not in said


def test_ctrl_c_saves_and_says_how_to_go_on(tiny: Path, photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    words = [
        "train",
        str(tiny),
        "--data",
        f"folder:{photos}",
        "--out",
        str(out),
        "--steps",
        "20000",
    ]
    code = f"import sys; sys.argv = {['ganzoo', *words]!r}; from ganzoo.cli import main; main()"
    process = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True)
    log = out / "log.jsonl"
    deadline = time.monotonic() + 60
    while not (log.is_file() and len(log.read_text().splitlines()) > 5):
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "ganzoo train --resume" in said and "Traceback" not in said
    state, facts = checkpoint.read(out / "checkpoint.safetensors")
    assert facts["step"] >= 5 and state


@pytest.mark.parametrize(
    "words, message",
    [
        (["train"], "train what?"),
        (["train", "dcgn"], "did you mean 'dcgan'?"),
        (["train", "gan", "--set", "widht=3"], "did you mean 'width'?"),
        (["train", "gan", "--set", "width"], "name=value"),
        (["train", "gan", "--set", "width=wide"], "gan.width"),
        (["train", "gan", "--data", "minst"], "did you mean 'mnist'?"),
        (["train", "gan", "--data", "folder:/does/not/exist"], "no folder"),
        (["train", "gan", "--loss", "hnige"], "no loss 'hnige'; did you mean 'hinge'?"),
        (["show", "gan", "--loss", "rpgan,gama=2"], "did you mean 'gamma'?"),
        (["show", "gan", "--loss", "missing.yaml"], "missing.yaml cannot be read"),
        (["train", "bigan", "--loss", "hinge"], "BiGAN trains 3 networks (G, E, D)"),
        (["train", "--resume", "x", "--loss", "hinge"], "--resume takes its settings from the run"),
        (["train", "gan", "--precision", "fp8"], "auto, fp32, tf32 or bf16"),
        (["train", "missing.yaml"], "cannot be read"),
        (["train", "--resume", "/does/not/exist"], "no run in"),
        (["train", "gan", "--resume", "x"], "--resume takes its settings from the run"),
        (["train", "gan", "--steps", "0"], "--steps"),
        (["sample", "dcgan-mnits"], "no model"),
        (["sample", "dcgan-mnist", "-o", "digits.txt"], ".png"),
        (["sample", "dcgan-mnist", "-o", "no/such/folder/x.png"], "no folder"),
        (["reconstruct", "dcgan-mnist", "README.md"], "dcgan-mnist cannot reconstruct; it can: 'g"),
        (["reconstruct", "dcgan-mnist", "x.png", "-o", "pair.txt"], ".png, .jpg or .webp"),
        (["reconstruct", "dcgan-mnist", "x.png", "-o", "no/such/folder/x.png"], "no folder"),
        (["reconstruct", "dcgan-mnist"], "Missing argument 'PICTURE'"),
        (["score", "dcgan-mnist", "x.png"], "dcgan-mnist cannot score; it can: 'generate'"),
        (["score", "dcgan-mnist", "x.png", "--csv", "scores.txt"], "--csv scores.txt: the table"),
        (["score", "dcgan-mnist", "x.png", "--maps", "README.md"], "this is a file"),
        (["compare", "dcgan-mnist"], "compare dcgan-mnist with what?"),
        (["compare", "dcgan-mnist", "gan-mnits"], "did you mean 'gan-mnist'?"),
        (["compare", "dcgan-mnist", "gan-mnist", "-o", "x.jpg"], ".html or .png"),
        (["compare", "dcgan-mnist", "gan-mnist", "-o", "no/such/folder/x.html"], "no folder"),
        (["show", "x.yaml", "--set", "a=1"], "--set is for variants"),
        (["show"], "show what?"),
        (["frobnicate"], "No such command"),
    ],
)
def test_mistakes_get_one_clear_line(monkeypatch, capsys, words, message) -> None:
    assert run(monkeypatch, *words) == 2
    captured = capsys.readouterr()
    assert message in captured.err.replace("\n", " ")
    assert "Traceback" not in captured.err


def test_settings_reach_the_model(monkeypatch, tmp_path: Path) -> None:
    out = tmp_path / "gan"
    words = ["--data", "digits", "--steps", 2, "--batch", 4, "--set", "width=8", "--seed", 5]
    assert run(monkeypatch, "train", "gan", *words, "--out", out) == 0
    config = json.loads((out / "model" / "config.json").read_text())
    assert config["made_by"]["settings"]["width"] == 8
    assert config["made_by"]["plugin"] == "ganzoo-gan" and config["made_by"]["plugin_version"]
    assert config["training"]["seed"] == 5 and config["data"]["name"] == "digits"
    assert config["spec"]["networks"]["G"]["layers"][0]["units"] == 8


# --------------------------------------------------------------------- pictures of people


def test_a_run_says_what_it_trains_on(monkeypatch, capsys, tiny, photos, tmp_path) -> None:
    (photos / "bad.png").write_text("no picture")
    (photos / "x.heic").write_text("")
    data = f"folder:{photos},fit=pad,test=0.2"
    words = ["--data", data, "--steps", 1, "--batch", 2]
    assert run(monkeypatch, "train", tiny, *words, "--out", tmp_path / "run") == 0
    said = capsys.readouterr().err
    assert "12 pictures in 'photos' as 16x16 grey (fit=pad, " in said
    assert "to test, divided by hash (test=0.2)" in said
    assert "skipped 1: bad.png (no picture)" in said and ".heic 1" in said
    config = json.loads((tmp_path / "run" / "model" / "config.json").read_text())
    assert config["preprocessing"] == {"fit": "pad", "filter": "lanczos", "background": "white"}
    assert config["data"]["size"] < 12
    assert run(monkeypatch, "train", tiny, *words, "--strict", "--out", tmp_path / "two") == 2
    assert "bad.png' cannot be read" in capsys.readouterr().err


def test_a_folder_without_its_prefix_is_pointed_out(monkeypatch, capsys, tiny, photos) -> None:
    assert run(monkeypatch, "train", tiny, "--data", photos) == 2
    assert f"are named folder:{photos}" in capsys.readouterr().err.replace("\n", "")


def test_a_folder_is_scored_with_its_prefix_or_without(
    monkeypatch, capsys, photos, tmp_path
) -> None:
    folder = store.save(model_of("ganomaly"), tmp_path / "model", name="parts")
    said = []
    for name in (photos, f"folder:{photos}"):
        table = tmp_path / "scores.csv"
        assert run(monkeypatch, "score", folder, name, "--csv", table) == 0
        said.append(table.read_text())
    assert said[0] == said[1] and "11.png" in said[0]
    assert run(monkeypatch, "score", folder, f"folder:{photos},size=16") == 2
    assert "the model has its own preprocessing" in capsys.readouterr().err


def test_one_bad_picture_stops_nothing_but_where_it_is_asked_to(
    monkeypatch, capsys, photos, tmp_path
) -> None:
    (photos / "bad.png").write_text("no picture")
    files = [photos / name for name in ("0.png", "bad.png", "1.png")]
    for row, words in (("bigan", ["reconstruct"]), ("discogan", ["translate", "--to", "b"])):
        folder, sheet = store.save(model_of(row), tmp_path / row), tmp_path / f"{row}.png"
        command, *more = words
        assert run(monkeypatch, command, folder, *files, *more, "-o", sheet) == 1
        said = capsys.readouterr()
        assert "2 pictures above" in said.out and "left out: the picture" in said.err
        assert sheet.is_file()
        assert run(monkeypatch, command, folder, *files, *more, "-o", sheet, "--strict") == 2
    folder = store.save(model_of("ganomaly"), tmp_path / "parts")
    assert run(monkeypatch, "score", folder, photos) == 1
    assert run(monkeypatch, "score", folder, photos, "--strict") == 2
    assert "bad.png' cannot be read" in capsys.readouterr().err


def test_classes_are_drawn_by_name(monkeypatch, capsys, tmp_path) -> None:
    sheets = [tmp_path / f"{n}.png" for n in range(3)]
    for sheet, words in zip(sheets, (["sneaker"], ["7"], ["bag", "Ankle boot"]), strict=True):
        labels = [part for word in words for part in ("--label", word)]
        assert (
            run(monkeypatch, "sample", "cdcgan-fashion-mnist", "-n", 2, *labels, "-o", sheet) == 0
        )
    assert sheets[0].read_bytes() == sheets[1].read_bytes() != sheets[2].read_bytes()
    wrong = ["--label", "sneakers", "-o", sheets[0]]
    assert run(monkeypatch, "sample", "cdcgan-fashion-mnist", *wrong) == 2
    assert "did you mean 'sneaker'?" in capsys.readouterr().err


@pytest.mark.parametrize("device", ["gpu", "cuda:99", "nonsense"])
def test_devices_that_are_not_there(monkeypatch, capsys, photos, tmp_path, device) -> None:
    folder = store.save(model_of("bigan"), tmp_path / "model")
    sheet = tmp_path / "x.png"
    for words in (["sample"], ["reconstruct", photos / "0.png"]):
        command, *files = words
        done = run(monkeypatch, command, folder, *files, "-o", sheet, "--device", device)
        assert done == 2 and "device" in capsys.readouterr().err
        assert run(monkeypatch, command, folder, *files, "-o", sheet, "--device", "cpu") == 0


def test_names_of_what_is_there_are_completed() -> None:
    """Wherever a command takes a model, a variant, a data set or a loss."""
    import typer.main

    from ganzoo.cli.console import app

    named = {"model", "models", "name", "data", "loss", "start", "track", "target", "variant", "to"}
    own = {"new name", "check-plugin name", "translate to"}  # free words
    found = {
        f"{command} {parameter.name}": parameter
        for command, parameters in _parameters(typer.main.get_command(app))
        for parameter in parameters
        if parameter.name in named
    }
    assert len(found) > 30
    silent = {name for name, one in found.items() if one._custom_shell_complete is None}
    assert silent - own == set()


def _parameters(group, before=""):
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _parameters(command, f"{name} ")
        else:
            yield before + name, command.params
