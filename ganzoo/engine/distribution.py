"""Several processes: who we are, and gradients averaged in flat buckets.

Started by torchrun; each process takes its share of the global batch, and after
each backward pass one flat bucket of gradients is averaged (as in the StyleGAN
authors' code: module wrappers and the repeated forward passes of GANs do not mix).
"""

from __future__ import annotations

import os
from collections.abc import Sequence

import torch
from torch import Tensor
from torch import distributed as dist


def join_group() -> tuple[int, int]:
    """(rank, world) of this process; joins the group when torchrun started it."""
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if world == 1 or not dist.is_available():
        return 0, 1
    if not dist.is_initialized():
        dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    return dist.get_rank(), dist.get_world_size()


def average(tensors: Sequence[Tensor]) -> None:
    """Replace each tensor by its mean over all processes, through one flat bucket."""
    bucket = torch.cat([tensor.reshape(-1) for tensor in tensors])
    dist.all_reduce(bucket)
    bucket /= dist.get_world_size()
    position = 0
    for tensor in tensors:
        tensor.copy_(bucket[position : position + tensor.numel()].view_as(tensor))
        position += tensor.numel()


def mean(value: Tensor) -> Tensor:
    """The mean of a value over all processes."""
    found = value.detach().clone()
    dist.all_reduce(found)
    return found / dist.get_world_size()


def together(value: Tensor) -> Tensor:
    """The samples of all processes, in the order of their ranks: (batch / world, ...) to
    (batch, ...)."""
    parts = [torch.empty_like(value) for _ in range(dist.get_world_size())]
    dist.all_gather(parts, value.detach().contiguous())
    return torch.cat(parts)
