"""Layers that consist of learned parameters: constants, biases, scales, codebooks."""

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
    """A learned value of this shape; its input only gives the number of samples.

    It is initialized to standard normal noise. A body that begins with it does not start from the
    inputs of its network: layers read them by name, or they only give the number of samples.
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
        return module.constant.expand(x.shape[0], *self.shape)


class Basis(Layer):
    """Each number of a vector times a learned map: (c,) to (c, size, size). arXiv:2501.05441.

    The maps are initialized to standard normal noise.
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
    """Adds a learned number to each channel, initially zero."""

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
    """Multiplies by a learned number, or one for each channel, initially `start`.

    With `learned: false` it stays fixed, such as a factor of sqrt(1/2) after a sum.
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
    """Replaces each vector of channels by the nearest of `codes` learned vectors.

    Input and output are `(c,)` or `(c, h, w)`. Gradients flow into the selected vectors, but not
    into the input. With `h = E(x)` and `q = Q(h)`, the three terms of its authors are
    `h + detach(q - h)` (the straight-through estimator: the value is q, the gradient goes to h),
    `mse(q, detach(h))` (codebook) and `0.25 * mse(h, detach(q))` (commitment). The vectors are
    initialized uniformly in [-1 / codes, 1 / codes). arXiv:1711.00937.
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
        return F.embedding(nearest.view(x.shape[0], *x.shape[2:]), codebook).movedim(-1, 1)


def holder(**shapes: Shape) -> nn.Module:
    """A module with parameters of these shapes; `Layer.begin` initializes them."""
    import torch
    from torch import nn

    module = nn.Module()
    for name, shape in shapes.items():
        module.register_parameter(name, nn.Parameter(torch.empty(shape)))
    return module


def _by_channel(values: Tensor, x: Tensor) -> Tensor:
    return values.view(-1, *[1] * (x.ndim - 2))
