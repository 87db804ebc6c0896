"""Scores that are the same to the last bit in any company, and fast for few images, too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from ganzoo.models import scoring
from ganzoo.models.model import Model
from ganzoo.spec import layers as L
from tests.builders import model_of


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scoring, "SCORED", (16, 8, 4))
    monkeypatch.setattr(scoring, "FEW", 2)


def noise(n: int) -> Tensor:
    return torch.rand(n, 1, 8, 8, generator=torch.Generator().manual_seed(0))


def batches(model: Model, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many samples each later call of the discriminator-like network E takes."""
    seen: list[int] = []
    name = "E"
    forward = model.networks[name].forward

    def watched(*values: Tensor, **more: Any) -> Any:
        seen.append(len(values[0]))
        return forward(*values, **more)

    monkeypatch.setattr(model.networks[name], "forward", watched)
    return seen


def test_an_image_is_scored_alone_as_in_any_company(few: None) -> None:
    """To the bit, in batches that are not full, at every place of a batch, in both sizes."""
    model = model_of("ganomaly")
    images = noise(37)
    together = model.score(images).values
    alone = np.array([model.score(image[None]).values[0] for image in images])
    np.testing.assert_array_equal(together, alone)
    np.testing.assert_array_equal(model.score(images.flip(0)).values, together[::-1])
    for n in (3, 4, 5, 16, 18, 30):
        np.testing.assert_array_equal(model.score(images[:n]).values, together[:n])


def test_few_images_cost_little(few: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both sizes are tried once; where they agree, few images are scored two at a time."""
    model = model_of("ganomaly")
    model.score(noise(1))
    assert scoring.SAME_FOR_FEW[model]
    scoring.SAME_FOR_FEW[model] = dict.fromkeys(scoring.SAME_FOR_FEW[model], True)
    seen = batches(model, monkeypatch)
    for n, sizes in ((1, [2]), (4, [2, 2]), (5, [16]), (16, [16]), (19, [16, 2, 2])):
        seen.clear()
        model.score(noise(n))
        assert seen == sizes, n


def test_few_images_are_scored_as_many_where_the_bits_would_differ(
    few: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where a library takes other kernels for few: here, one that is told how many there are."""
    model = model_of("ganomaly")
    net = model.networks["E"]
    forward = net.forward

    def other(*values: Tensor, **more: Any) -> Tensor:
        return forward(*values, **more) * (1 + 1e-6 * (len(values[0]) < 16))

    monkeypatch.setattr(net, "forward", other)
    together = model.score(noise(16)).values
    assert model.score(noise(1)).values[0] == together[0]
    assert list(scoring.SAME_FOR_FEW[model].values()) == [False]


def test_the_number_of_threads_is_asked_anew(few: None) -> None:
    model, threads = model_of("ganomaly"), torch.get_num_threads()
    model.score(noise(1))
    try:
        torch.set_num_threads(threads + 1)
        model.score(noise(1))
    finally:
        torch.set_num_threads(threads)
    assert len(scoring.SAME_FOR_FEW[model]) == 2


@pytest.mark.parametrize("shape", [(5,), (70, 5), (3, 40, 5)])
def test_rows_of_a_linear_map_depend_on_no_other(shape: Sequence[int]) -> None:
    x, layer = torch.randn(*shape), torch.nn.Linear(5, 3)
    with torch.no_grad(), scoring.FixedRows():
        y = layer(x)
        one = layer(x.reshape(-1, 5)[-1:])
    torch.testing.assert_close(y, layer(x))
    assert torch.equal(y.reshape(-1, 3)[-1:], one)


def test_a_linear_map_of_a_map_adds_in_one_order(few: None) -> None:
    """Channels last: with gradients, few weights are permuted and not a map of many samples."""
    layer = L.Linear(3)
    module = layer.module((8, 4, 4))
    x = torch.randn(256, 8, 4, 4).to(memory_format=torch.channels_last)
    with torch.inference_mode(), scoring.FixedRows():
        assert torch.equal(layer.forward(module, x)[:2], layer.forward(module, x[:2]))


def test_large_models_score_fewer_at_once(few: None, monkeypatch: pytest.MonkeyPatch) -> None:
    model = model_of("ganomaly")
    assert scoring.scored_at_once(model) == 16
    cost = sum(net.work.operations for net in model.networks.values())
    monkeypatch.setattr(scoring, "SCORED_OPERATIONS", 9 * cost)
    assert scoring.scored_at_once(model) == 8
    monkeypatch.setattr(scoring, "SCORED_BYTES", 0)
    assert scoring.scored_at_once(model) == 4
