"""Augmentations: random, differentiable to any order, separate for each sample.

`chance` (batch, n) are uniform numbers in [0, 1): the columns, from the left, are the random
numbers that each step needs. Images are (batch, c, h, w) in [-1, 1].
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

Probability = Tensor | float


# ----------------------------------------------------------------------------- DiffAugment


def diffaugment(images: Tensor, *, chance: Tensor) -> Tensor:
    images = diffaugment_color(images, chance=chance[:, :3])
    images = diffaugment_translation(images, chance=chance[:, 3:5])
    return diffaugment_cutout(images, chance=chance[:, 5:7])


def diffaugment_color(images: Tensor, *, chance: Tensor) -> Tensor:
    _check(images)
    bright, saturation, contrast = (column.view(-1, 1, 1, 1) for column in chance.unbind(1))
    images = images + (bright - 0.5)
    grey = _by_pictures(images).mean(2, keepdim=True).expand_as(_by_pictures(images))
    images = torch.lerp(grey.reshape(images.shape), images, 2 * saturation)
    mean = images.mean((1, 2, 3), keepdim=True)
    return mean + (images - mean) * (contrast + 0.5)


def diffaugment_translation(images: Tensor, *, chance: Tensor) -> Tensor:
    _check(images)
    index: list[Tensor] = []
    for size, column in zip(images.shape[2:], chance.unbind(1), strict=True):
        most = int(size / 8 + 0.5)
        shift = (column * (2 * most + 1)).floor() - most
        place = torch.arange(size, device=images.device)[None] + shift[:, None].long()
        index.append((place + 1).clamp(0, size + 1))
    # a border of zeros, onto which all coordinates outside are mapped
    return _picked(F.pad(images, (1, 1, 1, 1)), *index)


def diffaugment_cutout(images: Tensor, *, chance: Tensor) -> Tensor:
    _check(images)
    return images * _kept(images, chance)


# ------------------------------------------------------------------------------------- ADA


def ada(images: Tensor, p: Probability, *, chance: Tensor) -> Tensor:
    images = ada_blit(images, p, chance=chance[:, :7])
    images = ada_geometry(images, p, chance=chance[:, 7:19])
    return ada_color(images, p, chance=chance[:, 19:32])


def ada_blit(images: Tensor, p: Probability, *, chance: Tensor) -> Tensor:
    _check(images)
    gate_flip, flip, gate_turn, turn, gate_shift, down, right = chance.unbind(1)
    height, width = images.shape[2:]
    flipped = (gate_flip < p) & (flip < 0.5)
    images = torch.where(flipped.view(-1, 1, 1, 1), images.flip(3), images)
    if height == width:
        quarter = torch.where(gate_turn < p, (turn * 4).floor(), torch.zeros_like(turn))
        turned = images
        for number in (1, 2, 3):
            chosen = (quarter == number).view(-1, 1, 1, 1)
            turned = torch.where(chosen, images.rot90(number, (2, 3)), turned)
        images = turned
    index: list[Tensor] = []
    for size, column in ((height, down), (width, right)):
        shift = ((2 * column - 1) * 0.125 * size).round()
        shift = torch.where(gate_shift < p, shift, torch.zeros_like(shift))
        place = torch.arange(size, device=images.device)[None] - shift[:, None].long()
        index.append(_mirrored(place, size))
    return _picked(images, *index)


def ada_geometry(images: Tensor, p: Probability, *, chance: Tensor) -> Tensor:
    _check(images)
    numbers = iter(chance.unbind(1))
    batch, (height, width) = images.shape[0], images.shape[2:]

    def gated(value: Tensor, nothing: float, chance_of: Probability = p) -> Tensor:
        return torch.where(next(numbers) < chance_of, value, torch.full_like(value, nothing))

    # two rotations, at least one of which happens with probability p (as the authors do)
    p_turn = 1 - (1 - torch.zeros((), device=images.device) - p).sqrt()
    scale = gated(torch.exp2(0.2 * _normal(next(numbers))), 1)
    first = gated(math.pi * (2 * next(numbers) - 1), 0, p_turn)
    stretch = gated(torch.exp2(0.2 * _normal(next(numbers))), 1)
    second = gated(math.pi * (2 * next(numbers) - 1), 0, p_turn)
    gate = next(numbers) < p
    shifts = [
        torch.where(gate, 0.125 * _normal(next(numbers)) * size, torch.zeros_like(scale))
        for size in (width, height)
    ]
    next(numbers)
    # from a pixel of the result to its position in the original
    matrix = _turn(first) @ _diagonal(1 / scale, 1 / scale)
    matrix = _turn(second) @ _diagonal(1 / stretch, stretch) @ matrix
    y, x = torch.meshgrid(
        torch.arange(height, device=images.device, dtype=images.dtype) - (height - 1) / 2,
        torch.arange(width, device=images.device, dtype=images.dtype) - (width - 1) / 2,
        indexing="ij",
    )
    here = torch.stack((x, y)).flatten(1).expand(batch, -1, -1)
    there = matrix @ (here - torch.stack(shifts, 1)[:, :, None])
    return _bilinear(images, there[:, 1] + (height - 1) / 2, there[:, 0] + (width - 1) / 2)


def ada_color(images: Tensor, p: Probability, *, chance: Tensor) -> Tensor:
    _check(images)
    numbers = iter(chance.unbind(1))
    identity = torch.eye(4, device=images.device, dtype=images.dtype)
    axis = (1 - identity[3]) / 3**0.5  # of greys
    along = axis[:, None] * axis[None]

    def gated(matrix: Tensor) -> Tensor:
        return torch.where((next(numbers) < p).view(-1, 1, 1), matrix, identity)

    def scaled(factor: Tensor) -> Tensor:
        ones = torch.ones_like(factor)
        return torch.diag_embed(torch.stack((factor, factor, factor, ones), 1))

    bright = 0.2 * _normal(next(numbers))
    shifted = torch.stack((*[bright] * 3, torch.zeros_like(bright)), 1)
    matrix = gated(identity + shifted[:, :, None] * identity[None, 3:])
    matrix = gated(scaled(torch.exp2(0.5 * _normal(next(numbers))))) @ matrix
    flipped = torch.where(next(numbers) < 0.5, 1.0, 0.0).to(images.dtype).view(-1, 1, 1)
    matrix = gated(identity - 2 * along[None] * flipped) @ matrix
    angle = math.pi * (2 * next(numbers) - 1)
    matrix = gated(_turn_about(axis, angle)) @ matrix
    saturation = torch.exp2(_normal(next(numbers))).view(-1, 1, 1)
    more = identity - along
    more = more - torch.diag(identity[3])  # the last row is not a colour
    matrix = gated(along + torch.diag(identity[3]) + more[None] * saturation) @ matrix
    pictures = _by_pictures(images).flatten(3)
    if pictures.shape[2] == 3:
        mixed = torch.einsum("bij,bnjs->bnis", matrix[:, :3, :3], pictures)
        changed = mixed + matrix[:, None, :3, 3:]
    else:  # grey: the transform of r = g = b, averaged
        mean = matrix[:, :3].mean(1)
        changed = pictures * mean[:, :3].sum(1).view(-1, 1, 1, 1) + mean[:, 3].view(-1, 1, 1, 1)
    return changed.reshape(images.shape)


def ada_cutout(images: Tensor, p: Probability, *, chance: Tensor) -> Tensor:
    _check(images)
    kept = _kept(images, chance[:, 1:])
    return torch.where((chance[:, 0] < p).view(-1, 1, 1, 1), images * kept, images)


# ----------------------------------------------------------------------------------- parts


def _check(images: Tensor) -> None:
    if images.ndim != 4:
        raise ValueError(f"augments images (batch, c, h, w), not {tuple(images.shape)}")


def _by_pictures(images: Tensor) -> Tensor:
    """(batch, pictures, channels, h, w): those of three channels, else each channel alone."""
    colours = 3 if images.shape[1] % 3 == 0 else 1
    return images.unflatten(1, (-1, colours))


def _normal(uniform: Tensor) -> Tensor:
    """Standard normal numbers from uniform ones."""
    tiny = torch.finfo(uniform.dtype).eps
    return math.sqrt(2) * torch.erfinv((2 * uniform - 1).clamp(tiny - 1, 1 - tiny))


def _kept(images: Tensor, chance: Tensor) -> Tensor:
    """(batch, 1, h, w): 0 in a square of half the size, centred anywhere, else 1."""
    inside = torch.ones((), dtype=torch.bool, device=images.device)
    for axis, column in zip((2, 3), chance.unbind(1), strict=True):
        size = images.shape[axis]
        side = int(size / 2 + 0.5)
        centre = (column * (size + 1 - side % 2)).floor()
        place = torch.arange(size, device=images.device)[None]
        begin = (centre - side // 2)[:, None]
        near = (place >= begin) & (place < begin + side)
        inside = inside & near.view(-1, 1, *((size, 1) if axis == 2 else (1, size)))
    return (~inside).to(images.dtype)


def _mirrored(place: Tensor, size: int) -> Tensor:
    """Coordinates outside [0, size), mirrored at the border pixels until they are inside."""
    if size == 1:
        return torch.zeros_like(place)
    period = 2 * (size - 1)
    folded = place.remainder(period)
    return torch.minimum(folded, period - folded)


def _picked(images: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Pixel (rows[b, i], columns[b, j]) of image b at (i, j)."""
    height, width = rows.shape[1], columns.shape[1]
    index = rows[:, :, None] * images.shape[3] + columns[:, None]
    index = index.flatten(1)[:, None].expand(-1, images.shape[1], -1)
    return images.flatten(2).gather(2, index).unflatten(2, (height, width))


