"""The page Side by side: two models and one seed."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import pytest
from PIL import Image

import ganzoo
from tests.chromium import needs_browser
from tests.demo_visits import Open, choose, seen, shows, visit

if find_spec("gradio") is None:
    pytest.skip("no gradio here: pip install 'ganzoo-core[demo]'", allow_module_level=True)

__all__ = ["visit"]  # a fixture


def test_samples_figures_and_sizes() -> None:
    from ganzoo.demo import outputs
    from ganzoo.demo.model_registry import ModelRegistry
    from ganzoo.demo.pages.beside import side_by_side

    registry = ModelRegistry()
    names = ("dcgan-mnist", "gan-mnist")
    *paths, table = side_by_side(registry, *names, 5, 9)
    for name, path in zip(names, paths, strict=True):
        images = ganzoo.from_pretrained(name).generate(9, seed=5, output="pt")
        with Image.open(path) as found:
            np.testing.assert_array_equal(np.asarray(found), np.asarray(outputs.sheet(images)))
    rows = {line.split("|")[1].strip(): line for line in table.splitlines()}
    assert "mnist" in rows["trained on"] and "MB" in rows["size on disk"]
    fid = rows["fid"].split("|")
    assert "**" in fid[2] and "**" not in fid[3], "the better one is bold"
    assert float(fid[2].strip(" *")) < float(fid[3])
    # of other data there is no better one
    *_, table = side_by_side(registry, "dcgan-mnist", "gan-fashion-mnist", 5, 4)
    (fid_row,) = [line for line in table.splitlines() if line.startswith("| fid ")]
    assert "not comparable" in fid_row and "**" not in fid_row
    assert table.count("they differ in data") == 1, "the reason stands once, below the table"


def test_the_first_two_models_can_be_compared(visit: Open) -> None:
    page = visit(query="show=side-by-side")
    page.locator("#beside-table table").wait_for()
    assert "not comparable" not in page.locator("#beside-table").inner_text()


@needs_browser
def test_two_models(visit: Open) -> None:
    page = visit(query="show=side-by-side&model=dcgan-mnist&beside=gan-mnist&seed=3&count=9")
    one, other = shows(page, "#beside-one"), shows(page, "#beside-other")
    assert not np.array_equal(seen(page, "#beside-one"), seen(page, "#beside-other"))
    page.locator("#beside-table").get_by_text("lower is better").first.wait_for()
    page.locator("#beside-another").click()
    shows(page, "#beside-one", one)
    other = shows(page, "#beside-other", other)
    choose(page, "Second model", "wgan-gp-mnist")
    shows(page, "#beside-other", other)
    page.wait_for_function("new URL(location.href).searchParams.get('beside') === 'wgan-gp-mnist'")
