"""Gaussians written as one tensor h = (mean, log std), side by side: (batch, 2d)."""

from __future__ import annotations

import torch
from torch import Tensor


def _halves(h: Tensor) -> tuple[Tensor, Tensor]:
    if h.ndim != 2 or h.shape[1] % 2:
        raise ValueError(f"a Gaussian is (batch, 2d): mean and log std; not {tuple(h.shape)}")
    mean, log_std = h.chunk(2, dim=1)
    return mean, log_std


def kl(h: Tensor) -> Tensor:
    mean, log_std = _halves(h)
    return 0.5 * (mean.square() + (2 * log_std).exp() - 1 - 2 * log_std).mean()


def reparameterize(h: Tensor, noise: Tensor) -> Tensor:
    mean, log_std = _halves(h)
    if mean.shape != noise.shape:
        raise ValueError(
            f"h is {tuple(h.shape)}, so the noise is {tuple(mean.shape)}, not {tuple(noise.shape)}"
        )
    return mean + log_std.exp() * noise


ROOT2, HALF = 2**0.5, 0.5**0.5
MIDDLE = (
    2.81022636e-08, 3.43273939e-07, -3.5233877e-06, -4.39150654e-06, 0.00021858087, -0.00125372503,
    -0.00417768164, 0.246640727, 1.50140941,
)  # fmt: skip
TAIL = (
    -0.000200214257, 0.000100950558, 0.00134934322, -0.00367342844, 0.00573950773, -0.0076224613,
    0.00943887047, 1.00167406, 2.83297682,
)  # fmt: skip
"""Of the polynomials of `erfinv`, near zero and in the tails; the highest power first."""


def average(h: Tensor) -> Tensor:
    return _halves(h)[0]


def gumbel(logits: Tensor, noise: Tensor, temperature: Tensor | float) -> Tensor:
    if logits.shape != noise.shape:
        raise ValueError(
            f"logits are {tuple(logits.shape)}, so the noise is, too, and not {tuple(noise.shape)}"
        )
    tiny = torch.finfo(noise.dtype).tiny
    standard = -torch.log(-torch.log(noise.clamp_min(tiny)) + tiny)
    return torch.softmax((logits + standard) / temperature, 1)


def truncate(noise: Tensor, limit: Tensor | float) -> Tensor:
    # of a standard normal, 2 * ndtr(x) - 1 is erf(x / sqrt(2)); a file for other programs has
    # neither its inverse nor double precision, which the tails beyond 5.4 need
    exported = torch.compiler.is_exporting()
    exact = noise.float() if exported else noise.double()
    within = torch.erf(torch.as_tensor(limit, dtype=exact.dtype, device=noise.device) * HALF)
    share = within * torch.erf(exact * HALF)
    found = erfinv(share) if exported else torch.erfinv(share)
    return (found * ROOT2).to(noise.dtype)


def erfinv(x: Tensor) -> Tensor:
    """The inverse of erf to some 1e-6, by additions, products, a logarithm and a root alone.

    The polynomials are those of M. Giles, "Approximating the erfinv function", GPU Computing Gems
    (Jade edition), 2011, for single precision.
    """
    w = -torch.log((1 - x) * (1 + x))
    middle, tail = torch.zeros_like(w), torch.zeros_like(w)
    for number in MIDDLE:
        middle = number + middle * (w - 2.5)
    for number in TAIL:
        tail = number + tail * (w.clamp_min(5).sqrt() - 3)
    return torch.where(w < 5, middle, tail) * x
