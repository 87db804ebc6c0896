"""Activations: functions applied element by element."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from ganzoo.spec.layers.layer import Layer, Shape, Slope

if TYPE_CHECKING:
    from torch import Tensor, nn

__all__ = [
    "ReLU",
    "LeakyReLU",
    "ELU",
    "GELU",
    "SiLU",
    "Tanh",
    "Sigmoid",
    "Softplus",
]


class ReLU(Layer):
    """max(0, v)."""

    kind: Literal["relu"] = Field("relu", init=False)
    formula: ClassVar[str] = r"\max(0, v)"
    example: ClassVar[str] = "ReLU()  # (64, 8, 8) to (64, 8, 8)"

    overwrites: ClassVar[bool] = True

    def output_shape(self, shape: Shape) -> Shape:
        return shape

    def module(self, shape: Shape) -> nn.Module:
        from torch import nn

        return nn.ReLU()


class LeakyReLU(Layer):
    """v where positive, slope * v elsewhere; times `gain`."""

    kind: Literal["leaky_relu"] = Field("leaky_relu", init=False)
    formula: ClassVar[str] = r"\max(0, v)+s\min(0, v)"
    example: ClassVar[str] = "LeakyReLU(0.1)  # (64, 8, 8) to (64, 8, 8)"
    slope: Slope = 0.2
    gain: Annotated[float, Field(gt=0, le=100)] = 1.0

    overwrites: ClassVar[bool] = True

    @property
    def computes(self) -> bool:
        return self.gain != 1

    def forward(self, module: Any, x: Tensor) -> Tensor:
        from torch.nn import functional as F

        return F.leaky_relu(x, self.slope) * self.gain

    def output_shape(self, shape: Shape) -> Shape:
        return shape

    def module(self, shape: Shape) -> nn.Module:
        from torch import nn

        return nn.LeakyReLU(self.slope)


class ELU(Layer):
    """v where positive, exp(v) - 1 elsewhere."""

    kind: Literal["elu"] = Field("elu", init=False)
    formula: ClassVar[str] = r"\max(0, v)+\min(0, e^v-1)"
    example: ClassVar[str] = "ELU()  # (128,) to (128,)"

    def output_shape(self, shape: Shape) -> Shape:
        return shape

    def module(self, shape: Shape) -> nn.Module:
        from torch import nn

        return nn.ELU()


class GELU(Layer):
    """v times the cumulative normal distribution function of v. arXiv:1606.08415."""

    kind: Literal["gelu"] = Field("gelu", init=False)
    formula: ClassVar[str] = r"v\,\Phi(v)"
    example: ClassVar[str] = "GELU()  # (128,) to (128,)"

    def output_shape(self, shape: Shape) -> Shape:
        return shape

    def module(self, shape: Shape) -> nn.Module:
        from torch import nn

        return nn.GELU()


class SiLU(Layer):
    """v * sigmoid(v)."""

    kind: Literal["silu"] = Field("silu", init=False)
    formula: ClassVar[str] = r"v\,\sigma(v)"
    example: ClassVar[str] = "SiLU()  # (128,) to (128,)"

    def output_shape(self, shape: Shape) -> Shape:
        return shape

    def module(self, shape: Shape) -> nn.Module:
        from torch import nn

        return nn.SiLU()


class Tanh(Layer):
    """Hyperbolic tangent; the output layer of generators, since images are in [-1, 1]."""

    kind: Literal["tanh"] = Field("tanh", init=False)
    formula: ClassVar[str] = r"\tanh v"
    example: ClassVar[str] = "Tanh()  # (3, 32, 32) to (3, 32, 32)"

    def output_shape(self, shape: Shape) -> Shape:
        return shape

    def module(self, shape: Shape) -> nn.Module:
        from torch import nn

        return nn.Tanh()


class Sigmoid(Layer):
    """1 / (1 + exp(-v))."""

    kind: Literal["sigmoid"] = Field("sigmoid", init=False)
    formula: ClassVar[str] = r"\frac{1}{1+e^{-v}}"
    example: ClassVar[str] = "Sigmoid()  # (1,) to (1,)"

    def output_shape(self, shape: Shape) -> Shape:
        return shape

    def module(self, shape: Shape) -> nn.Module:
        from torch import nn

        return nn.Sigmoid()


class Softplus(Layer):
    """log(1 + exp(v))."""

    kind: Literal["softplus"] = Field("softplus", init=False)
    formula: ClassVar[str] = r"\log(1+e^{v})"
    example: ClassVar[str] = "Softplus()  # (128,) to (128,)"

    def output_shape(self, shape: Shape) -> Shape:
        return shape

    def module(self, shape: Shape) -> nn.Module:
        from torch import nn

        return nn.Softplus()
