"""Vectors and maps of each sample: products, norms, parts, rows."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

SMALLEST = 1e-12
"""Added under a root, which has no derivative at zero."""


def dot(a: Tensor, b: Tensor) -> Tensor:
    if a.shape != b.shape:
        raise ValueError(f"shapes differ: {tuple(a.shape)} and {tuple(b.shape)}")
    return (a * b).flatten(1).sum(1)


def squared_norm(values: Tensor) -> Tensor:
    return values.flatten(1).square().sum(1)


def norm(values: Tensor) -> Tensor:
    return (squared_norm(values) + SMALLEST).sqrt()


def sample_mean(values: Tensor) -> Tensor:
    return values.flatten(1).mean(1) if values.ndim > 1 else values


def softmax(logits: Tensor) -> Tensor:
    return torch.softmax(logits, 1)


def part(values: Tensor, first: float, end: float) -> Tensor:
    first, end = int(first), int(end)
    if not 0 <= first < end <= values.shape[1]:
        raise ValueError(f"channels {first} to {end - 1} of {values.shape[1]} there are")
    return values[:, first:end]


def one_hot(label: Tensor, classes: float) -> Tensor:
    # by comparison: F.one_hot reads the numbers and so waits for the device
    numbers = torch.arange(int(classes), device=label.device)
    return (label[:, None] == numbers[None]).to(torch.get_default_dtype())


def rows(values: Tensor, n: float) -> Tensor:
    if values.ndim != 2:
        raise ValueError(f"takes vectors (batch, d), not {tuple(values.shape)}")
    return values[:, None].expand(-1, int(n), -1)


def mix_rows(
    a: Tensor, b: Tensor, probability: Tensor | float, *, gate: Tensor, cut: Tensor
) -> Tensor:
    """`gate`, `cut` (batch,) in [0, 1): whether a sample is mixed, and from which row on."""
    if a.ndim != 3 or a.shape != b.shape or a.shape[1] < 2:
        raise ValueError(
            f"takes two values (batch, rows, d) of two rows or more, not {tuple(a.shape)} and "
            f"{tuple(b.shape)}; rows(w, n) makes them"
        )
    first = 1 + (cut * (a.shape[1] - 1)).floor()
    row = torch.arange(a.shape[1], device=a.device)
    other = (row[None] >= first[:, None]) & (gate < probability)[:, None]
    return torch.where(other[:, :, None], b, a)


def patches(values: Tensor, places: Tensor) -> Tensor:
    if values.ndim != 4 or places.ndim != 2:
        raise ValueError(
            f"takes maps (batch, c, h, w) and noise (batch, n), not {tuple(values.shape)} and "
            f"{tuple(places.shape)}"
        )
    spots = values.shape[2] * values.shape[3]
    number = min(places.shape[1], spots)
    # one position in each of as many equal strips, so that none occurs twice
    bounds = torch.arange(number + 1, device=values.device) * spots // number
    first, width = bounds[:-1], bounds.diff()
    index = first + (places[:, :number] * width).long()
    index = index[:, None].expand(-1, values.shape[1], -1)
    return values.flatten(2).gather(2, index)[..., None]


def mirror(values: Tensor, chance: Tensor) -> Tensor:
    if values.ndim != 4 or chance.ndim != 2 or chance.shape[1] != 1:
        raise ValueError(
            f"takes maps (batch, c, h, w) and noise (batch, 1), not {tuple(values.shape)} and "
            f"{tuple(chance.shape)}"
        )
    return torch.where((chance < 0.5)[:, :, None, None], values.flip(3), values)


def between(a: Tensor, b: Tensor, *, mix: Tensor) -> Tensor:
    """`mix` (batch,) in [0, 1)."""
    if a.shape != b.shape:
        raise ValueError(f"shapes differ: {tuple(a.shape)} and {tuple(b.shape)}")
    return torch.lerp(b, a, mix.view(-1, *[1] * (a.ndim - 1)))


def cosines(a: Tensor, b: Tensor) -> Tensor:
    if a.shape[1:] != b.shape[1:]:
        raise ValueError(f"samples differ in shape: {tuple(a.shape)} and {tuple(b.shape)}")
    return F.normalize(a.flatten(1), dim=1) @ F.normalize(b.flatten(1), dim=1).T


def cutmix(a: Tensor, b: Tensor, box: Tensor) -> Tensor:
    if a.shape != b.shape or a.ndim != 4 or box.ndim != 2 or box.shape[1] != 3:
        raise ValueError(
            f"takes two maps of one shape and noise (batch, 3), not {tuple(a.shape)}, "
            f"{tuple(b.shape)} and {tuple(box.shape)}"
        )
    share, *centre = box.sqrt()[:, 0], box[:, 1], box[:, 2]
    inside = torch.ones((), dtype=torch.bool, device=a.device)
    for axis, middle in zip((2, 3), centre, strict=True):
        size = a.shape[axis]
        place = (torch.arange(size, device=a.device) + 0.5) / size
        near = (place[None] - middle[:, None]).abs() < share[:, None] / 2
        shape = [-1, 1, 1, 1]
        shape[axis] = size
        inside = inside & near.view(shape)
    return torch.where(inside, b, a)
