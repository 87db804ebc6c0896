"""A batch in parts: gradients and loss terms of the whole, one draw, one step for all."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor

from ganzoo.engine.parts import in_parts
from ganzoo.engine.updates import Updater
from ganzoo.nn.build import build, initialize
from tests.builders import gan

PARTS = 4


@pytest.fixture
def updaters() -> dict[str, Updater]:
    spec = gan()
    networks = build(spec)
    for number, (name, net) in enumerate(networks.items()):
        initialize(net, spec.networks[name], number)
    updates = {update.name: update for update in spec.stages[0].updates}
    return {name: Updater(update, networks, {}) for name, update in updates.items()}


def linear(updaters: dict[str, Updater], name: str, x: Tensor) -> Tensor:
    """A number for each sample, of every weight of an update."""
    weights = torch.cat([p.reshape(-1) for p in updaters[name].parameters])
    return x.flatten(1).sum(1) * weights.square().sum()


def test_gradients_and_terms_are_those_of_the_whole_batch(updaters: dict[str, Updater]) -> None:
    x = torch.randn(8, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    asked, steps = list[tuple[int, str]](), dict[str, tuple[list[Tensor | None], list[Tensor]]]()

    def draw(version: int, name: str) -> Tensor:
        asked.append((version, name))
        return x * (version + 1)

    def round(draw: Any, gradients: Any, _: Any) -> Iterator[str]:
        data = draw(0, "x")
        gradients("D", linear(updaters, "D", data).mean(), linear(updaters, "D", data).abs().mean())
        yield "D"
        one, two = draw(0, "x", "z")
        gradients("G", (linear(updaters, "G", one) * two.flatten(1).sum(1)).mean())
        yield "G"

    in_parts(round, draw, PARTS, updaters, lambda name, *found: steps.__setitem__(name, found))
    assert asked == [(0, "x"), (0, "z")]  # once for all parts
    assert list(steps) == ["D", "G"]
    whole = [linear(updaters, "D", x).mean(), linear(updaters, "D", x).abs().mean()]
    wanted = torch.autograd.grad(torch.stack(whole).sum(), updaters["D"].parameters)
    gradients, terms = steps["D"]
    torch.testing.assert_close([*terms], [term.detach() for term in whole])
    for gradient, one in zip(gradients, wanted, strict=True):
        torch.testing.assert_close(gradient, one)


def test_every_part_is_done_before_the_step(updaters: dict[str, Updater]) -> None:
    """The weights change between two updates, and never between two parts of one."""
    course = list[str]()

    def round(draw: Any, gradients: Any, _: Any) -> Iterator[str]:
        for name in ("D", "G"):
            course.append(f"part of {name}")
            gradients(name, linear(updaters, name, draw(0, "x")).mean())
            yield name

    in_parts(
        round, lambda *_: torch.ones(8, 1, 8, 8), PARTS, updaters,
        lambda name, *_: course.append(f"step of {name}"),
    )  # fmt: skip
    assert course == [
        *["part of D"] * PARTS, "step of D", *["part of G"] * PARTS, "step of G",
    ]  # fmt: skip


def test_a_weight_that_one_part_does_not_reach_has_the_others_gradients(
    updaters: dict[str, Updater],
) -> None:
    first, *others = updaters["D"].parameters
    turns, found = iter(range(PARTS)), list[list[Tensor | None]]()

    def round(draw: Any, gradients: Any, _: Any) -> Iterator[str]:
        reached = sum(p.sum() for p in others) * draw(0, "x").mean()
        if next(turns) == 0:
            reached = reached + first.sum()
        gradients("D", reached)
        yield "D"

    in_parts(
        round, lambda *_: torch.ones(8, 1, 8, 8), PARTS, updaters,
        lambda _, gradients, __: found.append(gradients),
    )  # fmt: skip
    [[of_first, *rest]] = found
    assert of_first is not None
    torch.testing.assert_close(of_first, torch.full_like(first, 1 / PARTS))
    for gradient in rest:
        assert gradient is not None
        torch.testing.assert_close(gradient, torch.ones_like(gradient))
