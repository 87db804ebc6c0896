"""Weights that are wrapped: what a layer multiplies by is computed of what it learns.

A layer with weights has the fields `weight` (one of the kinds here; None: what its network says)
and `gain`. Its module keeps what is learned under `weight`, and `weight_of` gives what counts.
"""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field

from ganzoo.spec.frozen import Frozen

if TYPE_CHECKING:
    from torch import Tensor, nn

Gain = Annotated[float, Field(ge=0, le=1000)]
POWER_STEPS = 15
"""Steps of the power iteration with which a spectral norm begins."""


class Weight(Frozen):
    """Base of the kinds of weights; by itself the weights count as they are learned."""

    kind: str = Field(init=False)

    zero: ClassVar[bool] = True
    """Whether weights may begin at zero, and still learn."""

    def prepare(self, module: nn.Module) -> None:
        """Give `module`, which has a `weight`, what else it keeps."""

    def begin(self, module: Any, gain: float) -> None:
        """Set first values, once the weights have those of the network's `init`."""
        if gain != 1:
            module.weight.mul_(gain)

    def weight(self, module: Any, gain: float) -> Tensor:
        """The weights that count."""
        return module.weight

    def bias(self, module: Any) -> Tensor | None:
        """The biases that count."""
        return module.bias


class Plain(Weight):
    """The weights as they are learned."""

    kind: Literal["plain"] = Field("plain", init=False)


class Spectral(Weight):
    """Weights by their largest singular value (arXiv:1802.05957).

    It is found by power iteration, one step in each forward pass of training, none at use. The
    vectors of the iteration are kept with the weights; the gradient flows through the norm.
    """

    kind: Literal["spectral"] = Field("spectral", init=False)
    eps: Annotated[float, Field(gt=0, le=1e-2)] = 1e-12

    zero: ClassVar[bool] = False

    def prepare(self, module: Any) -> None:
        import torch

        rows, columns = matrix(module).shape
        module.register_buffer("weight_u", torch.empty(rows))
        module.register_buffer("weight_v", torch.empty(columns))

    def begin(self, module: Any, gain: float) -> None:
        super().begin(module, gain)
        for vector in (module.weight_u, module.weight_v):
            vector.normal_()
        self._iterate(module, POWER_STEPS)

    def weight(self, module: Any, gain: float) -> Tensor:
        import torch

        device = module.weight.device.type
        # in single precision whatever the network computes in; without numbers it does not matter
        with nullcontext() if device == "meta" else torch.autocast(device, enabled=False):
            if module.training:
                self._iterate(module, 1)
            # copies: the next pass changes the vectors, and this one's gradients need them
            u, v = module.weight_u.clone(), module.weight_v.clone()
            return module.weight / torch.dot(u, torch.mv(matrix(module), v))

    def _iterate(self, module: Any, steps: int) -> None:
        import torch
        from torch.nn import functional as F

        with torch.no_grad():
            weight = matrix(module)
            u, v = module.weight_u, module.weight_v
            for _ in range(steps):
                u.copy_(F.normalize(torch.mv(weight, v), dim=0, eps=self.eps))
                v.copy_(F.normalize(torch.mv(weight.T, u), dim=0, eps=self.eps))


class Equalized(Weight):
    """Standard normal weights, scaled by gain / sqrt(inputs) at every use (arXiv:1710.10196).

    With `lr` they learn at that multiple of the rate: they begin 1 / lr times as large and count
    lr times as much, biases too, so that what a layer gives at first is the same.
    """

    kind: Literal["equalized"] = Field("equalized", init=False)
    lr: Annotated[float, Field(gt=0, le=1000)] = 1.0

    def begin(self, module: Any, gain: float) -> None:
        module.weight.normal_().div_(self.lr)
        if getattr(module, "bias", None) is not None:
            module.bias.zero_()

    def weight(self, module: Any, gain: float) -> Tensor:
        return module.weight * (gain * self.lr / matrix(module).shape[1] ** 0.5)

    def bias(self, module: Any) -> Tensor | None:
        return module.bias if module.bias is None or self.lr == 1 else module.bias * self.lr


class WeightNorm(Weight):
    """A length for each output, and a direction (arXiv:1602.07868)."""

    kind: Literal["weight_norm"] = Field("weight_norm", init=False)

    zero: ClassVar[bool] = False

    def prepare(self, module: Any) -> None:
        import torch
        from torch import nn

        module.weight_length = nn.Parameter(torch.empty(len(matrix(module))))

    def begin(self, module: Any, gain: float) -> None:
        super().begin(module, gain)
        module.weight_length.copy_(_lengths(module))

    def weight(self, module: Any, gain: float) -> Tensor:
        # a row of zeros has no direction, and stays zero
        lengths = _lengths(module).clamp_min(1e-12)
        factor: Tensor = module.weight_length / lengths
        shape = [1] * module.weight.ndim
        shape[_outputs(module)] = -1
        return module.weight * factor.view(shape)


def _spelt_out(value: Any) -> Any:
    return {"kind": value} if isinstance(value, str) else value


AnyWeight = Annotated[
    Annotated[Plain | Spectral | Equalized | WeightNorm, Field(discriminator="kind")],
    BeforeValidator(_spelt_out),
]
PLAIN = Plain()


def _outputs(module: Any) -> int:
    """The axis of its weights along which outputs lie."""
    return 1 if getattr(module, "transposed", False) else 0


def _lengths(module: Any) -> Tensor:
    """The length of the weights of each output."""
    return matrix(module).norm(dim=1)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]


def matrix(module: Any) -> Tensor:
    """Its weights as learned, (outputs, inputs)."""
    return outputs_first(module).flatten(1)


def outputs_first(module: Any) -> Tensor:
    """Its weights as learned, a view with the outputs along the first axis."""
    return module.weight.transpose(0, _outputs(module))


def prepare(module: nn.Module, kind: Weight | None) -> nn.Module:
    """`module` with what its kind of weights keeps beside them."""
    (kind or PLAIN).prepare(module)
    return module


def begin(module: nn.Module, kind: Weight | None, gain: float = 1.0) -> None:
    """Its weights, as they begin."""
    (kind or PLAIN).begin(module, gain)


def weight_of(module: Any, kind: Weight | None, gain: float = 1.0) -> Tensor:
    """The weights of `module` that count."""
    return (kind or PLAIN).weight(module, gain)


def bias_of(module: Any, kind: Weight | None) -> Tensor | None:
    """The biases of `module` that count."""
    return (kind or PLAIN).bias(module)
