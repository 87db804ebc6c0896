"""The web demo in a real browser: every page is driven, wide and on a phone, light and dark."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.chromium import needs_browser
from tests.conftest import HAS_ENCODER
from tests.demo_visits import Open, choose, seen, shows, tab, visit

if find_spec("gradio") is None:
    pytest.skip("no gradio here: pip install 'ganzoo-core[demo]'", allow_module_level=True)
pytestmark = needs_browser

__all__ = ["visit"]  # a fixture


def test_generate(visit: Open) -> None:
    page = visit()
    first = shows(page, "#samples")
    page.get_by_role("button", name="Another seed").locator("visible=true").click()
    second = shows(page, "#samples", first)
    heads = page.locator("#columns .columns span")
    assert heads.first.inner_text() == "black" and heads.count() == 6
    boxes = [head.bounding_box() for head in (heads.first, heads.last)]
    sheet = page.locator("#samples img").bounding_box()
    assert sheet and boxes[0] and boxes[1]
    assert sheet["x"] - 20 < boxes[0]["x"] and boxes[1]["x"] < sheet["x"] + sheet["width"]
    page.get_by_label("Seed", exact=True).first.fill("4242")
    second = shows(page, "#samples", second)  # a typed seed needs no button
    choose(page, "Class", "pink")
    third = shows(page, "#samples", second)
    choose(page, "Model", "dcgan-mnist")
    shows(page, "#samples", third)
    assert not page.get_by_label("Class", exact=True).locator("visible=true").count()
    before = shows(page, "#way")
    handle = page.locator("#position input[type=range]")
    handle.focus()
    for _ in range(5):
        handle.press("ArrowRight")
    shows(page, "#way", before)
    page.locator("#animate").click()
    shows(page, "#animation")
    source = page.locator("#animation img").first.get_attribute("src")
    assert source and page.request.get(source).body().startswith(b"GIF89a")
    with page.expect_download() as download:
        page.locator("#samples a[download]").click()
    with Image.open(download.value.path()) as file:
        assert file.format == "PNG" and file.width > 500


def test_a_mistake_is_said_and_the_page_goes_on(visit: Open) -> None:
    page = visit()
    before = shows(page, "#samples")
    page.get_by_label("Seed", exact=True).first.fill("-5")
    page.locator("#generate").click()
    page.get_by_text("seed is a whole number from 0 to 2,147,483,647, not -5").wait_for()
    page.get_by_label("Seed", exact=True).first.fill("77")
    page.locator("#generate").click()
    shows(page, "#samples", before)


@pytest.mark.skipif(not HAS_ENCODER, reason='no text encoder here: pip install "ganzoo-core[text]"')
def test_text_to_image(visit: Open) -> None:
    page = visit()
    tab(page, "Text to image")
    first = shows(page, "#drawn")
    page.locator("#sentence textarea").fill("a blue square")
    page.locator("#draw").click()
    shows(page, "#stages")
    second = shows(page, "#drawn", first)
    choose(page, "Examples", "a yellow square")
    page.wait_for_function(
        "document.querySelector('#sentence textarea').value == 'a yellow square'"
    )
    shows(page, "#drawn", second)


@pytest.mark.skipif(not HAS_ENCODER, reason='no text encoder here: pip install "ganzoo-core[text]"')
def test_draw_takes_the_seed_that_is_shown_and_then_a_new_one(visit: Open) -> None:
    """A new sentence is drawn with the seed in its field; the same one again with another."""
    page = visit()
    tab(page, "Text to image")
    seed = page.get_by_label("Seed", exact=True).locator("visible=true")
    before = shows(page, "#drawn")
    used = []
    for sentence in ("a blue square", "a blue square", "a red square"):
        page.locator("#sentence textarea").fill(sentence)
        page.locator("#draw").click()
        before = shows(page, "#drawn", before)
        used.append(seed.input_value())
    assert used[0] == "0" and used[1] != "0" and used[2] == used[1]
    seed.fill("7")
    page.locator("#draw").click()
    shows(page, "#drawn", before)
    assert seed.input_value() == "7"


def test_anomalies(visit: Open, tmp_path: Path) -> None:
    page = visit()
    tab(page, "Anomalies")
    choose(page, "Model", "ganomaly-mnist")
    first = shows(page, "#again")
    page.locator("#strange-examples button.thumbnail-item").nth(4).click()
    second = shows(page, "#again", first)
    shows(page, "#heat")
    page.get_by_text("threshold", exact=False).first.wait_for()
    page.get_by_role("tab", name="Draw", exact=True).click()
    box = page.locator("#drawing canvas").bounding_box()
    assert box
    page.mouse.move(box["x"] + 140, box["y"] + 40)
    page.mouse.down()
    page.mouse.move(box["x"] + 120, box["y"] + 240, steps=8)
    page.mouse.up()
    page.locator("#score-drawing").click()
    shows(page, "#again", second)
    ink = seen(page, "#seen")
    assert 0.01 < (ink > 128).mean() < 0.4, "white on black, as digits are"
    page.get_by_role("tab", name="Many pictures").click()
    paths = []
    for number in range(3):
        path = tmp_path / f"{number}.png"
        noise = np.random.default_rng(number).integers(0, 255, (28, 28), dtype=np.uint8)
        Image.fromarray(noise).save(path)
        paths.append(path)
    page.locator("#strange-files input[type=file]").set_input_files(paths)
    page.locator("#strange-files .file").nth(2).wait_for()
    page.locator("#score-many").click()
    page.locator("#table").get_by_text("strange", exact=True).locator(
        "visible=true"
    ).first.wait_for()


@pytest.mark.parametrize("width", [1400, 390])
def test_names_of_examples_stand_below_them_whole(visit: Open, width: int) -> None:
    page = visit(width, query="show=anomalies&model=ganomaly-fashion-mnist")
    page.locator("#strange-examples .caption-label").first.wait_for()
    found = page.evaluate("""() => [...document.querySelectorAll('#strange-examples button')]
      .filter((tile) => tile.querySelector('.caption-label')).map((tile) => {
        const name = tile.querySelector('.caption-label');
        const [below, of] = [name, tile.querySelector('img')].map((e) => e.getBoundingClientRect());
        return [name.scrollWidth <= name.clientWidth, below.top >= of.bottom - 1];
      })""")
    assert len(found) == 10 and all(whole and below for whole, below in found)


def test_encode(visit: Open) -> None:
    page = visit()
    tab(page, "Encode")
    first = shows(page, "#pair")
    shows(page, "#mixture")
    page.locator("#encode-examples button.thumbnail-item").nth(7).click()
    shows(page, "#pair", first)
    before = shows(page, "#mix-way")
    choose(page, "Model", "ganomaly-mnist")
    shows(page, "#mix-way", before)
    mixture = shows(page, "#mixture")
    handle = page.locator("#mix-position input[type=number]")
    handle.fill("0.9")
    page.locator("#mix").click()
    shows(page, "#mixture", mixture)


def test_translate(visit: Open) -> None:
    page = visit()
    tab(page, "Translate")
    first = shows(page, "#there")
    shows(page, "#back")
    page.locator("#to").get_by_text("b → a", exact=True).click()
    second = shows(page, "#there", first)
    # domains are called what the data set calls their classes, where it has names
    choose(page, "Model", "cyclegan-avatars")
    page.locator("#to").get_by_text("blond → black", exact=True).wait_for()
    shows(page, "#there", second)


@pytest.mark.parametrize("name", ["translate", "anomalies", "encode"])
def test_a_picture_leaves_room_for_the_ways_to_give_one(visit: Open, name: str) -> None:
    page = visit(query=f"show={name}")
    page.locator(".taken:visible .image-frame img").first.wait_for()
    found = page.evaluate("""() => [...document.querySelectorAll('.taken')]
      .filter((one) => one.offsetParent && one.querySelector('.source-selection'))
      .map((one) => [one, one.querySelector('.source-selection'), one.querySelector('img')]
        .map((e) => e.getBoundingClientRect()))
      .map(([one, ways, img]) => [ways.bottom <= one.bottom + 1, img.bottom <= ways.top + 1])""")
    assert found and all(inside and free for inside, free in found)


def test_learn(visit: Open) -> None:
    page = visit()
    tab(page, "Learn")
    choose(page, "Model", "wgan-gp-mnist")
    page.locator("#mathematics .katex-display").wait_for()
    page.locator("#mathematics").get_by_text("WGAN-GP").first.wait_for()
    for name, place, words in (
        ("A round", "#plan", "GFLOP per round"),
        ("Networks", "#diagram", "parameters"),
        ("Figures", "#figures", "lower is better"),
        ("Card", "#card", "How good it is"),
    ):
        tab(page, name)
        page.locator(place).get_by_text(words).first.wait_for()
    tab(page, "Figures")
    shows(page, "#figure-pictures")
    tab(page, "A round")
    page.locator("#code").get_by_text("update").first.wait_for()


def test_train_live_and_use_the_result(visit: Open) -> None:
    page = visit()
    tab(page, "Train live")
    page.locator("#settings textarea, #settings input").first.fill("width=8, batch=64")
    rounds = page.locator("#rounds input[type=number]")
    rounds.fill("5000")  # so many that it is stopped before it is done, however slow the page
    rounds.press("Enter")
    page.locator("#train-start").click()
    page.locator("#train-said").get_by_text("Training").wait_for()
    first = shows(page, "#train-sheet")
    shows(page, "#train-sheet", first)
    page.locator("#train-plot .vega-embed, #train-plot canvas, #train-plot svg").first.wait_for()
    # somebody else looks on, and cannot stop it
    other = visit()
    tab(other, "Train live")
    other.locator("#train-said").get_by_text("Another visitor is training").wait_for()
    shows(other, "#train-sheet")
    assert other.locator("#train-stop").is_disabled()
    other.close()
    # a page that is loaded anew still has its training
    visit.anew(page)
    tab(page, "Train live")
    page.locator("#train-said").get_by_text("Training").wait_for()
    page.locator("#train-stop").click()
    page.locator("#train-said").get_by_text("Done").wait_for()
    page.locator("#train-keep").click()
    page.locator("#train-kept strong").wait_for()
    name = page.locator("#train-kept strong").inner_text()
    tab(page, "Generate")
    before = shows(page, "#samples")
    choose(page, "Model", name)
    shows(page, "#samples", before)
    # somebody who comes later finds it, too
    later = visit()
    choose(later, "Model", name)


PAGES = [
    "Generate",
    "Latent map",
    "Side by side",
    "Anomalies",
    "Encode",
    "Translate",
    "Learn",
    "Train live",
]


@pytest.mark.parametrize("width, height", [(1280, 900), (390, 844)])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_page_fits_its_screen(visit: Open, width: int, height: int, theme: str) -> None:
    page = visit(width, height, theme)
    for name in [*PAGES, *(["Text to image"] if HAS_ENCODER else [])]:
        tab(page, name)
        page.get_by_role("tab", name=name, exact=True, selected=True).first.wait_for(
            state="attached"
        )
        page.wait_for_function(f"document.documentElement.scrollWidth <= {width}")
    ground = page.locator("#samples").evaluate("e => getComputedStyle(e).backgroundColor")
    light = np.mean([int(part) for part in ground.strip("rgba()").split(",")[:3]])
    assert (light > 128) == (theme == "light"), ground
