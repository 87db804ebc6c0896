"""Devices by name: the CPU or an accelerator."""

from __future__ import annotations

import torch

from ganzoo.errors import TrainingError, nearest

FORM = "cpu, cuda, cuda:1, mps"


def find(name: str | torch.device | None) -> torch.device:
    """The device of that name; by default CUDA if there is one, else the CPU.

    Raises:
        TrainingError: no device has that name, or this machine does not have it.
    """
    if name is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except (RuntimeError, ValueError, TypeError):
        near = nearest(str(name), ("cpu", "cuda", "mps")).rstrip(";")
        hint = "; did you mean 'cuda'?" if str(name).lower().startswith("gpu") else near
        raise TrainingError(f"no device {str(name)!r}{hint or ';'} allowed: {FORM}") from None
    there = _there(device.type)
    if not there:
        raise TrainingError(
            f"device {str(name)!r}: this machine has none that torch {torch.__version__} can use; "
            "leave it out, or give cpu"
        )
    if device.index is not None and device.index >= there:
        raise TrainingError(
            f"device {str(name)!r}: this machine has {there}, and they are numbered from 0"
        )
    return device


def _there(kind: str) -> int:
    """How many devices of a kind there are."""
    if kind == "cpu":
        return 1
    if kind == "mps":
        return int(torch.backends.mps.is_available())
    module = getattr(torch, kind, None)
    count = getattr(module, "device_count", None)
    available = getattr(module, "is_available", lambda: False)
    return int(count()) if count is not None and available() else 0
