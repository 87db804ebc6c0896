"""The plan of a Spec in words and numbers: what runs when, what is shared, what it costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from ganzoo.engine.plan import Passes, Plan, Round
from ganzoo.nn.build import build
from ganzoo.nn.interpreter import Evaluator
from ganzoo.nn.modules import Net
from ganzoo.spec.draws import Label, tensor_shape
from ganzoo.spec.spec import Spec


@dataclass(frozen=True)
class Explanation:
    """One kind of round of a stage.

    `flops` is what a round costs with the Spec's batch, `plain_flops` what it would cost in a
    loop that shares nothing and takes gradients of everything.
    """

    stage: str
    pattern: str
    round: Round
    passes: Mapping[str, Passes]
    plain_passes: Mapping[str, int]
    flops: int
    plain_flops: int


def explain(spec: Spec) -> list[Explanation]:
    """Every kind of round of every stage, in order."""
    plan = Plan(spec)
    found: list[Explanation] = []
    for index, stage in enumerate(spec.stages):
        patterns = plan.patterns(index)
        for first, round in patterns:
            period = plan.period(index)
            active = plan.active(index, first)
            numbers = [n for n in range(period) if plan.active(index, n) == active]
            which = f"rounds {', '.join(map(str, numbers))} of {period}" if period > 1 else ""
            found.append(
                Explanation(
                    stage.name,
                    which,
                    round,
                    round.passes(),
                    round.plain_passes(),
                    _flops(spec, round),
                    _plain_flops(spec, round),
                )
            )
    return found


class _Flops(TorchDispatchMode):
    """Counts by torch's own table. Its FlopCounterMode hooks modules, which `gradient_penalty`'s
    inner gradients do not bear."""

    def __init__(self) -> None:
        super().__init__()
        self.total = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        count = flop_registry.get(func._overloadpacket)
        if count is not None:
            self.total += count(*args, **(kwargs or {}), out_val=out)
        return out


def _networks(spec: Spec, round: Round) -> dict[str, Net]:
    networks = build(spec)
    for name in round.stage.freeze:
        networks[name].eval()
    return networks


def _draw(spec: Spec, name: str) -> Tensor:
    draw = spec.draws.get(name)
    if draw is None:  # the noise of a function
        return torch.empty(spec.batch, device="meta")
    shape = (spec.batch, *tensor_shape(draw))
    if isinstance(draw, Label):
        return torch.zeros(shape, dtype=torch.int64, device="meta")
    return torch.empty(shape, device="meta")


def _flops(spec: Spec, round: Round) -> int:
    """Floating-point operations of a round as planned, counted on the meta device."""
    networks = _networks(spec, round)
    parameters = {
        update.name: [p for name in update.train for p in networks[name].parameters()]
        for update in round.stage.updates
    }

    def draw(version: int, *names: str) -> Any:
        values = [_draw(spec, name) for name in names]
        return values[0] if len(values) == 1 else values

    def gradients(name: str, *terms: Tensor, keep_graph: bool = False) -> None:
        total = torch.stack(terms).sum()
        torch.autograd.grad(total, parameters[name], retain_graph=keep_graph, allow_unused=True)

    with _Flops() as counter:
        round.compile(networks)(draw, gradients, lambda name: None)
    return counter.total


def _plain_flops(spec: Spec, round: Round) -> int:
    """The same of a loop that computes each update anew, with gradients of all networks."""
    networks = _networks(spec, round)

    def call(name: str, values: Sequence[Tensor], output: str | None) -> Tensor:
        return networks[name](*values, outputs=(output or "",))

    with _Flops() as counter:
        for execution in round.executions:
            draws = {name: _draw(spec, name) for name in spec.draws}
            evaluate = Evaluator(spec, call, draws, lambda batch: torch.empty(batch, device="meta"))
            for update in execution.updates:
                terms = [evaluate(text) for text in update.minimize.values()]
                torch.stack(terms).sum().backward(retain_graph=len(execution.updates) > 1)
    return counter.total
