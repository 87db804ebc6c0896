"""config.json as a model: what it may say, and that it is written as it was read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from ganzoo import hub
from ganzoo.errors import SpecError, StoreError
from ganzoo.models import store
from ganzoo.models.config import ModelConfig, read_config
from tests.builders import model_of
from tests.table import TABLE


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return store.save(
        model_of("ganomaly"), tmp_path / "model", name="tiny",
        made_by={"variant": "ganomaly", "settings": {"width": 4}, "plugin": "ganzoo-ganomaly"},
        data={"name": "digits", "size": 100}, thresholds={"score": {"value": 0.5, "images": 10}},
        training={"steps": 3, "batch": 4, "seed": 0, "precision": "fp32", "seconds": 1.5},
    )  # fmt: skip


def changed(folder: Path, **facts: Any) -> Path:
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **facts}))
    return folder


@pytest.mark.parametrize("name", hub.installed())
def test_a_published_folder_is_written_as_it_was_read(name: str) -> None:
    text = (hub.installed()[name] / "config.json").read_text("utf-8")
    config = read_config(hub.installed()[name])
    before, after = text.split('\n  "spec"')[0], config.to_json().split('\n  "spec"')[0]
    assert before == after
    assert config.made_by.variant or config.made_by.file
    assert config.data.size and config.training.steps and config.weights and config.command


def test_facts_are_attributes(folder: Path) -> None:
    config = read_config(folder)
    assert (config.name, config.data.size, config.training.seconds) == ("tiny", 100, 1.5)
    assert config.thresholds["score"].value == 0.5 and config.thresholds["score"].quantile is None
    assert config.made_by.settings["width"] == 4 and config.made_by.loss is None
    assert config.weights and config.weights.dtype == "float32" and config.command == ""


def test_it_is_frozen(folder: Path) -> None:
    config = read_config(folder)
    with pytest.raises(ValidationError, match="frozen"):
        config.name = "other"  # type: ignore[misc]
    with pytest.raises(TypeError):
        config.made_by.settings["width"] = 5
    with pytest.raises(TypeError):
        config.thresholds.clear()


def test_replacing_facts_validates_them(folder: Path) -> None:
    config = read_config(folder)
    other = config.replace(name="other", data={"name": "mnist"})
    assert other.name == "other" and other.data.name == "mnist" and other.data.size == 0
    assert other.training == config.training and other.spec is config.spec
    assert config.name == "tiny"
    for facts in ({"name": "a\nb"}, {"data": [1]}, {"training": {"steps": -1}}, {"weights": {}}):
        with pytest.raises(StoreError):
            config.replace(**facts)


def test_facts_that_this_version_does_not_know_are_kept(folder: Path, tmp_path: Path) -> None:
    changed(folder, origin={"by": ["later"]}, data={"name": "x", "fit": "crop"})
    loaded = store.load(folder)
    again = json.loads((store.save(loaded, tmp_path / "again") / "config.json").read_text())
    assert again["origin"] == {"by": ["later"]} and again["data"] == {"name": "x", "fit": "crop"}


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "a threshold without end": ({"thresholds": {"score": {"value": 10**400}}}, "thresholds.score"),
    "a threshold of text": ({"thresholds": {"score": {"value": "0.5"}}}, "thresholds.score.value"),
    "a threshold of yes": ({"thresholds": {"score": {"value": True}}}, "thresholds.score.value"),
    "thresholds in a row": ({"thresholds": [0.5]}, r"thresholds is \[0\.5\]"),
    "a version of yes": ({"format_version": True}, "format_version True is unknown"),
    "a version with a point": ({"format_version": 1.0}, r"format_version 1\.0 is unknown"),
    "an endless version": ({"format_version": 10**4000}, "has format 1000"),
    "a name that is not text": ({"name": 3}, "name is 3"),
    "half a character": ({"command": "\ud800"}, "lone surrogate"),
    "half a character as a key": ({"\udfff": 1}, "lone surrogate"),
    "a size below nothing": ({"data": {"size": -1}}, "data.size is -1"),
    "an endless size": ({"data": {"size": 10**30}}, "data.size is 1000"),
    "a command in parts": ({"command": ["rm"]}, "command is"),
    "another hash": ({"weights": {"sha256": "abc"}}, "weights.sha256 is 'abc'"),
    "a hash of capitals": ({"weights": {"sha256": "A" * 64}}, "weights.sha256"),
    "another type": ({"weights": {"sha256": "a" * 64, "dtype": "int8"}}, "weights.dtype is 'int8'"),
    "a variant that is not text": ({"made_by": {"variant": {}}}, "made_by.variant"),
    "a loss without a name": ({"made_by": {"loss": {}}}, "made_by.loss.name is missing"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_named(name: str, folder: Path) -> None:
    facts, message = WRONG[name]
    with pytest.raises(StoreError, match=message) as caught:
        store.load(changed(folder, **facts))
    assert len(str(caught.value)) < 1000 and str(caught.value).isascii()


def test_a_spec_file_with_half_a_character() -> None:
    text = json.dumps({**TABLE["dcgan"]().to_dict(), "title": "\ud83d"})
    with pytest.raises(SpecError, match="lone surrogate"):
        ModelConfig(spec=TABLE["dcgan"]().from_json(text))
