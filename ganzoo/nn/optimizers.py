"""Optimizers of torch from their declarations, and the numbers in them that follow a run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from ganzoo.nn.moving_adam import MovingAdam
from ganzoo.spec import numbers
from ganzoo.spec.numbers import Clock
from ganzoo.spec.optimizers import SGD, Adam, AdamW, Optimizer, RMSprop

Rates = Mapping[str, Tensor]
"""The numbers of an optimizer that follow the run, by path (`lr`, `betas.0`), as tensors."""


def rates_of(optimizer: Optimizer, lets: Mapping[str, str], clock: Clock) -> dict[str, float]:
    """The numbers of an optimizer that follow the run, by path, and its learning rate."""
    moving = {path for path, given, _ in numbers.numbers(optimizer) if isinstance(given, str)}
    if any(path.startswith("betas") for path in moving):
        moving |= {"betas.0", "betas.1"}  # of one type
    found = {
        path: numbers.resolve(given, lets, clock)
        for path, given, _ in numbers.numbers(optimizer)
        if path == "lr" or path in moving
    }
    decay = getattr(optimizer, "decay", None)
    if decay and "lr" in found:
        found["lr"] *= decay.factor(clock.progress)
    return found


def set_rates(optimizer: torch.optim.Optimizer, rates: Mapping[str, float]) -> None:
    """Set the rates of the optimizer, by path."""
    for path, rate in rates.items():
        word, _, index = path.partition(".")
        for group in optimizer.param_groups:
            if index:
                values = list(group[word])
                values[int(index)] = rate
                group[word] = tuple(values)
            else:
                group[word] = rate


def is_foreign(optimizer: torch.optim.Optimizer) -> bool:
    """Whether it is not one of torch's, so that it is unknown how it reads its numbers."""
    own = isinstance(optimizer, MovingAdam)
    return not own and not type(optimizer).__module__.startswith("torch.")


def make(declared: Optimizer, parameters: list[Any], rates: Rates) -> torch.optim.Optimizer:
    """The torch optimizer. On CUDA, rates are read from their tensors, so that a step can be
    recorded; kernels of other devices take numbers."""
    cuda = any(rate.is_cuda for rate in rates.values())

    def now(path: str, given: Any) -> Any:
        if path not in rates:
            return given
        return rates[path] if cuda else rates[path].item()

    settings: dict[str, Any] = {}
    for name in type(declared).model_fields:
        given = getattr(declared, name)
        if name in {"kind", "decay"}:
            continue
        if isinstance(given, tuple):
            given = tuple(now(f"{name}.{index}", part) for index, part in enumerate(given))
        settings[name] = now(name, given)
    moving = any(isinstance(beta, Tensor) for beta in settings.get("betas", ()))
    match declared:
        case Adam() | AdamW() if moving:
            return MovingAdam(parameters, **settings, decoupled=isinstance(declared, AdamW))
        case Adam():
            return torch.optim.Adam(parameters, **settings, fused=True, capturable=cuda)
        case AdamW():
            return torch.optim.AdamW(parameters, **settings, fused=True, capturable=cuda)
        case RMSprop():
            return torch.optim.RMSprop(parameters, **settings, foreach=True, capturable=cuda)
        case SGD():
            how = {"fused": True} if cuda else {"foreach": True}
            return torch.optim.SGD(parameters, **settings, **how)
        case _:
            plain = {name: _plain(value) for name, value in settings.items()}
            return declared.make(parameters, plain)


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(map(_plain, value))  # type: ignore[reportUnknownArgumentType]
    return value.item() if isinstance(value, Tensor) else value
