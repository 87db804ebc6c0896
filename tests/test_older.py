"""Specs of before task kinds are read as what they were meant to be."""

from __future__ import annotations

import json

import numpy as np
import pytest

import ganzoo
from ganzoo import hub
from ganzoo.errors import SpecError
from ganzoo.models import store
from ganzoo.spec import Spec, Task, Update, older
from ganzoo.spec.files import plain
from tests import table

CLASSIFIERS = [name for name in hub.installed() if name.startswith("classifier-")]


def of_before(spec: Spec) -> dict:
    """As a ganzoo wrote it that knew neither the kinds nor distances."""
    data = spec.to_dict()
    for task in data["tasks"].values():
        del task["of"]
        task["kind"] = "encode" if task["kind"] in ("classify", "match") else task["kind"]
    for stage in data["stages"]:
        for item in stage["round"]:
            for update in item.get("together", [item]):
                del update["distance"]
    return data


@pytest.mark.parametrize(
    "file", ["classifier", "classifier-captions", "classifier-outlines", "matcher"]
)
def test_classifiers_and_matchers_of_before_are_those_of_today(file: str) -> None:
    spec = Spec.from_dict(plain(f"scripts/{file}.yaml"))
    assert {"classify", "match"} & {task.kind for task in spec.tasks.values()}
    then = of_before(spec)
    assert {task["kind"] for task in then["tasks"].values()} == {"encode"}
    again = Spec.from_dict(older.updated(then))
    assert {name: (task.kind, task.field) for name, task in again.tasks.items()} == {
        name: (task.kind, task.field) for name, task in spec.tasks.items()
    }


@pytest.mark.parametrize("make", [table.wgan_gp, table.wbigan])
def test_distances_of_before(make) -> None:
    spec = make()
    assert not spec.critics, "the tests' table says no distance"
    again = Spec.from_dict(older.updated(of_before(spec)))
    assert again.critics == ("C",)
    [update] = [update for update in again.stages[0].updates if update.distance]
    assert update.distance == "critic" and update.train == ("C",)


def test_what_says_all_is_left_as_it_is() -> None:
    """A plain encoder may have any name today."""
    spec = table.bigan()
    renamed = spec.to_dict()
    renamed["tasks"]["classes"] = renamed["tasks"].pop("encode")
    assert older.updated(renamed) == renamed
    assert older.updated(spec.to_dict()) == spec.to_dict()
    for broken in (None, 3, {"tasks": 3, "stages": [3]}, {"stages": [{"round": [3]}], "tasks": {}}):
        assert older.updated(broken) == broken


def test_published_folders_are_read_as_classifiers_and_matchers() -> None:
    for name in CLASSIFIERS:
        said = json.loads((hub.installed()[name] / "config.json").read_text())
        spec = store.read_config(hub.installed()[name]).spec
        assert any(task.kind == "classify" for task in spec.tasks.values()), name
        assert set(said["spec"]["tasks"]) == set(spec.tasks)
    model = ganzoo.from_pretrained("classifier-mnist")
    images = ganzoo.load_data("digits").batch("image", ganzoo_rows(50)).add(1).div(2)
    found = model.classify(images)
    assert found.dtype == np.int64 and (found == np.arange(50) % 10).mean() > 0.95
    shares = model.classify(images, probabilities=True)
    np.testing.assert_allclose(shares.sum(1), 1, rtol=1e-5)
    assert (shares.argmax(1) == found).all()
    with pytest.warns(DeprecationWarning, match="model.classify"):
        assert (model.encode(images, task="classes").argmax(1) == found).all()
    with pytest.raises(ganzoo.GanzooError, match="cannot match"):
        model.match(images)


def ganzoo_rows(n: int):
    import torch

    return torch.arange(n)


def test_critics_are_read_off_the_spec() -> None:
    wgan = store.read_config(hub.installed()["wgan-mnist"]).spec
    assert wgan.critics == ("C",) and wgan.estimated(wgan.tasks["critic"])
    ganomaly = store.read_config(hub.installed()["ganomaly-mnist"]).spec
    assert not ganomaly.critics and not ganomaly.estimated(ganomaly.tasks["score"])


def test_mistakes_are_said() -> None:
    with pytest.raises(SpecError, match="classify has"):
        Task(kind="encode", output="E(x)", of="colour")
    with pytest.raises(SpecError, match=r"no term 'critik'; did you mean 'critic'"):
        Update("C", {"critic": "mean(C(x))"}, distance="critik")
