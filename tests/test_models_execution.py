"""Tasks carried out in batches, on weights that lie as convolutions read them."""

from __future__ import annotations

import torch

from tests.builders import model_of


def test_weights_lie_as_convolutions_read_them() -> None:
    model = model_of("ganomaly")
    maps = [p for net in model.networks.values() for p in net.parameters() if p.ndim == 4]
    assert maps
    assert all(p.is_contiguous(memory_format=torch.channels_last) for p in maps)
