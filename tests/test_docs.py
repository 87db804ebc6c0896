"""The documentation: complete, with code that runs, and built whole as CI builds it."""

from __future__ import annotations

import importlib
import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch

import ganzoo
from ganzoo.spec.draws import Image

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
    menu, = space["page"](registry, app.load)
assert menu.value == "dcgan-mnist"
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
