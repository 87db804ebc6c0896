"""Tasks carried out in batches: of one size for scores, whatever the company."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ganzoo.models import execution
from tests.builders import model_of


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(execution, "SCORED", (8, 4, 2))


def test_an_image_is_scored_alone_as_in_any_company(few: None) -> None:
    """To the bit, in batches that are not full, at every place of a batch."""
    model = model_of("ganomaly")
    images = torch.rand(11, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    together = model.score(images).values
    alone = np.array([model.score(image[None]).values[0] for image in images])
    np.testing.assert_array_equal(together, alone)
    np.testing.assert_array_equal(model.score(images.flip(0)).values, together[::-1])


def test_large_models_score_fewer_at_once(few: None, monkeypatch: pytest.MonkeyPatch) -> None:
    model = model_of("ganomaly")
    assert execution.scored_at_once(model) == 8
    cost = sum(net.work.operations for net in model.networks.values())
    monkeypatch.setattr(execution, "SCORED_OPERATIONS", 5 * cost)
    assert execution.scored_at_once(model) == 4
    monkeypatch.setattr(execution, "SCORED_BYTES", 0)
    assert execution.scored_at_once(model) == 2


def test_weights_lie_as_convolutions_read_them() -> None:
    model = model_of("ganomaly")
    maps = [p for net in model.networks.values() for p in net.parameters() if p.ndim == 4]
    assert maps
    assert all(p.is_contiguous(memory_format=torch.channels_last) for p in maps)
