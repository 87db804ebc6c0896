"""The diagrams of the page Learn: shapes of layers, and terms that light up what they touch."""

from __future__ import annotations

import re
from importlib.util import find_spec
from typing import Any

import pytest

from ganzoo.nn.build import build
from ganzoo.spec import Conv, Image, LeakyReLU, Linear, Network, Normal, Reshape, Spec, Tanh, Update
from tests.chromium import needs_browser
from tests.demo_visits import Open, visit

if find_spec("gradio") is None:
    pytest.skip("no gradio here: pip install 'ganzoo-core[demo]'", allow_module_level=True)

from ganzoo.demo import diagrams

__all__ = ["visit"]  # a fixture


def spec_of(real: str = "bce(D(x), 1)") -> Spec:
    """A small GAN; `real` is a term of its discriminator."""
    body = (Conv(6, 4, 2), LeakyReLU(), Reshape((96,)), Linear(1))
    return Spec(
        draws={"x": Image((1, 8, 8)), "z": Normal(5)},
        let={"fake": "G(z)"},
        networks={
            "G": Network({"z": ()}, (Linear(64), Reshape((1, 8, 8)), Tanh())),
            "D": Network({"x": ()}, body),
        },
        round=[
            Update("D", {"real": real, "fake": "bce(D(detach(fake)), 0)"}),
            Update("G", {"fool": "bce(D(fake), 1)", "flat": "mean(abs(fake))"}),
        ],
        tasks={"generate": "G(z)"},
    )


SPEC = spec_of()


def test_a_card_is_what_changes_the_shape() -> None:
    nets = build(SPEC)
    found = diagrams.cards(SPEC.networks["D"].layers, nets["D"], "layers")
    assert [card.shape for card in found] == [(6, 4, 4), (96,), (1,)]
    assert [len(card.texts) for card in found] == [2, 1, 1] and "conv 6" in found[0].texts[0]
    text = diagrams.networks(SPEC, nets)
    for name in SPEC.networks:
        assert f'aria-label="Network {name}"' in text
    assert "6 × 4 × 4" in text and "left behind after training" in text.partition("Network D")[2]


def test_terms_say_what_they_read_and_train() -> None:
    (_, of_d), (_, of_g) = diagrams.terms(SPEC)
    real, fake = of_d
    assert (real.reads, real.trains, real.through) == (("x", "D"), ("D",), ())
    assert (fake.reads, fake.trains, fake.through) == (("z", "G", "D"), ("D",), ())
    fool, flat = of_g
    assert (fool.trains, fool.through) == (("G",), ("D",))
    assert (flat.reads, flat.trains, flat.through) == (("z", "G"), ("G",), ())
    assert fool.said == (
        "The term fool reads z, G and D; trains G; its gradient passes through D without training "
        "it."
    )


def test_text_of_a_spec_stands_for_itself() -> None:
    text = diagrams.losses(spec_of("bce(D(x), 1) + 0 * mean(D(x) < D(x))"))
    assert "D(x) &lt; D(x)" in text and "D(x) < D(x)" not in text


def test_every_model_of_the_zoo_has_both() -> None:
    from ganzoo import hub
    from ganzoo.models import store

    for name, folder in hub.installed().items():
        spec = store.read_config(folder).spec
        text = diagrams.losses(spec)
        stages = [update for stage in spec.stages for update in stage.updates]
        assert text.count("<button") == sum(len(update.minimize) for update in stages), name
        for _, terms in diagrams.terms(spec):
            assert all(term.reads and term.trains for term in terms), name
    spec = store.read_config(hub.installed()["ali-mnist"]).spec
    text = diagrams.networks(spec, build(spec))
    assert re.search(r'aria-label="input \w+"', text), "inputs of their own rows"


@needs_browser
@pytest.mark.parametrize("width, theme", [(1280, "light"), (390, "dark")])
def test_a_term_lights_up_what_it_touches(visit: Open, width: int, theme: str) -> None:
    page = visit(width, theme=theme, query="show=learn&model=dcgan-mnist")
    page.locator("#mathematics .katex-display").first.wait_for()
    inner_tab(page, "Losses")
    fool = page.locator("#losses button", has_text="fool")
    fool.wait_for()
    lit = (
        "kind => [...document.querySelectorAll(`#losses li.${kind}`)]"
        ".map(e => e.dataset.name).sort()"
    )

    def colour(name: str) -> str:
        chip = page.locator(f'#losses li[data-name="{name}"]')
        return chip.evaluate("e => getComputedStyle(e).borderTopColor")

    plain = colour("G")
    assert page.evaluate(lit, "trains") == []
    fool.focus()
    assert page.evaluate(lit, "trains") == ["G"]
    page.keyboard.press("Enter")
    assert fool.get_attribute("aria-pressed") == "true"
    assert page.evaluate(lit, "reads") == ["D", "G", "z"]
    assert page.evaluate(lit, "through") == ["D"]
    assert colour("G") not in (plain, colour("z")) and colour("z") != plain
    assert "gradient passes through D" in page.locator("#losses .said").inner_text()
    wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert wide <= 0, "nothing goes beyond the screen"
    findings = axe(page)
    inner_tab(page, "Networks")
    card = page.locator("#diagram .net li").first
    card.wait_for()
    sides = page.evaluate(
        "[...document.querySelectorAll('#diagram .net li')].map(e => e.getBoundingClientRect())"
        ".map(b => [b.left, b.right])"
    )
    assert min(left for left, _ in sides) >= 0 and max(right for _, right in sides) <= width
    assert page.locator("#diagram svg path").first.evaluate("e => getComputedStyle(e).stroke") != (
        "none"
    )
    assert not (findings + axe(page))


def inner_tab(page: Any, name: str) -> None:
    """Go to a tab within a page, through its own menu of more where there is no room."""
    found = page.get_by_role("tab", name=name, exact=True)
    if not (found.count() and found.first.is_visible()):
        page.get_by_label("More tabs").locator("visible=true").last.click()
        found = page.locator(".overflow-dropdown button", has_text=name).locator("visible=true")
    found.first.click()


def axe(page: Any) -> list[str]:
    """What axe finds on a page, where it is here."""
    if find_spec("axe_playwright_python") is None:
        return []
    from axe_playwright_python.sync_playwright import Axe

    rules: Any = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "best-practice"]}}
    found = Axe().run(page, options=rules).response["violations"]
    return [
        f"{one['id']} {[node['target'] for node in one['nodes']][:3]}"
        for one in found
        if one["impact"] != "minor"
    ]
