"""Normalisation layers, and a layer that measures the deviation within a batch."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from ganzoo.spec.frozen import Count
from ganzoo.spec.layers.layer import Epsilon, Layer, Shape, features, of_map, precise

if TYPE_CHECKING:
    from torch import Tensor, nn

__all__ = [
    "BatchNorm",
    "LayerNorm",
    "InstanceNorm",
    "PixelNorm",
    "MinibatchStd",
]


class BatchNorm(Layer):
    """Batch normalisation, of features or of maps. arXiv:1502.03167.

    `momentum` is torch's: the weight of the newest batch in the running statistics.
    """

    kind: Literal["batch_norm"] = Field("batch_norm", init=False)
    formula: ClassVar[str] = r"\gamma_c\,\frac{v-\mu_c}{\sqrt{\sigma_c^2+\epsilon}}+\beta_c"
    example: ClassVar[str] = "BatchNorm()  # (64, 8, 8) to (64, 8, 8)"
    affine: bool = True
    eps: Epsilon = 1e-5
    momentum: Epsilon = 0.1

    overwritable: ClassVar[bool] = True

    def output_shape(self, shape: Shape) -> Shape:
        features(shape)
        return shape

    def module(self, shape: Shape) -> nn.Module:
        from torch import nn

        kind = nn.BatchNorm2d if len(shape) == 3 else nn.BatchNorm1d
        return kind(shape[0], eps=self.eps, momentum=self.momentum, affine=self.affine)


class LayerNorm(Layer):
    """Normalisation over a whole sample, with a gain and a bias per channel. arXiv:1607.06450."""

    kind: Literal["layer_norm"] = Field("layer_norm", init=False)
    formula: ClassVar[str] = r"\gamma_c\,\frac{v-\mu}{\sqrt{\sigma^2+\epsilon}}+\beta_c"
    example: ClassVar[str] = "LayerNorm()  # (64, 8, 8) to (64, 8, 8)"
    eps: Epsilon = 1e-5

    def output_shape(self, shape: Shape) -> Shape:
        if features(shape) == 1:
            raise ValueError("one number cannot be normalised by its own mean")
        return shape

    def module(self, shape: Shape) -> nn.Module:
        from torch import nn

        # one group: normalised over all of a sample, gain and bias for each channel
        return nn.GroupNorm(1, shape[0], eps=self.eps)


class InstanceNorm(Layer):
    """Normalisation of each map of each sample. arXiv:1607.08022."""

    kind: Literal["instance_norm"] = Field("instance_norm", init=False)
    formula: ClassVar[str] = r"\frac{v-\mu_{n,c}}{\sqrt{\sigma_{n,c}^2+\epsilon}}"
    example: ClassVar[str] = "InstanceNorm()  # (64, 8, 8) to (64, 8, 8)"
    affine: bool = False
    eps: Epsilon = 1e-5

    def output_shape(self, shape: Shape) -> Shape:
        if math.prod(of_map(shape)[1:]) == 1:
            raise ValueError("a map of one pixel cannot be normalised by its own mean")
        return shape

    def module(self, shape: Shape) -> nn.Module:
        from torch import nn

        return nn.InstanceNorm2d(shape[0], eps=self.eps, affine=self.affine)


class PixelNorm(Layer):
    """Scales each position to unit mean square over the channels. arXiv:1710.10196."""

    kind: Literal["pixel_norm"] = Field("pixel_norm", init=False)
    formula: ClassVar[str] = r"\frac{v}{\sqrt{\frac{1}{C}\sum_c v_c^2+\epsilon}}"
    example: ClassVar[str] = "PixelNorm()  # (64, 8, 8) to (64, 8, 8)"

    def output_shape(self, shape: Shape) -> Shape:
        features(shape)
        return shape

    def forward(self, module: nn.Module, x: Tensor) -> Tensor:
        # sums in float32 at least, whatever x is in
        return x * (precise(x).square().mean(1, keepdim=True) + 1e-8).rsqrt().to(x.dtype)


class MinibatchStd(Layer):
    """Appends a map with the mean standard deviation over the batch. arXiv:1710.10196.

    With `group`, the deviation is over groups of this many samples, or of the greatest common
    divisor of `group` and the batch (arXiv:1912.04958).
    """

    kind: Literal["minibatch_std"] = Field("minibatch_std", init=False)
    formula: ClassVar[str] = r"\left(v,\ \overline{\sigma}\right)"
    example: ClassVar[str] = "MinibatchStd()  # (64, 4, 4) to (65, 4, 4)"
    mixes: ClassVar[bool] = True
    group: Count | None = None

    def output_shape(self, shape: Shape) -> Shape:
        features(shape)
        return shape[0] + 1, *shape[1:]

    def forward(self, module: nn.Module, x: Tensor) -> Tensor:
        import torch

        # in float32 at least: deviations within a batch are small differences
        if self.group is not None:
            # torch does not type unflatten
            parts = (math.gcd(self.group, len(x)), -1)
            groups: Tensor = torch.unflatten(precise(x), 0, parts)
            std = (groups.var(0, unbiased=False) + 1e-8).sqrt().flatten(1).mean(1).to(x.dtype)
            std = std.repeat(len(groups)).view(-1, *[1] * (x.ndim - 1))
            return torch.cat((x, std.expand(-1, 1, *x.shape[2:])), 1)
        std = (precise(x).var(0, unbiased=False) + 1e-8).sqrt().mean().to(x.dtype)
        return torch.cat((x, std.expand(x.shape[0], 1, *x.shape[2:])), 1)
