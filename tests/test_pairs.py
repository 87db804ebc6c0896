"""Retrieval of true partners against closed forms, and the figures of a translation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from ganzoo import Source, hub
from ganzoo.data.catalog import DataSet, Domains
from ganzoo.errors import MetricError
from ganzoo.metrics import efficientnet, evaluate, feature_extractors, pairs, report
from ganzoo.metrics.evaluation import untrained
from ganzoo.models.model import Model
from ganzoo.plugins.host import default
from ganzoo.spec import Fields, Image, Label
from tests.table import discogan

random = np.random.default_rng(0)


# --------------------------------------------------------------------------------- distances


def test_partners_on_a_line() -> None:
    """Where each lies can be drawn on paper."""
    candidates = np.array([[0.0], [1.0], [2.0], [3.0]])
    found = np.array([[0.1], [1.9], [2.0], [-5.0]])
    # 1.9 is nearer to 2 than to its partner 1; to -5 all are nearer than 3
    assert pairs.ranks(found, candidates).tolist() == [0, 1, 0, 3]
    assert pairs.retrieval(found, candidates, 1) == 0.5
    assert pairs.retrieval(found, candidates, 2) == 0.75
    assert pairs.retrieval(found, candidates, 4) == 1


def test_a_perfect_and_a_permuted_translation() -> None:
    candidates = random.random((200, 30))
    assert pairs.retrieval(candidates, candidates, 1) == 1
    moved = np.roll(candidates, 1, axis=0)
    assert pairs.retrieval(moved, candidates, 1) == 0
    assert pairs.retrieval(random.random((200, 30)), candidates, 5) == pytest.approx(
        0.025, abs=0.04
    )


def test_ranks_are_those_of_the_definition() -> None:
    found, candidates = random.random((50, 7)), random.random((50, 7))
    distances = np.linalg.norm(found[:, None] - candidates[None], axis=2)
    expected = (distances < distances.diagonal()[:, None]).sum(1)
    assert (pairs.ranks(found, candidates) == expected).all()


def test_ties_find_nothing_but_where_candidates_are_the_same() -> None:
    """A net that gives one image for all must not be said to have found them all."""
    corners = np.array([[1.0, 0], [0, 1.0], [-1.0, 0], [0, -1.0]])
    assert pairs.ranks(np.zeros((4, 2)), corners).tolist() == [3, 3, 3, 3]
    twice = np.array([[1.0, 0], [1.0, 0], [5.0, 0]])
    assert pairs.ranks(twice, twice).tolist() == [0, 0, 0]


def test_pixels_are_averaged() -> None:
    images = torch.arange(32.0).repeat_interleave(32).view(1, 1, 32, 32)
    found = pairs.coarse(images).reshape(16, 16)
    np.testing.assert_allclose(found, (np.arange(16) * 2 + 0.5)[:, None].repeat(16, 1))
    assert pairs.coarse(torch.rand(2, 3, 64, 64)).shape == (2, 3 * 256)
    assert pairs.coarse(torch.rand(2, 1, 8, 8)).shape == (2, 64)


# ------------------------------------------------------------------------------- translators

CLASSES = 3


def bars(n: int) -> Tensor:
    """Grey pictures (n, 1, 8, 8) of three kinds: above, in the middle or below it is brighter."""
    images = torch.rand(n, 1, 8, 8, generator=torch.Generator().manual_seed(0)) * 0.2
    for index in range(n):
        top = (0, 3, 6)[index % CLASSES]
        images[index, :, top : top + 2] += 0.3
    return images.mul(255).round().div(255)


class Brightness:
    """An extractor that sees by hand what the pictures are; domain b is a as a negative."""

    name, sha256, fields = "by hand", "0" * 64, ("label",)

    def classes(self, images: Tensor, field: str = "label") -> np.ndarray:
        negative = images.mean((1, 2, 3)) > 0.5
        upright = torch.where(negative.view(-1, 1, 1, 1), 1 - images, images)
        rows = torch.stack([upright[:, 0, top : top + 2].mean((1, 2)) for top in (0, 3, 6)], 1)
        return (rows.argmax(1) + CLASSES * negative).numpy()


def translator() -> Model:
    """A DiscoGAN that has learnt nothing, and translates only."""
    spec = discogan()
    tasks = {name: task for name, task in spec.tasks.items() if task.kind == "translate"}
    return untrained(Model(spec.model_copy(update={"tasks": tasks}), {}))


def invert(images: Tensor) -> Tensor:
    return 1 - images


def measured(
    monkeypatch: pytest.MonkeyPatch, translate: Callable[[Tensor], Tensor], *, domains: bool = True
) -> report.Report:
    """The figures of a model whose translations are made by a function."""
    a = bars(120)
    images = torch.stack([a, 1 - a], 1).flatten(0, 1)
    classes = torch.arange(120) % CLASSES
    labels = torch.stack([classes, classes + CLASSES], 1).flatten()
    shape = (1, 8, 8)
    fields = Fields(
        fields={
            "image": Image(shape),
            "label": Label(2 * CLASSES),
            "a": Image(shape, "a", True),
            "b": Image(shape, "b", True),
        }
    )
    arrays = {"image": images, "label": labels, "a": a, "b": 1 - a}
    source = Source("negatives", fields, arrays)
    declared = DataSet("negatives", fields, "", 240, "", "", lambda *_: source)
    if domains:
        told = Domains("label", {"a": range(CLASSES), "b": range(CLASSES, 2 * CLASSES)})
        declared = replace(declared, domains=told)
    monkeypatch.setitem(default().data, "negatives", declared)
    monkeypatch.setattr(feature_extractors, "extractor_of", lambda _: Brightness())
    monkeypatch.setattr(efficientnet, "installed", lambda: None)
    monkeypatch.setattr(Model, "translate", lambda self, images, **_: translate(images))
    return evaluate(translator(), "negatives", count=120)


def test_the_perfect_translator(monkeypatch) -> None:
    found = measured(monkeypatch, invert)
    for way, domain in (("to_a", "a"), ("to_b", "b")):
        for figure in (f"{way}_retrieval_1", f"{way}_retrieval_5", f"{way}_taken"):
            assert found.figures[figure].value == 1
            assert found.figures[figure].better == "higher"
        assert found.figures[f"{way}_class_kept"].value == 1
        assert found.figures[f"{way}_and_back"].value == pytest.approx(0, abs=1e-6)
        taken = found.figures[f"{way}_taken"]
        assert taken.references == {"doing nothing": 0, "partners": 1}
        assert f"takes for {domain}" in taken.about
        assert found.figures[f"{way}_class_kept"].references == {"doing nothing": 0, "partners": 1}
        assert f"{way}_taken_by_flatness" not in found.figures, "negatives are as flat"
        nothing = found.figures[f"{way}_l1"].references["doing nothing"]
        assert found.figures[f"{way}_l1"].value == pytest.approx(0, abs=1e-6) and nothing > 0.3
        assert found.figures[f"{way}_rank"].value == 0
        first = found.figures[f"{way}_retrieval_1"]
        assert first.real == first.generated == 120
        assert first.references["chance"] == pytest.approx(1 / 120)
        assert first.references["doing nothing"] < 0.1
    assert found.feature_extractor == {"name": "by hand", "sha256": "0" * 64}


def test_doing_nothing(monkeypatch) -> None:
    """It gets what stands beside all others, is never taken for the other domain, and returns."""
    found = measured(monkeypatch, lambda images: images)
    for way in ("to_a", "to_b"):
        for k in (1, 5):
            figure = found.figures[f"{way}_retrieval_{k}"]
            assert figure.value == figure.references["doing nothing"]
        assert found.figures[f"{way}_taken"].value == found.figures[f"{way}_class_kept"].value == 0
        assert found.figures[f"{way}_and_back"].value == pytest.approx(0, abs=1e-6)
        l1 = found.figures[f"{way}_l1"]
        assert l1.value == l1.references["doing nothing"]
        assert "does not earn its place" in l1.remark


def test_a_translator_that_confuses_them(monkeypatch) -> None:
    """The right domain, of another image: nothing is retrieved, and no class is kept."""
    found = measured(monkeypatch, lambda images: invert(images).roll(1, 0))
    for way in ("to_a", "to_b"):
        assert found.figures[f"{way}_retrieval_1"].value == 0
        assert found.figures[f"{way}_taken"].value == 1
        assert found.figures[f"{way}_class_kept"].value == 0
        assert found.figures[f"{way}_and_back"].value > 0.8


def test_without_declared_domains_nothing_is_said_of_them(monkeypatch) -> None:
    found = measured(monkeypatch, invert, domains=False)
    assert found.feature_extractor is None
    assert {name.removeprefix("to_a_").removeprefix("to_b_") for name in found.figures} == {
        "retrieval_1", "retrieval_5", "l1", "rank", "and_back",
    }  # fmt: skip


def test_data_without_pairs_have_no_metric(monkeypatch) -> None:
    images = torch.rand(150, 1, 8, 8)
    shape = (1, 8, 8)
    fields = Fields(fields={name: Image(shape, name, True) for name in "ab"})
    source = Source("unpaired", fields, {"a": images, "b": images})
    declared = DataSet("unpaired", fields, "", 150, "", "", lambda *_: source, splits=("train",))
    monkeypatch.setitem(default().data, "unpaired", declared)
    with pytest.raises(MetricError, match="nothing of what"):
        evaluate(translator(), "unpaired", count=100)


@pytest.mark.parametrize("name", ["classifier-emoji", "classifier-mnist-outlines"])
def test_the_extractors_know_the_domains(name: str) -> None:
    if name not in hub.installed():
        pytest.skip(f"{name} is not published yet")
    import ganzoo

    data = name.removeprefix("classifier-")
    try:
        test = ganzoo.load_data(data, "test")
    except ganzoo.GanzooError:
        pytest.skip(f"{data} is not at hand: GANZOO_DATA")
    everything = torch.arange(len(test))
    images = test.batch("image", everything).add(1).div(2)
    seen = feature_extractors.extractor_of(data).classes(images)
    assert seen is not None
    assert (seen == test.batch("label", everything).numpy()).mean() > 0.95
