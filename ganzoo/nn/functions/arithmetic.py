"""Element by element, and along the batch."""

from __future__ import annotations

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
    return torch.cat((a, b), dim=1)


def resize(images: Tensor, size: float) -> Tensor:
    if images.ndim != 4:
        raise ValueError(f"resize takes images (batch, c, h, w), not {tuple(images.shape)}")
    size = int(size)
    if size < images.shape[-1]:
        return F.interpolate(images, size=(size, size), mode="area")
    return F.interpolate(images, size=(size, size), mode="bilinear", align_corners=False)
