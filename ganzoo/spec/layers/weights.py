"""Reparametrized weights: the effective weights are computed from the learned parameters.

A layer with weights has the fields `weight` (one of the kinds here, or None for that of its
network) and `gain`. Its module holds the learned parameters as `weight`; `weight_of` computes the
effective weights.
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
"""Initial steps of the power iteration of a spectral norm."""


class Weight(Frozen):
    """Base of the kinds of weights; by default the learned weights are used unchanged."""

    kind: str = Field(init=False)

    zero: ClassVar[bool] = True
    """Whether weights that are initialized to zero can learn."""

    def prepare(self, module: nn.Module) -> None:
        """Add further parameters and buffers to `module`, which has a `weight`."""

    def begin(self, module: Any, gain: float) -> None:
        """Set initial values, after the network's `init` has set those of the weights."""
        if gain != 1:
            module.weight.mul_(gain)

    def weight(self, module: Any, gain: float) -> Tensor:
        """The effective weights."""
        return module.weight

    def bias(self, module: Any) -> Tensor | None:
        """The effective biases."""
        return module.bias


class Plain(Weight):
    """Weights without reparametrization."""

    kind: Literal["plain"] = Field("plain", init=False)


class Spectral(Weight):
    """Weights divided by their largest singular value (arXiv:1802.05957).

    It is estimated by power iteration, with one step in each forward pass in training and none in
    evaluation mode. The vectors of the iteration are stored with the weights; the gradient flows
    through the norm.
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
    """Standard normal weights, scaled by gain / sqrt(inputs) at run time (arXiv:1710.10196).

    `lr` multiplies the learning rate: weights and biases are initialized 1 / lr times as large and
    multiplied by lr at run time, so that the initial output of the layer is the same.
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
    """A learned length and direction of the weights of each output (arXiv:1602.07868)."""

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
        # a row of zeros has no direction and stays zero
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
    """The axis of the outputs in its weights."""
    return 1 if getattr(module, "transposed", False) else 0


def _lengths(module: Any) -> Tensor:
    """The norm of the weights of each output."""
    return matrix(module).norm(dim=1)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]


def matrix(module: Any) -> Tensor:
    """Its learned weights as a matrix (outputs, inputs)."""
    return outputs_first(module).flatten(1)


def outputs_first(module: Any) -> Tensor:
    """A view of its learned weights with the outputs along the first axis."""
    return module.weight.transpose(0, _outputs(module))


def prepare(module: nn.Module, kind: Weight | None) -> nn.Module:
    """`module` with the further parameters and buffers of its kind of weights."""
    (kind or PLAIN).prepare(module)
    return module


def begin(module: nn.Module, kind: Weight | None, gain: float = 1.0) -> None:
    """Set the initial values that its kind of weights needs."""
    (kind or PLAIN).begin(module, gain)


def weight_of(module: Any, kind: Weight | None, gain: float = 1.0) -> Tensor:
    """The effective weights of `module`."""
    return (kind or PLAIN).weight(module, gain)


def bias_of(module: Any, kind: Weight | None) -> Tensor | None:
    """The effective biases of `module`."""
    return (kind or PLAIN).bias(module)
