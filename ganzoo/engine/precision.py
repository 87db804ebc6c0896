"""In which numbers networks compute, by the word that people give it.

fp32   32 bits everywhere
tf32   32 bits everywhere but in the products of matrices and convolutions on CUDA, which round
       what they multiply to 10 bits after the point: several times faster there
bf16   networks in bfloat16; weights, losses and optimizers stay float32
auto   bf16 where the processor multiplies in it, else fp32
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal, get_args

import torch

from ganzoo.errors import TrainingError

Precision = Literal["auto", "fp32", "tf32", "bf16"]


def resolved(precision: Precision, device: torch.device) -> Precision:
    """What `auto` means on a device; any other precision as it is."""
    if precision not in get_args(Precision):
        raise TrainingError(f"precision is auto, fp32, tf32 or bf16, not {precision!r}")
    if precision == "tf32" and device.type != "cuda":
        raise TrainingError("precision tf32 is of CUDA devices; give fp32, or auto")
    if precision == "auto":
        return "bf16" if _has_bf16(device) else "fp32"
    return precision


@contextmanager
def multiplying(precision: Precision, device: torch.device) -> Iterator[None]:
    """Products of float32 on CUDA as `precision` says, whatever the process does elsewhere.

    torch by itself rounds convolutions to TF32 and matrices not.
    """
    if device.type != "cuda":
        yield
        return
    places = (torch.backends.cuda.matmul, torch.backends.cudnn)
    before = [place.allow_tf32 for place in places]
    for place in places:
        place.allow_tf32 = precision == "tf32"
    try:
        yield
    finally:
        for place, value in zip(places, before, strict=True):
            place.allow_tf32 = value


def _has_bf16(device: torch.device) -> bool:
    """Whether `device` multiplies bfloat16 matrices in hardware."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    # not in the oldest torch that is supported
    ask = getattr(torch.cpu, "get_capabilities", dict)
    found = ask() if device.type == "cpu" else {}
    return bool(found.get("avx512_bf16") or found.get("amx_bf16") or found.get("bf16"))
