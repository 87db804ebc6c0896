"""How flat a drawing is, by hand; and a reader that tells two styles by it alone."""

from __future__ import annotations

import pytest
import torch

from ganzoo.metrics.flatness import Reader, flatness


def drawings(n: int, shaded: bool, seed: int = 0) -> torch.Tensor:
    """Squares of random colours on white, flat or with a gradient."""
    generator = torch.Generator().manual_seed(seed)
    images = torch.ones(n, 3, 16, 16)
    colours = torch.rand(n, 3, 1, 1, generator=generator) * 0.6
    ramp = torch.linspace(0, 0.35, 8).view(1, 1, 1, 8) if shaded else torch.zeros(1, 1, 1, 8)
    images[:, :, 4:12, 4:12] = colours + ramp
    return images.mul(255).round().div(255)


def test_flatness_by_hand() -> None:
    """Of a flat 2x2 square on white: 4 of its 12 pairs of neighbours are within it."""
    image = torch.ones(1, 3, 6, 6)
    image[:, :, 2:4, 2:4] = 0.5
    assert flatness(image)[0].tolist() == pytest.approx([4 / 12] * 3 + [2 / 36])
    nothing = flatness(torch.ones(1, 3, 6, 6))[0]
    assert nothing[:3].tolist() == [0, 0, 0], "a background is nothing drawn"


def test_a_reader_tells_flat_from_shaded() -> None:
    reader = Reader.fit(drawings(50, True), drawings(50, False))
    assert reader.accuracy == 1 and reader(drawings(40, False, 1)).mean() == 1
    assert reader(drawings(40, True, 1)).mean() == 0
    noisy = (drawings(40, False, 1) + 0.05 * torch.randn(40, 3, 16, 16)).clamp(0, 1)
    assert reader(noisy).mean() < 0.1, "flat as a texture would have it, and not flat"
