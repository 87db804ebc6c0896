"""The plan against loops written by hand: the same gradients, and less work."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from ganzoo.engine.plan import Plan, Round
from ganzoo.spec import (
    Adam,
    Flatten,
    Image,
    LeakyReLU,
    Linear,
    Network,
    Normal,
    Reshape,
    Spec,
    Stage,
    Tanh,
    Tap,
    Together,
    Update,
)
from tests.reference import ROUNDS, Loop, Passes
from tests.rounds import BATCH, RATE, Steps, assert_same, draws, networks, run
from tests.table import TABLE

# ----------------------------------------------------------------- against loops by hand


def test_there_is_a_loop_for_every_round_of_the_table() -> None:
    kinds = {
        (row, stage, first)
        for row, make in TABLE.items()
        for stage in range(len(make().stages))
        for first, _ in Plan(make()).patterns(stage)
    }
    assert kinds == set(ROUNDS)


@pytest.mark.parametrize("row, stage, number", ROUNDS)
def test_gradients_of_a_round_are_those_of_the_loop(
    row: str, stage: int, number: int, float64: None
) -> None:
    spec = TABLE[row]()
    round = Plan(spec).round(stage, number)
    frozen = spec.stages[stage].freeze

    nets = networks(spec, frozen)
    with Passes(nets) as ours:
        found = run(round, nets, draws(spec))

    loop = Loop(by_hand := networks(spec, frozen), draws(spec), RATE)
    with Passes(by_hand) as theirs:
        ROUNDS[row, stage, number](loop)

    assert_same(found, loop.steps)
    assert all(ours[name] <= theirs[name] for name in spec.networks)
    assert ours == {name: n.total for name, n in round.passes().items() if n.total}
    assert theirs == {name: n for name, n in round.plain_passes().items() if n}
    for name, net in nets.items():
        for path, weight in net.named_parameters():
            torch.testing.assert_close(weight, by_hand[name].get_parameter(path), rtol=0, atol=1e-9)


def test_which_rounds_share_what() -> None:
    """The passes of the table, as one would count them on paper."""

    def passes(row: str, stage: int = 0, number: int = 0) -> dict[str, int]:
        found = Plan(TABLE[row]()).round(stage, number).passes()
        return {name: n.total for name, n in found.items() if n.total}

    assert passes("gan") == passes("dcgan") == passes("cdcgan") == {"G": 1, "D": 3}
    assert passes("wgan") == {"G": 5, "C": 11}
    assert passes("wgan_gp") == {"G": 5, "C": 16}
    assert passes("bigan") == passes("ali") == {"G": 1, "E": 1, "D": 2}
    assert passes("ganomaly") == {"GE": 2, "GD": 2, "E": 1, "D": 3}
    assert passes("discogan", number=0) == {"AB": 1, "BA": 1, "DA": 2, "DB": 2}
    assert passes("discogan", number=1) == {"AB": 2, "BA": 2, "DA": 2, "DB": 2}
    assert passes("stackgan", stage=1) == {"CA": 1, "G": 1, "CA2": 1, "G2": 1, "D2": 4}


def test_what_is_trained_passed_through_and_free() -> None:
    found = Plan(TABLE["wgan_gp"]()).round(0, 0).passes()
    generator, critic = found["G"], found["C"]
    assert (generator.trained, generator.free) == (1, 4)
    assert (critic.trained, critic.through, critic.penalty) == (10, 1, 5)
    frozen = Plan(TABLE["stackgan"]()).round(1, 0).passes()
    assert (frozen["G"].free, frozen["G"].trained, frozen["G"].through) == (1, 0, 0)


# ------------------------------------------------------------------------ work not done


def flops(work: Callable[[], object]) -> int:
    with FlopCounterMode(display=False) as counter:
        work()
    return counter.get_total_flops()


@pytest.mark.parametrize("row", ["gan", "dcgan"])
def test_no_weight_gradients_outside_an_update(row: str, float64: None) -> None:
    """A round saves, to the last multiplication, a pass of G and D's weight gradients."""
    spec = TABLE[row]()
    nets = networks(spec)
    D, G = nets["D"], nets["G"]
    z = draws(spec)(0, "z")

    def forward() -> int:
        with torch.no_grad():
            return flops(lambda: G(z))

    def backward(to_weights: bool) -> int:
        fake = G(z).detach().requires_grad_()
        score = D(fake).sum()
        inputs = [fake, *D.parameters()] if to_weights else [fake]
        return flops(lambda: torch.autograd.grad(score, inputs))

    wasted = backward(to_weights=True) - backward(to_weights=False)
    assert wasted > 0
    loop = Loop(networks(spec), draws(spec), RATE)
    by_hand = flops(lambda: ROUNDS[row, 0, 0](loop))
    planned = flops(lambda: run(Plan(spec).round(0, 0), nets, draws(spec)))
    assert planned == by_hand - forward() - wasted


