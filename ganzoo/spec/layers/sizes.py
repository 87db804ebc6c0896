"""Layers without weights that change shapes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Self, TypeVar

from pydantic import Field, model_validator

from ganzoo.errors import SpecError
from ganzoo.spec.frozen import Count
from ganzoo.spec.layers import fir
from ganzoo.spec.layers.layer import Layer, Shape, Small, features, of_map, size_text

if TYPE_CHECKING:
    from torch import Tensor, nn

__all__ = [
    "Reshape",
    "Flatten",
    "Crop",
    "Upsample",
    "Downsample",
    "Blur",
    "PixelShuffle",
    "MaxPool",
    "GlobalPool",
]


class Reshape(Layer):
    """The same numbers in another shape, such as (128, 7, 7)."""

    kind: Literal["reshape"] = Field("reshape", init=False)
    formula: ClassVar[str] = r"v"
    example: ClassVar[str] = "Reshape((128, 7, 7))  # (6272,) to (128, 7, 7)"
    shape: Annotated[tuple[Count, ...], Field(min_length=1, max_length=3)]

    def output_shape(self, shape: Shape) -> Shape:
        arrive, leave = math.prod(shape), math.prod(self.shape)
        if arrive != leave:
            raise ValueError(f"the input has {arrive} numbers, {size_text(self.shape)} has {leave}")
        return self.shape

    def forward(self, module: nn.Module, x: Tensor) -> Tensor:
        import torch

        x = x.reshape(-1, *self.shape)
        # convolutions keep the layout that arrives, and are faster with channels last
        return x.contiguous(memory_format=torch.channels_last) if x.ndim == 4 else x


class Flatten(Layer):
    """(c, h, w) to (c * h * w,)."""

    kind: Literal["flatten"] = Field("flatten", init=False)
    formula: ClassVar[str] = r"v"
    example: ClassVar[str] = "Flatten()  # (64, 7, 7) to (3136,)"

    def output_shape(self, shape: Shape) -> Shape:
        return (features(shape),)

    def module(self, shape: Shape) -> nn.Module:
        from torch import nn

        return nn.Flatten()


class Crop(Layer):
    """Crops the centre of a map: (c, h, w) to (c, size, size)."""

    kind: Literal["crop"] = Field("crop", init=False)
    formula: ClassVar[str] = r"v_{c,\,i+t,\,j+t},\quad t=\left\lfloor\frac{h-s}{2}\right\rfloor"
    example: ClassVar[str] = "Crop(28)  # (1, 32, 32) to (1, 28, 28)"
    size: Count

    def output_shape(self, shape: Shape) -> Shape:
        channels, height, width = of_map(shape)
        if self.size > min(height, width):
            raise ValueError("the map is smaller than the crop")
        return channels, self.size, self.size

    def forward(self, module: nn.Module, x: Tensor) -> Tensor:
        top, left = (x.shape[-2] - self.size) // 2, (x.shape[-1] - self.size) // 2
        return x[..., top : top + self.size, left : left + self.size]


class Upsample(Layer):
    """Enlarges by an integer factor: (c, h, w) to (c, h * factor, w * factor).

    `fir`, for a factor of 2, inserts zeros between the pixels and filters with [1, 3, 3, 1].
    """

    kind: Literal["upsample"] = Field("upsample", init=False)
    formula: ClassVar[str] = r"v_{c,\,\lfloor i/f\rfloor,\,\lfloor j/f\rfloor}"
    example: ClassVar[str] = "Upsample()  # (64, 8, 8) to (64, 16, 16)"
    factor: Small = 2
    mode: Literal["nearest", "bilinear", "fir"] = "nearest"

    @model_validator(mode="after")
    def _factor_of_two(self) -> Self:
        return _of_two(self)

    def output_shape(self, shape: Shape) -> Shape:
        channels, height, width = of_map(shape)
        return channels, height * self.factor, width * self.factor

    @property
    def computes(self) -> bool:
        return self.mode == "fir"

    def forward(self, module: nn.Module, x: Tensor) -> Tensor:
        return fir.upsampled(x) if self.mode == "fir" else module(x)

    def module(self, shape: Shape) -> nn.Module:
        from torch import nn

        if self.mode == "fir":
            return nn.Module()
        corners = None if self.mode == "nearest" else False
        return nn.Upsample(scale_factor=self.factor, mode=self.mode, align_corners=corners)


class Downsample(Layer):
    """Average pooling: (c, h, w) to (c, h / factor, w / factor).

    `fir`, for a factor of 2, filters with [1, 3, 3, 1] and takes every second pixel.
    """

    kind: Literal["downsample"] = Field("downsample", init=False)
    formula: ClassVar[str] = r"\frac{1}{f^2}\sum_{a,b<f} v_{c,\,fi+a,\,fj+b}"
    example: ClassVar[str] = "Downsample()  # (64, 16, 16) to (64, 8, 8)"
    factor: Small = 2
    mode: Literal["mean", "fir"] = "mean"

    @model_validator(mode="after")
    def _factor_of_two(self) -> Self:
        return _of_two(self)

    def output_shape(self, shape: Shape) -> Shape:
        channels, height, width = of_map(shape)
        return channels, height // self.factor, width // self.factor

    def module(self, shape: Shape) -> nn.Module:
        from torch import nn

        return nn.Module() if self.mode == "fir" else nn.AvgPool2d(self.factor)

    @property
    def computes(self) -> bool:
        return self.mode == "fir"

    def forward(self, module: nn.Module, x: Tensor) -> Tensor:
        return fir.downsampled(x) if self.mode == "fir" else module(x)


class Blur(Layer):
    """Filters with [1, 3, 3, 1], padded by 2: (c, h, w) to (c, h + 1, w + 1).

    A convolution of kernel 3 and stride 2 without padding then gives half of the original size.
    arXiv:1904.11486.
    """

    kind: Literal["blur"] = Field("blur", init=False)
    formula: ClassVar[str] = r"f * v"
    example: ClassVar[str] = "Blur()  # (64, 16, 16) to (64, 17, 17)"

    def output_shape(self, shape: Shape) -> Shape:
        channels, height, width = of_map(shape)
        return channels, height + 1, width + 1

    def forward(self, module: nn.Module, x: Tensor) -> Tensor:
        return fir.blurred(x, 2)


class PixelShuffle(Layer):
    """Rearranges channels into pixels: (c * f * f, h, w) to (c, h * f, w * f). arXiv:1609.05158."""

    kind: Literal["pixel_shuffle"] = Field("pixel_shuffle", init=False)
    formula: ClassVar[str] = (
        r"v_{f^2c+f(i\bmod f)+(j\bmod f),\ \lfloor i/f\rfloor,\ \lfloor j/f\rfloor}"
    )
    example: ClassVar[str] = "PixelShuffle()  # (64, 8, 8) to (16, 16, 16)"
    factor: Small = 2

    def output_shape(self, shape: Shape) -> Shape:
        channels, height, width = of_map(shape)
        if channels % self.factor**2:
            raise ValueError(f"{channels} channels are not a multiple of {self.factor**2}")
        return channels // self.factor**2, height * self.factor, width * self.factor

    def module(self, shape: Shape) -> nn.Module:
        from torch import nn

        return nn.PixelShuffle(self.factor)


class MaxPool(Layer):
    """Max pooling: (c, h, w) to (c, h / factor, w / factor)."""

    kind: Literal["max_pool"] = Field("max_pool", init=False)
    formula: ClassVar[str] = r"\max_{a,b<f} v_{c,\,fi+a,\,fj+b}"
    example: ClassVar[str] = "MaxPool()  # (64, 16, 16) to (64, 8, 8)"
    factor: Small = 2

    def output_shape(self, shape: Shape) -> Shape:
        channels, height, width = of_map(shape)
        return channels, height // self.factor, width // self.factor

    def module(self, shape: Shape) -> nn.Module:
        from torch import nn

        return nn.MaxPool2d(self.factor)


class GlobalPool(Layer):
    """Sum or mean over space: (c, h, w) to (c,)."""

    kind: Literal["global_pool"] = Field("global_pool", init=False)
    formula: ClassVar[str] = r"\frac{1}{hw}\sum_{i,j} v_{c,i,j}"
    example: ClassVar[str] = "GlobalPool()  # (64, 8, 8) to (64,)"
    mode: Literal["sum", "mean"] = "mean"

    def output_shape(self, shape: Shape) -> Shape:
        channels, _, _ = of_map(shape)
        return (channels,)

    def forward(self, module: nn.Module, x: Tensor) -> Tensor:
        return x.sum((2, 3)) if self.mode == "sum" else x.mean((2, 3))


Resampling = TypeVar("Resampling", "Upsample", "Downsample")


def _of_two(layer: Resampling) -> Resampling:
    if layer.mode == "fir" and layer.factor != 2:
        text = f"fir resamples by 2, not by {layer.factor}; use the layer more than once"
        raise SpecError([("factor", text)])
    return layer
