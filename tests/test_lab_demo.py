"""The laboratory as a page of the demo: the same program, in a frame, with the demo's address."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

from tests.chromium import browser, needs_browser
from tests.demo_server import Server

if find_spec("gradio") is None:
    pytest.skip("no gradio here: pip install 'ganzoo-core[demo]'", allow_module_level=True)

pytestmark = needs_browser
SECONDS = 120_000


def test_the_page_opens_by_its_tab_and_by_its_address(demo_server: Server) -> None:
    wrong: list[str] = []
    with browser() as chromium:
        page = chromium.new_page(viewport={"width": 1280, "height": 900})
        page.set_default_timeout(SECONDS)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on(
            "request",
            lambda r: (
                None
                if r.url.startswith((demo_server.url, "data:", "blob:", "about:"))
                else wrong.append(f"asked {r.url}")
            ),
        )
        page.goto(f"{demo_server.url}/?__theme=dark#lab?loss=rpgan&width=16")
        lab = page.frame_locator("iframe.laboratory")
        lab.locator("#listing .row").first.wait_for()  # the address opened the tab
        assert "r1(D, x)" in lab.locator("#listing").inner_text()
        assert lab.locator("html").get_attribute("data-theme") == "dark"
        lab.get_by_role("button", name="Round", exact=True).click()
        assert lab.locator("#now").inner_text() == "1"
        lab.locator("#lesson").select_option("5")
        page.wait_for_function("location.hash.includes('lesson=5')")
        frame = page.locator("iframe.laboratory")
        inside = lab.locator("body").evaluate("body => body.scrollHeight")
        box = frame.bounding_box()
        assert box and box["height"] >= inside - 1  # one place to scroll, not two
        page.close()
    assert not wrong, "\n".join(wrong)
