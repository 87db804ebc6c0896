"""Joins values: concatenated along the channels, added, multiplied, or as a scalar product.

A vector that joins maps is tiled over space, except for the scalar product.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from ganzoo.spec.layers.layer import Shape, features

if TYPE_CHECKING:
    from torch import Tensor

Join = Literal["concatenate", "add", "multiply", "dot"]


def joined_shape(shapes: Sequence[Shape], how: Join, *, tile: bool = True) -> Shape:
    """The shape of `join` for values of these shapes; ValueError if they do not match."""
    if len(shapes) == 1:
        return shapes[0]
    if how == "dot":
        if len(set(shapes)) > 1:
            raise ValueError(f"{_listed(shapes)} differ, so they have no scalar product")
        features(shapes[0])
        return (1,)
    maps = [shape for shape in shapes if len(shape) == 3]
    if maps and tile:
        space = maps[0][1:]
        shapes = [
            shape if len(shape) == 3 else (features(shape), *space)  # each number is a channel
            for shape in shapes
        ]
    if how != "concatenate":
        if len(set(shapes)) > 1:
            done = "added" if how == "add" else "multiplied"
            raise ValueError(f"{_listed(shapes)} differ, so they cannot be {done}")
        return shapes[0]
    channels = sum(shape[0] for shape in shapes if features(shape))
    if len({shape[1:] for shape in shapes}) > 1:
        raise ValueError(f"{_listed(shapes)} differ in more than the number of channels")
    return channels, *shapes[0][1:]


def join(values: Sequence[Tensor], how: Join) -> Tensor:
    import torch

    if len(values) == 1:
        return values[0]
    if how == "dot":
        first, second = values
        return (first * second).flatten(1).sum(1, keepdim=True)
    maps = [value for value in values if value.ndim == 4]
    if maps:
        space = maps[0].shape[2:]
        values = [
            value if value.ndim == 4 else value.flatten(1)[:, :, None, None].expand(-1, -1, *space)
            for value in values
        ]
    if how == "concatenate":
        return torch.cat(tuple(values), 1)
    if how == "multiply":
        return math.prod(values[1:], start=values[0])
    return torch.stack(tuple(values)).sum(0)


def _listed(shapes: Sequence[Shape]) -> str:
    return " and ".join(str(shape) for shape in shapes)
