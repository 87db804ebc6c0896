"""Rounds, stages and updates as data."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ganzoo.errors import SpecError
from ganzoo.spec import (
    Adam,
    Decay,
    RMSprop,
    Spec,
    Stage,
    Together,
    Update,
)
from tests.plain_specs import ROUND, changed
from tests.table import TABLE

# ----------------------------------------------------------------------------- schedule


def test_a_group_repeats_as_a_whole() -> None:
    spec = TABLE["bigan"]()
    [group] = spec.stages[0].round
    assert isinstance(group, Together)
    assert group.repeat == 1
    data = changed("bigan", f"{ROUND}.0.repeat", 3)
    [group] = Spec.from_dict(data).stages[0].round
    assert (group.repeat, [update.repeat for update in group.updates]) == (3, [1, 1])
    with pytest.raises(SpecError, match="give repeat and every to the group"):
        Together((Update(("D",), {"a": "mean(D(x))"}, every=2, on=(1,)),))


def test_updates_of_one_name_may_go_on_in_another_stage() -> None:
    spec = TABLE["discogan"]()
    names = [[update.name for update in stage.updates] for stage in spec.stages]
    assert names == [["D", "G"], ["D", "G"]]
    terms = [stage.updates[1].minimize["reconstruction"] for stage in spec.stages]
    assert terms[0] != terms[1]


def staged(*shares: int) -> Spec:
    spec = TABLE["gan"]()
    stages = [
        Stage(spec.stages[0].round, steps=share, name=f"s{index}")
        for index, share in enumerate(shares)
    ]
    return spec.model_copy(update={"stages": tuple(stages)})


def shares(spec: Spec) -> list[int]:
    return [stage.steps for stage in spec.stages]


def test_steps_are_shared_in_proportion() -> None:
    assert shares(staged(12, 18).with_steps(10)) == [4, 6]
    assert shares(staged(1, 1000).with_steps(2)) == [1, 1]
    assert shares(staged(600, 600).with_steps(1_000_001)) in (
        [500_000, 500_001],
        [500_001, 500_000],
    )
    assert shares(staged(100, 100, 100, 1, 1, 1).with_steps(6)) == [1] * 6
    with pytest.raises(SpecError, match="1 steps are too few for 2 stages"):
        staged(5, 5).with_steps(1)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.integers(1, 10_000), min_size=1, max_size=16), st.integers(0, 10_000))
def test_every_stage_gets_a_step_and_none_is_lost(given_shares: list[int], extra: int) -> None:
    spec = staged(*given_shares)
    assert shares(spec.with_steps(spec.steps)) == given_shares
    wanted = len(given_shares) + extra
    found = shares(spec.with_steps(wanted))
    assert sum(found) == wanted
    assert min(found) >= 1
    for share, original in zip(found, given_shares, strict=True):
        exact = original * wanted / spec.steps
        assert abs(share - exact) <= len(found)


def test_the_learning_rate_falls_as_declared() -> None:
    linear = Decay("linear", 0.5)
    assert [linear.factor(part) for part in (0, 0.5, 0.75, 1)] == [1, 1, 0.5, 0]
    exponential = Decay("exponential", 0.5, 0.01)
    assert [exponential.factor(part) for part in (0.5, 1)] == [1, pytest.approx(0.01)]
    assert exponential.factor(0.75) == pytest.approx(0.1)


def test_optimizers_of_the_papers() -> None:
    assert TABLE["dcgan"]().stages[0].updates[0].optimizer == Adam(2e-4, (0.5, 0.999))
    critic, generator = TABLE["wgan"]().stages[0].updates
    assert critic.optimizer == generator.optimizer == RMSprop(5e-5)
    assert (critic.repeat, critic.clip_weights, generator.clip_weights) == (5, 0.01, None)
