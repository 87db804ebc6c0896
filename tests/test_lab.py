"""The laboratory's page in a real browser: every control is used, wide and on a phone."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from ganzoo.cli.console import app
from ganzoo.lab import lessons
from scripts.lessons import FOLDER, pages
from tests.chromium import needs_browser, watch

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = needs_browser
SECONDS = 120_000
Open = Callable[..., "Page"]


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file that the command line writes."""
    place = tmp_path_factory.mktemp("lab") / "lab.html"
    done = CliRunner().invoke(app, ["lab", "--export", str(place)])
    assert done.exit_code == 0, done.output
    return place


@pytest.fixture
def visit(chromium: Browser, exported: Path) -> Iterator[Open]:
    """Opens the file from disk; afterwards nothing may have gone wrong, nor been asked for."""
    wrong: list[str] = []
    contexts: list[Any] = []

    def visit(address: str = "", width: int = 1400, height: int = 1000, **more: Any) -> Page:
        context = chromium.new_context(viewport={"width": width, "height": height}, **more)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(SECONDS)
        watch(page, wrong, exported.as_uri())
        page.goto(exported.as_uri() + (f"#{address}" if address else ""))
        page.locator("#listing .row").first.wait_for()
        return page

    yield visit
    for context in contexts:
        context.close()
    assert not wrong, "\n".join(wrong)


def pixels(page: Page, place: str = "#plane") -> np.ndarray:
    with Image.open(io.BytesIO(page.locator(place).screenshot())) as file:
        return np.asarray(file.convert("RGB")).astype(int)


def rounds(page: Page) -> int:
    return page.evaluate("game.rounds")


def run(page: Page, count: int) -> None:
    """Rounds as Play runs them, without waiting for pictures between them."""
    page.evaluate("n => { for (let i = 0; i < n; i++) game.round(); drawAll(); }", count)


def number(page: Page, name: str) -> float:
    text = page.locator(f'[data-number="{name}"] b').inner_text()
    return float(text.split(" ")[0].replace("−", "-"))


def test_it_plays_pauses_and_rewinds(visit: Open) -> None:
    page = visit()
    before = pixels(page)
    page.get_by_role("button", name="Play", exact=True).click()
    # a locator, as the page's policy forbids the text of a condition to be evaluated in it
    page.locator("#now", has_text=re.compile(r"^(1[2-9]|[2-9]\d|\d{3,})")).wait_for()
    page.get_by_role("button", name="Pause").click()
    at = rounds(page)
    assert np.abs(pixels(page) - before).mean() > 1
    later = pixels(page)
    page.locator("#rewind").fill("0")
    assert rounds(page) == 0
    assert np.abs(pixels(page) - before).max() == 0
    page.locator("#rewind").fill(str(at))
    assert rounds(page) == at
    assert np.abs(pixels(page) - later).max() == 0


def test_a_line_an_update_and_a_round(visit: Open) -> None:
    page = visit("loss=wgan-gp&repeat=2&width=8&batch=16")
    lit = page.locator(".row.lit")
    assert lit.count() == 0
    weights = "JSON.stringify(['G', 'D'].map(n => [...game.networks[n].parameters[0].data]))"
    begun = page.evaluate(weights)
    seen = []
    for _ in range(4):
        page.keyboard.press("l")
        seen.append(lit.inner_text().strip())
    assert seen[0].startswith("fake = G(z)") and "gradient_penalty" in seen[2], seen
    assert page.evaluate(weights) == begun  # only apply moves a network
    page.keyboard.press("u")
    g, d = (page.evaluate(f"[...game.networks.{name}.parameters[0].data]") for name in "GD")
    assert page.evaluate(weights) != begun and rounds(page) == 0
    page.keyboard.press("r")
    assert rounds(page) == 1 and lit.count() == 0
    assert page.evaluate("[...game.networks.G.parameters[0].data]") != g
    assert page.evaluate("[...game.networks.D.parameters[0].data]") != d


def test_whoever_comes_is_told_what_to_press(visit: Open) -> None:
    page = visit()
    assert page.locator("#verdict").inner_text() == "Press Play"
    page.get_by_role("button", name="Mode collapse", exact=True).click()
    page.locator("#verdict", has_text="Too early").wait_for()


