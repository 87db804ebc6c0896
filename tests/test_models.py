"""The published models: each is tested by existing."""

import hashlib
import json
import re

import numpy as np
import pytest

import ganzoo
from ganzoo import hub, store

MODELS = hub.bundled()


def test_the_promised_models_are_there() -> None:
    assert {"gan-mnist", "dcgan-mnist"} <= set(MODELS)


@pytest.mark.parametrize("name", MODELS)
def test_folder_is_whole_and_small(name: str) -> None:
    folder = MODELS[name]
    files = {path.name for path in folder.iterdir()}
    assert files == {"config.json", "model.safetensors", "README.md", "samples.png", "losses.png"}
    assert (folder / "model.safetensors").stat().st_size <= 4_000_000
    config = json.loads((folder / "config.json").read_text())
    content = (folder / "model.safetensors").read_bytes()
    assert config["weights"]["sha256"] == hashlib.sha256(content).hexdigest()
    assert config["name"] == name
    assert config["data"]["size"] == 60_000, "trained on the full data"


@pytest.mark.parametrize("name", MODELS)
def test_it_does_what_its_tasks_say(name: str) -> None:
    model = ganzoo.from_pretrained(name)
    images = model.generate(64, seed=3, output="np")
    assert images.shape == (64, 28, 28, 1)
    assert 0 <= images.min() < 0.05 and 0.95 < images.max() <= 1
    # digits are mostly dark with some bright strokes, and no two are alike
    assert 0.05 < images.mean() < 0.25
    flat = images.reshape(64, -1)
    distance = np.linalg.norm(flat[:, None] - flat[None], axis=2)[~np.eye(64, dtype=bool)]
    assert distance.min() > 1, "two of 64 samples are nearly the same"


@pytest.mark.parametrize("name", MODELS)
def test_samples_spread_like_the_data(name: str) -> None:
    """No collapse: samples differ from one another about as much as real digits do."""
    digits = ganzoo.load_data("digits")
    import torch

    real = (digits.batch("image", torch.arange(500)) + 1).div(2).flatten(1).numpy()
    fake = ganzoo.from_pretrained(name).generate(500, seed=1, output="np").reshape(500, -1)
    ratio = fake.std(0).mean() / real.std(0).mean()
    assert 0.85 < ratio < 1.15, f"{ratio:.2f} of the spread of real digits"
    assert abs(fake.mean() - real.mean()) < 0.03


@pytest.mark.parametrize("name", MODELS)
def test_card_says_how_to_load_and_to_make_it(name: str) -> None:
    card = (MODELS[name] / "README.md").read_text("utf-8")
    assert card.startswith("---\nlibrary_name: ganzoo\n")
    assert f'ganzoo.from_pretrained("{name}")' in card
    assert re.search(r"^ganzoo train \w+ --data ", card, re.MULTILINE)
    assert r"\min_{G}" in card


def test_published_spec_is_what_the_variant_says_today() -> None:
    """The command of the card makes this model again: variant and settings give the same Spec."""
    from ganzoo.data.catalog import fields_of
    from ganzoo.host import default

    for folder in MODELS.values():
        config = store.read_config(folder)
        made = config["made_by"]
        variant = default().variant(made["variant"]).parse(made["settings"])
        assert variant.spec(fields_of(config["data"]["name"])) == config["_spec"], folder.name
