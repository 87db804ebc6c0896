"""Distances of the literature: what torch-fidelity finds of the images that it is given."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import ganzoo
from ganzoo.errors import MetricError, UnknownNameError
from ganzoo.metrics import distributions, evaluate, fidelity

torch_fidelity = pytest.importorskip("torch_fidelity", reason="ganzoo[fid] is not installed")

random = np.random.default_rng(0)
NET = "random-features-of-a-test"


class RandomFeatures(torch_fidelity.FeatureExtractorBase):
    """Sixteen random projections of images averaged to 4x4."""

    def __init__(self, name: str, features_list: Any, **_: Any) -> None:
        super().__init__(name, features_list)
        weights = torch.randn(48, 16, generator=torch.Generator().manual_seed(0))
        self.register_buffer("weights", weights)

    @staticmethod
    def get_provided_features_list() -> tuple[str, ...]:
        return ("random",)

    @staticmethod
    def get_default_feature_layer_for_metric(metric: str) -> str:
        return "random"

    @staticmethod
    def can_be_compiled() -> bool:
        return False

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, ...]:
        assert images.dtype == torch.uint8 and images.shape[1] == 3
        small = torch.nn.functional.adaptive_avg_pool2d(images.float() / 255, 4).flatten(1)
        return (small @ self.weights,)


@pytest.fixture(scope="module", autouse=True)
def registered() -> None:
    torch_fidelity.register_feature_extractor(NET, RandomFeatures)


def images(values: torch.Tensor) -> fidelity.Images:
    return fidelity.Images(lambda rows: values[rows], len(values), at_once=32)


def test_what_torch_fidelity_is_given_is_what_it_finds() -> None:
    """Against our own distances of the same features, and against theirs of the same images."""
    a, b = torch.rand(150, 1, 8, 8), torch.rand(170, 1, 8, 8) ** 1.5
    found = fidelity.measure(images(a), images(b), NET)
    net = RandomFeatures(NET, ["random"])

    def features(values: torch.Tensor) -> np.ndarray:
        whole = values.mul(255).round().byte().expand(-1, 3, -1, -1)
        return net(whole)[0].numpy()

    ours = distributions.frechet_distance(features(b), features(a))
    assert found["fid"] == pytest.approx(ours, rel=1e-3)
    kernel = distributions.kernel_distance(features(b), features(a), size=150)
    assert found["kid"] == pytest.approx(kernel, rel=0.1)


def test_the_order_and_the_last_images_are_right() -> None:
    values = torch.arange(70.0).view(70, 1, 1, 1).expand(-1, 3, 4, 4) / 255
    found = torch.stack([images(values)[index] for index in range(70)])
    assert found[:, 0, 0, 0].tolist() == list(range(70)) and found.dtype == torch.uint8


def test_a_model_by_the_protocol_of_papers(monkeypatch) -> None:
    """So many samples, against the whole training set; here fewer of both."""
    from ganzoo.metrics import evaluation

    monkeypatch.setattr(fidelity, "SAMPLES", 600)
    monkeypatch.setitem(evaluation.LITERATURE, "inception", NET)
    model = ganzoo.from_pretrained("cdcgan-mnist")
    found = evaluate(
        model, "digits", count=9_000, metrics=[fidelity.METRIC], literature=("inception",)
    ).figures
    assert set(found) == {"fid_inception", "kid_inception"}
    assert found["fid_inception"].generated == 600
    assert found["fid_inception"].real == 5_000, "half of the digits stand for the test"
    assert found["fid_inception"].value > 0


def test_unless_asked_for_it_is_not_measured() -> None:
    model = ganzoo.from_pretrained("dcgan-mnist")
    with pytest.raises(MetricError, match="nothing of what"):
        evaluate(model, "digits", count=100, metrics=[fidelity.METRIC])
    with pytest.raises(UnknownNameError, match="no features 'inceptoin'; did you mean 'inception'"):
        evaluate(model, "digits", count=100, literature=("inceptoin",))
