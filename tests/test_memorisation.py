"""Copies of training images are found, and independent images are none."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import ganzoo
from ganzoo.data.splits import train_and_test
from ganzoo.metrics import evaluate, memorisation
from ganzoo.models.model import Model


def test_nearer_than_nearly_all_test_images() -> None:
    images = np.arange(1, 101.0)
    assert memorisation.nearer(np.array([0.5, 1.5, 50, 200]), images, 0.01) == 0.5
    assert memorisation.nearer(images, images, 0.1) == 0.1


@pytest.mark.parametrize("copies", [True, False])
def test_a_model_that_gives_training_images_back(monkeypatch, copies: bool) -> None:
    train, test, _ = train_and_test("digits", 100)
    given = train if copies else test

    def generate(self: Model, n: int, **_: object) -> torch.Tensor:
        noise = torch.rand(n, 1, 28, 28, generator=torch.Generator().manual_seed(0)) * 0.02
        images = given.batch("image", torch.arange(n)).add(1).div(2)
        return (images + noise).clamp(0, 1)

    monkeypatch.setattr(Model, "generate", generate)
    model = ganzoo.from_pretrained("dcgan-mnist")
    found = evaluate(model, "digits", count=100, metrics=[memorisation.METRIC]).figures
    ratio, share = found["nearest_training_image"], found["copies"]
    assert ratio.references == {"test images": 1} and share.references == {"test images": 0.01}
    if copies:
        assert share.value == 1 and ratio.value < 0.2
    else:
        assert share.value <= 0.02 and ratio.value == pytest.approx(1, abs=0.05)
