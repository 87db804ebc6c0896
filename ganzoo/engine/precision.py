"""The precision in which networks compute, by name.

fp32   float32 throughout
tf32   float32, except that CUDA rounds the factors of matrix products and convolutions to 10 bits
       after the point, which is several times faster
bf16   networks in bfloat16; weights, losses and optimizers stay float32
auto   bf16 where the processor multiplies in it, else fp32
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal, cast, get_args

import torch

from ganzoo.engine import distribution
from ganzoo.errors import TrainingError
from ganzoo.nn.devices import find

Precision = Literal["auto", "fp32", "tf32", "bf16"]


def resolved(precision: str, device: torch.device) -> Precision:
    """What `auto` means on a device; any other precision unchanged."""
    if precision not in get_args(Precision):
        raise TrainingError(f"precision is auto, fp32, tf32 or bf16, not {precision!r}")
    if precision == "tf32" and device.type != "cuda":
        raise TrainingError("precision tf32 is for CUDA devices; give fp32, or auto")
    if precision == "auto":
        return "bf16" if _has_bf16(device) else "fp32"
    return cast("Precision", precision)


@contextmanager
def multiplying(precision: Precision, device: torch.device) -> Iterator[None]:
    """Set products of float32 on CUDA as `precision` says, whatever the rest of the process uses.

    By default torch rounds convolutions to TF32, but not matrix products.
    """
    if device.type != "cuda":
        yield
        return
    places: tuple[Any, ...] = (torch.backends.cuda.matmul, torch.backends.cudnn)
    before = [place.allow_tf32 for place in places]
    for place in places:
        place.allow_tf32 = precision == "tf32"
    try:
        yield
    finally:
        for place, value in zip(places, before, strict=True):
            place.allow_tf32 = value


def described(precision: str, device: torch.device) -> str:
    """A precision in words, for messages."""
    return {
        "fp32": "fp32 (32 bits everywhere)",
        "tf32": "tf32 (products of float32 are rounded to 10 bits)",
        "bf16": "bf16 (networks; weights, losses and optimizers in 32 bits)",
    }[resolved(precision, device)]


def how(
    device: str | torch.device | None,
    precision: str,
    *,
    graph: bool | None = None,
    accumulate: int = 1,
) -> str:
    """The device, precision and way of execution of a run, in words, for messages.

    Raises:
        TrainingError: there is no such device, or it does not support this precision.
    """
    found, world = find(device), distribution.processes()
    recorded = found.type == "cuda" and world == 1 if graph is None else graph
    ways = {False: "call by call", True: "in CUDA graphs" if found.type == "cuda" else "static"}
    return ", ".join(
        [
            torch.cuda.get_device_name(found) if found.type == "cuda" else found.type,
            described(precision, found),
            ways[recorded],
            *([f"{world} processes"] if world > 1 else []),
            *([f"batches in {accumulate} parts"] if accumulate > 1 else []),
        ]
    )


def _has_bf16(device: torch.device) -> bool:
    """Whether `device` multiplies bfloat16 matrices in hardware."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    # missing in the oldest supported torch
    ask = getattr(torch.cpu, "get_capabilities", dict)
    found = ask() if device.type == "cpu" else {}
    return bool(found.get("avx512_bf16") or found.get("amx_bf16") or found.get("bf16"))
