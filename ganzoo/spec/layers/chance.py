# pyright: reportIncompatibleVariableOverride=false
"""Layers that draw while a network trains, and do nothing once it has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from ganzoo.spec.layers.layer import Layer, Rate, Shape

if TYPE_CHECKING:
    from torch import Tensor, nn

__all__ = [
    "Dropout",
    "GaussianNoise",
]


class Dropout(Layer):
    """Each number zeroed with probability `rate` while training. arXiv:1207.0580."""

    kind: Literal["dropout"] = Field("dropout", init=False)
    formula: ClassVar[str] = r"\frac{m}{1-p}\,v,\quad m\sim\mathrm{Bernoulli}(1-p)"
    example: ClassVar[str] = "Dropout(0.3)  # (128,) to (128,)"
    rate: Rate = 0.5

    def output_shape(self, shape: Shape) -> Shape:
        return shape

    def forward(self, module: nn.Module, x: Tensor) -> Tensor:
        import torch
        from torch.nn import functional as F

        if not module.training:
            return x
        if x.device.type != "cpu":
            return F.dropout(x, self.rate)
        # 16 random bits a number, where torch's own draws a whole float: the rate is rounded to
        # 1/65536, and the rest is scaled by the rounded rate
        dropped = min(round(self.rate * 2**16), 2**16 - 1)
        words = torch.empty(-(-x.numel() // 4), dtype=torch.int64).random_(-(2**63), None)
        bits = words.view(torch.int16)[: x.numel()].view(x.shape)
        kept = (bits >= dropped - 2**15).to(x.dtype)
        return x * kept.mul_(2**16 / (2**16 - dropped))


class GaussianNoise(Layer):
    """Adds normal noise of standard deviation `std` while training."""

    kind: Literal["gaussian_noise"] = Field("gaussian_noise", init=False)
    formula: ClassVar[str] = r"v+s\,\epsilon,\quad \epsilon\sim\mathcal{N}(0, 1)"
    example: ClassVar[str] = "GaussianNoise(0.05)  # (3, 32, 32) to (3, 32, 32)"
    std: Annotated[float, Field(gt=0, le=100)] = 0.1

    def output_shape(self, shape: Shape) -> Shape:
        return shape

    def forward(self, module: nn.Module, x: Tensor) -> Tensor:
        import torch

        return x + self.std * torch.randn_like(x) if module.training else x
