"""The demo's pages by axe: nothing against WCAG AA, light and dark, wide and on a phone."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import pytest

if find_spec("axe_playwright_python") is None or find_spec("gradio") is None:
    pytest.skip("no axe or no gradio here", allow_module_level=True)

from tests.chromium import needs_browser
from tests.conftest import HAS_ENCODER
from tests.demo_server import Server
from tests.demo_visits import tab as go

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = needs_browser
SECONDS = 300_000
RULES = {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]}
# each page, and what stands there once it is filled; of several, all
PAGES = {
    "Generate": "#samples img",
    **({"Text to image": "#stages img"} if HAS_ENCODER else {}),
    "Anomalies": "#again img",
    "Encode": "#pair img",
    "Translate": "#there img",
    "Latent map": "#plane img & #latent-sample img",
    "Side by side": "#beside-one img",
    "Learn": "#mathematics .katex-display",
    "Laboratory": "iframe.laboratory",
    "Train live": "#train-said p",
}


def opened(chromium: Browser, url: str, width: int, theme: str) -> Page:
    page = chromium.new_context(viewport={"width": width, "height": 900}).new_page()
    page.set_default_timeout(SECONDS)
    page.goto(f"{url}/?__theme={theme}")
    page.locator("#samples img").wait_for()
    return page


def tab(page: Page, name: str) -> None:
    go(page, name)
    for filled in PAGES[name].split(" & "):
        page.locator(filled).first.wait_for()
    # the pages that were filled, and their names for readers of screens, take a moment
    page.wait_for_function(
        "![...document.querySelectorAll('button:not([aria-label]):not([title])')]"
        ".some(b => b.offsetParent && !b.textContent.trim())"
    )


@pytest.mark.parametrize(
    "width, theme", [(1400, "light"), (1400, "dark"), (390, "light"), (390, "dark")]
)
def test_axe_finds_nothing(chromium: Browser, demo_server: Server, width: int, theme: str) -> None:
    from axe_playwright_python.sync_playwright import Axe

    page = opened(chromium, demo_server.url, width, theme)
    found: list[str] = []
    for name in PAGES:
        tab(page, name)
        options: Any = {"runOnly": RULES}
        for finding in Axe().run(page, options=options).response["violations"]:
            if finding["impact"] != "minor":
                where = [node["target"] for node in finding["nodes"]][:3]
                found.append(f"{name} {width} {theme}: {finding['id']} {where}")
    page.context.close()
    assert not found, "\n".join(found)


def test_tabs_and_the_drawing_are_used_with_keys(chromium: Browser, demo_server: Server) -> None:
    page = opened(chromium, demo_server.url, 1400, "light")
    page.get_by_role("tab", name="Generate", exact=True).focus()

    def selected() -> str:
        return page.evaluate("document.activeElement.textContent.trim()")

    page.keyboard.press("End")
    assert selected() == "Train live"
    page.keyboard.press("ArrowRight")
    assert selected() == "Generate", "round and round"
    while selected() != "Anomalies":
        page.keyboard.press("ArrowRight")
    page.locator("#again img").first.wait_for()
    page.get_by_role("tab", name="A picture", exact=True).focus()
    page.keyboard.press("ArrowRight")
    assert selected() == "Draw"
    canvas = page.locator("#drawing canvas")
    canvas.focus()
    inked = "c => c.getContext('2d').getImageData(0, 0, 280, 280).data.filter(v => v).length"
    page.keyboard.press("ArrowUp")
    assert canvas.evaluate(inked) == 0, "the pen is up"
    page.keyboard.press("Space")
    for _ in range(5):
        page.keyboard.press("ArrowUp")
    assert canvas.evaluate(inked) > 1000
    page.context.close()
