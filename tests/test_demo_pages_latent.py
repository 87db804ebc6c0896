"""The page Latent map: dragged, moved by keys, and opened by its address."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ganzoo.errors import TaskError
from tests.chromium import needs_browser
from tests.demo_visits import Open, seen, shows, visit

if find_spec("gradio") is None:
    pytest.skip("no gradio here: pip install 'ganzoo-core[demo]'", allow_module_level=True)

__all__ = ["visit"]  # a fixture


@pytest.fixture(scope="module")
def registry() -> Any:
    from ganzoo.demo.model_registry import ModelRegistry

    return ModelRegistry()


def test_corners_are_seeds(registry: Any) -> None:
    from ganzoo.demo import outputs
    from ganzoo.demo.pages.latent import latent_sample

    model = registry.model("cdcgan-mnist")
    for seed, x, y in ((1, 0, 0), (2, 1, 0), (3, 0, 1)):
        path = latent_sample(registry, "cdcgan-mnist", 1, 2, 3, x, y, "3")
        expected = outputs.sheet(model.generate(1, seed=seed, label=3, output="pt"), width=420)
        with Image.open(path) as found:
            np.testing.assert_allclose(np.asarray(found, int), np.asarray(expected, int), atol=2)
    path = latent_sample(registry, "cdcgan-mnist", 1, 2, 3, 0, 0, "3", "8", 1.0)
    expected = outputs.sheet(model.generate(1, seed=1, label=8, output="pt"), width=420)
    with Image.open(path) as found:
        np.testing.assert_allclose(np.asarray(found, int), np.asarray(expected, int), atol=2)


def test_what_it_says_again_draws_the_same(registry: Any, tmp_path: Any, monkeypatch: Any) -> None:
    from ganzoo.demo import outputs
    from ganzoo.demo.pages.latent import again_of, latent_sample

    monkeypatch.chdir(tmp_path)
    settings = ("cdcgan-mnist", "3", 1, 2, 3, 0.3, 0.4, "8", 0.5, 2.0, 0, -1, 0)
    space: dict[str, Any] = {}
    exec(again_of(registry, *settings)[0], space)
    path = latent_sample(registry, "cdcgan-mnist", 1, 2, 3, 0.3, 0.4, "3", "8", 0.5, 2.0, 0, -1, 0)
    with Image.open(path) as found:
        expected = outputs.sheet(space["images"], width=420)
        np.testing.assert_allclose(np.asarray(found, int), np.asarray(expected, int), atol=2)


@pytest.mark.parametrize("at, bad, said", [(4, 2, "x is"), (5, None, "y is"), (8, -1, "amount is"),
                                           (9, 99, "d1 is"), (1, "a", "seed_a is")])  # fmt: skip
def test_what_is_out_of_range_is_said(registry: Any, at: int, bad: Any, said: str) -> None:
    from ganzoo.demo.pages.latent import latent_sample

    values: list[Any] = ["cdcgan-mnist", 1, 2, 3, 0.5, 0.5, "3", "8", 0.5, 0, 0, 0, 0]
    values[at] = bad
    with pytest.raises(TaskError, match=said):
        latent_sample(registry, *values)


# ------------------------------------------------------------------- a picture on the map


def digit(folder: Path, model: Any, label: int = 3) -> Path:
    """A file with a picture that the model draws."""
    from ganzoo import pictures

    path = folder / "picture.png"
    images = model.generate(1, seed=5, label=label, output="pt")
    Image.fromarray(pictures.to_uint8(images)[0, ..., 0]).save(path)
    return path


def test_a_picture_is_found_and_takes_a_corner(
    registry: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ganzoo.demo.pages import latent, latent_picture

    monkeypatch.chdir(tmp_path)
    path = digit(tmp_path, registry.model("cdcgan-mnist"))
    shown = [*latent_picture.latent_find(registry, "cdcgan-mnist", str(path), "b")]
    assert len(shown) == latent_picture.SHOWN + 1
    errors = [facts["error"] for _, _, facts in shown]
    assert errors[-1] < 0.2 * errors[0] and errors[0] == shown[0][2]["error_at_start"]
    pair, words, facts = shown[-1]
    assert facts["label"] == 3 and "Drawn as class 3" in words and facts["step"] == facts["steps"]
    with Image.open(pair) as file:
        pixels = np.asarray(file.convert("L"), float)[:, : file.width // 2 * 2]
    left, right = np.split(pixels, 2, 1)
    assert np.square(left - right).mean() < 0.05 * 255**2

    # the point is drawn at its corner, and the others are seeds as before
    point = facts["point"]

    def sample(x: float, y: float, of: str = point) -> np.ndarray:
        found = latent.latent_sample(registry, "cdcgan-mnist", 1, 2, 3, x, y, "3", point=of)
        with Image.open(found) as file:
            return np.asarray(file.convert("L"), float)

    assert np.square(sample(1, 0) - sheet_of(path)).mean() < 3 * facts["error"] * 255**2
    np.testing.assert_array_equal(sample(0, 0), sample(0, 0, ""))
    assert np.abs(sample(1, 0) - sample(1, 0, "")).mean() > 5
    assert latent.latent_map(registry, "cdcgan-mnist", 1, 2, 3, "3", point).startswith("data:")

    # what is said makes it again
    settings = ("cdcgan-mnist", "3", 1, 2, 3, 1, 0, "", 0, 0, 0, 0, 0, point)
    python, shell = latent.again_of(registry, *settings)
    space: dict[str, Any] = {}
    exec(python, space)
    again = outputs_sheet(space["images"])
    np.testing.assert_allclose(again, sample(1, 0), atol=12)  # the point is in half precision
    assert shell == (
        f"ganzoo project cdcgan-mnist picture.png --steps {facts['steps']} --starts 10"
    )


def sheet_of(path: Path) -> np.ndarray:
    """A picture as a sample of its size is shown."""
    with Image.open(path) as file:
        return outputs_sheet(np.asarray(file, np.float32)[None, None] / 255)


def outputs_sheet(images: Any) -> np.ndarray:
    from ganzoo.demo import outputs

    return np.asarray(outputs.sheet(images, width=420).convert("L"), float)


def test_a_search_is_bounded(registry: Any, tmp_path: Path, monkeypatch: Any) -> None:
    from ganzoo.demo.pages import latent_picture

    path = digit(tmp_path, registry.model("cdcgan-mnist"))
    monkeypatch.setattr(latent_picture, "SECONDS", 0.0)
    *_, (_, words, facts) = latent_picture.latent_find(registry, "cdcgan-mnist", str(path))
    assert facts["step"] == 0 and "at the time limit" in words
    operations = registry.model("cdcgan-mnist").work["G(z, y)"].with_gradients().operations
    monkeypatch.setattr(latent_picture, "OPERATIONS", 45 * 10 * operations)
    assert latent_picture.effort(registry.model("cdcgan-mnist")) == 45
    monkeypatch.setattr(latent_picture, "OPERATIONS", 20 * 10 * operations)
    with pytest.raises(TaskError, match=r"too large to be searched here.*ganzoo project"):
        next(latent_picture.latent_find(registry, "cdcgan-mnist", str(path)))
    # elsewhere it is searched, by the command that is shown
    assert latent_picture.find_again(registry, "cdcgan-mnist")[1].startswith("ganzoo project")
    monkeypatch.setattr(latent_picture, "MOST_NUMBERS", 99)
    with pytest.raises(TaskError, match="draws from 100 numbers; at most 99"):
        latent_picture.effort(registry.model("cdcgan-mnist"))


def test_a_text_that_is_no_point_is_refused(registry: Any) -> None:
    from ganzoo.demo.pages.latent import latent_sample
    from ganzoo.demo.pages.latent_picture import noise_of, point_of

    model = registry.model("cdcgan-mnist")
    rows = np.linspace(-3, 3, 100, dtype=np.float32).reshape(1, 100)
    good = point_of("c", {"z": rows})
    found = noise_of(model, good)
    assert found and found[0] == "c"
    np.testing.assert_allclose(found[1]["z"], rows, atol=2e-3)
    wide = registry.model("cgan-mnist")  # uniform noise stays in its range
    size = wide.spec.draws["z"].size
    held = noise_of(wide, point_of("a", {"z": np.full((1, size), 50, np.float32)}))
    assert held and held[1]["z"].max() <= wide.spec.draws["z"].high
    infinite = point_of("a", {"z": np.full((1, 100), np.inf, np.float32)})
    for bad in (7, [], "d." + good[2:], good[:-4], good + "AAAA", "a.", "a.!" + good[3:], infinite,
                "x" * 10_000, point_of("a", {"z": np.full((1, 100), 61, np.float32)})):  # fmt: skip
        with pytest.raises(TaskError, match="point is what /latent_find gives"):
            latent_sample(registry, "cdcgan-mnist", 1, 2, 3, 0, 0, "3", point=bad)


@needs_browser
def test_a_picture_and_a_drawing_come_to_the_map(
    visit: Open, tmp_path: Path, registry: Any
) -> None:
    page = visit(query="show=latent-map&model=cdcgan-mnist&class=1")
    before = shows(page, "#latent-sample")
    page.locator("#find-examples img").first.wait_for()
    assert not page.locator("#found").is_visible(), "nothing is shown before it is there"
    path = digit(tmp_path, registry.model("cdcgan-mnist"))
    page.locator("#find-input input[type=file]").first.set_input_files(path)
    page.locator("#find-said").get_by_text("Found after").wait_for()
    page.wait_for_function("new URL(location.href).searchParams.get('point')")
    found = shows(page, "#latent-sample", before)
    assert page.locator("#latent-point-note").inner_text() == "Corner A is your picture."
    query = dict(part.split("=") for part in page.url.split("?")[1].split("&"))
    assert query["class"] == "3" and query["x"] == "0" and query["point"].startswith("a.")
    sample = Image.fromarray(seen(page, "#latent-sample")).convert("L")
    assert np.square(np.asarray(sample, float) - sheet_of(path)).mean() < 0.01 * 255**2

    # an example is looked for as well
    point = "new URL(location.href).searchParams.get('point')"
    uploaded = page.evaluate(point)
    page.locator("#find-examples button.thumbnail-item").nth(4).click()
    page.wait_for_function(f"{point} && {point} !== '{uploaded}'")
    found = shows(page, "#latent-sample", found)

    # a seed takes its corner again; a drawing by keys takes another
    page.locator("#latent-point-back").press("Enter")
    page.wait_for_function("!new URL(location.href).searchParams.get('point')")
    shows(page, "#latent-sample", found)
    page.get_by_role("radio", name="C", exact=True).check()
    page.get_by_role("tab", name="Draw", exact=True).locator("visible=true").click()
    canvas = page.locator("#find-drawing canvas")
    canvas.focus()
    page.keyboard.press("Space")
    for _ in range(9):
        page.keyboard.press("ArrowUp")
    page.locator("#find-drawn").press("Enter")
    page.wait_for_function(
        "(new URL(location.href).searchParams.get('point') || '').startsWith('c.')"
    )
    assert page.locator("#latent-point-note").inner_text() == "Corner C is your picture."


@needs_browser
def test_a_place_is_dragged_to_and_moved_by_keys(visit: Open) -> None:
    page = visit(query="show=latent-map&model=cdcgan-mnist&class=3&x=0.2&y=0.7")
    first = shows(page, "#latent-sample")
    page.wait_for_function("document.querySelector('#plane img').naturalWidth > 100")
    plane = page.locator("#plane .plane")
    box, mark = plane.bounding_box(), page.locator("#plane .mark").bounding_box()
    assert box and mark
    assert (mark["x"] + 11 - box["x"]) / box["width"] == pytest.approx(0.2, abs=0.03)
    assert (mark["y"] + 11 - box["y"]) / box["height"] == pytest.approx(0.3, abs=0.03)
    page.mouse.move(box["x"] + 20, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.8 * box["width"], box["y"] + 0.25 * box["height"], steps=6)
    page.mouse.up()
    page.wait_for_function("Math.abs(new URL(location.href).searchParams.get('x') - 0.8) < 0.02")
    second = shows(page, "#latent-sample", first)
    dragged = seen(page, "#latent-sample")
    plane.press("Shift+ArrowLeft")
    third = shows(page, "#latent-sample", second)
    assert not np.array_equal(seen(page, "#latent-sample"), dragged)
    handle = page.locator("#direction-1 input[type=range]")
    handle.focus()
    for _ in range(10):
        handle.press("ArrowRight")
    shows(page, "#latent-sample", third)
    page.locator("#latent-note").get_by_text("of its variance").wait_for()


def test_the_map_begins_with_a_model_that_is_searched(registry: Any) -> None:
    """The first by name is too large: its page would begin with an error."""
    from ganzoo.demo.pages import latent_picture

    with pytest.raises(TaskError, match="too large"):
        latent_picture.effort(registry.model("biggan-avatars"))
    names = ["biggan-avatars", "cdcgan-mnist"]
    assert latent_picture.first_searched(registry, names) == "cdcgan-mnist"
    assert latent_picture.first_searched(registry, names[:1]) == "biggan-avatars"
