"""Penalties on the gradient of a critic with respect to its inputs, and on weights.

`given` are further inputs of the critic, such as labels: they follow the others in its call, and no
gradient is taken with respect to them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

Values = Tensor | tuple[Tensor, ...]


def gradient_penalty(
    critic: Callable[..., Tensor], real: Values, fake: Values, given: Values = (), *, mix: Tensor
) -> Tensor:
    """`mix` (batch,) in [0, 1): one random point a sample, the same for all its inputs."""
    points = [
        torch.lerp(b.detach(), a.detach(), mix.view(-1, *[1] * (a.ndim - 1))).requires_grad_()
        for a, b in zip(_several(real), _several(fake), strict=True)
    ]
    return (_norms(critic, points, given).sqrt() - 1).square().mean()


def r1(critic: Callable[..., Tensor], inputs: Values, given: Values = ()) -> Tensor:
    points = [a.detach().requires_grad_() for a in _several(inputs)]
    return _norms(critic, points, given).mean()


def orthogonal(network: Any) -> Tensor:
    """`network` reads weights: its `matrices()` are (outputs, inputs), by path."""
    found: list[Tensor] = []
    for matrix in network.matrices().values():
        products = matrix @ matrix.T
        found.append((products - torch.diag(products.diagonal())).square().sum())
    if not found:
        raise ValueError("a network without matrices of weights has none to be orthogonal")
    return torch.stack(found).sum()


def _several(values: Values) -> tuple[Tensor, ...]:
    return values if isinstance(values, tuple) else (values,)


def _norms(critic: Callable[..., Tensor], points: list[Tensor], given: Values) -> Tensor:
    """The squared gradient norm of each sample, over all points together: (batch,)."""
    with torch.enable_grad():
        scores = critic(*points, *(a.detach() for a in _several(given)))
        # samples are independent, so the gradient of the sum has each sample's own
        gradients = torch.autograd.grad(scores.sum(), points, create_graph=True)
    squares = [gradient.flatten(1).square().sum(1) for gradient in gradients]
    # a norm has no derivative at zero; adding the smallest number keeps it finite
    return torch.stack(squares).sum(0) + 1e-12
