"""Shares of attribute values, by hand; and a model that lacks one of them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ganzoo.metrics import attributes, evaluate
from ganzoo.metrics import feature_extractors as extractors
from ganzoo.models.model import Model
from tests.squares import Eye, painter, squares


def test_deviations_by_hand() -> None:
    real, seen = np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1])
    found = attributes.deviations(seen, real, 3)
    assert found[:2].tolist() == [0.5, 0.5] and np.isnan(found[2]), "the data lack the third"


@pytest.mark.parametrize("loses_blue", [True, False])
def test_a_model_that_lacks_a_value(monkeypatch, squares_data: None, loses_blue: bool) -> None:
    images = torch.from_numpy(squares("test")["image"]).float() / 255

    def generate(self: Model, n: int, **_: object) -> torch.Tensor:
        drawn = images[:n].clone()
        if loses_blue:  # what should be blue is green
            drawn[:, 1] = drawn[:, 1:].amax(1)
            drawn[:, 2] = 0
        return drawn

    monkeypatch.setattr(Model, "generate", generate)
    monkeypatch.setattr(extractors, "extractor_of", lambda name: Eye())
    found = evaluate(painter(), "squares", count=200, metrics=[attributes.METRIC]).figures
    within, farthest = found["attributes_within"], found["attribute_farthest"]
    if loses_blue:
        # left and right, and red, are as they were; green is twice as often, and blue never
        assert within.value == pytest.approx(3 / 5)
        assert farthest.value >= 0.8 and "colour" in farthest.about
    else:
        assert within.value == 1 and farthest.value == 0
    assert 0 < within.references["training images"] <= 1
