"""How pictures are made to fit, from the data through training and the folder to use."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image as pil

import ganzoo
from ganzoo.data import load
from ganzoo.errors import StoreError
from ganzoo.models import store
from ganzoo.models.images import image_tensor
from ganzoo.plugins.host import default
from ganzoo.spec import Image
from tests.builders import model_of


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_a_model_fits_pictures_as_its_data_were_fitted(tmp_path: Path) -> None:
    """100 normal pictures that were not square: 55 % called strange, and 2 % cut by hand."""
    (tmp_path / "in").mkdir()
    path = tmp_path / "in" / "x.png"
    values = np.random.default_rng(0).integers(0, 256, (30, 70), np.uint8)
    for index in range(16):
        pil.fromarray(np.roll(values, index)).save(path.with_stem(str(index)))
    pil.fromarray(values).save(path)
    draw, seen = Image((1, 16, 16)), list[torch.Tensor]()
    for fit in ("crop", "pad", "stretch"):
        data = load(f"folder:{tmp_path / 'in'},size=16,channels=1,fit={fit},filter=box")
        spec = default().variant("ganomaly").parse({"width": 4, "latent": 4}).spec(data.fields)
        *_, last = ganzoo.train(spec, data, steps=1, batch=4)
        model = last.model()
        store.save(model, tmp_path / fit)
        again = store.load(tmp_path / fit)
        assert again.preprocessing == model.preprocessing == data.preprocessing
        assert again.preprocessing.fit == fit
        trained_on = data.batch("image", torch.tensor([16]))
        for given in (path, pil.fromarray(values), values, torch.from_numpy(values)):
            assert torch.equal(image_tensor(given, draw, again.preprocessing), trained_on)
            score = again.score(given).values
            assert np.array_equal(score, again.score(trained_on.add(1).div(2)).values)
        seen.append(trained_on)
    assert not torch.equal(seen[0], seen[1]) and not torch.equal(seen[1], seen[2])


def test_a_model_that_says_nothing_crops() -> None:
    """As folders were fitted before models kept it."""
    gan = model_of("dcgan")
    wide = np.zeros((10, 30), np.uint8)
    wide[:, 10:20] = 255
    assert not gan.config.preprocessing
    assert gan.seen(wide, Image((1, 10, 10))).eq(1).all()


@pytest.mark.parametrize("said", [{"fit": "cut"}, {"fit": 1}, {"more": "crop"}, [], "crop", None])
def test_a_folder_that_says_nonsense_of_it_is_refused(tmp_path: Path, said: Any) -> None:
    folder = store.save(model_of("gan"), tmp_path / "model", name="x")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "preprocessing": said}))
    with pytest.raises(StoreError, match=r"config\.json.*(preprocessing|allowed)"):
        store.load(folder)
