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
    # double precision: the tails of a float end at 5.4 standard deviations
    low = torch.special.ndtr(-limit * torch.ones((), dtype=torch.float64, device=noise.device))
    share = low + (1 - 2 * low) * torch.special.ndtr(noise.double())
    return torch.special.ndtri(share).to(noise.dtype)
