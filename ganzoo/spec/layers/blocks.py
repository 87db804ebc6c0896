"""Layers that contain other layers or connect parts of a network: taps, injections, blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from ganzoo.spec.frozen import Identifier
from ganzoo.spec.layers.join import Join, join, joined_shape
from ganzoo.spec.layers.layer import Layer, Layers, Shape, Takes, size_text

if TYPE_CHECKING:
    from torch import Tensor, nn

__all__ = [
    "Tap",
    "Inject",
    "Residual",
    "Repeat",
    "Skip",
]


class Tap(Layer):
    """Names the value at this point, so that an expression can read it: D.features(x).

    With `through`, it names the output of these layers instead; the value passed on is unchanged.
    Later layers of the network may read it, too: `Inject("rgb4")`.
    """

    kind: Literal["tap"] = Field("tap", init=False)
    formula: ClassVar[str] = r"v"
    example: ClassVar[str] = 'Tap("features")  # (64, 4, 4) to (64, 4, 4)'
    name: Identifier
    through: Layers = ()

    takes: ClassVar[Takes] = "either"

    @property
    def rows(self) -> dict[str, str]:
        return {"through": ""}

    def output_shape(self, shape: Shape, through: Shape) -> Shape:
        return shape

    def forward(self, module: nn.Module, x: Tensor, through: Tensor) -> Tensor:
        return x  # the network keeps the end of `through` under its name


class Inject(Layer):
    """Joins a named input, or the value of an earlier tap, at this depth, after `through`.

    A vector is tiled over space to join a map. `join` concatenates along the channels, adds,
    multiplies (gates; inside Residual, gains of 1 + f(y), as in FiLM, arXiv:1709.07871), or takes
    the scalar product, (1,): the head of a projection discriminator (arXiv:1802.05637) is
    `Residual((Linear(1),), (Inject("y", (Embedding(10, 64),), "dot"),))`.
    """

    kind: Literal["inject"] = Field("inject", init=False)
    formula: ClassVar[str] = r"\left(v,\ f(y)\right)"
    example: ClassVar[str] = 'Inject("y", (Linear(16),))  # (64, 8, 8) to (80, 8, 8)'
    input: Identifier
    through: Layers = ()
    join: Join = "concatenate"

    @property
    def rows(self) -> dict[str, str]:
        return {"through": self.input}

    def output_shape(self, shape: Shape, through: Shape) -> Shape:
        return joined_shape((shape, through), self.join)

    def forward(self, module: nn.Module, x: Tensor, through: Tensor) -> Tensor:
        return join((x, through), self.join)


class Residual(Layer):
    """layers(v) + shortcut(v), times `gain`; an empty shortcut is v itself. arXiv:1512.03385."""

    kind: Literal["residual"] = Field("residual", init=False)
    formula: ClassVar[str] = r"f(v)+g(v)"
    example: ClassVar[str] = "Residual((Conv(64), ReLU(), Conv(64)))  # (64, 8, 8) to (64, 8, 8)"
    layers: Layers
    shortcut: Layers = ()
    gain: Annotated[float, Field(gt=0, le=100)] = 1.0

    takes: ClassVar[Takes] = "either"

    @property
    def rows(self) -> dict[str, str]:
        return {"layers": "", "shortcut": ""}

    def output_shape(self, shape: Shape, layers: Shape, shortcut: Shape) -> Shape:
        if layers != shortcut:
            ends = f"{size_text(layers)}, and its shortcut in {size_text(shortcut)}"
            raise ValueError(f"it ends in {ends}; they are added, so they must be equal")
        return layers

    def forward(self, module: nn.Module, x: Tensor, layers: Tensor, shortcut: Tensor) -> Tensor:
        return layers + shortcut if self.gain == 1 else (layers + shortcut) * self.gain


class Repeat(Layer):
    """The same sequence of layers `times` times in a row, each time with its own weights."""

    kind: Literal["repeat"] = Field("repeat", init=False)
    formula: ClassVar[str] = r"f_n(\ldots f_1(v))"
    example: ClassVar[str] = "Repeat(3, (Conv(64), ReLU()))  # (32, 8, 8) to (64, 8, 8)"
    times: Annotated[int, Field(ge=1, le=100)]
    layers: Layers

    takes: ClassVar[Takes] = "either"

    @property
    def rows(self) -> dict[str, str]:
        return {"layers": ""}

    def output_shape(self, shape: Shape, layers: Shape) -> Shape:
        return layers

    def forward(self, module: nn.Module, x: Tensor, layers: Tensor) -> Tensor:
        return layers  # the network runs one row after the other


class Skip(Layer):
    """v and layers(v) concatenated along the channels; nested, a U-net. arXiv:1505.04597."""

    kind: Literal["skip"] = Field("skip", init=False)
    formula: ClassVar[str] = r"\left(v,\ f(v)\right)"
    example: ClassVar[str] = (
        "Skip((Conv(64, 4, 2), ReLU(), Deconv(64)))  # (64, 8, 8) to (128, 8, 8)"
    )
    layers: Layers

    @property
    def rows(self) -> dict[str, str]:
        return {"layers": ""}

    def output_shape(self, shape: Shape, layers: Shape) -> Shape:
        return joined_shape((shape, layers), "concatenate", tile=False)

    def forward(self, module: nn.Module, x: Tensor, layers: Tensor) -> Tensor:
        import torch

        return torch.cat((x, layers), 1)