def test_values_are_shown_on_hover_and_in_a_list(visit: Open) -> None:
    page = visit()
    for _ in range(3):
        page.get_by_role("button", name="Line").click()
    page.locator('[data-name="fake"]').first.hover()
    assert "128 × 2" in page.locator("#tip").inner_text()
    page.locator('[data-name="D_real"]').first.hover()
    value = page.evaluate("short(game.scope.get('D_real').item())")
    assert page.locator("#tip").inner_text() == f"D_real: {value}"
    page.locator("summary").click()
    assert page.locator("#values dt").all_inner_texts() == ["x", "z", "D_real", "fake"]


@pytest.mark.parametrize("layer", ["data", "fakes", "surface", "arrows", "manifold"])
def test_each_layer_shows(layer: str, visit: Open) -> None:
    page = visit()
    run(page, 30)
    before = pixels(page)
    page.locator(f'[data-layer="{layer}"]').click()
    changed = np.abs(pixels(page) - before).sum(2) > 0
    assert changed.mean() > 0.002


def test_long_games_draw_no_more_than_short_ones(visit: Open) -> None:
    page = visit()
    found = page.evaluate("""() => {
      const rounds = Array.from({ length: 5003 }, (_, i) => i + 1);
      const some = thinned(rounds, rounds.map((round) => -round));
      return [some.length, some[0], some[some.length - 1], thinned([], []).length];
    }""")
    assert found[0] <= 1600 and found[1:] == [[1, -1], [5003, -5003], 0]


def test_the_surface_is_of_the_shown_round_once_it_pauses(visit: Open) -> None:
    """While it plays, every other picture has the surface of the one before."""
    page = visit("loss=nonsaturating&lrd=0.05")
    painted = page.evaluate("""() => {
      let count = 0;
      const paint = picture.paintSurface.bind(picture);
      picture.paintSurface = (...given) => { count += 1; paint(...given); };
      const counts = [];
      for (const quick of [true, true, true, true, false, false]) {
        game.round();
        drawAll(quick);
        counts.push(count);
      }
      return counts;
    }""")
    quick = [after - before for before, after in zip([0, *painted], painted, strict=False)]
    assert sorted(quick[:4]) == [0, 0, 1, 1] and quick[4:] == [1, 1]


def test_dots_are_the_same_wherever_they_stand(visit: Open) -> None:
    """A dot is drawn once and stamped; none beyond the picture."""
    page = visit()
    ink = page.evaluate("""() => {
      const pen = picture.canvas.getContext('2d'), { size } = picture;
      const spot = (x, y) => {
        pen.fillStyle = '#ffffff';
        pen.fillRect(0, 0, size, size);
        picture.dots(pen, new Float64Array([x, y]), '#000000', 4, 1);
        const { data } = pen.getImageData(0, 0, size, size);
        let dark = 0;
        for (let i = 0; i < data.length; i += 4) dark += 255 - data[i];
        return dark / 255;
      };
      return [spot(0, 0), spot(0.8, -0.8), spot(9, 0)];
    }""")
    assert 40 < ink[0] < 60 and abs(ink[0] - ink[1]) < 1 and ink[2] == 0


def test_the_legend_is_there_before_the_first_round(visit: Open) -> None:
    page = visit("loss=nonsaturating")
    legend = page.locator("#legend li")
    before = legend.all_inner_texts()
    assert [name.strip() for name in before] == ["D_real", "D_fake", "G_fool"]
    run(page, 1)
    after = legend.all_inner_texts()
    assert [name.split()[0] for name in after] == ["D_real", "D_fake", "G_fool"]
    assert all(len(name.split()) == 2 for name in after)


@pytest.mark.parametrize("width", [1400, 390])
def test_what_is_chosen_can_be_read_whole(width: int, visit: Open) -> None:
    page = visit("loss=nonsaturating&act=leaky_relu", width=width)
    cut = page.evaluate("""() => {
      const pen = document.createElement('canvas').getContext('2d');
      return [...document.querySelectorAll('#fields select')].filter((select) => {
        const style = getComputedStyle(select);
        pen.font = `${style.fontWeight} ${style.fontSize} ${style.fontFamily}`;
        const room = select.clientWidth - parseFloat(style.paddingLeft) - 24;
        return pen.measureText(select.selectedOptions[0].textContent).width > room;
      }).map((select) => select.id);
    }""")
    assert cut == []


