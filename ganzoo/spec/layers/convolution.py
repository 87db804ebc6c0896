"""Convolutions: weights that are shared over all positions of a map."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from ganzoo.spec.frozen import Count
from ganzoo.spec.layers.layer import Layer, Padding, Shape, Small, of_map
from ganzoo.spec.layers.weights import AnyWeight, Gain, begin, bias_of, prepare, weight_of

if TYPE_CHECKING:
    from torch import Tensor, nn

__all__ = [
    "Conv",
    "Deconv",
]


class Conv(Layer):
    """Convolution: (c, h, w) to (channels, h / stride, w / stride).

    `padding` None means (kernel - 1) // 2. With `groups`, each group of output channels depends on
    its own group of input channels; as many groups as channels make a depthwise convolution.
    """

    kind: Literal["conv"] = Field("conv", init=False)
    formula: ClassVar[str] = r"W * v + b"
    example: ClassVar[str] = "Conv(64, 4, 2)  # (3, 32, 32) to (64, 16, 16)"
    channels: Count
    kernel: Small = 3
    stride: Small = 1
    padding: Padding | None = None
    bias: bool = True
    groups: Count = 1
    padding_mode: Literal["zeros", "reflect"] = "zeros"
    weight: AnyWeight | None = None
    gain: Gain = 1.0

    overwritable: ClassVar[bool] = True

    @property
    def _padding(self) -> int:
        return (self.kernel - 1) // 2 if self.padding is None else self.padding

    def output_shape(self, shape: Shape) -> Shape:
        channels, height, width = of_map(shape)
        _check_groups(self, channels)
        if self.padding_mode == "reflect" and self._padding >= min(height, width):
            raise ValueError(f"cannot reflect {self._padding} pixels of a {height}x{width} map")
        more = 2 * self._padding - self.kernel
        return self.channels, *((n + more) // self.stride + 1 for n in (height, width))

    def module(self, shape: Shape) -> nn.Module:
        from torch import nn

        module = nn.Conv2d(
            shape[0], self.channels, self.kernel, self.stride, self._padding,
            groups=self.groups, bias=self.bias, padding_mode=self.padding_mode,
        )  # fmt: skip
        return prepare(module, self.weight)

    @property
    def computes(self) -> bool:
        return self.weight is not None

    def begin(self, module: Any) -> None:
        begin(module, self.weight, self.gain)

    def forward(self, module: Any, x: Tensor) -> Tensor:
        if self.weight is None:
            return module(x)
        weight = weight_of(module, self.weight, self.gain)
        return module._conv_forward(x, weight, bias_of(module, self.weight))


class Deconv(Layer):
    """Transposed convolution: (c, h, w) to (channels, h * stride, w * stride).

    `padding` None means the padding that gives exactly this size, if there is one.
    """

    kind: Literal["deconv"] = Field("deconv", init=False)
    formula: ClassVar[str] = r"W^\top * v + b"
    example: ClassVar[str] = "Deconv(3)  # (64, 16, 16) to (3, 32, 32)"
    channels: Count
    kernel: Small = 4
    stride: Small = 2
    padding: Padding | None = None
    bias: bool = True
    groups: Count = 1
    weight: AnyWeight | None = None
    gain: Gain = 1.0

    overwritable: ClassVar[bool] = True

    @property
    def _paddings(self) -> tuple[int, int]:
        """`padding` and `output_padding` of torch: size * stride exactly, where none is given."""
        if self.padding is not None:
            return self.padding, 0
        # kernel - stride = 2 * padding - output_padding
        more = self.kernel - self.stride
        padding = max(0, math.ceil(more / 2))
        extra = max(0, 2 * padding - more)
        if extra >= self.stride:
            raise ValueError(
                "an even kernel at stride 1 has no exact size; use an odd one, or padding"
            )
        return padding, extra

    def output_shape(self, shape: Shape) -> Shape:
        channels, height, width = of_map(shape)
        _check_groups(self, channels)
        padding, extra = self._paddings
        more = self.kernel + extra - 2 * padding
        return self.channels, *((n - 1) * self.stride + more for n in (height, width))

    def module(self, shape: Shape) -> nn.Module:
        from torch import nn

        module = nn.ConvTranspose2d(
            shape[0], self.channels, self.kernel, self.stride, *self._paddings,
            groups=self.groups, bias=self.bias,
        )  # fmt: skip
        return prepare(module, self.weight)

    @property
    def computes(self) -> bool:
        return self.weight is not None

    def begin(self, module: Any) -> None:
        begin(module, self.weight, self.gain)

    def forward(self, module: Any, x: Tensor) -> Tensor:
        from torch.nn import functional as F

        if self.weight is None:
            return module(x)
        return F.conv_transpose2d(
            x, weight_of(module, self.weight, self.gain), bias_of(module, self.weight),
            self.stride, *self._paddings, self.groups,
        )  # fmt: skip


def _check_groups(layer: Conv | Deconv, channels: int) -> None:
    if channels % layer.groups or layer.channels % layer.groups:
        raise ValueError(
            f"{channels} channels to {layer.channels} cannot be divided into {layer.groups} groups"
        )
