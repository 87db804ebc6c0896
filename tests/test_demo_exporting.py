"""A model of the demo as one HTML page: made once, by a process that leaves nothing."""

from __future__ import annotations

import subprocess
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from ganzoo.errors import TaskError
from tests.chromium import needs_browser
from tests.demo_visits import Open, visit

if find_spec("gradio") is None:
    pytest.skip("no gradio here: pip install 'ganzoo-core[demo]'", allow_module_level=True)

from ganzoo.demo import exporting
from ganzoo.demo.model_registry import ModelRegistry

__all__ = ["visit"]  # a fixture
needs_pages = pytest.mark.skipif(not exporting.available(), reason="no runtime for browsers here")


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModelRegistry:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    return ModelRegistry(["gan-mnist"], bundled=False)


def pretend(monkeypatch: pytest.MonkeyPatch, write: bytes | None, error: Any = b"") -> list[Any]:
    """Let the command write this, or nothing; the commands that ran."""
    ran: list[Any] = []

    def run(words: list[str], **options: Any) -> Any:
        ran.append(words)
        place = Path(words[-1])
        (place.parent / "half").write_bytes(b"x")
        if isinstance(error, Exception):
            raise error
        if write is not None:
            place.write_bytes(write)
        return subprocess.CompletedProcess(words, int(write is None), b"", error)

    monkeypatch.setattr(exporting, "available", lambda: True)
    monkeypatch.setattr(exporting.subprocess, "run", run)
    return ran


def test_a_page_is_made_once_and_nothing_else_is_left(
    registry: ModelRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = pretend(monkeypatch, b"<html>")
    pages, entry = exporting.Pages(), registry.entry("gan-mnist")
    path = Path(pages.of(entry))
    assert path.name == "gan-mnist.html" and path.read_bytes() == b"<html>"
    assert pages.of(entry) == str(path) and len(ran) == 1
    assert [file for file in tmp_path.rglob("*") if file.is_file()] == [path]
    path.unlink()  # files of the app are removed after an hour
    assert Path(pages.of(entry)).exists() and len(ran) == 2


def test_what_goes_wrong_is_said_and_leaves_nothing(
    registry: ModelRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = registry.entry("gan-mnist")
    for error, said in (
        (subprocess.TimeoutExpired("ganzoo", 90), "not done after 90 seconds"),
        (f"one\n{entry.folder}: no such layer".encode(), "the model: no such layer"),
        (b"", "no reason given"),
    ):
        pretend(monkeypatch, None, error)
        with pytest.raises(TaskError, match=said):
            exporting.Pages().of(entry)
    assert not [file for file in tmp_path.rglob("*") if file.is_file()]


def test_large_models_and_missing_extras_are_not_offered(
    registry: ModelRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = registry.entry("gan-mnist")
    ran = pretend(monkeypatch, b"")
    assert exporting.possible(entry)
    monkeypatch.setattr(exporting, "MOST_WEIGHTS", 1000)
    assert not exporting.possible(entry)
    with pytest.raises(TaskError, match=r"MB of weights.*`ganzoo export gan-mnist --to html`"):
        exporting.Pages().of(entry)
    monkeypatch.setattr(exporting, "available", lambda: False)
    assert not exporting.possible(entry)
    with pytest.raises(TaskError, match="pip install"):
        exporting.Pages().of(entry)
    assert not ran


@needs_browser
@needs_pages
def test_a_visitor_takes_a_page_home(visit: Open, tmp_path: Path) -> None:
    page = visit(query="show=generate&model=dcgan-mnist")
    page.locator("#samples img").wait_for()
    assert not page.locator("#exported").is_visible()
    page.locator("#export").press("Enter")
    link = page.locator("#exported a[download]").first
    link.wait_for()
    with page.expect_download() as download:
        link.click()
    taken = tmp_path / "taken.html"
    download.value.save_as(taken)
    text = taken.read_text("utf-8")
    assert download.value.suggested_filename == "dcgan-mnist.html"
    assert "<title>dcgan-mnist" in text and 'id="task-generate"' in text