def test_a_frozen_stage_leaves_no_graph() -> None:
    spec = TABLE["stackgan"]()
    graphs: dict[str, list[bool]] = {name: [] for name in spec.networks}
    nets = networks(spec, spec.stages[1].freeze)
    for name, net in nets.items():
        net.register_forward_hook(lambda _, __, out, n=name: graphs[n].append(out.requires_grad))
    run(Plan(spec).round(1, 0), nets, draws(spec))
    assert graphs["G"] == graphs["CA"] == [False]
    assert graphs["G2"] == graphs["CA2"] == [True]


def test_the_fake_batch_of_d_is_that_of_g() -> None:
    code = Plan(TABLE["gan"]()).round(0, 0).code
    assert code.count("G(z)") == 1
    assert "D(fake.detach())" in code and "bce(D(fake), 1)" in code


def test_repetitions_are_a_loop_without_a_graph_for_g() -> None:
    lines = [line.strip() for line in Plan(TABLE["wgan"]()).round(0, 0).code.splitlines()]
    start = lines.index("for k in range(0, 4):")
    assert lines[start + 2].endswith("= draw(k, 'z', 'x')")
    assert lines[start + 3 : start + 5] == ["with no_grad():", "fake = G(z)"]
    # the last repetition keeps G's graph: G learns from the same batch
    last = lines.index("z, x = draw(4, 'z', 'x')")
    assert lines[last + 1] == "fake = G(z)"


def test_tracebacks_show_the_generated_code() -> None:
    spec = TABLE["gan"]()
    nets = networks(spec)
    with pytest.raises(ZeroDivisionError) as caught:
        Plan(spec).round(0, 0).compile(nets)(lambda *_: 1 / 0, None, None)
    assert str(caught.traceback[1].statement).strip() == "x, z = draw(0, 'x', 'z')"


# ------------------------------------------------------------------- any names whatever


def critic_spec(G: str, C: str, x: str, z: str, fake: str) -> Spec:
    """WGAN-GP with names of one's choice: a loop, a penalty, a shared fake, what is detached."""
    shape = (1, 4, 4)
    return Spec(
        draws={x: Image(shape), z: Normal(3)},
        networks={
            G: Network({"z": ()}, (Linear(16), Tanh(), Reshape(shape))),
            C: Network({"x": ()}, (Flatten(), Linear(6), LeakyReLU(), Tap("out"), Linear(1))),
        },
        let={fake: f"{G}({z})"},
        round=[
            Update(
                (C,),
                {
                    "critic": f"mean({C}({fake})) - mean({C}({x}))",
                    "penalty": f"10 * gradient_penalty({C}, {x}, {fake})",
                    "constant": f"0 * mean({x})",
                },
                repeat=3,
            ),
            Update((G,), {"critic": f"-mean({C}({fake}))", "tap": f"mean({C}.out({fake}))"}),
        ],
    )