def _bilinear(images: Tensor, y: Tensor, x: Tensor) -> Tensor:
    """The images at (y, x), (batch, h * w) each.

    By gathering pixels, since not every device has a second derivative of `grid_sample`.
    """
    height, width = images.shape[2:]
    flat = images.flatten(2)
    top, left = y.floor(), x.floor()

    def corner(row: Tensor, column: Tensor) -> Tensor:
        index = _mirrored(row.long(), height) * width + _mirrored(column.long(), width)
        return flat.gather(2, index[:, None].expand(-1, images.shape[1], -1))

    v, h = (y - top)[:, None], (x - left)[:, None]
    upper = torch.lerp(corner(top, left), corner(top, left + 1), h)
    lower = torch.lerp(corner(top + 1, left), corner(top + 1, left + 1), h)
    return torch.lerp(upper, lower, v).unflatten(2, (height, width))


def _turn(angle: Tensor) -> Tensor:
    cos, sin = angle.cos(), angle.sin()
    return torch.stack((cos, -sin, sin, cos), 1).view(-1, 2, 2)


def _diagonal(x: Tensor, y: Tensor) -> Tensor:
    return torch.diag_embed(torch.stack((x, y), 1))


def _turn_about(axis: Tensor, angle: Tensor) -> Tensor:
    """(batch, 4, 4): rotations of colours about the grey axis."""
    x, y, z = axis[:3].unbind()
    nothing = torch.zeros_like(x)
    cross = torch.stack((nothing, -z, y, z, nothing, -x, -y, x, nothing)).view(3, 3)
    cos, sin = angle.cos().view(-1, 1, 1), angle.sin().view(-1, 1, 1)
    identity = torch.eye(3, device=axis.device, dtype=axis.dtype)
    turn = (
        cos * identity[None]
        + sin * cross[None]
        + (1 - cos) * (axis[:3, None] * axis[None, :3])[None]
    )
    last = torch.eye(4, device=axis.device, dtype=axis.dtype)[3:].expand(len(angle), 1, 4)
    return torch.cat((F.pad(turn, (0, 1)), last), 1)
