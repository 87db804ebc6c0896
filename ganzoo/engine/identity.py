"""The identity of a run: what a resumed checkpoint must match, and what affects its bits."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

from ganzoo.errors import TrainingError
from ganzoo.models.store import requirements
from ganzoo.spec.spec import Spec
from ganzoo.version import version

ARGUMENTS = {"seed": "seed", "batch": "batch", "precision": "precision"}
"""The facts that are arguments of `train`, too."""


class OtherBits(UserWarning):
    """A run is resumed, but will not end with the bits of an uninterrupted one."""


def spec_digest(spec: Spec) -> str:
    """Equal for Specs whose runs are equal for as long as both last."""
    # its length does not affect a round, unless rates fall or stages change on the way
    spec = spec.with_steps(1) if spec.open_ended else spec
    return hashlib.sha256(spec.to_json().encode()).hexdigest()[:16]


def surroundings(
    spec: Spec,
    device: torch.device,
    world: int,
    threads: int,
    plugins: Iterable[str] = (),
    accumulate: int = 1,
) -> dict[str, Any]:
    """Facts that affect only bits: versions and hardware.

    Args:
        threads: how many its rounds use on a CPU.
        plugins: distributions beside those that provide layers and functions of the Spec.
    """
    facts: dict[str, Any] = {"ganzoo": version(), "torch": str(torch.__version__)}
    facts |= {name: _version(name) for name in sorted({*requirements(spec), *plugins})}
    facts["device"] = _name(device)
    if device.type == "cpu":
        facts["threads"] = threads
    facts["processes"] = world
    return facts | ({"parts": accumulate} if accumulate > 1 else {})


def check(path: Path, found: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    """Compare the facts of a checkpoint with those of this run.

    Raises:
        TrainingError: seed, batch, Spec, data or precision differ.
    """
    for word, value in wanted.items():
        if word != "surroundings" and found.get(word) != value:
            raise TrainingError(_difference(path, word, found.get(word), value))
    theirs = found.get("surroundings")
    theirs = theirs if isinstance(theirs, dict) else {}
    others = [
        f"{word} {_said(theirs.get(word))} (now {_said(value)})"
        for word, value in wanted["surroundings"].items()
        if theirs.get(word) != value
    ]
    gone = theirs.keys() - wanted["surroundings"].keys()
    others += [f"{word} {_said(theirs[word])} (now none)" for word in sorted(gone)]
    if others:
        warnings.warn(
            f"checkpoint {path} was trained with {', '.join(others)}: the run continues, but its "
            "last bits may differ from those of an uninterrupted run",
            OtherBits,
            stacklevel=2,
        )


def _difference(path: Path, word: str, theirs: object, ours: object) -> str:
    if word == "data":
        return (
            f"checkpoint {path} was trained on other data: its pictures, labels or their order "
            "differ from what is loaded now. Resume with the same data, or start anew"
        )
    again = f"give {word} {theirs!r}" if word in ARGUMENTS else "resume with the same"
    return (
        f"checkpoint {path} was trained with {word} {theirs}, and this run has {ours}; {again}, "
        "or start anew"
    )


def _said(value: object) -> str:
    return "none" if value is None else str(value)


def _version(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "0"


def _name(device: torch.device) -> str:
    """The device, as far as it determines bits."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    if device.type == "cpu":
        ask = getattr(torch.backends.cpu, "get_cpu_capability", lambda: "")
        return f"cpu {ask()}".strip()
    return device.type