PLAIN = ("G", "C", "x", "z", "fake")
HOSTILE = [
    ("draw", "gradients", "apply", "no_grad", "k"),
    ("apply", "no_grad", "k", "draw", "gradients"),
    ("k", "train_round", "range", "outputs", "keep_graph"),
    ("train_round", "range", "gradients", "k", "draw"),
    ("no_grad", "k", "draw", "range", "train_round"),
    ("range", "draw", "mix", "mean_2", "mix_2"),
    ("fake", "fake_2", "C_critic", "fake_3", "C_penalty"),
    ("mean_2", "value", "fake_2", "torch", "detach_2"),
    ("x", "z", "fake", "G", "C"),
    ("C_critic", "G_critic", "print", "self", "len"),
    ("_".join("ab"), "C", "C_x", "C_out_fake", "G_z"),
]


def _split(key: str) -> tuple[str, str]:
    net, dot, path = key.partition(".")
    return net, dot + path


@pytest.mark.parametrize("names", HOSTILE, ids="-".join)
def test_any_names_give_the_same_round(names: tuple[str, ...], float64: None) -> None:
    def steps(spec: Spec, roles: dict[str, str]) -> Steps:
        found = run(Plan(spec).round(0, 0), networks(spec, roles=roles), draws(spec, roles))
        return [
            (
                roles.get(name, name),
                {roles[net] + path: g for k, g in gradients.items() for net, path in [_split(k)]},
            )
            for name, gradients in found
        ]

    roles = dict(zip(names, PLAIN, strict=True))
    plain = steps(critic_spec(*PLAIN), dict(zip(PLAIN, PLAIN, strict=True)))
    assert_same(steps(critic_spec(*names), roles), plain)


def test_the_text_of_a_name_is_never_run(float64: None) -> None:
    """A Spec refuses such a name; even if one came through, it would stay a text in the code."""
    hostile = "C'); 1 / 0 #\"\n    1 / 0"
    spec = critic_spec(*PLAIN)
    first, second = spec.stages[0].round
    round = (Update.model_construct(**{**dict(first), "name": hostile}), second)
    stage = Stage.model_construct(**{**dict(spec.stages[0]), "round": round})
    steps = run(Round(spec, stage, (True, True)), networks(spec), draws(spec))
    assert [name for name, _ in steps] == [hostile] * 3 + ["G"]


def test_a_round_in_which_nothing_is_due() -> None:
    spec = TABLE["gan"]()
    stage = spec.stages[0]
    every_other = [u.model_copy(update={"every": 2}) for u in stage.round]
    spec = Spec(
        draws=spec.draws, networks=spec.networks, let=spec.let, round=every_other, batch=BATCH
    )
    plan = Plan(spec)
    assert plan.period(0) == 2 and len(plan.patterns(0)) == 2
    assert [n for n, _ in run(plan.round(0, 2), networks(spec), draws(spec))] == ["D", "G"]
    assert run(plan.round(0, 1), networks(spec), draws(spec)) == []


# -------------------------------------------------------------------------- small cases


def linear_spec(round: list[Any], **more: Any) -> Spec:
    def net() -> Network:
        return Network({"v": ()}, (Linear(3), Tap("half"), Tanh(), Linear(3)))

    return Spec(draws={"z": Normal(3)}, networks={"A": net(), "B": net()}, round=round, **more)


def by_hand(spec: Spec, losses: Callable[[Loop], None]) -> Steps:
    loop = Loop(networks(spec), draws(spec), RATE)
    losses(loop)
    return loop.steps


def test_a_value_wanted_in_two_ways(float64: None) -> None:
    """A learns through B, then B learns from the same, unchanged fakes; detach() cuts."""
    spec = linear_spec(
        [
            Update("B", {"up": "mean(square(B(fake)))", "cut": "mean(detach(A(fake)))"}),
            Update("A", {"down": "-mean(B(fake)) * mean(detach(fake))"}),
        ],
        let={"fake": "A(z)"},
    )

    def loop(loop: Loop) -> None:
        A, B, z = loop.nets["A"], loop.nets["B"], loop.draw(0, "z")
        loop.learn("B", "B", (B(A(z)) ** 2).mean())
        loop.learn("A", "A", -B(A(z)).mean() * A(z).mean().detach())

    assert_same(run(Plan(spec).round(0, 0), networks(spec), draws(spec)), by_hand(spec, loop))


