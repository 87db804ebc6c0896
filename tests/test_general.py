"""Distances by a net that knows nothing of the data, beside those of the data's own extractor."""

import numpy as np
import pytest
import torch

import ganzoo
from ganzoo.errors import DataError, MetricError
from ganzoo.metrics import efficientnet, evaluate, general, report
from ganzoo.publish import card


class Means:
    """A net that is cheap, and named as EfficientNet is."""

    name, sha256, short = "EfficientNet-Lite0", "ab", "efficientnet_lite0"

    def features(self, images: torch.Tensor) -> np.ndarray:
        return torch.nn.functional.adaptive_avg_pool2d(images, 4).flatten(1).numpy()


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(efficientnet, "installed", Means)


def measured(model: str) -> report.Report:
    return evaluate(ganzoo.from_pretrained(model), count=100, metrics=[general.METRIC])


def test_colour_images_get_a_second_opinion() -> None:
    found = measured("dcgan-avatars")
    assert set(found.figures) == {
        "fd_efficientnet_lite0", "precision_efficientnet_lite0", "recall_efficientnet_lite0",
    }  # fmt: skip
    for figure in found.figures.values():
        assert "EfficientNet-Lite0" in figure.about and figure.references
    distance = found.figures["fd_efficientnet_lite0"]
    assert distance.value > distance.references["training images"]
    assert report.title_of("recall_efficientnet_lite0") == "recall (EfficientNet-Lite0)"
    of_card = card._results(found, "unconditional-image-generation")
    assert all(
        result.metric_args["feature extractor"] == "EfficientNet-Lite0" for result in of_card
    )


def test_grey_images_and_models_that_draw_nothing_do_not() -> None:
    for model in ("classifier-avatars", "dcgan-mnist"):
        try:
            with pytest.raises(MetricError, match="has a metric"):
                measured(model)
        except DataError:
            pytest.skip("mnist is not at hand: GANZOO_DATA")


def test_nor_anything_where_no_net_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(efficientnet, "installed", lambda: None)
    with pytest.raises(MetricError, match="has a metric"):
        measured("dcgan-avatars")
