"""Layers that turn class labels into vectors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from ganzoo.spec.frozen import Count
from ganzoo.spec.layers.layer import Layer, Shape, Takes
from ganzoo.spec.layers.weights import AnyWeight, Gain, begin, prepare, weight_of

if TYPE_CHECKING:
    from torch import Tensor, nn

__all__ = [
    "OneHot",
    "Embedding",
]


class OneHot(Layer):
    """Integer labels () to one-hot vectors (classes,)."""

    kind: Literal["one_hot"] = Field("one_hot", init=False)
    formula: ClassVar[str] = r"e_y"
    example: ClassVar[str] = "OneHot(10)  # () to (10,)"
    classes: Count

    takes: ClassVar[Takes] = "labels"

    def output_shape(self, shape: Shape) -> Shape:
        return (self.classes,)

    def forward(self, module: nn.Module, x: Tensor) -> Tensor:
        import torch
        from torch.nn import functional as F

        return F.one_hot(x, self.classes).to(torch.get_default_dtype())


class Embedding(Layer):
    """Integer labels () to learned vectors (units,)."""

    kind: Literal["embedding"] = Field("embedding", init=False)
    formula: ClassVar[str] = r"W_y"
    example: ClassVar[str] = "Embedding(10, 50)  # () to (50,)"
    classes: Count
    units: Count
    weight: AnyWeight | None = None
    gain: Gain = 1.0

    takes: ClassVar[Takes] = "labels"

    def output_shape(self, shape: Shape) -> Shape:
        return (self.units,)

    def module(self, shape: Shape) -> nn.Module:
        from torch import empty, nn

        weight = empty(self.classes, self.units)
        if not weight.is_meta:  # there, normal numbers would load torch's compiler
            nn.init.normal_(weight)
        return prepare(nn.Embedding(self.classes, self.units, _weight=weight), self.weight)

    @property
    def computes(self) -> bool:
        return self.weight is not None

    def begin(self, module: Any) -> None:
        begin(module, self.weight, self.gain)

    def forward(self, module: Any, x: Tensor) -> Tensor:
        from torch.nn import functional as F

        return F.embedding(x, weight_of(module, self.weight, self.gain))
