"""Layers that read further inputs of their network, or taps: styles, noise, conditions."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from ganzoo.spec.frozen import Count, Identifier
from ganzoo.spec.layers import fir
from ganzoo.spec.layers.layer import (
    Epsilon,
    Layer,
    Shape,
    Small,
    features,
    of_map,
    precise,
    size_text,
)
from ganzoo.spec.layers.weights import AnyWeight, Gain, begin, bias_of, prepare, weight_of

if TYPE_CHECKING:
    from torch import Tensor, nn

__all__ = [
    "ModConv",
    "AddNoise",
    "CondNorm",
]

Row = Annotated[int, Field(ge=0, le=10_000)]


class ModConv(Layer):
    """Modulated convolution: a style scales its input channels, and outputs have unit variance.

    The style is an affine map, with biases initialized to 1, of a vector (d,) or of one `row` of
    (rows, d). With `demodulate`, each output is divided by the norm of its scaled weights. `up`
    doubles the size: a transposed convolution, then the filter [1, 3, 3, 1]. arXiv:1912.04958.
    """

    kind: Literal["mod_conv"] = Field("mod_conv", init=False)
    formula: ClassVar[str] = (
        r"\frac{W * (s\odot v)}{\sqrt{\sum_{i,k} (s_i W_{oik})^2+\epsilon}},\quad s=A w+b"
    )
    example: ClassVar[str] = 'ModConv(64, 3, "w")  # (32, 8, 8) to (64, 8, 8)'
    channels: Count
    kernel: Small = 3
    style: Identifier  # type: ignore[reportGeneralTypeIssues]
    row: Row | None = None
    up: bool = False
    demodulate: bool = True
    weight: AnyWeight | None = None
    gain: Gain = 1.0

    @property
    def reads(self) -> tuple[str, ...]:
        return (self.style,)

    def output_shape(self, shape: Shape, style: Shape) -> Shape:
        _, height, width = of_map(shape)
        row_size(style, self.row)
        if self.kernel % 2 == 0:
            raise ValueError("an even kernel changes the size; use 1, 3, ...")
        if self.up and self.kernel != 3:
            raise ValueError("up needs a kernel of 3")
        return self.channels, height * (1 + self.up), width * (1 + self.up)

    def module(self, shape: Shape, style: Shape) -> nn.Module:
        from torch import nn

        module = nn.Conv2d(shape[0], self.channels, self.kernel, bias=False)
        module.affine = prepare(nn.Linear(row_size(style, self.row), shape[0]), self.weight)
        return prepare(module, self.weight)

    def begin(self, module: Any) -> None:
        begin(module, self.weight, self.gain)
        begin(module.affine, self.weight)
        # of an equalised layer a bias counts as much as its rate multiplier
        module.affine.bias.fill_(1 / getattr(self.weight, "lr", 1.0))

    def forward(self, module: Any, x: Tensor, style: Tensor) -> Tensor:
        from torch.nn import functional as F

        affine = module.affine
        s = F.linear(
            row_of(style, self.row), weight_of(affine, self.weight), bias_of(affine, self.weight)
        )
        weight = weight_of(module, self.weight, self.gain)
        scaled = x * s[:, :, None, None].to(x.dtype)
        if self.up:
            made = F.conv_transpose2d(scaled, weight.transpose(0, 1), stride=2)
            made = fir.blurred(made, 1, gain=4)
        else:
            made = F.conv2d(scaled, weight, padding=self.kernel // 2)
        if not self.demodulate:
            return made
        # the same as convolving each sample with weights of its own, without making them
        squares = precise(s).square() @ precise(weight).square().sum((2, 3)).T
        return made * (squares + 1e-8).rsqrt()[:, :, None, None].to(made.dtype)


class AddNoise(Layer):
    """Adds a noise map times a learned strength, initially zero.

    The noise is an input of the network, such as a draw `n: {kind: normal, shape: [7, 32, 32]}`.
    Its channel `row` is cropped to the size of the map, so that one draw serves all layers.
    arXiv:1812.04948.
    """

    kind: Literal["add_noise"] = Field("add_noise", init=False)
    formula: ClassVar[str] = r"v+s\,n"
    example: ClassVar[str] = 'AddNoise("n")  # (64, 8, 8) to (64, 8, 8)'
    noise: Identifier
    row: Row = 0

    @property
    def reads(self) -> tuple[str, ...]:
        return (self.noise,)

    def output_shape(self, shape: Shape, noise: Shape) -> Shape:
        cut_shape(noise, self.row, (1, *of_map(shape)[1:]))
        return shape

    def module(self, shape: Shape, noise: Shape) -> nn.Module:
        import torch
        from torch import nn

        module = nn.Module()
        module.strength = nn.Parameter(torch.empty(()))
        return module

    def begin(self, module: Any) -> None:
        module.strength.zero_()

    def forward(self, module: Any, x: Tensor, noise: Tensor) -> Tensor:
        return x + module.strength * cut(noise, self.row, (1, *x.shape[2:])).to(x.dtype)


class CondNorm(Layer):
    """Normalisation whose gains and biases depend on a vector or a map. arXiv:1610.07629.

    `by` is an input or a tap. Labels are turned into a vector in the branch of their input, by
    `one_hot` (a gain and a bias for each class) or `embedding`. Gains and biases are linear maps
    of a vector, as in AdaIN, and 3x3 convolutions of a map, which is first resized to this one by
    the nearest pixel: a gain and a bias for each position (SPADE, arXiv:1903.07291). With `hidden`,
    they are computed from a common layer of so many units or channels, with ReLU. The gain is 1
    plus this value. With `bias`, both have learned constants, initially zero. With `gain: 0`, both
    are zero at first, so that the layer starts as a plain norm.
    """

    kind: Literal["cond_norm"] = Field("cond_norm", init=False)
    formula: ClassVar[str] = r"(1+A y)_c\,\frac{v-\mu_c}{\sqrt{\sigma_c^2+\epsilon}}+(B y)_c"
    example: ClassVar[str] = 'CondNorm("y")  # (64, 8, 8) to (64, 8, 8)'
    by: Identifier
    norm: Literal["batch", "instance", "layer", "none"] = "batch"
    row: Row | None = None
    eps: Epsilon = 1e-5
    momentum: Epsilon = 0.1
    weight: AnyWeight | None = None
    gain: Gain = 1.0
    hidden: Count | None = None
    bias: bool = False

    @property
    def reads(self) -> tuple[str, ...]:
        return (self.by,)

    def _of_map(self, by: Shape) -> bool:
        return len(by) == 3 and self.row is None

    def output_shape(self, shape: Shape, by: Shape) -> Shape:
        features(shape)
        if not self._of_map(by):
            row_size(by, self.row, "a vector (d,) or a map")
        if self.norm == "instance" or self._of_map(by):
            of_map(shape)
        return shape

    def beyond(self, shape: Shape, by: Shape) -> tuple[int, int]:
        channels = by[0] + (self.hidden or 0) + 2 * shape[0]
        return 0, channels * math.prod(shape[1:]) if self._of_map(by) else 0

    def module(self, shape: Shape, by: Shape) -> nn.Module:
        from torch import nn

        module = nn.Module()
        channels, maps = shape[0], self._of_map(by)
        match self.norm:
            case "batch":
                kind = nn.BatchNorm2d if len(shape) == 3 else nn.BatchNorm1d
                module.norm = kind(channels, self.eps, self.momentum, affine=False)
            case "instance":
                module.norm = nn.InstanceNorm2d(channels, self.eps)
            case "layer":
                module.norm = nn.GroupNorm(1, channels, self.eps, affine=False)
            case _:
                module.norm = nn.Identity()

        def part(size: int, leaves: int, bias: bool) -> nn.Module:
            if maps:
                return prepare(nn.Conv2d(size, leaves, 3, padding=1, bias=bias), self.weight)
            return prepare(nn.Linear(size, leaves, bias=bias), self.weight)

        size = by[0] if maps else row_size(by, self.row)
        if self.hidden:
            module.hidden = part(size, self.hidden, True)
        for name in ("scale", "shift"):
            module.add_module(name, part(self.hidden or size, channels, self.bias))
        return module

    def begin(self, module: Any) -> None:
        if self.hidden:
            begin(module.hidden, self.weight)
        for part in (module.scale, module.shift):
            begin(part, self.weight, self.gain)
            if self.bias:
                part.bias.zero_()

    def forward(self, module: Any, x: Tensor, by: Tensor) -> Tensor:
        from torch.nn import functional as F

        if self.row is None and by.ndim == 4:
            value = F.interpolate(by, size=x.shape[2:], mode="nearest")
        else:
            value = row_of(by, self.row)
        if self.hidden:
            value = F.relu(self._mapped(module.hidden, value))
        scale, shift = (
            self._mapped(part, value, self.gain) for part in (module.scale, module.shift)
        )
        if value.ndim == 2:
            shape = (*scale.shape, *[1] * (x.ndim - 2))
            scale, shift = scale.view(shape), shift.view(shape)
        return module.norm(x) * (1 + scale) + shift

    def _mapped(self, part: Any, value: Tensor, gain: float = 1.0) -> Tensor:
        from torch.nn import functional as F

        weight, bias = weight_of(part, self.weight, gain), bias_of(part, self.weight)
        if value.ndim == 4:
            return F.conv2d(value, weight, bias, padding=1)
        return F.linear(value, weight, bias)


def row_size(shape: Shape, row: int | None, wanted: str = "a vector (d,)") -> int:
    """The length of the vector that a layer reads; ValueError for other shapes."""
    if len(shape) == 1 and not row:
        return shape[0]
    if len(shape) == 2 and row is not None and row < shape[0]:
        return shape[1]
    what = wanted if row is None else f"row {row} of vectors (rows, d)"
    raise ValueError(f"reads {what}, not {size_text(shape)}")


def row_of(value: Tensor, row: int | None) -> Tensor:
    return value if value.ndim == 2 else value[:, row or 0]


def cut_shape(noise: Shape, row: int, wanted: Shape) -> None:
    """ValueError if the noise has no block `row` of the size `wanted`."""
    channels, height, width = of_map(noise)
    if (row + 1) * wanted[0] > channels or height < wanted[1] or width < wanted[2]:
        raise ValueError(
            f"reads block {row} of {size_text(wanted)}, and the noise is {size_text(noise)}"
        )


def cut(noise: Tensor, row: int, wanted: Shape) -> Tensor:
    """Block `row` with the wanted number of channels, cropped to the upper left corner."""
    channels, height, width = wanted
    return noise[:, row * channels : (row + 1) * channels, :height, :width]