def test_two_outputs_of_one_pass(float64: None) -> None:
    """An update reads the end, the next one a tap: one pass while nothing stepped between."""
    spec = linear_spec(
        [
            Update("A", {"end": "mean(square(A(B.half(z))))"}),
            Update("B", {"end": "mean(B(z)) - mean(square(B.half(z)))"}),
        ]
    )

    def loop(loop: Loop) -> None:
        A, B, z = loop.nets["A"], loop.nets["B"], loop.draw(0, "z")
        loop.learn("A", "A", (A(B(z, outputs=("half",)).detach()) ** 2).mean())
        loop.learn("B", "B", B(z).mean() - (B(z, outputs=("half",)) ** 2).mean())

    nets = networks(spec)
    with Passes(nets) as count:
        found = run(Plan(spec).round(0, 0), nets, draws(spec))
    assert_same(found, by_hand(spec, loop))
    assert count == {"A": 1, "B": 1}


def test_a_network_that_stepped_runs_again(float64: None) -> None:
    """What was computed with older weights is never reused."""
    spec = linear_spec(
        [
            Update("A", {"one": "mean(square(A(z)))"}),
            Update("B", {"two": "mean(square(B(A(z))))"}, every=1),
            Update(("A",), {"three": "mean(square(B(A(z)) - 1))"}, Adam(), name="again"),
        ]
    )

    def loop(loop: Loop) -> None:
        A, B, z = loop.nets["A"], loop.nets["B"], loop.draw(0, "z")
        loop.learn("A", "A", (A(z) ** 2).mean())
        loop.learn("B", "B", (B(A(z)) ** 2).mean())
        loop.learn("again", "A", ((B(A(z)) - 1) ** 2).mean())

    assert_same(run(Plan(spec).round(0, 0), networks(spec), draws(spec)), by_hand(spec, loop))


def test_a_group_repeats_with_fresh_draws(float64: None) -> None:
    spec = linear_spec(
        [
            Together(
                (
                    Update("A", {"a": "mean(square(B(A(z))))", "twice": "mean(square(B(A(z))))"}),
                    Update("B", {"b": "-mean(square(B(A(z)))) / 2 - (1 - mean(B(z)))"}),
                ),
                repeat=2,
            ),
        ]
    )

    def loop(loop: Loop) -> None:
        A, B = loop.nets["A"], loop.nets["B"]
        for k in range(2):
            z = loop.draw(k, "z")
            size = (B(A(z)) ** 2).mean()
            loop.learn_together([("A", "A", 2 * size), ("B", "B", -size / 2 - (1 - B(z).mean()))])

    assert_same(run(Plan(spec).round(0, 0), networks(spec), draws(spec)), by_hand(spec, loop))


def test_lets_that_double_each_other_cost_no_more_than_their_number() -> None:
    """Sixty lets, each the one before plus itself, are 2**60 names when written out."""
    lets = {"a0": "mean(G(z))"} | {f"a{i}": f"a{i - 1} + a{i - 1}" for i in range(1, 61)}
    spec = Spec(
        draws={"z": Normal(2)},
        networks={"G": Network({"z": ()}, (Linear(1),))},
        let=lets,
        round=[Update("G", {"all": "a60"})],
    )
    round = Plan(spec).round(0, 0)
    assert round.code.count(" + ") == 60
    assert round.passes()["G"].total == round.plain_passes()["G"] == 1


def test_detached_values_need_no_graph() -> None:
    spec = Spec(
        draws={"z": Normal(2)},
        networks={name: Network({"z": ()}, (Linear(1),)) for name in "GH"},
        round=[
            Update("G", {"far": "mean(G(z)) + mean(detach(H(z)))"}),
            Update("H", {"h": "mean(H(z))"}),
        ],
    )
    code = Plan(spec).round(0, 0).code
    assert "detach(H_z)" in code or "detach(H(z))" in code
    passes = Plan(spec).round(0, 0).passes()
    assert passes["G"].trained == 1 and passes["H"].total == 1
