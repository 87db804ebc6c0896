"""Visits of a browser to the demo, and what is done there."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
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


CUT_OFF = ("AbortError: signal is aborted", "Connection errored out")
"""What the page says of a stream that ends because the page is left."""


class Open:
    """Opens pages of the demo, and keeps what went wrong on them."""

    def __init__(self, chromium: Browser, address: str) -> None:
        self._chromium = chromium
        self._address = address
        self._contexts: list[Any] = []
        self.wrong: list[str] = []

    def __call__(
        self,
        width: int = 1280,
        height: int = 900,
        theme: str = "light",
        query: str = "",
        **more: Any,
    ) -> Page:
        context = self._chromium.new_context(viewport={"width": width, "height": height}, **more)
        self._contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(SECONDS)
        watch(page, self.wrong, self._address, "data:", "blob:")
        page.on(
            "response",
            lambda r: self.wrong.append(f"{r.status} {r.url}") if r.status >= 400 else None,
        )
        page.goto(f"{self._address}/?__theme={theme}{query and '&'}{query}")
        if not query:
            page.locator("#samples img").wait_for()
        return page

    def anew(self, page: Page) -> None:
        """Load a page anew. That its streams were cut off, it may say or not, in the meantime."""
        before = len(self.wrong)
        page.reload()
        said = self.wrong[before:]
        self.wrong[before:] = [one for one in said if not any(cut in one for cut in CUT_OFF)]

    def close(self) -> None:
        """Close all pages, after a look for pictures that have nothing in them."""
        for context in self._contexts:
            for page in context.pages:
                # those that are there; hidden tabs may not have begun
                broken = page.evaluate(
                    "[...document.images].filter(i => i.complete && !i.naturalWidth"
                    " && i.offsetWidth).map(i => i.src)"
                )
                self.wrong += [f"broken: {source}" for source in broken]
            context.close()


@pytest.fixture
def visit(chromium: Browser, demo_server: Server) -> Iterator[Open]:
    """Opens the demo; afterwards nothing may have gone wrong, and nothing gone elsewhere."""
    opened = Open(chromium, demo_server.url)
    yield opened
    opened.close()
    assert not opened.wrong, "\n".join(opened.wrong)


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
