"""Batch statistics that no training step leaves right: of averaged weights, and of processes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

from ganzoo.data.source import Source
from ganzoo.engine.draws import Draws
from ganzoo.models.model import Model
from ganzoo.nn.processes import everyones_mean
from ganzoo.seed import key
from ganzoo.spec.draws import Image, tensor_shape
from ganzoo.spec.spec import Spec
from ganzoo.spec.tasks import Task

SETTLE_BATCHES = 50
"""Batches from which the batch statistics of averaged networks are estimated."""

MOST_KEPT = 64_000_000
"""The most bytes of data that `kept` returns."""

NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)


def drawn(spec: Spec, networks: Mapping[str, nn.Module]) -> tuple[str, ...]:
    """The draws of data that batch statistics of averaged networks are estimated from."""
    texts = [text for _, text in _expressions(spec, networks, spec.tasks)]
    found = {name for text in texts for name in spec.draws_in(text)}
    return tuple(name for name in spec.data_draws() if name in found)


def kept(
    spec: Spec, data: Source, networks: Mapping[str, nn.Module], *, batch: int, seed: int
) -> dict[str, Tensor]:
    """The batches of data that `settle` will use, as few bytes, so that it can do without the data.

    Returns:
        By the name of the draw, (batches, batch, ...); empty if no data are needed, or if they are
        more than MOST_KEPT bytes.
    """
    names = drawn(spec, networks)
    draws = {name: spec.draws[name] for name in names}
    sizes = [
        math.prod(tensor_shape(draw)) * (1 if isinstance(draw, Image) else 4)
        for draw in draws.values()
    ]
    if not names or sum(sizes) * SETTLE_BATCHES * batch > MOST_KEPT:
        return {}
    drawing = Draws(spec, data, batch=batch, seed=key(seed, "settle"), device=data.device)
    return {
        name: torch.stack([_small(drawing(n, 0, (name,))[0].cpu()) for n in range(SETTLE_BATCHES)])
        for name in names
    }


def _small(values: Tensor) -> Tensor:
    """The same values in fewer bytes, where that is exact: images as bytes, labels as int32."""
    if not values.is_floating_point():
        return values.int()
    levels = values.add(1).mul(127.5).round()
    exact = torch.equal(_large(levels.clamp(0, 255).byte()), values)
    return levels.byte() if exact else values


def _large(values: Tensor) -> Tensor:
    """Values that `_small` made small."""
    if values.dtype == torch.uint8:
        return values.float().div_(127.5).sub_(1)
    return values if values.is_floating_point() else values.long()


def _expressions(
    spec: Spec, networks: Mapping[str, nn.Module], wanted: Iterable[str]
) -> list[tuple[Task, str]]:
    """The expressions of tasks that need an averaged network with batch statistics."""
    averaged = {
        name
        for name in spec.ema
        if name in networks and any(isinstance(part, NORMS) for part in networks[name].modules())
    }
    return [
        (task, text)
        for task in (spec.tasks[name] for name in wanted)
        for _, text in task.expressions
        if averaged & spec.names_in(text)
    ]


def settle(
    model: Model,
    data: Source | None,
    wanted: Iterable[str],
    batches: int,
    *,
    batch: int,
    seed: int,
    instead: Mapping[str, Tensor] | None = None,
) -> None:
    """Estimate the batch statistics of averaged networks anew, as plain means over batches.

    Those that training collected belong to the weights before averaging.

    Args:
        wanted: the tasks whose statistics are estimated; those of others are left as they are.
        batch: samples of one.
        instead: of data that are not at hand, what `kept` returned.
    """
    spec, instead = model.spec, instead or {}
    expressions = _expressions(spec, model.networks, wanted)
    needed = {name for _, text in expressions for name in spec.names_in(text)}
    norms = [
        module
        for name in spec.ema
        if name in model.networks and name in needed
        for module in model.networks[name].modules()
        if isinstance(module, NORMS)
    ]
    if not norms:
        return
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain mean over all batches
        norm.train()
    draws = Draws(spec, data, batch=batch, seed=key(seed, "settle"), device=model.device)
    for number in range(batches):
        for task, text in expressions:
            values = {
                name: _large(instead[name][number]).to(model.device)
                if name in instead
                else draws(number, 0, (name,))[0]
                for name in spec.draws_in(text)
            }
            model.evaluate(text, values, numbers=task.numbers)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
        norm.eval()


@torch.no_grad()
def average_statistics(networks: Mapping[str, nn.Module]) -> None:
    """Give all processes the mean of their running statistics, where each keeps its own."""
    found = [
        buffer
        for net in networks.values()
        for module in net.modules()
        if isinstance(module, NORMS)
        for buffer in (module.running_mean, module.running_var)
        if buffer is not None
    ]
    if found:
        means = everyones_mean(torch.cat(found)).split([len(buffer) for buffer in found])
        for buffer, mean in zip(found, means, strict=True):
            buffer.copy_(mean)
