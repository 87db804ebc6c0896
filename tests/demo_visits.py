"""Visits of a browser to the demo, and what is done there."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from tests.chromium import watch
from tests.demo_server import Server

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

SECONDS = 300_000
"""Milliseconds that anything may take on a machine with other work."""


Open = Callable[..., "Page"]


@pytest.fixture
def visit(chromium: Browser, demo_server: Server) -> Iterator[Open]:
    """Opens the demo; afterwards nothing may have gone wrong, and nothing gone elsewhere."""
    wrong: list[str] = []
    contexts: list[Any] = []

    def visit(
        width: int = 1280, height: int = 900, theme: str = "light", query: str = "", **more: Any
    ) -> Page:
        context = chromium.new_context(viewport={"width": width, "height": height}, **more)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(SECONDS)
        watch(page, wrong, demo_server.url, "data:", "blob:")
        page.on(
            "response",
            lambda r: wrong.append(f"{r.status} {r.url}") if r.status >= 400 else None,
        )
        page.goto(f"{demo_server.url}/?__theme={theme}{query and '&'}{query}")
        if not query:
            page.locator("#samples img").wait_for()
        return page

    yield visit
    for context in contexts:
        for page in context.pages:
            # those that are there and have nothing in them; hidden tabs may not have begun
            broken = page.evaluate(
                "[...document.images].filter(i => i.complete && !i.naturalWidth && i.offsetWidth)"
                ".map(i => i.src)"
            )
            wrong += [f"broken: {source}" for source in broken]
        context.close()
    assert not wrong, "\n".join(wrong)


def tab(page: Page, name: str) -> None:
    """Go to a page, through the menu of more where there is no room for its tab."""
    found = page.get_by_role("tab", name=name, exact=True)
    page.get_by_role("tab").first.wait_for()
    if found.count() and found.first.is_visible():
        found.first.click()
        return
    page.get_by_label("More tabs").first.click()
    page.locator(".overflow-dropdown button", has_text=name).first.click()


def seen(page: Page, place: str) -> np.ndarray:
    """The picture that stands there, as it is."""
    source = page.locator(f"{place} img").first.get_attribute("src")
    assert source
    with Image.open(io.BytesIO(page.request.get(source).body())) as file:
        return np.asarray(file.convert("RGB"))


def shows(page: Page, place: str, other_than: str | None = None) -> str:
    """Wait for a picture that is not blank, and not the one before; its address."""
    image = page.locator(f"{place} img").first
    image.wait_for()
    until = time.monotonic() + SECONDS / 1000
    while time.monotonic() < until:
        source = image.get_attribute("src")
        if source and source != other_than and image.evaluate("i => i.complete && i.naturalWidth"):
            # small models that hardly learnt paint in nearly one colour, and not in one
            assert seen(page, place).std() > 0.2, f"{place} is blank"
            return source
        page.wait_for_timeout(100)
    raise AssertionError(f"{place} shows nothing new")


def choose(page: Page, menu: str, name: str) -> None:
    """Take an entry of a menu that is on the visible page."""
    page.get_by_label(menu, exact=True).locator("visible=true").first.click()
    page.get_by_role("option", name=name, exact=True).first.click()
