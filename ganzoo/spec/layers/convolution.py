# pyright: reportIncompatibleVariableOverride=false
"""Convolutions: weights that are the same at every place of a map."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from ganzoo.spec.frozen import Count
from ganzoo.spec.layers.layer import Layer, Padding, Shape, Small, of_map

if TYPE_CHECKING:
    from torch import nn

__all__ = [
    "Conv",
    "Deconv",
]


class Conv(Layer):
    """Convolution: (c, h, w) to (channels, h / stride, w / stride).

    `padding` None means (kernel - 1) // 2.
    """

    kind: Literal["conv"] = Field("conv", init=False)
    formula: ClassVar[str] = r"W * v + b"
    example: ClassVar[str] = "Conv(64, 4, 2)  # (3, 32, 32) to (64, 16, 16)"
    channels: Count
    kernel: Small = 3
    stride: Small = 1
    padding: Padding | None = None
    bias: bool = True

    overwritable: ClassVar[bool] = True

    @property
    def _padding(self) -> int:
        return (self.kernel - 1) // 2 if self.padding is None else self.padding

    def output_shape(self, shape: Shape) -> Shape:
        _, height, width = of_map(shape)
        more = 2 * self._padding - self.kernel
        return self.channels, *((n + more) // self.stride + 1 for n in (height, width))

    def module(self, shape: Shape) -> nn.Module:
        from torch import nn

        return nn.Conv2d(
            shape[0], self.channels, self.kernel, self.stride, self._padding, bias=self.bias
        )


class Deconv(Layer):
    """Transposed convolution: (c, h, w) to (channels, h * stride, w * stride).

    `padding` None means what gives exactly that size, where it can be had.
    """

    kind: Literal["deconv"] = Field("deconv", init=False)
    formula: ClassVar[str] = r"W^\top * v + b"
    example: ClassVar[str] = "Deconv(3)  # (64, 16, 16) to (3, 32, 32)"
    channels: Count
    kernel: Small = 4
    stride: Small = 2
    padding: Padding | None = None
    bias: bool = True

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
        _, height, width = of_map(shape)
        padding, extra = self._paddings
        more = self.kernel + extra - 2 * padding
        return self.channels, *((n - 1) * self.stride + more for n in (height, width))

    def module(self, shape: Shape) -> nn.Module:
        from torch import nn

        return nn.ConvTranspose2d(
            shape[0], self.channels, self.kernel, self.stride, *self._paddings, bias=self.bias
        )