def test_the_address_says_the_game(visit: Open) -> None:
    page = visit()
    page.locator("#set-loss").select_option("rpgan")
    page.locator("#set-n-gamma").fill("0.25")
    page.locator("#set-n-gamma").press("Enter")
    page.locator("#set-data").select_option("grid")
    address = page.evaluate("location.hash.slice(1)")
    assert "loss=rpgan" in address and "n-gamma=0.25" in address and "data=grid" in address
    run(page, 5)
    other = visit(address)
    assert "0.125 * r1(D, x)" in other.locator("#listing").inner_text()
    run(other, 5)
    weights = "[...game.networks.G.parameters[0].data]"
    assert page.evaluate(weights) == other.evaluate(weights)
    assert np.abs(pixels(page) - pixels(other)).max() <= 2  # smooth edges may be rounded otherwise


def test_points_are_drawn_by_hand(visit: Open) -> None:
    page = visit("data=drawn")
    assert page.locator("#hint").is_visible()
    box = page.locator("#plane").bounding_box()
    assert box
    at = [box["x"] + box["width"] / 4, box["y"] + box["height"] / 4]
    page.mouse.move(*at)
    page.mouse.down()
    page.mouse.move(at[0] + 90, at[1] + 60, steps=6)
    page.mouse.up()
    points = np.array(page.evaluate("settings.points"))
    assert len(points) > 3 and not page.locator("#hint").is_visible()
    assert points[0] == pytest.approx([-0.8, 0.8], abs=0.03)
    drawn = visit(page.evaluate("location.hash.slice(1)"))
    assert np.abs(np.array(drawn.evaluate("settings.points")) - points).max() < 0.003


def test_a_stranger_address_breaks_nothing(visit: Open) -> None:
    page = visit("loss=%3Cimg%20src=x%3E&width=1e9&lesson=99&points=zzzz&data=__proto__")
    assert page.evaluate("settings.loss") == "nonsaturating"
    assert page.evaluate("settings.width") == 32 and not page.locator("#words").is_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1400, 390])
def test_nothing_overflows_and_text_can_be_read(width: int, scheme: str, visit: Open) -> None:
    """No sideways scrolling, no control cut off, and contrast of 4.5 for all text (WCAG AA)."""
    page = visit("lesson=5", width=width, color_scheme=scheme)
    run(page, 20)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    poor = page.evaluate(CONTRAST)
    assert not poor, poor
    small = page.evaluate(
        """() => [...document.querySelectorAll("button, select, input:not([type=checkbox])")]
          .filter((e) => e.offsetParent && e.getBoundingClientRect().height < 24)
          .map((e) => e.id)"""
    )
    assert not small
    unnamed = page.evaluate(
        """() => [...document.querySelectorAll("button, select, input, canvas")].filter((e) =>
          !(e.textContent.trim() || e.getAttribute("aria-label") || (e.labels && e.labels.length)))
          .map((e) => e.id)"""
    )
    assert not unnamed


CONTRAST = """() => {
  const rgb = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((v) => v / 255).map((v) =>
    v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (element) => {
    for (let e = element; e; e = e.parentElement) {
      const colour = rgb(getComputedStyle(e).backgroundColor);
      if (colour.length < 4 || colour[3] > 0.99) return colour;
    }
    return [255, 255, 255];
  };
  const found = [];
  for (const e of document.querySelectorAll("body *")) {
    const own = [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    if (!own || !e.offsetParent || e.disabled || ["SCRIPT", "OPTION"].includes(e.tagName)) continue;
    const [a, b] = [light(rgb(getComputedStyle(e).color)), light(behind(e))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) found.push(`${e.className} ${e.textContent.slice(0, 20)}: ${ratio}`);
  }
  return found;
}"""


def test_lessons_are_ten_and_as_documented() -> None:
    found = lessons.all()
    assert len(found) == 10
    assert all(len(lesson.paragraphs) == 3 and lesson.attempt for lesson in found)
    for name, text in pages().items():
        assert (FOLDER / name).read_text("utf-8") == text, "run python scripts/lessons.py"


def test_the_command_says_what_is_allowed(tmp_path: Path) -> None:
    from ganzoo.errors import GanzooError

    with pytest.raises(GanzooError, match="no lesson 11; allowed: 1 to 10"):
        CliRunner().invoke(app, ["lab", "--lesson", "11"], catch_exceptions=False)
    with pytest.raises(GanzooError, match="is a folder"):
        CliRunner().invoke(app, ["lab", "--export", str(tmp_path)], catch_exceptions=False)
