"""Layers that are little but something learned: constants, biases, scales."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from ganzoo.spec.frozen import Count
from ganzoo.spec.layers.layer import Layer, Shape, Takes, features

if TYPE_CHECKING:
    from torch import Tensor, nn

__all__ = [
    "Constant",
    "Basis",
    "Bias",
    "Scale",
    "VectorQuantize",
]


class Constant(Layer):
    """A learned value in place of what arrives, which only says how many samples there are.

    It begins standard normal. A body that begins with it needs no input to start from.
    arXiv:1812.04948.
    """

    kind: Literal["constant"] = Field("constant", init=False)
    formula: ClassVar[str] = r"c"
    example: ClassVar[str] = "Constant((512, 4, 4))  # (64,) to (512, 4, 4)"
    shape: Annotated[tuple[Count, ...], Field(min_length=1, max_length=3)]

    takes: ClassVar[Takes] = "either"
    starts: ClassVar[bool] = True

    def output_shape(self, shape: Shape) -> Shape:
        return self.shape

    def module(self, shape: Shape) -> nn.Module:
        return holder(constant=self.shape)

    def begin(self, module: Any) -> None:
        module.constant.normal_()

    def forward(self, module: Any, x: Tensor) -> Tensor:
        return module.constant.expand(len(x), *self.shape)


class Basis(Layer):
    """Each number of a vector times a learned map: (c,) to (c, size, size). arXiv:2501.05441.

    The maps begin standard normal.
    """

    kind: Literal["basis"] = Field("basis", init=False)
    formula: ClassVar[str] = r"v_c\,B_{c,i,j}"
    example: ClassVar[str] = "Basis(4)  # (768,) to (768, 4, 4)"
    size: Annotated[int, Field(ge=1, le=1024)] = 4

    def output_shape(self, shape: Shape) -> Shape:
        return features(shape), self.size, self.size

    def module(self, shape: Shape) -> nn.Module:
        return holder(basis=(features(shape), self.size, self.size))

    def begin(self, module: Any) -> None:
        module.basis.normal_()

    def forward(self, module: Any, x: Tensor) -> Tensor:
        import torch

        x = x.flatten(1)[:, :, None, None] * module.basis
        return x.contiguous(memory_format=torch.channels_last)


class Bias(Layer):
    """Adds a learned number to each channel; it begins at zero."""

    kind: Literal["bias"] = Field("bias", init=False)
    formula: ClassVar[str] = r"v_c+b_c"
    example: ClassVar[str] = "Bias()  # (64, 8, 8) to (64, 8, 8)"

    overwritable: ClassVar[bool] = True

    def output_shape(self, shape: Shape) -> Shape:
        features(shape)
        return shape

    def module(self, shape: Shape) -> nn.Module:
        return holder(bias=shape[:1])

    def begin(self, module: Any) -> None:
        module.bias.zero_()

    def forward(self, module: Any, x: Tensor) -> Tensor:
        return x + _by_channel(module.bias, x)


class Scale(Layer):
    """Times a learned number, or one for each channel; it begins at `start`.

    `learned: false` keeps it there, as for the square root of 1/2 behind a sum.
    """

    kind: Literal["scale"] = Field("scale", init=False)
    formula: ClassVar[str] = r"s\,v"
    example: ClassVar[str] = "Scale(0)  # (64, 8, 8) to (64, 8, 8)"
    start: Annotated[float, Field(ge=-1000, le=1000)] = 1.0
    per: Literal["all", "channel"] = "all"
    learned: bool = True

    def output_shape(self, shape: Shape) -> Shape:
        features(shape)
        return shape

    def module(self, shape: Shape) -> nn.Module:
        if not self.learned:
            return holder()
        return holder(scale=shape[:1] if self.per == "channel" else ())

    def begin(self, module: Any) -> None:
        if self.learned:
            module.scale.fill_(self.start)

    def forward(self, module: Any, x: Tensor) -> Tensor:
        if not self.learned:
            return self.start * x
        return x * (_by_channel(module.scale, x) if self.per == "channel" else module.scale)


class VectorQuantize(Layer):
    """The nearest of `codes` learned vectors in the place of each vector of channels.

    `(c,)` or `(c, h, w)` to the same. Gradients flow into the vectors that were taken and, as the
    choice has none, not into what arrives. With `h = E(x)` and `q = Q(h)`, the three terms of its
    authors are `h + detach(q - h)` (its value is q, its gradient goes to h: straight through),
    `mse(q, detach(h))` (codebook) and `0.25 * mse(h, detach(q))` (commitment). The vectors begin
    uniform in [-1 / codes, 1 / codes). arXiv:1711.00937.
    """

    kind: Literal["vector_quantize"] = Field("vector_quantize", init=False)
    formula: ClassVar[str] = r"e_k,\quad k=\arg\min_j\lVert v-e_j\rVert_2"
    example: ClassVar[str] = "VectorQuantize(512)  # (64, 8, 8) to (64, 8, 8)"
    codes: Count

    chooses: ClassVar[bool] = True

    def output_shape(self, shape: Shape) -> Shape:
        features(shape)
        return shape

    def module(self, shape: Shape) -> nn.Module:
        return holder(codebook=(self.codes, shape[0]))

    def begin(self, module: Any) -> None:
        module.codebook.uniform_(-1 / self.codes, 1 / self.codes)

    def forward(self, module: Any, x: Tensor) -> Tensor:
        import torch
        from torch.nn import functional as F

        codebook = module.codebook
        with torch.no_grad():  # autocast keeps distances in float32
            nearest = torch.cdist(x.movedim(1, -1).flatten(0, -2), codebook.to(x.dtype)).argmin(1)
        return F.embedding(nearest.view(len(x), *x.shape[2:]), codebook).movedim(-1, 1)


def holder(**shapes: Shape) -> nn.Module:
    """A module that holds weights of these shapes; `Layer.begin` gives them their first values."""
    import torch
    from torch import nn

    module = nn.Module()
    for name, shape in shapes.items():
        module.register_parameter(name, nn.Parameter(torch.empty(shape)))
    return module


def _by_channel(values: Tensor, x: Tensor) -> Tensor:
    return values.view(-1, *[1] * (x.ndim - 2))
