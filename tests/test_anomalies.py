"""Anomaly scores beside simple methods, and false alarms for each class."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch

import ganzoo
from ganzoo.data.catalog import DataSet
from ganzoo.errors import MetricError
from ganzoo.metrics import anomalies, codes, efficientnet, evaluate, report
from ganzoo.models.model import Model
from ganzoo.plugins.host import default
from ganzoo.spec import Fields, Image, Label
from tests.builders import trained

NAMES = ("left", "middle", "right")
FIELDS = Fields(
    {
        "image": Image((1, 28, 28)),
        "label": Label(3, names=NAMES),
        "kind": Label(2, field="kind", names=("faint", "bright")),
    },
    "bars",
)


def bars(split: str, n: int = 300) -> ganzoo.Source:
    """Bars in three places; training has none on the right."""
    random = np.random.default_rng(len(split))
    label = random.integers(0, 2 if split == "train" else 3, n)
    images = random.integers(0, 60, (n, 1, 28, 28)).astype(np.uint8)
    kind = random.integers(0, 2, n)
    for image, place in zip(images, label, strict=True):
        image[:, :, 9 * place : 9 * place + 8] += 150
    return ganzoo.Source("bars", FIELDS, {"image": images, "label": label, "kind": kind})


class Patches:
    """A net whose features are the pixels, and whose patches are four quarters of them."""

    def features(self, images: torch.Tensor) -> np.ndarray:
        return images.flatten(1).numpy()

    def described(self, images: torch.Tensor) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        small = torch.nn.functional.adaptive_avg_pool2d(images, 4).flatten(2)
        patches = small.transpose(1, 2).repeat(1, 1, 3).numpy()
        yield self.features(images), patches


@pytest.fixture
def found(monkeypatch) -> report.Report:
    declared = DataSet("bars", FIELDS, "", 300, "", "", lambda d, split, r: bars(split))
    monkeypatch.setitem(default().data, "bars", declared)
    monkeypatch.setattr(efficientnet, "installed", Patches)

    def score(self: Model, images: torch.Tensor, **_: object) -> ganzoo.Scores:
        """It finds what is in the middle strange, and nothing else."""
        return ganzoo.Scores(images[..., 9:17].mean((1, 2, 3)).numpy(), 0.5)

    model = trained("ganomaly", rounds=1, width=4)
    monkeypatch.setattr(Model, "score", score)
    return evaluate(model, "bars", count=300, metrics=[anomalies.METRIC])


def test_simple_methods_stand_beside_the_score(found: report.Report) -> None:
    figure = found.figures["score_auroc"]
    for method in ("PCA of 20", "5-NN on pixels", "5-NN on features"):
        assert figure.references[method] > 0.99, method
    assert figure.value < 0.5, "what is on the right is not what it looks at"
    assert "1-NN on patches of features" in figure.references
    for kind in ("faint", "bright"):
        part = found.figures[f"score_auroc_{kind}"]
        assert part.references["5-NN on pixels"] > 0.99 and part.real < figure.real
    assert (
        "of class right" in figure.about and "class right" in found.figures["score_detected"].about
    )
    assert "does not earn its place" in figure.remark and found.remarks == (figure.remark,)


def test_false_alarms_of_each_class(found: report.Report) -> None:
    alarms = found.figures["score_false_alarms"].references
    assert alarms["class left"] == 0 and alarms["class middle"] == 1
    assert alarms["meant"] == pytest.approx(0.05) and "class right" not in alarms


def test_codes_of_one_class_are_not_asked_for_others(monkeypatch) -> None:
    """A neighbour is always of the class that training images have."""

    def alone(split: str) -> ganzoo.Source:
        source = bars(split, 600)
        return source.select((source.batch("label", torch.arange(600)) == 0).nonzero()[:, 0])

    for some, there in ((bars, True), (alone, False)):
        declared = DataSet(
            "bars", FIELDS, "", 300, "", "", lambda d, split, r, some=some: some(split)
        )
        monkeypatch.setitem(default().data, "bars", declared)
        model = trained("ganomaly", rounds=1, width=4)
        if there:
            found = evaluate(model, "bars", count=100, metrics=[codes.METRIC])
            assert "encode_nearest_neighbour" in found.figures
        else:
            with pytest.raises(MetricError, match="has a metric"):
                evaluate(model, "bars", count=100, metrics=[codes.METRIC])


def test_worth_is_said_either_way() -> None:
    rivals = {"PCA": 0.8, "5-NN": 0.9}
    assert "0.9 for 5-NN" in report.worth("It", 0.85, "higher", rivals)
    assert "does not earn its place" in report.worth("It", 0.9, "higher", rivals)
    assert "model earns its place" in report.worth("It", 0.95, "higher", rivals)
    assert "model earns its place" in report.worth("It", 0.1, "lower", {"doing nothing": 0.2})
    assert report.worth("It", 1.0, "higher", {}) == ""
