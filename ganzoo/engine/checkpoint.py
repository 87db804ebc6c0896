"""Checkpoints: one safetensors file, whole or not there at all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from ganzoo.atomic import write_bytes
from ganzoo.errors import TrainingError


def write(path: Path, state: dict[str, Tensor], facts: dict[str, Any]) -> None:
    """Write `state` and `facts`; a kill at any moment leaves the old file or the new one."""
    tensors = {name: value.detach().contiguous().cpu() for name, value in state.items()}
    write_bytes(path, save(tensors, metadata={"format": "pt", "ganzoo": json.dumps(facts)}))


def read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The state and the facts of a checkpoint."""
    if not path.is_file():
        raise TrainingError(f"no checkpoint at {path}")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            state: dict[str, torch.Tensor] = {k: file.get_tensor(k) for k in file.keys()}  # noqa: SIM118
        return state, json.loads(metadata["ganzoo"])
    except (SafetensorError, KeyError, ValueError) as error:
        raise TrainingError(f"{path} is no checkpoint of ganzoo: {error}") from None
