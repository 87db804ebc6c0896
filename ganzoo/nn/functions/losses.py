"""Losses between values and targets, and between values."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def bce(logits: Tensor, target: Tensor | float) -> Tensor:
    # log(1 + exp(-l)) and log(1 + exp(l)): for a constant target one softplus is enough
    if not isinstance(target, Tensor):
        if target == 1:
            return F.softplus(-logits).mean()
        if target == 0:
            return F.softplus(logits).mean()
        target = torch.full_like(logits, target)
    return F.binary_cross_entropy_with_logits(logits, target)


def mse(a: Tensor, b: Tensor | float) -> Tensor:
    _same(a, b)
    return (a - b).square().mean()


def l1(a: Tensor, b: Tensor | float) -> Tensor:
    _same(a, b)
    return (a - b).abs().mean()


def distance(a: Tensor, b: Tensor) -> Tensor:
    _same(a, b)
    return (a - b).square().flatten(1).mean(1)


def cross_entropy(logits: Tensor, label: Tensor) -> Tensor:
    return F.cross_entropy(logits, label)


def hinge(scores: Tensor, sign: float) -> Tensor:
    return F.relu(1 - sign * scores).mean()


def feature_matching(real: Tensor, fake: Tensor) -> Tensor:
    _same(real, fake)
    return (real.mean(0) - fake.mean(0)).square().mean()


def contrastive(a: Tensor, b: Tensor, scale: float) -> Tensor:
    _same(a, b)
    logits = scale * F.normalize(a.flatten(1), dim=1) @ F.normalize(b.flatten(1), dim=1).T
    own = torch.arange(len(logits), device=logits.device)
    return (F.cross_entropy(logits, own) + F.cross_entropy(logits.T, own)) / 2


def infonce(queries: Tensor, keys: Tensor, temperature: Tensor | float) -> Tensor:
    _same(queries, keys)
    if queries.ndim < 3:
        raise ValueError(f"takes vectors at places, (batch, d, places), not {tuple(queries.shape)}")
    q = F.normalize(queries.flatten(2), dim=1)
    k = F.normalize(keys.detach().flatten(2), dim=1)
    logits = torch.einsum("bdi,bdj->bij", q, k) / temperature
    own = torch.arange(logits.shape[1], device=logits.device).expand(logits.shape[0], -1)
    return F.cross_entropy(logits.flatten(0, 1), own.flatten())


def _same(a: Tensor, b: Tensor | float) -> None:
    """Refuse shapes that differ: broadcasting would hide the mistake."""
    if isinstance(b, Tensor) and a.shape != b.shape:
        raise ValueError(f"shapes differ: {tuple(a.shape)} and {tuple(b.shape)}")
