"""Checkpoints: one safetensors file, written atomically, that describes itself.

Its header has, under `ganzoo`, the facts that determine the bits of the run, and the SHA-256 of
these facts and of all tensors.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from ganzoo.atomic import write_bytes
from ganzoo.errors import TrainingError, choices

_HASH = "sha256"


def write(path: Path, state: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
    """Write `state` and `facts`; a kill at any moment leaves either the old file or the new one."""
    tensors = {name: value.detach().contiguous().cpu() for name, value in state.items()}
    said = json.dumps({**facts, _HASH: _digest(tensors, facts)})
    write_bytes(path, save(tensors, metadata={"format": "pt", "ganzoo": said}))


def read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The state and the facts of a checkpoint.

    Raises:
        TrainingError: there is none, it cannot be read, or it is damaged.
    """
    with _opened(path) as file:
        facts = _said(path, file)
        state: dict[str, torch.Tensor] = {k: file.get_tensor(k) for k in file.keys()}  # noqa: SIM118
    if not isinstance(said := facts.pop(_HASH, None), str):
        raise TrainingError(
            f"checkpoint {path} has no hash, since an earlier ganzoo wrote it; continue with that "
            "version, or start a new run"
        )
    if said != _digest(state, facts):
        raise TrainingError(
            f"checkpoint {path} is damaged: its SHA-256 is not the one that it names. Restore it, "
            "or delete it to begin the run anew"
        )
    return state, facts


def facts(path: Path) -> dict[str, Any]:
    """The facts of a checkpoint, without its tensors and without checking its hash.

    Raises:
        TrainingError: there is none, or it cannot be read.
    """
    with _opened(path) as file:
        return _said(path, file)


def under(state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors whose names begin with `prefix`, by the rest of their names."""
    return {k.removeprefix(prefix): value for k, value in state.items() if k.startswith(prefix)}


def check_names(
    path: Path,
    state: Mapping[str, Tensor],
    facts: Mapping[str, Any],
    wanted: Iterable[str],
    updates: Iterable[str],
) -> None:
    """Refuse a checkpoint that lacks a tensor of this run, or has one that the run does not.

    How many tensors an optimizer has depends on the rounds it has done, so the checkpoint says it
    (`remembered`), by update.

    Args:
        wanted: names of all tensors except those of optimizers.
        updates: names of the updates.

    Raises:
        TrainingError: the names differ.
    """
    wanted = {*wanted}
    found = {name for name in state if not name.startswith("optimizers/")}
    if wanted != found:
        raise TrainingError(
            f"checkpoint {path} does not fit this run: missing {choices(wanted - found, 5)}, "
            f"unknown {choices(found - wanted, 5)}; start anew"
        )
    said = facts.get("remembered")
    remembered = said if isinstance(said, dict) else {}
    counts = {name: len(under(state, f"optimizers/{name}/")) for name in updates}
    for name, here in counts.items():
        if remembered.get(name) != here or sum(counts.values()) != len(state) - len(found):
            raise TrainingError(
                f"checkpoint {path} lacks what the optimizer of update {name!r} remembers: "
                f"it has {here} tensors, and should have {remembered.get(name)}. Start anew"
            )


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    if not path.is_file():
        raise TrainingError(f"no checkpoint at {path}")
    try:
        with safe_open(path, framework="pt") as file:
            yield file
    except (SafetensorError, ValueError) as error:
        raise TrainingError(f"{path} is not a checkpoint of ganzoo: {error}") from None
    except OSError as error:
        raise TrainingError(f"checkpoint {path} cannot be read ({error})") from None


def _said(path: Path, file: Any) -> dict[str, Any]:
    try:
        said = json.loads((file.metadata() or {})["ganzoo"])
        if isinstance(said, dict) and type(said.get("step")) is int:
            return said
        reason: object = "it does not say its step"
    except (KeyError, ValueError, RecursionError) as error:
        reason = error
    raise TrainingError(f"{path} is not a checkpoint of ganzoo: {reason}")


def _digest(state: Mapping[str, Tensor], facts: Mapping[str, Any]) -> str:
    found = hashlib.sha256(json.dumps(dict(facts), sort_keys=True).encode())
    for name in sorted(state):
        value = state[name]
        found.update(repr((name, str(value.dtype), tuple(value.shape))).encode())
        found.update(value.contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return found.hexdigest()
