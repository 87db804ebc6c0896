"""Batch statistics that no training step leaves right: of averaged weights, and of processes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import nn

from ganzoo.data.source import Source
from ganzoo.engine.draws import Draws
from ganzoo.models.model import Model
from ganzoo.nn.processes import everyones_mean
from ganzoo.seed import key

SETTLE_BATCHES = 50
"""Batches from which the batch statistics of averaged networks are estimated."""

NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)


def settle(
    model: Model,
    data: Source | None,
    wanted: Iterable[str],
    batches: int,
    *,
    batch: int,
    seed: int,
) -> None:
    """Estimate the batch statistics of averaged networks anew, as plain means over batches.

    Those that training collected belong to the weights before averaging.

    Args:
        wanted: the tasks whose statistics are estimated; those of others are left as they are.
        batch: samples of one.
    """
    spec = model.spec
    tasks = [spec.tasks[name] for name in wanted]
    texts = [text for task in tasks for _, text in task.expressions]
    needed = {name for text in texts for name in spec.names_in(text)}
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
        for task in tasks:
            for _, text in task.expressions:
                drawn = spec.draws_in(text)
                values = dict(zip(drawn, draws(number, 0, drawn), strict=True))
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
