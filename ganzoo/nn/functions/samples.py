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


def logsumexp(logits: Tensor) -> Tensor:
    _has_channels(logits)
    return torch.logsumexp(logits, 1)


def argmax(logits: Tensor) -> Tensor:
    if logits.ndim != 2:
        raise ValueError(f"takes one logit for each class, (batch, classes), not {_size(logits)}")
    return logits.detach().argmax(1)


def class_label(number: float, values: Tensor) -> Tensor:
    if not isinstance(number, float | int) or number != int(number) or number < 0:
        raise ValueError("takes the number of a class: 0, 1, 2, ...")
    if not isinstance(values, Tensor) or not values.ndim:
        raise ValueError("takes values of samples, which say how many labels there are")
    return torch.full(values.shape[:1], int(number), device=values.device)


def select(values: Tensor | tuple[Tensor | float, ...], label: Tensor) -> Tensor:
    _is_label(label)
    if isinstance(values, tuple):
        values = _side_by_side(values, label.shape[0], label.device)
    else:
        _has_channels(values)
    place = label.view(-1, *[1] * (values.ndim - 1)).expand(-1, 1, *values.shape[2:])
    return values.gather(1, place)[:, 0]


def _side_by_side(values: tuple[Tensor | float, ...], batch: int, device: torch.device) -> Tensor:
    """Values as one tensor (batch, n, ...); a number is that number for each sample."""
    whole = [
        value.expand(batch) if isinstance(value, Tensor) and not value.ndim
        else value if isinstance(value, Tensor)
        else torch.full((batch,), value, device=device)
        for value in values
    ]  # fmt: skip
    if any(value.shape != whole[0].shape for value in whole):
        sizes = " and ".join(sorted({_size(value) for value in whole}))
        raise ValueError(f"selects between values of one shape, not {sizes}")
    return torch.stack(whole, 1)


def expand(numbers: Tensor, values: Tensor) -> Tensor:
    batch = values.shape[:1]
    if numbers.shape not in (batch, (*batch, 1)):
        raise ValueError(
            f"takes one number per sample, (batch,) or (batch, 1), not {_size(numbers)}"
        )
    return numbers.reshape(-1, *[1] * (values.ndim - 1)).expand(values.shape)


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


def crop(values: Tensor, places: Tensor, size: float) -> Tensor:
    side = int(size)
    if values.ndim != 4 or places.ndim != 2 or places.shape[1] != 2:
        raise ValueError(
            f"takes maps (batch, c, h, w) and noise (batch, 2), not {_size(values)} and "
            f"{_size(places)}"
        )
    if not 1 <= side <= min(values.shape[2:]):
        raise ValueError(f"a square of {side} pixels does not fit in maps of {_size(values)}")
    offsets = torch.arange(side, device=values.device)
    for axis, place in zip((2, 3), places.unbind(1), strict=True):
        first = (place * (values.shape[axis] - side + 1)).long()
        index = (first[:, None] + offsets).view(-1, 1, *((side, 1) if axis == 2 else (1, side)))
        shape = list(values.shape)
        shape[axis] = side
        values = values.gather(axis, index.expand(shape))
    return values


def rotate(values: Tensor, turns: Tensor) -> Tensor:
    if values.ndim != 4 or values.shape[2] != values.shape[3]:
        raise ValueError(f"turns square maps (batch, c, size, size), not {_size(values)}")
    _is_label(turns)
    # all four of them and a choice: a round runs the same operations whatever is drawn
    return select(tuple(torch.rot90(values, k, (2, 3)) for k in range(4)), turns)


def between(a: Tensor, b: Tensor, *, mix: Tensor) -> Tensor:
    """`mix` (batch,) in [0, 1)."""
    if a.shape != b.shape:
        raise ValueError(f"shapes differ: {tuple(a.shape)} and {tuple(b.shape)}")
    return torch.lerp(b, a, mix.view(-1, *[1] * (a.ndim - 1)))


def cosines(a: Tensor, b: Tensor) -> Tensor:
    if a.shape[1:] != b.shape[1:]:
        raise ValueError(f"samples differ in shape: {tuple(a.shape)} and {tuple(b.shape)}")
    return F.normalize(a.flatten(1), dim=1) @ F.normalize(b.flatten(1), dim=1).T


def squared_distances(a: Tensor, b: Tensor) -> Tensor:
    _has_channels(a)
    if a.shape[1:] != b.shape[1:]:
        raise ValueError(f"samples differ in shape: {_size(a)} and {_size(b)}")
    # all differences of images would be a large tensor; near the origin products round less
    origin = b.detach().mean(0)
    a, b = (a - origin).flatten(1), (b - origin).flatten(1)
    squares = a.square().sum(1)[:, None] + b.square().sum(1)[None] - 2 * a @ b.T
    return squares.clamp_min(0)


def same_class(a: Tensor, b: Tensor) -> Tensor:
    _is_label(a)
    _is_label(b)
    return (a[:, None] == b[None]).to(torch.get_default_dtype())


def box_mask(box: Tensor, values: Tensor) -> Tensor:
    if values.ndim != 4:
        raise ValueError(f"makes masks of maps (batch, c, h, w), not of {_size(values)}")
    return _inside(box, values).to(values.dtype).expand(values.shape)


def cutmix(a: Tensor, b: Tensor, box: Tensor) -> Tensor:
    if a.shape != b.shape or a.ndim != 4:
        raise ValueError(f"takes two maps of one shape, not {_size(a)} and {_size(b)}")
    return torch.where(_inside(box, a), b, a)


def _inside(box: Tensor, maps: Tensor) -> Tensor:
    """Which positions of maps are in the box, (batch, 1, h, w).

    `box` (batch, 3) in [0, 1): its fraction of the area, and its centre.
    """
    if box.ndim != 2 or box.shape[1] != 3:
        raise ValueError(f"takes a box as noise (batch, 3), not {_size(box)}")
    share, *centre = box.sqrt()[:, 0], box[:, 1], box[:, 2]
    inside = torch.ones((), dtype=torch.bool, device=maps.device)
    for axis, middle in zip((2, 3), centre, strict=True):
        size = maps.shape[axis]
        place = (torch.arange(size, device=maps.device) + 0.5) / size
        near = (place[None] - middle[:, None]).abs() < share[:, None] / 2
        shape = [-1, 1, 1, 1]
        shape[axis] = size
        inside = inside & near.view(shape)
    return inside


def _has_channels(values: Tensor) -> None:
    if values.ndim < 2:
        raise ValueError(f"takes values with channels, (batch, n, ...), not {_size(values)}")


def _is_label(value: Tensor) -> None:
    if not isinstance(value, Tensor) or value.dtype != torch.int64:
        raise ValueError("takes labels, such as a draw of kind label or categorical")


def _size(value: Tensor) -> str:
    return str(tuple(value.shape))
