"""Each lesson in a real browser: what it promises is seen, with its own seed, and some with others.

Rounds run as Play runs them, without waiting for a picture after each.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from ganzoo.lab.page import page as whole
from tests.chromium import needs_browser

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = needs_browser


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    context = chromium.new_context(viewport={"width": 1400, "height": 1000})
    opened = context.new_page()
    opened.set_default_timeout(120_000)
    opened.set_content(whole())
    yield opened
    context.close()


def lesson(page: Page, number: int, seed: int = 0) -> None:
    page.locator("#lesson").select_option(str(number))
    assert page.locator("#lesson-title").inner_text().startswith(f"{number}. ")
    if seed:
        page.locator("#set-seed").fill(str(seed))
        page.locator("#set-seed").press("Enter")


def seen(page: Page, rounds: int) -> dict[str, Any]:
    """What the page says once so many rounds have run."""
    page.evaluate(
        "n => { play(false); while (game.rounds < n) game.round(); said = ''; drawAll(); }", rounds
    )
    found = page.evaluate(
        """() => {
          const tail = game.history.measured.slice(-LOOKS), now = tail[tail.length - 1];
          const mean = (key) => tail.reduce((sum, look) => sum + look[key], 0) / tail.length;
          return { ...now, hits: mean("hit"), distances: mean("distance"), floor: game.floor,
            losses: game.losses, pushes: mean("push"),
            way: swing(tail.map((look) => look.centre)).path };
        }"""
    )
    found["verdict"] = page.locator("#verdict").inner_text()
    return found


def cure(page: Page, name: str) -> None:
    """Press a remedy that the doctor offers."""
    page.locator(f'[data-remedy="{name}"]').click()
    page.evaluate("play(false)")


def test_two_networks_end_as_a_coin(page: Page) -> None:
    """One batch of coins says little: the mean of forty rounds is ln 2."""
    lesson(page, 1)
    start = seen(page, 10)
    rounds = [seen(page, number) for number in range(380, 420)]
    assert rounds[-1]["distances"] < 0.3 * start["distances"]
    for term in ("D_real", "D_fake", "G_fool"):
        mean = sum(found["losses"][term] for found in rounds) / len(rounds)
        assert mean == pytest.approx(0.693, abs=0.06)


def test_slopes_lead_the_fakes_to_the_data(page: Page) -> None:
    lesson(page, 2)
    start, end = seen(page, 10), seen(page, 750)
    assert start["hits"] < 1 and end["hits"] >= 4
    assert end["distances"] < 0.5 * start["distances"]


def test_a_round_goes_line_by_line(page: Page) -> None:
    lesson(page, 3)
    weights = "JSON.stringify([...game.networks.D.parameters[0].data])"
    begun, lit = page.evaluate(weights), []
    while not lit or not lit[-1].startswith("apply('D')"):
        assert page.evaluate(weights) == begun
        page.get_by_role("button", name="Line", exact=True).click()
        lit.append(page.locator(".row.lit").inner_text().strip())
    assert "D_fake = bce(D(fake.detach()), 0)" in lit
    page.get_by_role("button", name="Line", exact=True).click()
    assert page.evaluate(weights) != begun


@pytest.mark.parametrize("seed", [0, 1])
def test_gradients_vanish_and_another_loss_brings_them_back(seed: int, page: Page) -> None:
    lesson(page, 4, seed)
    before, after = seen(page, 60), seen(page, 130)
    assert after["gap"] > 0.98 and after["pushes"] < 0.01
    assert after["distances"] == pytest.approx(before["distance"], rel=0.05)
    assert "vanishes" in after["verdict"]
    assert not page.locator("#applied").is_visible()
    cure(page, "nonsaturating")
    assert "where D is most certain" in page.locator("#applied").inner_text()
    back = seen(page, 60)
    assert back["pushes"] > 100 * after["pushes"] and "vanishes" not in back["verdict"]


def test_a_gradient_penalty_cures_what_vanished(page: Page) -> None:
    lesson(page, 4, seed=1)
    stuck = seen(page, 130)
    cure(page, "wgan-gp")
    cured = seen(page, 560)
    assert cured["distances"] < 0.4 * stuck["distances"] and cured["hits"] >= 4


@pytest.mark.parametrize(
    ("remedy", "rounds", "seed"), [("wgan-gp", 600, 0), ("rpgan", 600, 3), ("unroll", 450, 1)]
)
def test_the_collapse_collapses_and_is_cured(
    remedy: str, rounds: int, seed: int, page: Page
) -> None:
    lesson(page, 5, seed)
    collapsed = seen(page, 600)
    assert collapsed["hits"] < 2 and collapsed["distances"] > 5 * collapsed["floor"]
    assert "collapsed" in collapsed["verdict"]
    cure(page, remedy)
    cured = seen(page, rounds)
    assert cured["hits"] >= 4 and cured["distances"] < 0.4 * collapsed["distances"]
    assert "collapsed" not in cured["verdict"]


def test_two_that_chase_each_other_come_to_rest_by_friction(page: Page) -> None:
    lesson(page, 6)
    swinging = seen(page, 400)
    assert "chase" in swinging["verdict"]
    cure(page, "r1r2")
    calm = seen(page, 400)
    assert calm["way"] < 0.5 * swinging["way"] and calm["distances"] < 0.7 * swinging["distances"]
    assert "chase" not in calm["verdict"]


def test_clipped_weights_say_next_to_nothing(page: Page) -> None:
    lesson(page, 7)
    clipped = seen(page, 200)
    assert clipped["pushes"] < 0.01 and clipped["hits"] < 1
    page.locator("#set-clip").select_option("1")
    assert seen(page, 60)["pushes"] > 10 * clipped["pushes"]


def test_a_gradient_penalty_points_the_way_from_everywhere(page: Page) -> None:
    lesson(page, 8)
    found = seen(page, 560)
    assert 0.7 < found["pushes"] < 1.4 and found["hits"] >= 5


def test_a_faster_discriminator_teaches(page: Page) -> None:
    lesson(page, 9)
    start, found = seen(page, 10), seen(page, 600)
    assert found["distances"] < 0.5 * start["distances"]
    assert "collapsed" not in found["verdict"] and "chase" not in found["verdict"]


def test_r3gan_finds_the_modes_that_collapsed_before(page: Page) -> None:
    lesson(page, 10)
    found = seen(page, 600)
    assert found["hits"] >= 5 and found["distances"] < 2.5 * found["floor"]
