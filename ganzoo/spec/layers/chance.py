"""Layers that are random in training and do nothing in evaluation mode."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from ganzoo.spec.frozen import Identifier
from ganzoo.spec.layers.layer import Layer, Rate, Shape, of_map
from ganzoo.spec.layers.styles import cut, cut_shape

if TYPE_CHECKING:
    from torch import Tensor, nn

__all__ = [
    "Dropout",
    "GaussianNoise",
]


class Dropout(Layer):
    """Each number is zeroed with probability `rate` in training. arXiv:1207.0580.

    With `noise`, an input of uniform noise in [0, 1) in the shape of a map, it is also active at
    inference, as in pix2pix: block `row` of the noise, with as many channels as the input, decides
    which numbers are zeroed.
    """

    kind: Literal["dropout"] = Field("dropout", init=False)
    formula: ClassVar[str] = r"\frac{m}{1-p}\,v,\quad m\sim\mathrm{Bernoulli}(1-p)"
    example: ClassVar[str] = "Dropout(0.3)  # (128,) to (128,)"
    rate: Rate = 0.5
    noise: Identifier | None = None
    row: Annotated[int, Field(ge=0, le=10_000)] = 0

    @property
    def reads(self) -> tuple[str, ...]:
        return (self.noise,) if self.noise else ()

    def output_shape(self, shape: Shape, noise: Shape | None = None) -> Shape:
        if noise is not None:
            cut_shape(noise, self.row, of_map(shape))
        return shape

    def module(self, shape: Shape, noise: Shape | None = None) -> nn.Module:
        from torch import nn

        return nn.Module()

    def forward(self, module: nn.Module, x: Tensor, noise: Tensor | None = None) -> Tensor:
        import torch
        from torch.nn import functional as F

        if noise is not None:
            _, channels, height, width = x.shape
            kept = cut(noise, self.row, (channels, height, width)) >= self.rate
            return x * kept / (1 - self.rate)
        if not module.training:
            return x
        if x.device.type != "cpu":
            return F.dropout(x, self.rate)
        # 16 random bits a number, where torch's own draws a whole float: the rate is rounded to
        # 1/65536, and the rest is scaled by the rounded rate
        dropped = min(round(self.rate * 2**16), 2**16 - 1)
        # of each sample its own, so that several processes can share them out
        size = x[0].numel()
        words = torch.empty((len(x), -(-size // 4)), dtype=torch.int64).random_(-(2**63), None)
        bits = words.view(torch.int16)[:, :size].reshape(x.shape)
        kept = (bits >= dropped - 2**15).to(x.dtype)
        return x * kept.mul_(2**16 / (2**16 - dropped))


class GaussianNoise(Layer):
    """Adds normal noise of standard deviation `std` in training."""

    kind: Literal["gaussian_noise"] = Field("gaussian_noise", init=False)
    formula: ClassVar[str] = r"v+s\,\epsilon,\quad \epsilon\sim\mathcal{N}(0, 1)"
    example: ClassVar[str] = "GaussianNoise(0.05)  # (3, 32, 32) to (3, 32, 32)"
    std: Annotated[float, Field(gt=0, le=100)] = 0.1

    def output_shape(self, shape: Shape) -> Shape:
        return shape

    def forward(self, module: nn.Module, x: Tensor) -> Tensor:
        import torch

        return x + self.std * torch.randn_like(x) if module.training else x
