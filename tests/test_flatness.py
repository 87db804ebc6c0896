"""How flat a drawing is, by hand; and a reader that tells two styles by it alone."""

from __future__ import annotations

import pytest
import torch

from ganzoo.metrics.flatness import Reader, flatness
from tests.squares import drawings


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
