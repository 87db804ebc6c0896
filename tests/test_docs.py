"""The documentation: complete, with code that runs, and built whole as CI builds it."""

from __future__ import annotations

import csv
import importlib
import os
import re
import shlex
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image as Picture

import ganzoo
from ganzoo.runs import selection
from ganzoo.spec.draws import Image
from tests import browser_runtime
from tests.builders import run as ganzoo_command
from tests.kills import Brightness

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
CONFIG = (ROOT / "mkdocs.yml").read_text("utf-8")
HOWTO = sorted((DOCS / "how-to").glob("*.md"))


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page.read_text("utf-8"), re.DOTALL)


def run(code: str, space: dict[str, Any]) -> None:
    # without the `from __future__ import annotations` of this file
    exec(compile(code, "page", "exec", dont_inherit=True), space)


def test_every_page_is_in_the_navigation() -> None:
    pages = {path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")}
    nav = CONFIG[CONFIG.index("nav:") : CONFIG.index("theme:")]
    assert set(re.findall(r"[:-] ([\w/-]+\.md)$", nav, re.MULTILINE)) == pages


def test_every_public_name_is_in_the_reference() -> None:
    """By the module that it is declared in; `hookimpl` is in the text."""
    page = (DOCS / "reference" / "python.md").read_text("utf-8")
    listed: set[Any] = set()
    for path in re.findall(r"^::: (\S+)$", page, re.MULTILINE):
        module, _, name = path.rpartition(".")
        listed.add(getattr(importlib.import_module(module), name))
    public = {getattr(ganzoo, name) for name in ganzoo.__all__ if name != "hookimpl"}
    assert public <= listed and "ganzoo.hookimpl" in page


@pytest.mark.parametrize("page", HOWTO, ids=[page.stem for page in HOWTO])
def test_files_that_pages_name_are_there(page: Path) -> None:
    named = set(re.findall(r"`((?:ganzoo|tests|scripts)/[\w/.]+)`", page.read_text("utf-8")))
    assert not [name for name in named if not (ROOT / name).exists()]


def test_the_layer_of_the_page_is_one() -> None:
    (code,) = blocks(DOCS / "how-to" / "add-a-layer.md", "python")
    space: dict[str, Any] = {"__name__": "page"}
    run(code, space)
    (layer,) = space["ganzoo_layers"]()
    x = torch.randn(2, 3, 4, 4)
    made = layer(0.5)
    assert torch.equal(made.forward(None, x), 0.5 * x * x)
    assert ganzoo.testing.shape_after(made, (3, 4, 4)) == (3, 4, 4) == made.output_shape((3, 4, 4))


def test_the_loss_of_the_page_goes_with_a_variant() -> None:
    (code,) = blocks(DOCS / "how-to" / "add-a-loss.md", "python")
    space: dict[str, Any] = {}
    run(code, space)
    (loss,) = space["ganzoo_losses"]()
    fields = ganzoo.Fields({"image": Image((1, 16, 16))})
    spec = loss.apply(ganzoo.variant("dcgan", width=4).spec(fields))
    assert spec.stages[0].updates[0].minimize["real"] == "mean(relu(2 - D(x)))"


PAGE = """
import re, sys
import gradio as gr
from ganzoo.demo.model_registry import ModelRegistry
code, = re.findall(r"```python\\n(.*?)```", open(sys.argv[1]).read(), re.DOTALL)
space = {"__name__": "page"}
exec(code, space)
registry = ModelRegistry(["dcgan-mnist"], bundled=False)
assert registry.names(space["fits"]) == ["dcgan-mnist"]
with gr.Blocks() as app:
    model, seed = space["page"](registry, app.load)
assert model.component.value == "dcgan-mnist" and seed.name == "seed"
print(len(space["contact_sheet"](registry, "dcgan-mnist")))
"""


@pytest.mark.skipif(not find_spec("gradio"), reason="the demo's page imports gradio")
def test_the_page_of_the_page_is_one() -> None:
    """In a process of its own: Gradio leaves event loops open."""
    page = DOCS / "how-to" / "add-a-demo-page.md"
    done = subprocess.run(
        [sys.executable, "-c", PAGE, str(page)], capture_output=True, text=True, check=False
    )
    assert done.stdout.split() == ["16"], done.stderr


def test_the_loop_of_the_tutorial_runs() -> None:
    code = next(
        block for block in blocks(DOCS / "tutorials" / "first-steps.md", "python")
        if "ganzoo.train" in block
    )  # fmt: skip
    space: dict[str, Any] = {}
    run(code, space)
    assert len(space["model"].generate(2)) == 2


def folder_of_pictures(folder: Path, classes: dict[str, int]) -> None:
    """Noise, 16x16, brighter in each class than in the one before."""
    random = np.random.default_rng(0)
    for level, (name, number) in enumerate(classes.items()):
        (folder / name).mkdir(parents=True)
        for index in range(1, number + 1):
            noise = random.integers(60 * level, 60 * level + 120, (16, 16, 3), np.uint8)
            Picture.fromarray(noise).save(folder / name / f"{index}.png")


def small(line: str) -> list[str]:
    """A command of a page, on smaller pictures, for a few rounds of small networks."""
    line = re.sub(r"size=\d+", "size=16", re.sub(r"--steps \d+", "--steps 4", line))
    line = line.replace(" train ", " train --set width=4 --batch 8 ")
    line = line.replace("--to onnx", "--to onnx --task score")
    return shlex.split(line)[1:]


def walked(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Do in this folder what a page says: its commands and its Python, in their order."""
    for language, text in re.findall(r"```(sh|python)\n(.*?)```", page.read_text("utf-8"), re.S):
        if language == "python":
            run(text, {})
            continue
        for line in text.splitlines():
            if line.startswith("ganzoo "):
                assert ganzoo_command(monkeypatch, *small(line)) == 0, line


@pytest.mark.skipif(not find_spec("ganzoo_browser"), reason="needs html: ganzoo-core[html]")
def test_the_tutorial_of_own_pictures_leads_to_a_page(tmp_path: Path, monkeypatch) -> None:
    """Which draws what Python draws: tests/test_page.py."""
    if why := browser_runtime.missing():
        pytest.skip(why)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(selection, "extractor_of", lambda name: Brightness())
    monkeypatch.delenv("GANZOO_OFFLINE", raising=False)
    folder_of_pictures(tmp_path / "photos", {"blond": 12, "red": 12})
    walked(DOCS / "tutorials" / "own-pictures.md", monkeypatch)
    chosen = ganzoo.from_pretrained("runs/photos").config.training.selection
    assert chosen is not None and chosen.measured == 4
    assert (tmp_path / "photos.html").stat().st_size < 10_000_000
    assert [*(tmp_path / "runs" / "photos" / "trackers" / "tensorboard").glob("events*")]
    assert len([*(tmp_path / "red").glob("*.png")]) == 100


@pytest.mark.skipif(not find_spec("onnxscript"), reason="needs export: ganzoo-core[export]")
def test_the_tutorial_of_defects_leads_to_the_same_verdicts(tmp_path: Path, monkeypatch) -> None:
    import onnxruntime

    monkeypatch.chdir(tmp_path)
    folder_of_pictures(tmp_path / "parts", {"": 40})
    folder_of_pictures(tmp_path / "new", {"good": 6, "scratch": 3, "crack": 3})
    walked(DOCS / "tutorials" / "find-defects.md", monkeypatch)
    rows = [*csv.DictReader((tmp_path / "scores.csv").read_text().splitlines())]
    assert len(rows) == 12 and len([*(tmp_path / "maps").iterdir()]) == 12
    session = onnxruntime.InferenceSession(tmp_path / "onnx" / "score.onnx")
    images = [np.asarray(Picture.open(row["file"]), np.float32) / 255 for row in rows]
    batch = np.stack(images).transpose(0, 3, 1, 2)
    scores, verdicts = session.run(["scores", "is_anomaly"], {"x": batch})
    assert [str(bool(one)).lower() for one in verdicts] == [row["is_anomaly"] for row in rows]
    assert np.allclose(scores, [float(row["score"]) for row in rows], rtol=1e-4)


@pytest.mark.skipif(not find_spec("mkdocs_material_extensions"), reason="needs the group docs")
def test_the_site_builds_whole_and_asks_no_host(tmp_path: Path) -> None:
    """Every link leads somewhere, formulas are MathML, and pages load nothing from elsewhere."""
    nowhere = "http://127.0.0.1:9"  # whoever asks the network fails
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")],
        cwd=ROOT, capture_output=True, text=True, check=False,
        env={**os.environ, "HTTP_PROXY": nowhere, "HTTPS_PROXY": nowhere,
             "NO_MKDOCS_2_WARNING": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    pages = sorted((tmp_path / "site").rglob("*.html"))
    assert len(pages) > len([*DOCS.rglob("*.md")])  # and the page for what is not found
    for page in pages:
        text = page.read_text("utf-8")
        loaded = re.findall(r'<(?:script|link|img)\b[^>]*?(?:src|href)="(https?://[^"]+)"', text)
        assert not [url for url in loaded if not url.startswith("https://ganzoo.github.io/")], page
    functions = (tmp_path / "site" / "functions" / "index.html").read_text("utf-8")
    assert functions.count("<math") > 50 and "arithmatex" not in functions
    assert "generate" in (tmp_path / "site" / "reference" / "python" / "index.html").read_text()


WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=[path.stem for path in WORKFLOWS])
def test_workflows_call_targets_of_make(workflow: Path) -> None:
    """What CI runs, anyone can run."""
    makefile = (ROOT / "Makefile").read_text("utf-8")
    commands = re.findall(r"- run: (.+)", workflow.read_text("utf-8"))
    assert commands
    for command in commands:
        assert re.fullmatch(r"make (\w+)", command), command
        assert re.search(rf"^{command.removeprefix('make ')}:", makefile, re.MULTILINE), command


def test_there_is_a_workflow_for_each_job() -> None:
    assert {path.stem for path in WORKFLOWS} == {"docs", "release", "test"}
