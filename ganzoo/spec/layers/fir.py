"""Resampling with the filter [1, 3, 3, 1], using sums only, so that it can be differentiated twice.

Maps are padded with zeros. The filter is that of StyleGAN2 (arXiv:1912.04958); constants stay
constant away from the borders.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def upsampled(x: Tensor) -> Tensor:
    """(b, c, h, w) to (b, c, 2h, 2w): insert zeros between the pixels, apply the filter times 4."""
    import torch
    from torch.nn import functional as F

    height, width = x.shape[2:]
    x = F.pad(x, (0, 0, 1, 1))
    above, here, below = x[:, :, :-2], x[:, :, 1:-1], x[:, :, 2:]
    x = torch.stack((above + 3 * here, 3 * here + below), 3).reshape(
        *x.shape[:2], 2 * height, width
    )
    x = F.pad(x, (1, 1))
    left, here, right = x[..., :-2], x[..., 1:-1], x[..., 2:]
    x = torch.stack((left + 3 * here, 3 * here + right), 4).flatten(3)
    return x / 16


def downsampled(x: Tensor) -> Tensor:
    """(b, c, h, w) to (b, c, h // 2, w // 2): the filter at every second pixel."""
    from torch.nn import functional as F

    height, width = x.shape[2] // 2, x.shape[3] // 2
    x = F.pad(x, (1, 1, 1, 1))
    x = _weighted(*(x[:, :, i : i + 2 * height : 2] for i in range(4)))
    return _weighted(*(x[..., i : i + 2 * width : 2] for i in range(4))) / 64


def blurred(x: Tensor, pad: int, gain: float = 1.0) -> Tensor:
    """The filter at every pixel of the map, padded with `pad` zeros: (h + 2 * pad - 3, ...)."""
    from torch.nn import functional as F

    x = F.pad(x, (pad, pad, pad, pad))
    height, width = x.shape[2] - 3, x.shape[3] - 3
    x = _weighted(*(x[:, :, i : i + height] for i in range(4)))
    return _weighted(*(x[..., i : i + width] for i in range(4))) * (gain / 64)


def _weighted(first: Tensor, second: Tensor, third: Tensor, fourth: Tensor) -> Tensor:
    return (first + fourth) + 3 * (second + third)
