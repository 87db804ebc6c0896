"""Forms of convolutions and random operands for them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

FORMS: dict[str, dict[str, Any]] = {
    "plain": {},
    "padded": {"padding": 1},
    "strided": {"stride": 2, "padding": 1},
    "rows left over": {"stride": 3, "padding": 1},
    "uneven": {"stride": (2, 1), "padding": (0, 2)},
    "dilated": {"dilation": 2, "padding": 2},
    "grouped": {"groups": 2, "padding": 1},
    "depthwise, strided": {"groups": 4, "stride": 2},
}

TRANSPOSED: dict[str, dict[str, Any]] = {
    "plain": {},
    "strided": {"stride": 2, "padding": 1},
    "with output padding": {"stride": 2, "padding": 1, "output_padding": 1},
    "grouped": {"groups": 2, "stride": 2, "output_padding": (1, 0)},
    "dilated": {"dilation": 2, "stride": 2},
}

CASES = [
    *((False, name, form) for name, form in FORMS.items()),
    *((True, name, form) for name, form in TRANSPOSED.items()),
]


def random(*shape: int, seed: int = 0) -> Tensor:
    made = torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    return made.requires_grad_()


def parts(transposed: bool, groups: int) -> tuple[Tensor, Tensor, Tensor]:
    x = random(3, 4, 9, 8)
    weights = random(4, 8 // groups, 3, 3, seed=1) if transposed else random(8, 4 // groups, 3, 3)
    return x, weights, random(8, seed=2)
