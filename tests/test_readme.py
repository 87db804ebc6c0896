"""What the README says: its snippets run, its commands exist, its files are there."""

import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import ganzoo
from ganzoo.plugins.host import Host
from tests.readme import README, ROOT, block


def test_first_snippet_draws(monkeypatch) -> None:
    space: dict = {}
    exec(block("python", "arrays = model.generate"), space)
    assert len(space["images"]) == 16 and space["images"][0].size == (28, 28)
    assert space["arrays"].shape == (16, 28, 28, 1)


def test_the_models_are_in_the_table_and_their_figures_are_theirs() -> None:
    from ganzoo import metrics
    from ganzoo.hub import installed

    rows = dict(
        re.findall(r"^\|.*\| \[([\w-]+)\]\(model_cards/\1/README\.md\) \|(.*)\|$", README, re.M)
    )
    assert set(rows) == set(installed())
    for name, folder in installed().items():
        size = (folder / "model.safetensors").stat().st_size
        assert f"{size / 1e6:.1f} MB" in rows[name], name
        report = metrics.read(folder)
        assert report
        row = rows[name].replace("FD by EfficientNet-Lite0", "fd_efficientnet_lite0")
        for figure, value in re.findall(r"(\w[\w ]*?) \*\*([\d.]+)\*\*", row):
            found = report.figures[figure.strip().lower().replace(" ", "_")].value
            assert f"{found:.{len(value.partition('.')[2])}f}" == value, (name, figure)


def test_the_figures_snippet(monkeypatch, capsys) -> None:
    """With the bundled digits in place of MNIST, which may not be at hand."""
    from ganzoo.metrics import evaluation

    divided = evaluation.train_and_test
    monkeypatch.setattr(evaluation, "train_and_test", lambda name, most: divided("digits", most))
    exec(block("python", "from ganzoo.metrics"), {})
    assert "training images" in capsys.readouterr().out


def test_the_yaml_variant_trains_as_the_snippet_says(monkeypatch, tmp_path, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    Path("wgan-gp.yaml").write_text(block("yaml", "# wgan-gp.yaml"))
    exec(block("python", "files.read"), {})
    shown = capsys.readouterr().out
    assert shown.startswith("10 {'C.critic':") and "C.penalty" in shown
    model = ganzoo.from_pretrained("wgan-gp")
    assert model.generate(2)[0].size == (28, 28)


def test_the_error_shown_is_the_error_given(tmp_path) -> None:
    from ganzoo.spec import files

    path = tmp_path / "wrong.yaml"
    path.write_text(block("yaml", "# wgan-gp.yaml").replace("kernel", "kernal", 1))
    shown = re.search(r"error: (networks\.C\..*?) \.\.\.", README)
    assert shown
    with pytest.raises(ganzoo.GanzooError) as caught:
        files.read(path)
    assert str(caught.value).startswith(shown[1])


def test_the_code_shown_is_the_code_that_runs() -> None:
    from ganzoo.engine.plan import Plan
    from ganzoo.plugins.host import default
    from ganzoo.spec import Image

    spec = default().variant("dcgan")().spec(ganzoo.Fields({"image": Image((1, 28, 28))}))
    code = Plan(spec).round(0, 0).code
    assert "\n".join(code.splitlines()[1:]) in README


def test_the_python_variant_registers_and_trains() -> None:
    space: dict = {"__name__": "lsgan"}
    exec(block("python", "class LSGAN"), space)
    module = type("lsgan", (), {"ganzoo_variants": staticmethod(space["ganzoo_variants"])})
    host = Host()
    host.register(module, "lsgan")
    data = ganzoo.load_data("digits")
    spec = host.variant("lsgan").parse({"width": "16"}).spec(data.fields)
    for step in ganzoo.train(spec, data, steps=2, batch=4):
        assert set(step.losses()) == {"D.real", "D.fake", "G.fool"}


def test_the_test_shown_passes(monkeypatch, tmp_path) -> None:
    """For what `ganzoo new my-gan` writes."""
    from ganzoo import testing
    from ganzoo.plugins import scaffold

    folder = scaffold.create("my-gan", tmp_path / "my-gan")
    module = ModuleType("my_gan")
    exec((folder / "my_gan.py").read_text(), vars(module))
    host = Host()
    host.register(module, "my-gan")
    monkeypatch.setattr(testing.subject, "default", lambda: host)
    space: dict = {}
    exec(block("python", "conforms("), space)
    [mark] = space["test_conforms"].pytestmark
    for check in mark.args[1]:
        space["test_conforms"](check)
    assert len(mark.args[1]) == len(testing.CHECKS)


def test_the_snippet_of_losses_says_what_it_promises(capsys) -> None:
    space: dict = {}
    exec(block("python", "with_loss"), space)
    shown = capsys.readouterr().out
    assert "'r1': '1 * r1(C, x)'" in shown
    assert "D minimizes real: mean(relu(2 - D(x, y))), fake: mean(relu(2 + D(fake, y)))" in shown
    assert space["spec"].title == "Conditional DCGAN with margin loss"


def test_commands_and_files_exist() -> None:
    from typer.main import get_command

    from ganzoo.cli import app

    known = set(get_command(app).commands)  # type: ignore[attr-defined]
    named = set(re.findall(r"^\s+(?:\.venv/bin/)?ganzoo ([\w-]+)", README, re.MULTILINE))
    assert named and named <= known
    assert known <= {*named, "variants", "models", "data", "plugins", "losses"}, (
        "a command is not shown"
    )
    for link in re.findall(r"\]\(([^)#]+)\)", README):
        if "://" not in link:
            assert (ROOT / link).exists(), link
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"make (\w+)", README):
        assert f"\n{target}:" in makefile, target


def test_every_plugin_is_in_the_pip_line() -> None:
    line = re.search(r"pip install -e '\.\[metrics\]'(.*)", README)
    assert line
    projects = ROOT.glob("plugins/*/pyproject.toml")
    folders = sorted(f"plugins/{path.parent.name}" for path in projects)
    assert sorted(re.findall(r"-e (\S+)", line[1])) == ["model_cards", *folders]


def test_the_gallery_and_the_table_are_what_the_folders_say() -> None:
    command = [sys.executable, "scripts/gallery.py", "--check"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    page = ROOT / "docs/gallery.md"
    shown = re.findall(r"!\[[^]]*\]\(([^)]+)\)", page.read_text("utf-8"))
    assert shown and all((page.parent / picture).is_file() for picture in shown), shown
