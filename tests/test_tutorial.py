"""docs/plugins.md, run from top to bottom as it stands, in an environment of its own."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

import pytest

import ganzoo
from ganzoo.plugins import hookspecs
from ganzoo.plugins.host import Host
from tests.fresh import ROOT, Fresh

PAGE = (ROOT / "docs" / "plugins.md").read_text("utf-8")
LESSON, _, REFERENCE = PAGE.partition("\n## The hooks\n")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", LESSON, re.MULTILINE | re.DOTALL)
HOOKS = [name for name in vars(hookspecs) if name.startswith("ganzoo_")]


def lines_to_run(text: str) -> list[str]:
    """The commands of a block, with few steps."""
    return [re.sub(r"--steps \d+", "--steps 4", line) for line in text.splitlines()]


def test_the_lesson_is_what_it_says(tmp_path: Path) -> None:
    """Its commands in a shell, its files written, its Python run, in their order."""
    fresh = Fresh(tmp_path)
    said: dict[str, str] = {}
    for language, text in BLOCKS:
        named = re.match(r"# (\S+\.\w+)(, continued)?\n", text)
        if named:
            file = fresh.work / named[1]
            assert file.is_file(), f"ganzoo new writes {named[1]}"
            before = file.read_text() + "\n\n" if named[2] else ""
            body = text[named.end() :]
            if file.name.startswith("test_"):
                assert body in file.read_text(), "the test shown is the one that was written"
            else:
                file.write_text(before + body)
        elif language == "sh":
            for line in lines_to_run(text):
                said[line] = fresh.run("sh", "-c", line)
        else:
            fresh.python("-c", text)

    work = fresh.work
    assert "lsgan 0.1.0 conforms" in said["ganzoo check-plugin lsgan"]
    for word in ("LSGAN", "least_squares", "prelu", "discs"):
        assert re.search(rf"^{word.lower()} ", said["ganzoo check-plugin lsgan"], re.MULTILINE), (
            word
        )
    assert "8 passed" in said["python -m pytest lsgan"]
    assert "least_squares(D(x), 1)" in said["ganzoo show lsgan --data discs"]
    assert "least_squares(D(fake), 1)" in said["ganzoo explain lsgan --data discs --code"]
    assert "me/lsgan" in said["ganzoo hub push runs/lsgan/model me/lsgan --dry-run"]
    assert (work / "discs.png").is_file() and (work / "my-lsgan" / "config.json").is_file()

    listed = fresh.run("ganzoo", "plugins")
    assert re.search(
        r"lsgan +0\.1\.0 +variants: lsgan; functions: least_squares; layers: prelu", listed
    )
    assert r"formula: \frac{1}{2}(s-t)^2" in fresh.run("ganzoo", "functions", "least_squares")
    assert "example: PReLU(0.2)  # (64, 8, 8)" in fresh.run("ganzoo", "layers", "prelu")


# --------------------------------------------------------------------------------- the hooks


def reference() -> dict[str, tuple[str, str]]:
    """What the page says of each hook: everything beneath its signature, and its example."""
    found = re.findall(r"^### `(.+?)`\n(.*?)(?=^### |^## |\Z)", REFERENCE, re.MULTILINE | re.DOTALL)
    return {
        signature: (text, "\n".join(re.findall(r"```python\n(.*?)```", text, re.DOTALL)))
        for signature, text in found
    }


@pytest.mark.parametrize("name", HOOKS)
def test_every_hook_is_documented_with_its_signature_and_an_example(name: str) -> None:
    hook = getattr(hookspecs, name)
    signature = f"{name}{inspect.signature(hook)}".replace("'", "")
    assert signature in reference(), f"docs/plugins.md needs: ### `{signature}`"
    text, example = reference()[signature]
    assert inspect.getdoc(hook) in text.replace("\n", " ").replace("  ", " ")
    register(example, name)


def register(example: str, name: str) -> Host:
    """Run the example of a hook beside the module of the lesson, and let a host take it in."""
    module: dict[str, Any] = {"__name__": "of_the_lesson", "ganzoo": ganzoo}
    pieces = [text for _, text in BLOCKS if text.startswith("# lsgan/lsgan.py")]
    exec("\n\n".join(pieces), module)
    exec(example, module)
    host = Host()
    host.register(type("Its", (), {name: staticmethod(module[name])}), "lesson")
    [plugin] = host.plugins
    assert plugin.brings, f"the example of {name} brings nothing"
    return host


def test_no_hook_is_documented_that_there_is_not() -> None:
    assert {signature.partition("(")[0] for signature in reference()} == set(HOOKS)


def test_links_lead_somewhere() -> None:
    for link in re.findall(r"\]\((?!https:)([^)#]+)[^)]*\)", PAGE):
        assert (ROOT / "docs" / link).is_file(), link
    titles = {
        title.lower().replace(" ", "-") for title in re.findall(r"^## (.+)$", PAGE, re.MULTILINE)
    }
    for page in ("functions.md", "layers.md"):
        text = (ROOT / "docs" / page).read_text("utf-8")
        for anchor in re.findall(r"plugins\.md#([\w-]+)", text):
            assert anchor in titles, anchor
