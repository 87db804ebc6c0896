"""How long checking and explaining may take is bounded."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
import torch

from ganzoo.engine.explain import explain
from ganzoo.errors import (
    GanzooError,
)
from ganzoo.models import store
from ganzoo.nn import functions, soundness
from ganzoo.nn.build import build, initialize
from ganzoo.spec import (
    Adam,
    Spec,
    Stage,
    Task,
    Together,
    Update,
)
from tests.small_gan import D, E, G, spec_of, trained

# ------------------------------------------------------------------------------ bounded time


def quick(make: Any, seconds: float = 4.0) -> Any:
    """What `make` gives, or the error of ganzoo that it raises, without spending long."""
    begin = time.process_time()
    try:
        found = make()
    except GanzooError as error:
        found = error
    assert time.process_time() - begin < seconds
    return found


def test_rounds_that_hardly_ever_repeat_are_refused() -> None:
    """`explain` enumerated them, and never ended."""
    first, second = spec_of().stages[0].round
    found = quick(lambda: Stage([first.replace(every=999_983), second.replace(every=999_979)]))
    assert "every 999,979, 999,983 together repeat after 999,962,000,357 rounds" in str(found)
    many = [
        first.replace(every=128, on=[n for n in range(128) if n >> k & 1], name=f"u{k}")
        for k in range(7)
    ]
    assert "128 different kinds of rounds" in str(quick(lambda: Stage(many)))
    Stage([first.replace(every=16), second.replace(every=4)])


def test_a_round_has_a_bounded_number_of_steps() -> None:
    first, second = spec_of().stages[0].round
    assert "at most 1,000" in str(quick(lambda: Stage([first.replace(repeat=999), second] * 2)))
    group = Together([first, second], repeat=600)
    assert "1,200 steps of optimizers" in str(quick(lambda: Stage([group])))


def test_repetitions_cost_no_more_to_explain() -> None:
    spec = spec_of()
    first, second = spec.stages[0].round
    few, many = (spec.replace(round=[first.replace(repeat=times), second]) for times in (10, 900))
    explain(spec)  # what is imported once
    [some], [found] = explain(few), quick(lambda: explain(many))
    each = (found.flops - some.flops) / 890
    assert (
        each
        == (some.flops - explain(spec.replace(round=[first.replace(repeat=4), second]))[0].flops)
        / 6
    )
    assert found.passes["D"].total - some.passes["D"].total == 890 * 2
    assert "range(0, 899)" in found.round.code


@pytest.mark.parametrize(
    "doubled", ["{0} + {0}", "0.5 * ({0} + {0})", "{0} * {0}", "maximum({0}, {0})"]
)
@pytest.mark.parametrize("start", ["mean(D(x)) - mean(D(fake))", "progress"])
def test_lets_that_double_cost_no_more_than_others(doubled: str, start: str) -> None:
    lets = {"fake": "G(z)", "a0": start}
    lets |= {f"a{n}": doubled.format(f"a{n - 1}") for n in range(1, 60)}
    loss = "a59" if "D" in start else "a59 * (mean(D(x)) - mean(D(fake)))"
    made = quick(lambda: spec_of(loss, let=lets))
    assert isinstance(made, Spec)
    quick(lambda: explain(made), 20)


def test_depth_is_bounded_behind_lets() -> None:
    lets = {"fake": "G(z)", "a0": "x"}
    lets |= {f"a{n}": "-" * 35 + f"a{n - 1}" for n in range(1, 20)}
    found = quick(lambda: spec_of("mean(D(a19))", let=lets))
    assert "deep with its lets written out; at most 150" in str(found)


def test_gradients_in_gradients_are_bounded() -> None:
    lets = {"fake": "G(z)", "g0": "mean(square(D(x)))"}
    lets |= {f"g{n}": f"mean(square(grad(g{n - 1}, x)))" for n in range(1, 9)}
    found = quick(lambda: spec_of("g8 + mean(D(x))", let=lets))
    assert "gradients in gradients, 4 deep; at most 3" in str(found)


def test_strictness_costs_nothing_outside_dry_runs() -> None:
    """Tasks and training run what torch does."""
    with pytest.raises(ValueError, match="shapes differ"), soundness.strict():
        torch.ones(4, 1) + torch.ones(4)
    assert (torch.ones(3, 1) + torch.ones(3)).shape == (3, 3)
    assert functions.load("mse")(torch.ones(3), torch.zeros(3)) == 1


def test_what_passes_trains_saves_and_answers(tmp_path: Path) -> None:
    spec = spec_of(
        networks={"G": G, "D": D, "E": E},
        round=[
            Update("D", {"d": "mean(D(fake)) - mean(D(x))"}, Adam(1e-4)),
            Update(("G", "E"), {"g": "mean(D(fake)) + l1(G(E(x)), x)"}, Adam(1e-4)),
        ],
        tasks={"generate": "G(z)", "encode": "E(x)", "reconstruct": "G(E(x))",
               "score": Task("score", "distance(x, G(E(x)))", map="abs(x - G(E(x)))")},
    )  # fmt: skip
    model = trained(spec)
    model.save_pretrained(tmp_path / "model")
    again = store.load(tmp_path / "model")
    images = torch.rand(3, 1, 8, 8)
    assert len(again.generate(3)) == 3
    assert again.encode(images).shape == (3, 4)
    assert len(again.reconstruct(images)) == 3
    assert again.score(images, maps=True).maps is not None
    net = build(spec)["G"]
    initialize(net, spec.networks["G"], 0)
