"""The plan of a Spec in words and numbers: what runs when, what is shared, what it costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from ganzoo.engine.draws import noise_width
from ganzoo.engine.plan import Plan, Round
from ganzoo.engine.values import Passes
from ganzoo.engine.writer import Tools
from ganzoo.nn.build import Networks, build, check_trained
from ganzoo.nn.interpreter import Evaluator
from ganzoo.spec.draws import WHOLE, tensor_shape
from ganzoo.spec.spec import Spec


@dataclass(frozen=True)
class Explanation:
    """One kind of round of a stage.

    `flops` is the cost of a round with the Spec's batch, `plain_flops` the cost in a loop that
    shares nothing and takes gradients of everything.
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
        period = plan.period(index)
        for numbers in plan.alike(index):
            round = plan.round(index, numbers[0])
            shown = ", ".join(map(str, numbers[:8])) + (", ..." if len(numbers) > 8 else "")
            which = f"rounds {shown} of {period}" if period > 1 else ""
            found.append(
                Explanation(
                    stage.name,
                    which,
                    round,
                    round.passes(),
                    round.plain_passes(),
                    flops_of(spec, round),
                    _plain_flops(spec, round),
                )
            )
    return found


SHOWN = 3
"""Repetitions of an update that are run to count; every one after the second costs the same."""


def _brief(spec: Spec, round: Round) -> tuple[Round, list[int]]:
    """The round with fewer repetitions, and how many executions each of these stands for."""
    stage = round.stage
    items = tuple(item.replace(repeat=min(item.repeat, SHOWN)) for item in stage.round)
    weights = [
        item.repeat - SHOWN + 1 if repetition == SHOWN - 1 else 1
        for item, active in zip(stage.round, round.active, strict=False)
        for repetition in range(min(item.repeat, SHOWN) if active else 0)
    ]
    return Round(spec, stage.replace(round=items), round.active), weights


class _Flops(TorchDispatchMode):
    """Counts with torch's own table. Its FlopCounterMode hooks modules, which breaks the inner
    gradients of `gradient_penalty`."""

    def __init__(self) -> None:
        super().__init__()
        self.total = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        count = flop_registry.get(func._overloadpacket)
        if count is not None:
            self.total += count(*args, **(kwargs or {}), out_val=out)
        return out


def _networks(spec: Spec, round: Round) -> Networks:
    networks = build(spec)
    check_trained(spec, networks)
    for name in networks:
        if name in round.stage.freeze or spec.is_frozen(name):
            networks[name].eval()
    return networks


def _tools(spec: Spec, networks: Networks) -> Tools:
    """Inputs of a round without numbers in them."""
    with torch.device("meta"):
        held = {
            name: {
                word: value.to("meta")
                for word, value in state.tensors(networks.reads.get(name, {})).items()
            }
            for name, state in spec.state.items()
        }

    def recall(name: str, **values: Tensor) -> Tensor:
        return spec.state[name].value(held[name], **values)

    def remember(name: str, **values: Tensor) -> None:
        spec.state[name].after(held[name], **values)

    return Tools(
        number=lambda text: torch.empty((), device="meta"), recall=recall, remember=remember,
        averages=networks,
    )  # fmt: skip


def _draw(spec: Spec, name: str) -> Tensor:
    draw = spec.draws.get(name)
    if draw is None:  # the noise of a function
        return torch.empty(spec.batch, *noise_width(name), device="meta")
    shape = (spec.batch, *tensor_shape(draw))
    if isinstance(draw, WHOLE):
        return torch.zeros(shape, dtype=torch.int64, device="meta")
    return torch.empty(shape, device="meta")


def flops_of(spec: Spec, round: Round) -> int:
    """Floating-point operations of a round as planned, counted on the meta device."""
    round, weights = _brief(spec, round)
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

    ends: list[int] = []
    with _Flops() as counter:
        round.compile(networks, _tools(spec, networks))(
            draw, gradients, lambda name: ends.append(counter.total)
        )
    total, done, steps = counter.total, 0, iter(ends)
    for execution, weight in zip(round.executions, weights, strict=True):
        end = done
        for _ in execution.updates:
            end = next(steps)
        total += (weight - 1) * (end - done)
        done = end
    return total


def _plain_flops(spec: Spec, round: Round) -> int:
    """The same for a loop that computes each update from scratch, with all gradients."""
    round, weights = _brief(spec, round)
    networks = _networks(spec, round)
    recall, total = _tools(spec, networks).recall, 0

    def call(name: str, values: Sequence[Tensor], output: str | None) -> Tensor:
        return networks[name](*values, outputs=(output or "",))

    for execution, weight in zip(round.executions, weights, strict=True):
        with _Flops() as counter:
            draws = {name: _draw(spec, name) for name in spec.draws}
            evaluate = Evaluator(
                spec, call, draws, lambda *shape: torch.empty(*shape, device="meta"),
                recall=recall, whole=networks.__getitem__,
            )  # fmt: skip
            for update in execution.updates:
                terms = [evaluate(text) for text in update.minimize.values()]
                torch.stack(terms).sum().backward(retain_graph=len(execution.updates) > 1)
        total += weight * counter.total
    return total
