"""The laboratory's page by axe: nothing serious, light and dark, wide and on a phone."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

if find_spec("axe_playwright_python") is None:
    pytest.skip("no axe here: the package axe-playwright-python", allow_module_level=True)

from ganzoo.lab.page import page as whole
from tests.chromium import browser, needs_browser

pytestmark = needs_browser


def test_axe_finds_nothing_serious() -> None:
    from axe_playwright_python.sync_playwright import Axe

    found: list[str] = []
    with browser() as chromium:
        for width, scheme in ((1400, "light"), (1400, "dark"), (390, "light"), (390, "dark")):
            context = chromium.new_context(
                viewport={"width": width, "height": 900}, color_scheme=scheme
            )
            page = context.new_page()
            page.set_content(whole())
            page.locator("#lesson").select_option("5")
            page.locator("summary").click()
            page.evaluate("for (let i = 0; i < 3; i++) game.line(); drawAll();")
            for finding in Axe().run(page).response["violations"]:
                if finding["impact"] in {"serious", "critical"}:
                    where = [node["target"] for node in finding["nodes"]]
                    found.append(f"{width} {scheme}: {finding['id']} {where}")
            context.close()
    assert not found, "\n".join(found)
