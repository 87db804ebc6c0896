"""Fully connected layers."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from ganzoo.spec.frozen import Count
from ganzoo.spec.layers.layer import Layer, Shape, Small, features
from ganzoo.spec.layers.weights import AnyWeight, Gain, begin, bias_of, prepare, weight_of

if TYPE_CHECKING:
    from torch import Tensor, nn

__all__ = [
    "Linear",
    "Maxout",
]


class Linear(Layer):
    """Fully connected: (features,) to (units,). Other shapes are flattened first."""

    kind: Literal["linear"] = Field("linear", init=False)
    formula: ClassVar[str] = r"W v + b"
    example: ClassVar[str] = "Linear(128)  # (64, 4, 4) to (128,)"
    units: Count
    bias: bool = True
    weight: AnyWeight | None = None
    gain: Gain = 1.0

    overwritable: ClassVar[bool] = True

    def output_shape(self, shape: Shape) -> Shape:
        features(shape)
        return (self.units,)

    def module(self, shape: Shape) -> nn.Module:
        from torch import nn

        return prepare(nn.Linear(math.prod(shape), self.units, bias=self.bias), self.weight)

    def begin(self, module: Any) -> None:
        begin(module, self.weight, self.gain)

    def forward(self, module: nn.Linear, x: Tensor) -> Tensor:
        import torch
        from torch.nn import functional as F

        weight, bias = weight_of(module, self.weight, self.gain), bias_of(module, self.weight)
        # what is exported is for batches of any size, and has no gradients
        if torch.compiler.is_exporting() or x.ndim != 4 or x.is_contiguous():
            return F.linear(x.flatten(1), weight, bias)
        # without gradients the order of the sums must not follow from how many samples there are
        if weight.numel() > x.numel() or not torch.is_grad_enabled():
            return F.linear(x.flatten(1), weight, bias)
        # a map with channels last: its gradient has to be laid out alike, or the layers before it
        # crawl over two layouts at once; so the few weights are permuted and not the map
        weight = weight.view(-1, *x.shape[1:]).permute(0, 2, 3, 1).flatten(1)
        return F.linear(x.permute(0, 2, 3, 1).flatten(1), weight, bias)


class Maxout(Layer):
    """The maximum of `pieces` linear maps: (features,) to (units,). arXiv:1302.4389."""

    kind: Literal["maxout"] = Field("maxout", init=False)
    formula: ClassVar[str] = r"\max_k\left(W_k v + b_k\right)"
    example: ClassVar[str] = "Maxout(240, 5)  # (784,) to (240,)"
    units: Count
    pieces: Small = 2

    def output_shape(self, shape: Shape) -> Shape:
        features(shape)
        return (self.units,)

    def beyond(self, shape: Shape) -> tuple[int, int]:
        return 0, self.units * self.pieces

    def module(self, shape: Shape) -> nn.Module:
        from torch import nn

        return nn.ModuleDict({"linear": nn.Linear(math.prod(shape), self.units * self.pieces)})

    def forward(self, module: nn.ModuleDict, x: Tensor) -> Tensor:
        values: Tensor = module["linear"](x.flatten(1))
        return values.view(-1, self.pieces, self.units).amax(1)
