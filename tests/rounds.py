"""One round of the plan beside a loop written by hand: the same draws, weights and gradients."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ganzoo.engine.draws import noise_width
from ganzoo.engine.plan import Plan, Round
from ganzoo.nn.build import build, initialize
from ganzoo.nn.modules import Net
from ganzoo.spec import Spec
from ganzoo.spec.draws import Label, tensor_shape
from tests.reference import Loop, Passes

RATE = 0.05
BATCH = 4

Steps = list[tuple[str, dict[str, Tensor]]]


def seeded(*parts: object) -> torch.Generator:
    digest = hashlib.sha256(repr(parts).encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:6], "big"))


def draws(spec: Spec, roles: dict[str, str] | None = None) -> Callable[[int, str], Tensor]:
    """Random values for each draw, by version and name (or by the role the name plays)."""

    def draw(version: int, name: str) -> Tensor:
        declared = spec.draws.get(name)
        role = (roles or {}).get(name, name).rsplit(".", 1)[-1]
        # each image has an augmentation of its own
        generator = seeded(version, name if name.endswith(".chance") else role)
        if declared is None:  # the noise of a function
            return torch.rand(BATCH, *noise_width(name), generator=generator)
        if isinstance(declared, Label):
            return torch.randint(declared.classes, (BATCH,), generator=generator)
        values = torch.rand(BATCH, *tensor_shape(declared), generator=generator)
        return 2 * values - 1

    return draw


def networks(spec: Spec, frozen: tuple[str, ...] = (), roles: dict[str, str] | None = None) -> Any:
    """The networks with weights and statistics of ordinary size, so that every gradient counts."""
    nets = build(spec)
    for name, net in nets.items():
        initialize(net, spec.networks[name], 0)
        generator = seeded("weights", (roles or {}).get(name, name))
        for key, value in net.state_dict().items():
            if value.is_floating_point():
                noise = torch.randn(value.shape, generator=generator)
                value.copy_(1 + 0.5 * noise.abs() if key.endswith("_var") else 0.4 * noise)
        net.train(name not in frozen)
    return nets


def run(round: Round, nets: dict[str, Net], draw: Callable[[int, str], Tensor]) -> Steps:
    """One round of the generated code, with steps of plain SGD."""
    steps: Steps = []
    pending: dict[str, dict[str, Tensor]] = {}
    updates = {update.name: update for update in round.stage.updates}

    def draw_all(version: int, *names: str) -> Any:
        values = [draw(version, name) for name in names]
        return values[0] if len(values) == 1 else values

    def gradients(name: str, *terms: Tensor, keep_graph: bool = False) -> None:
        weights = {
            f"{net}.{path}": weight
            for net in updates[name].train
            for path, weight in nets[net].named_parameters()
        }
        loss = torch.stack(terms).sum()
        found = torch.autograd.grad(
            loss, list(weights.values()), retain_graph=keep_graph, allow_unused=True
        )
        pending[name] = {
            key: value for key, value in zip(weights, found, strict=True) if value is not None
        }
        steps.append((name, pending[name]))

    def apply(name: str) -> None:
        clip = updates[name].clip_weights
        with torch.no_grad():
            for key, gradient in pending.pop(name).items():
                net, _, path = key.partition(".")
                nets[net].get_parameter(path).sub_(RATE * gradient)
            for net in updates[name].train if clip is not None else ():
                for weight in nets[net].parameters():
                    weight.clamp_(-clip, clip)

    round.compile(nets)(draw_all, gradients, apply)
    return steps


def assert_same(found: Steps, wanted: Steps) -> None:
    assert [name for name, _ in found] == [name for name, _ in wanted]
    for (name, ours), (_, theirs) in zip(found, wanted, strict=True):
        assert ours.keys() == theirs.keys(), name
        # relative to the update's largest: stricter than 1e-10 wherever gradients are small
        largest = max(gradient.abs().max() for gradient in theirs.values())
        assert 1e-9 < largest < 1e4, name
        for key, gradient in theirs.items():
            assert ours[key].dtype == torch.float64
            assert (ours[key] - gradient).abs().max() <= 1e-10 * min(1, largest), (name, key)


def compare_round(
    by_hand_loop: Callable[[Loop], None],
    spec: Spec,
    stage: int,
    first: int,
    size: float = 3,
    close: float = 1e-9,
) -> None:
    round, frozen = Plan(spec).round(stage, first), spec.stages[stage].freeze
    torch.manual_seed(0)  # dropout: both make the same passes of a discriminator in one order
    found = run(round, nets := tame(spec, frozen, size), draws(spec))
    loop = Loop(by_hand := tame(spec, frozen, size), draws(spec), RATE)
    torch.manual_seed(0)
    with Passes(by_hand) as passes:
        by_hand_loop(loop)
    assert [step for step, _ in found] == [step for step, _ in loop.steps]
    for (step, ours), (_, theirs) in zip(found, loop.steps, strict=True):
        assert ours.keys() == theirs.keys(), step
        largest = max(gradient.abs().max() for gradient in theirs.values())
        assert 1e-9 < largest < 1e4, step
        for key, gradient in theirs.items():
            # a penalty's square root is kept off zero, which costs the twelfth digit
            assert (ours[key] - gradient).abs().max() <= close * largest, (step, key)
    for net in nets:
        assert round.passes()[net].total <= passes[net]
        for path, weight in nets[net].named_parameters():
            torch.testing.assert_close(
                weight, by_hand[net].get_parameter(path), rtol=close, atol=close
            )


def tame(spec: Spec, frozen: tuple[str, ...] = (), size: float = 3) -> Any:
    """Weights of ordinary size whatever the fan-in, so that no logit saturates."""
    nets = networks(spec, frozen)
    with torch.no_grad():
        for name, net in nets.items():
            for weight in net.parameters():
                if weight.ndim > 1:  # a critic's slopes are not far from 1, where they are wanted
                    weight.mul_((4 if name == "C" else size) / weight[0].numel() ** 0.5)
    return nets
