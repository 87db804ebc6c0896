"""Addresses of the demo: a link opens what it was copied from, and says what it leaves out."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest

from tests.chromium import needs_browser
from tests.demo_visits import Open, choose, seen, shows, tab, visit

if find_spec("gradio") is None:
    pytest.skip("no gradio here: pip install 'ganzoo-core[demo]'", allow_module_level=True)

__all__ = ["visit"]  # a fixture


def query(page: Any) -> dict[str, str]:
    """The words of the page's address."""
    return {key: values[0] for key, values in parse_qs(urlsplit(page.url).query).items()}


def fields() -> list[Any]:
    import gradio as gr

    from ganzoo.demo.address import Field

    menu = gr.Dropdown(["plain", "named"], value="plain")
    return [
        Field("model", menu),
        Field(
            "class",
            gr.Dropdown([("each", "")], value=""),
            offered=lambda known: [("each", ""), ("bag", "8")][: 1 + (known["model"] == "named")],
        ),
        Field("seed", gr.Number(0, precision=0, minimum=0, maximum=99)),
        Field("truncation", gr.Slider(0.05, 1.5, 1.0, step=0.05)),
        Field("text", gr.Textbox(max_length=5)),
    ]


def test_a_query_becomes_checked_settings() -> None:
    from ganzoo.demo.address import read

    asked = {"model": "named", "class": "bag", "seed": "7", "truncation": "0.7", "show": "x"}
    found, wrong = read(fields(), asked)
    assert not wrong
    values = {name: changes["value"] for name, changes in found.items()}
    assert values == {"model": "named", "class": "8", "seed": 7, "truncation": 0.7}
    assert found["class"]["visible"]
    assert read(fields(), {}) == ({}, [])


@pytest.mark.parametrize(
    "word, value, said",
    [
        ("model", "nothing", "model is one of"),
        ("class", "8", "class is one of"),  # of a model without classes
        ("seed", "-1", "seed is a whole number from 0 to 99"),
        ("seed", "1e99", "seed is a whole number"),
        ("seed", "seven", "not 'seven'"),
        ("truncation", "nan", "truncation is a number from 0.05 to 1.5"),
        ("text", "x" * 10_000, "text is a text of at most 5 characters"),
    ],
)
def test_what_does_not_fit_is_said_and_left_out(word: str, value: str, said: str) -> None:
    from ganzoo.demo.address import read

    found, wrong = read(fields(), {word: value})
    assert len(wrong) == 1 and said in wrong[0] and len(wrong[0]) < 400
    assert word not in found


@needs_browser
def test_a_link_opens_what_it_was_copied_from(visit: Open) -> None:
    page = visit(permissions=["clipboard-read", "clipboard-write"])
    first = shows(page, "#samples")
    choose(page, "Model", "cdcgan-fashion-mnist")
    choose(page, "Class", "bag")
    page.get_by_label("Seed", exact=True).first.fill("77")
    page.locator("#generate").click()
    shows(page, "#samples", first)
    page.wait_for_function("new URL(location.href).searchParams.get('seed') === '77'")
    drawn = seen(page, "#samples")
    asked = query(page)
    assert asked["show"] == "generate" and asked["model"] == "cdcgan-fashion-mnist"
    assert asked["class"] == "8" and asked["count"] == "60" and asked["truncation"] == "1"
    page.locator("#generate-copy").click()
    page.get_by_role("button", name="Link copied").wait_for()
    link = page.evaluate("navigator.clipboard.readText()")
    later = visit(query=urlsplit(link).query)
    shows(later, "#samples")
    np.testing.assert_array_equal(seen(later, "#samples"), drawn)
    assert later.get_by_label("Class", exact=True).first.input_value() == "bag"
    assert query(later)["seed"] == "77"


@needs_browser
def test_each_page_has_an_address(visit: Open) -> None:
    page = visit()
    tab(page, "Learn")
    page.wait_for_function("new URL(location.href).searchParams.get('show') === 'learn'")
    choose(page, "Model", "wgan-gp-mnist")
    page.wait_for_function("new URL(location.href).searchParams.get('model') === 'wgan-gp-mnist'")
    words = query(page)
    later = visit(query=f"show={words['show']}&model={words['model']}")
    later.locator("#mathematics").get_by_text("WGAN-GP").first.wait_for()
    other = visit(query="show=encode&model=ganomaly-mnist&position=0.9")
    other.locator("#mix-position input[type=number]").wait_for()
    shows(other, "#mix-way")
    assert other.locator("#mix-position input[type=number]").input_value() == "0.9"
    assert query(other)["model"] == "ganomaly-mnist"


@needs_browser
def test_a_wrong_address_is_said_and_the_page_opens(visit: Open) -> None:
    page = visit(query="show=generate&model=<b>nothing</b>&seed=7")
    page.get_by_text("Left out of the address").first.wait_for()
    shows(page, "#samples")
    assert page.get_by_label("Seed", exact=True).first.input_value() == "7"
    page = visit(query="show=nowhere")
    page.get_by_text("asks for a page that is not here").first.wait_for()
    shows(page, "#samples")
