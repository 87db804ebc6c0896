"""Stacked MNIST: how it is made, and how its thousand modes are counted."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import ganzoo
from ganzoo.data import loading
from ganzoo.data.catalog import DATASETS, find
from ganzoo.metrics import feature_extractors, modes
from ganzoo.metrics.evaluation import Evaluation
from ganzoo.spec import Image, Label


@pytest.fixture
def stacked(monkeypatch: pytest.MonkeyPatch) -> ganzoo.Source:
    """Made of the digits that come with ganzoo, in place of MNIST."""

    def few(declared: Any, split: str, roots: tuple[Path, ...]) -> ganzoo.Source:
        return loading.digits(DATASETS["digits"], "train", roots).select(torch.arange(0, 10_000, 3))

    monkeypatch.setattr(loading, "mnist", few)
    declared = find("stacked-mnist")
    return declared.loader()(declared, "train", ())


def test_each_channel_is_a_digit_and_the_label_has_them_as_its_own(stacked: ganzoo.Source) -> None:
    declared = find("stacked-mnist")
    assert declared.fields.image == Image((3, 32, 32))
    label = declared.fields.label
    assert isinstance(label, Label) and label.classes == 1000 and label.names[42] == "042"
    rows = torch.arange(len(stacked))
    images, labels = stacked.batch("image", rows), stacked.batch("label", rows)
    assert images.shape[1:] == (3, 32, 32)
    assert (images[:, :, :2] == -1).all() and (images[..., 30:] == -1).all()
    assert not torch.equal(images[:, 0], images[:, 1])
    extractor = feature_extractors.pinned(declared.feature_extractors[0])
    seen = extractor.classes(images[:500].add(1).div(2))
    assert seen is not None and (seen == labels[:500].numpy()).mean() > 0.95
    assert extractor.features(images[:4].add(1).div(2)).shape[1] % 3 == 0
    digits = np.unique(labels.numpy()).size
    assert digits > 800  # of 1,000, by 2,000 images


def test_it_is_the_same_each_time(stacked: ganzoo.Source) -> None:
    declared = find("stacked-mnist")
    again = declared.loader()(declared, "train", ())
    rows = torch.arange(50)
    assert torch.equal(again.batch("image", rows), stacked.batch("image", rows))
    other = declared.loader()(declared, "test", ())
    assert not torch.equal(other.batch("image", rows), stacked.batch("image", rows))


def test_modes_are_counted_and_their_shares_compared() -> None:
    all_of_them = np.arange(1000).repeat(26)
    assert modes.covered(all_of_them, 1000) == 1000
    assert modes.divergence(all_of_them, 1000) == pytest.approx(0, abs=1e-9)
    one = np.full(26_000, 7)
    assert modes.covered(one, 1000) == 1
    assert modes.divergence(one, 1000) == pytest.approx(math.log(1000))
    half = np.arange(500).repeat(52)
    assert modes.covered(half, 1000) == 500
    assert modes.divergence(half, 1000) == pytest.approx(math.log(2))


def test_it_applies_where_classes_are_combined() -> None:
    class Model:
        def tasks(self, kind: str) -> dict[str, Any]:
            return {"generate": None} if kind == "generate" else {}

    class Asked:
        model, classes = Model(), 1000

        def __init__(self, data: str) -> None:
            self.declared = find(data)

    asked: Any = Asked
    assert modes.METRIC.applies(asked("stacked-mnist"))
    assert not modes.METRIC.applies(asked("mnist"))
    assert isinstance(Evaluation, type)


def test_a_generator_of_one_image_covers_one_mode(stacked: ganzoo.Source) -> None:
    """The figure of samples that are all alike, and of samples that are the data."""
    declared = find("stacked-mnist")
    images = stacked.batch("image", torch.arange(400)).add(1).div(2)

    class Asked:
        classes, asked, train = 1000, None, stacked
        extractor = feature_extractors.pinned(declared.feature_extractors[0])

        def __init__(self, samples: torch.Tensor) -> None:
            self.samples = samples

        def generate(self, n: int) -> torch.Tensor:
            assert n == 26_000
            return self.samples

        def known_sample(self, n: int) -> torch.Tensor:
            return torch.arange(400)

        def images(self, source: ganzoo.Source, rows: torch.Tensor) -> torch.Tensor:
            return source.batch("image", rows).add(1).div(2)

        def figure(self, value: float, *_: Any, **__: Any) -> float:
            return value

    asked: Any = Asked
    one = modes.METRIC.find(asked(images[:1].expand(400, -1, -1, -1)))
    whole = modes.METRIC.find(asked(images))
    assert float(one["modes_covered"]) == 1  # type: ignore[arg-type]
    assert float(whole["modes_covered"]) > 250  # type: ignore[arg-type]
