"""The page Latent map: dragged, moved by keys, and opened by its address."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest

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
    from PIL import Image

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
    from PIL import Image

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
