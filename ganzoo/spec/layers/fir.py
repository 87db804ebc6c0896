"""Resampling with the filter [1, 3, 3, 1], at any order of differentiation.

Maps are padded with zeros. The filter is that of StyleGAN2 (arXiv:1912.04958); constants stay
constant away from the borders.

On a processor the filter is a convolution of each channel, three to ten times as fast as sums of
shifted maps. All three are linear maps, and the gradient of each is its transpose, which is again
one of them: torch's own second gradient of a convolution takes the channels one by one, and that
of a sum of slices loses the memory format, which makes all later operations slower. Elsewhere, and
where shapes alone are computed, sums do.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from torch import Tensor


def upsampled(x: Tensor) -> Tensor:
    """(b, c, h, w) to (b, c, 2h, 2w): insert zeros between the pixels, apply the filter times 4."""
    import torch
    from torch.nn import functional as F

    height, width = x.shape[2:]
    if _convolves(x):
        return _filtered(x, _Filter(2, 1, 4.0, (2 * height, 2 * width)))
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

    if _convolves(x):
        return _filtered(x, _Filter(2, 1))
    height, width = x.shape[2] // 2, x.shape[3] // 2
    x = F.pad(x, (1, 1, 1, 1))
    x = _weighted(*(x[:, :, i : i + 2 * height : 2] for i in range(4)))
    return _weighted(*(x[..., i : i + 2 * width : 2] for i in range(4))) / 64


def blurred(x: Tensor, pad: int, gain: float = 1.0) -> Tensor:
    """The filter at every pixel of the map, padded with `pad` zeros: (h + 2 * pad - 3, ...)."""
    from torch.nn import functional as F

    if _convolves(x):
        return _filtered(x, _Filter(1, pad, gain))
    x = F.pad(x, (pad, pad, pad, pad))
    height, width = x.shape[2] - 3, x.shape[3] - 3
    x = _weighted(*(x[:, :, i : i + height] for i in range(4)))
    return _weighted(*(x[..., i : i + width] for i in range(4))) * (gain / 64)


def _weighted(first: Tensor, second: Tensor, third: Tensor, fourth: Tensor) -> Tensor:
    return (first + fourth) + 3 * (second + third)


# ------------------------------------------------------------------------ on a processor


def _convolves(x: Tensor) -> bool:
    return x.device.type == "cpu"


class _Filter(NamedTuple):
    """The filter times a gain at every pixel, or every second one; or the transpose of that."""

    stride: int
    pad: int
    gain: float = 1.0
    made: tuple[int, int] | None = None
    """The size of the maps that the transpose makes; None: not transposed."""

    def transpose(self, size: tuple[int, int]) -> _Filter:
        """The map back to maps of `size`."""
        if self.stride == 1:
            return self._replace(pad=3 - self.pad)
        return self._replace(made=None if self.made else size)

    def __call__(self, x: Tensor) -> Tensor:
        import torch
        from torch.nn import functional as F

        row = torch.tensor([1.0, 3.0, 3.0, 1.0], dtype=x.dtype, device=x.device)
        kernel = (row[:, None] * row * (self.gain / 64)).expand(x.shape[1], 1, 4, 4)
        with torch.autocast("cpu", enabled=False):
            if not self.made:
                return F.conv2d(x, kernel, None, self.stride, self.pad, groups=x.shape[1])
            beyond = [
                made - ((n - 1) * self.stride - 2 * self.pad + 4)
                for made, n in zip(self.made, x.shape[2:], strict=True)
            ]
            # oneDNN has no fast transpose of single channels in bfloat16 (fifty times slower)
            short = x.dtype == torch.bfloat16
            y = F.conv_transpose2d(
                x.float() if short else x, kernel.float() if short else kernel,
                None, self.stride, self.pad, beyond, x.shape[1],
            )  # fmt: skip
            return y.to(x.dtype)


def _filtered(x: Tensor, of: _Filter) -> Tensor:
    import torch

    if torch.is_grad_enabled() and x.requires_grad:
        return _linear().apply(x, of)
    return of(x)


@cache
def _linear() -> Any:
    """Made at first use, since this module comes without torch."""
    from torch.autograd import Function

    class Linear(Function):
        """A linear map, whose gradient is its transpose, at any order."""

        @staticmethod
        def forward(ctx: Any, x: Tensor, of: _Filter) -> Tensor:
            ctx.back = of.transpose((x.shape[2], x.shape[3]))
            return of(x)

        @staticmethod
        def backward(ctx: Any, *gradients: Any) -> Any:
            return _filtered(gradients[0], ctx.back), None

    return Linear
