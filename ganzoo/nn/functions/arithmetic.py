"""Elementwise functions, and functions along the batch."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F


def mean(values: Tensor) -> Tensor:
    return values.mean()


def softplus(values: Tensor) -> Tensor:
    return F.softplus(values)


def relu(values: Tensor) -> Tensor:
    return F.relu(values)


def sigmoid(values: Tensor) -> Tensor:
    return torch.sigmoid(values)


def log(values: Tensor) -> Tensor:
    return torch.log(values)


def exp(values: Tensor) -> Tensor:
    return torch.exp(values)


def square(values: Tensor) -> Tensor:
    return values.square()


def abs(values: Tensor) -> Tensor:
    return values.abs()


def detach(values: Tensor) -> Tensor:
    return values.detach()


def roll(values: Tensor) -> Tensor:
    return values.roll(1, dims=0)


def concatenate(a: Tensor, b: Tensor) -> Tensor:
    return torch.cat((a, b), dim=2 if a.ndim == 3 else 1)


def resize(images: Tensor, size: float) -> Tensor:
    if images.ndim != 4:
        raise ValueError(f"resize takes images (batch, c, h, w), not {tuple(images.shape)}")
    size = int(size)
    if size < images.shape[-1]:
        return F.interpolate(images, size=(size, size), mode="area")
    return F.interpolate(images, size=(size, size), mode="bilinear", align_corners=False)


def tanh(values: Tensor) -> Tensor:
    return torch.tanh(values)


def sqrt(values: Tensor) -> Tensor:
    return torch.sqrt(values)


def power(values: Tensor | float, exponent: Tensor | float) -> Tensor:
    return torch.pow(values, exponent)  # type: ignore[reportArgumentType]


def sign(values: Tensor) -> Tensor:
    return values.detach().sign()


def minimum(a: Tensor | float, b: Tensor | float) -> Tensor:
    return torch.minimum(*_tensors(a, b))


def maximum(a: Tensor | float, b: Tensor | float) -> Tensor:
    return torch.maximum(*_tensors(a, b))


def clip(values: Tensor | float, low: Tensor | float, high: Tensor | float) -> Tensor:
    return minimum(maximum(values, low), high)


def where(condition: Tensor | float, a: Tensor | float, b: Tensor | float) -> Tensor:
    held, a, b = _tensors(condition, a, b)
    return torch.where(held > 0, a, b)


def lerp(a: Tensor | float, b: Tensor | float, t: Tensor | float) -> Tensor:
    alike(a, b)
    return a + t * (b - a)  # type: ignore[reportReturnType]


def ramp(t: Tensor | float, a: Tensor | float, b: Tensor | float) -> Tensor:
    return a + _tensors(t)[0].clamp(0, 1) * (b - a)  # type: ignore[reportReturnType]


def cosine(t: Tensor | float, a: Tensor | float, b: Tensor | float) -> Tensor:
    turned = (1 + torch.cos(math.pi * _tensors(t)[0].clamp(0, 1))) / 2
    return b + (a - b) * turned  # type: ignore[reportReturnType]


def batch_mean(values: Tensor) -> Tensor:
    return values.mean(0)


def alike(a: Any, b: Any) -> None:
    """ValueError unless the shapes of two operands agree.

    They do if they are equal, if one is a number, and if one is a state (d,) and the other a batch
    (..., d) of the same kind, to each row of which the state applies. Any other broadcasting, such
    as (batch,) with (batch, 1), would hide a mistake.
    """
    if not isinstance(a, Tensor) or not isinstance(b, Tensor) or not a.ndim or not b.ndim:
        return
    # first their lengths: an exported batch is of any size, which comparing (d,) with it would end
    same = a.ndim == b.ndim and a.shape == b.shape
    if same or _state_beside(a, b) or _state_beside(b, a):
        return
    raise ValueError(
        f"shapes differ: {tuple(a.shape)} and {tuple(b.shape)}; operands have one shape, or one "
        "of them is a number"
    )


def _state_beside(state: Tensor, batch: Tensor) -> bool:
    return state.ndim == 1 and batch.ndim > 1 and batch.shape[-1] == state.shape[0] > 1


def _tensors(*values: Tensor | float) -> tuple[Tensor, ...]:
    """The values as tensors on one device."""
    like = next((value for value in values if isinstance(value, Tensor)), None)
    # a number becomes a 0-dim tensor, which takes the type of the other operand
    return tuple(
        value
        if isinstance(value, Tensor)
        else torch.full((), value, device=None if like is None else like.device)
        for value in values
    )
