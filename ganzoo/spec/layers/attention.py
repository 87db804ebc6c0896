"""Attention over the positions of a map, and softmax."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from ganzoo.spec.layers.layer import Layer, Shape, Small, features, of_map
from ganzoo.spec.layers.weights import AnyWeight, Gain, begin, prepare, weight_of

if TYPE_CHECKING:
    from torch import Tensor, nn

__all__ = [
    "Attention",
    "Softmax",
]


class Attention(Layer):
    """The self-attention of SAGAN over the positions of a map.

    Queries and keys have 1 / `divide` of the channels, values half of them; keys and values are
    max-pooled by `pool`. There is no scaling by the square root of the size, no bias and no
    shortcut: SAGAN's block is `Residual((Attention(), Scale(0)))`. arXiv:1805.08318.
    """

    kind: Literal["attention"] = Field("attention", init=False)
    formula: ClassVar[str] = r"W_o\sum_j \mathrm{softmax}_j(q_i\cdot k_j)\,g_j"
    example: ClassVar[str] = "Attention()  # (64, 8, 8) to (64, 8, 8)"
    divide: Small = 8
    pool: Small = 2
    weight: AnyWeight | None = None
    gain: Gain = 1.0

    def output_shape(self, shape: Shape) -> Shape:
        channels, height, width = of_map(shape)
        if channels < max(self.divide, 2):
            raise ValueError(f"needs at least {max(self.divide, 2)} channels")
        if min(height, width) < self.pool:
            raise ValueError(f"a map of {height}x{width} cannot be pooled by {self.pool}")
        return shape

    def beyond(self, shape: Shape) -> tuple[int, int]:
        places = shape[1] * shape[2]
        pairs = places * (shape[1] // self.pool) * (shape[2] // self.pool)
        return 2 * pairs * (shape[0] // self.divide + shape[0] // 2), 2 * pairs

    def module(self, shape: Shape) -> nn.Module:
        from torch import nn

        module = nn.Module()
        small, half = shape[0] // self.divide, shape[0] // 2
        sizes = {"query": (shape[0], small), "key": (shape[0], small)}
        sizes |= {"value": (shape[0], half), "out": (half, shape[0])}
        for name, (before, after) in sizes.items():
            module.add_module(name, prepare(nn.Conv2d(before, after, 1, bias=False), self.weight))
        return module

    def begin(self, module: Any) -> None:
        for part in (module.query, module.key, module.value):
            begin(part, self.weight)
        begin(module.out, self.weight, self.gain)

    def forward(self, module: Any, x: Tensor) -> Tensor:
        import torch
        from torch.nn import functional as F

        def conv(part: Any, value: Tensor, gain: float = 1.0) -> Tensor:
            return F.conv2d(value, weight_of(part, self.weight, gain))

        query = conv(module.query, x).flatten(2)
        key, value = conv(module.key, x), conv(module.value, x)
        if self.pool > 1:
            key, value = F.max_pool2d(key, self.pool), F.max_pool2d(value, self.pool)
        # plain softmax: the fused kernels have no second derivative, which penalties need
        shares = (query.transpose(1, 2) @ key.flatten(2)).softmax(2)
        mixed = torch.unflatten(value.flatten(2) @ shares.transpose(1, 2), 2, x.shape[2:])
        return conv(module.out, mixed, self.gain)


class Softmax(Layer):
    """Softmax over the channels."""

    kind: Literal["softmax"] = Field("softmax", init=False)
    formula: ClassVar[str] = r"\frac{e^{v_c}}{\sum_k e^{v_k}}"
    example: ClassVar[str] = "Softmax()  # (10,) to (10,)"

    def output_shape(self, shape: Shape) -> Shape:
        features(shape)
        return shape

    def forward(self, module: nn.Module, x: Tensor) -> Tensor:
        return x.softmax(1)
