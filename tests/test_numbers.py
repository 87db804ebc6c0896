"""Numbers that follow the run: what they come to, where they may stand, what refuses them."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from ganzoo.engine.averages import decay_of
from ganzoo.errors import SpecError
from ganzoo.nn.functions import arithmetic
from ganzoo.nn.optimizers import rates_of
from ganzoo.spec import Adam, HalfLife, Spec, Update, numbers
from ganzoo.spec import expression as ex
from ganzoo.spec.functions import FUNCTIONS
from ganzoo.spec.latex import expression_latex
from ganzoo.spec.numbers import HOST, Clock
from tests.builders import gan, training

N = 1000
BATCH = 50


def at(text: str, progress: float, **lets: str) -> float:
    """The number at a share of 1000 rounds of 50 images; beyond 1 it has run longer."""
    return numbers.value(text, lets, Clock(round(progress * N), BATCH, progress))


@pytest.mark.parametrize(
    ("text", "values"),
    [
        # at 0, N/2, N, 2N
        ("3", (3, 3, 3, 3)),
        ("cosine(images / 50e3, 2e-4, 5e-5)", (2e-4, 1.25e-4, 5e-5, 5e-5)),
        ("ramp(images / 50e3, 0.9, 0.99)", (0.9, 0.945, 0.99, 0.99)),
        ("ramp(2 * progress - 1, 2, 0)", (2, 2, 0, 0)),  # linear to 0 in the second half
        ("cosine(progress / 0.5, 2, 0.2)", (2, 0.2, 0.2, 0.2)),  # then it holds
        ("ramp(step / 500, 0, 1) * 4", (0, 4, 4, 4)),  # warm-up
        ("where(step < 600, 0, 0.9999)", (0, 0, 0.9999, 0.9999)),
        ("power(0.99, 16 / 17)", (0.99 ** (16 / 17),) * 4),
        ("minimum(500, 0.05 * images)", (0, 500, 500, 500)),
        ("gamma / 2", (1, 0.1, 0.1, 0.1)),
    ],
)
def test_values_at_nothing_half_all_and_twice(text: str, values: tuple[float, ...]) -> None:
    found = [at(text, share, gamma="cosine(2 * progress, 2, 0.2)") for share in (0, 0.5, 1, 2)]
    assert found == pytest.approx(values, rel=1e-12)


def test_a_cosine_is_half_a_cosine() -> None:
    for share in (0.1, 0.3, 0.7):
        wanted = 0.2 + 1.8 * (1 + math.cos(math.pi * share)) / 2
        assert at("cosine(progress, 2, 0.2)", share) == pytest.approx(wanted)


@pytest.mark.parametrize("name", HOST)
def test_the_host_and_the_device_mean_the_same(name: str) -> None:
    """What a function gives as a number of the run it gives in a loss."""
    count = len(FUNCTIONS[name].parameters)
    values = [0.3, 1.7, 0.6][:count]
    host = HOST[name](*values)
    tensors = [torch.tensor(value, dtype=torch.float64) for value in values]
    assert host == pytest.approx(getattr(arithmetic, name)(*tensors).item(), rel=1e-12)


def test_a_half_life_is_one_at_any_batch() -> None:
    """After so many images the start weighs a half, however many there are in a batch."""
    for batch in (16, 64, 200):
        rounds = 12_800 // batch
        decay = decay_of(HalfLife(12_800), {}, Clock(0, batch, 0.0), 0)
        assert decay**rounds == pytest.approx(0.5)
    assert decay_of(HalfLife(0), {}, Clock(0, 64, 0.0), 0) == 0  # the weights themselves


def test_averages_follow_the_run() -> None:
    late = "where(step < 3, 0, 0.9)"
    run = training(gan(ema={"G": late}))
    weights = list(run.networks["G"].parameters())
    for number in range(5):
        before = [value.clone() for value in run.averages.tensors().values()]
        run.round()
        for average, old, live in zip(
            run.averages.tensors().values(), before, weights, strict=True
        ):
            wanted = live if number < 3 else 0.9 * old + 0.1 * live
            assert torch.allclose(average, wanted, atol=1e-7)


def test_every_number_of_an_optimizer_follows_the_run() -> None:
    adam = Adam("ramp(step / 4, 0.1, 0.5)", (0.5, "ramp(step / 4, 0.9, 0.99)"))
    rates = rates_of(adam, {}, Clock(2, 8, 0.5))
    assert rates == pytest.approx({"lr": 0.3, "betas.0": 0.5, "betas.1": 0.945})
    spec = gan(round=[Update(["D", "G"], {"a": "mean(D(G(z))) + mean(D(x))"}, adam)], let={})
    run = training(spec)
    for step in range(5):
        run.round()
        [group] = run.updaters["D_G"].optimizer.param_groups
        assert group["lr"] == pytest.approx(0.1 + 0.1 * min(step, 4))
        assert group["betas"] == pytest.approx((0.5, 0.9 + 0.0225 * min(step, 4)))


def test_a_loss_reads_what_the_host_computed() -> None:
    terms = {"real": "ramp(step / 2, 1, 3) * mean(D(x))", "plain": "mean(D(x)) + 0 * mean(D(G(z)))"}
    spec = gan(round=[Update("D", terms, Adam(1e-12)), Update("G", {"a": "mean(D(G(z)))"})], let={})
    run = training(spec)
    for factor in (1, 2, 3, 3):
        run.round()
        losses = run.losses()
        assert losses["D.real"] == pytest.approx(factor * losses["D.plain"], rel=1e-5)


def test_words_of_the_run_give_way_to_names_of_the_spec() -> None:
    """A Spec from before these words, with a draw of such a name, means what it meant."""
    spec = gan(
        draws={"x": gan().draws["x"], "step": gan().draws["z"]},
        let={"fake": "G(step)"},
        tasks={"generate": "G(step)"},
    )
    assert not spec.schedule.has(ex.parse("step"))
    training(spec).round()


@pytest.mark.parametrize(
    ("where", "text", "message"),
    [
        ("lr", "cosin(progress, 1, 2)", "'cosin' is not known before a round begins; did you mean"),
        ("lr", "mean(D(x))", "'D' is not known before a round begins"),
        ("lr", "mean(progress)", "'mean' is not known before a round begins"),
        ("lr", "fake", "'G' is not known before a round begins"),
        ("lr", "x", "'x' is not known before a round begins"),
        ("lr", "ramp(progress, 1)", "ramp(t, a, b) takes 3 arguments, not 2"),
        ("lr", "1 - 2 * progress", "is -0.5 at progress 0.75; it must be at least 0"),
        ("eps", "1 - 2 * progress", "is 0 at progress 0.5; it must be more than 0"),
        ("lr", "1 / step", "has no value at step 0"),
        ("betas.1", "ramp(progress, 0.5, 1)", "is 1 at progress 1; it must be less than 1"),
        ("betas.0", "progres", "did you mean 'progress'?"),
    ],
)
def test_one_mistake_in_a_number_gives_one_problem_at_its_path(
    where: str, text: str, message: str
) -> None:
    data = gan().to_dict()
    optimizer = data["stages"][0]["round"][0]["optimizer"]
    key, _, index = where.partition(".")
    if index:
        optimizer[key][int(index)] = text
    else:
        optimizer[key] = text
    with pytest.raises(SpecError) as caught:
        Spec.from_dict(data)
    [(path, problem)] = caught.value.problems
    assert path == f"stages.0.round.0.optimizer.{where}"
    assert message in problem


@pytest.mark.parametrize(
    ("average", "path", "message"),
    [
        (1.5, "ema.G", "should be less than 1"),
        ("2 * progress", "ema.G", "is 1.5 at progress 0.75; it must be at most 1"),
        ({"half_life": -1}, "ema.G.half_life", "greater than or equal to 0"),
        ({"half_life": "-images"}, "ema.G.half_life", "it must be at least 0"),
        ({"half_live": 1}, "ema.G", "unknown key 'half_live'"),
    ],
)
def test_one_mistake_in_an_average_gives_one_problem(average: Any, path: str, message: str) -> None:
    with pytest.raises(SpecError) as caught:
        Spec.from_dict({**gan().to_dict(), "ema": {"G": average}})
    [(found, problem)] = caught.value.problems
    assert (found, message in problem) == (path, True), problem


def test_a_run_whose_numbers_follow_its_progress_has_an_end() -> None:
    def spec(lr: str) -> Spec:
        update = Update("G", {"f": "-mean(D(fake))"}, Adam(lr))
        return gan(round=[gan().stages[0].round[0], update])

    assert spec("1e-4").open_ended and spec("ramp(step / 10, 1e-5, 1e-4)").open_ended
    assert not spec("ramp(progress, 1e-3, 1e-4)").open_ended


def test_a_task_has_no_rounds() -> None:
    with pytest.raises(SpecError, match="'progress' is a word of training"):
        gan(tasks={"generate": "G(z) * progress"})


def test_numbers_come_back_from_json_and_are_set_in_latex() -> None:
    spec = gan(
        let={"fake": "G(z)", "rate": "cosine(progress, 1e-3, 1e-4)"},
        round=[gan().stages[0].round[0], Update("G", {"f": "-mean(D(fake))"}, Adam("rate"))],
        ema={"G": {"half_life": "ramp(images / 1e6, 0, 500e3)"}},
    )
    assert Spec.from_json(spec.to_json()) == spec
    assert r"\operatorname{cosine}\left(\mathrm{progress}" in expression_latex(spec, "rate") or (
        "progress" in expression_latex(spec, spec.let["rate"])
    )


def test_lets_that_double_each_other_cost_no_more_than_their_number() -> None:
    """Each let uses the one before it twice: 2^40 times the first."""
    let = {"a0": "progress"} | {f"a{n}": f"(a{n - 1} + a{n - 1}) / 2" for n in range(1, 40)}
    update = Update("G", {"f": "-a39 * mean(D(fake))"}, Adam("1 + a39"))
    spec = gan(let={"fake": "G(z)", **let}, round=[gan().stages[0].round[0], update])
    assert rates_of(spec.stages[0].updates[1].optimizer, spec.let, Clock(4, 8, 0.5)) == {"lr": 1.5}
    run = training(spec)
    run.round()
    assert run.losses()["G.f"] == 0
