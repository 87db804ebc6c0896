"""State: what lasts from round to round, and what reads it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Literal

import pytest
import torch
from pydantic import Field
from torch import Tensor

from ganzoo.engine.plan import Plan, Round
from ganzoo.engine.training import Training
from ganzoo.errors import ShapeError, SpecError
from ganzoo.models import store
from ganzoo.nn.build import build
from ganzoo.plugins.host import Host
from ganzoo.spec import Adam, Normal, Pool, Running, Spec, State, Task, Update, vocabulary
from tests.builders import gan, training


def held(run: Training, name: str) -> Tensor:
    return run.memory.held[name]["value"]


def counting(**more: Any) -> Spec:
    """A state that grows by 1 each time, in a loss that does not count."""
    d = Update("D", {"real": "mean(softplus(-D(x))) + 0 * n", "fake": "mean(softplus(D(fake)))"})
    return gan(state={"n": Running("n + 1", **more)}, round=[d, gan().stages[0].round[1]])


def test_a_number_becomes_what_next_says_after_each_round() -> None:
    run = training(counting(start=5))
    for number in range(4):
        assert held(run, "n").item() == 5 + number
        run.round()


def test_it_may_change_in_some_rounds_alone() -> None:
    run = training(counting(every=3, on=(1,)))
    seen: list[float] = []
    for _ in range(7):
        run.round()
        seen.append(held(run, "n").item())
    assert seen == [0, 1, 1, 1, 2, 2, 2]


def test_all_change_from_what_all_were_before() -> None:
    spec = gan(
        state={"a": Running("b", start=1), "b": Running("a + b", start=1)},
        round=[
            Update("D", {"r": "mean(D(x)) + 0 * a * b", "f": "-mean(D(fake))"}, Adam(1e-9)),
            gan().stages[0].round[1],
        ],
    )
    run = training(spec)
    pairs: list[tuple[float, float]] = []
    for _ in range(5):
        run.round()
        pairs.append((held(run, "a").item(), held(run, "b").item()))
    assert pairs == [(1, 2), (2, 3), (3, 5), (5, 8), (8, 13)]  # Fibonacci, not powers of 2


def test_next_reads_what_the_round_computed_and_adds_no_pass() -> None:
    def round(state: dict[str, State], more: str = "") -> Round:
        terms = {"real": f"mean(softplus(-D(x))){more}", "fake": "mean(softplus(D(fake)))"}
        spec = gan(state=state, round=[Update("D", terms), gan().stages[0].round[1]])
        return Plan(spec).round(0, 0)

    plain = round({})
    with_state = round({"m": Running("lerp(m, mean(D(x)), 0.1)")}, " + 0 * m")
    assert plain.passes() == with_state.passes()
    assert with_state.code.count("D(x)") == 1


def test_what_the_round_did_not_compute_costs_a_pass_that_explain_shows() -> None:
    state = {"m": Running("mean(D(roll(x)))")}
    update = Update("D", {"r": "mean(D(x)) * m", "f": "mean(D(fake))"})
    round = Plan(gan(state=state, round=[update, gan().stages[0].round[1]])).round(0, 0)
    assert round.passes()["D"].free == 1


def test_a_loss_takes_a_state_for_a_constant() -> None:
    """BEGAN's k: no gradient flows through what it is made of."""
    state = {"k": Running("clip(k + 0.1 * mean(D(x)), 0, 1)", start=0.5)}
    d = Update("D", {"d": "mean(D(x)) - k * mean(D(fake))"})
    spec = gan(state=state, round=[d, gan().stages[0].round[1]])
    run = training(spec)
    apply, seen = run._apply, dict[str, list[Tensor]]()

    def watched(name: str) -> None:
        seen[name] = [p.grad.clone() for p in run.updaters[name].parameters if p.grad is not None]
        apply(name)

    run._apply = watched  # type: ignore[method-assign]
    before = {name: value.clone() for name, value in run.networks["D"].state_dict().items()}
    x, z = run.draws(0, 0, ("x", "z"))
    fake = run.networks["G"](z).detach()
    run.round()
    run.networks["D"].load_state_dict(before)
    d_net = run.networks["D"]
    loss = d_net(x).mean() - 0.5 * d_net(fake).mean()
    for ours, wanted in zip(
        seen["D"], torch.autograd.grad(loss, list(d_net.parameters())), strict=True
    ):
        assert torch.allclose(ours, wanted, atol=1e-6)
    after = 0.5 + 0.1 * d_net(x).mean().item()
    assert held(run, "k").item() == pytest.approx(after, abs=1e-6)


def test_k_of_began_rises_if_and_only_if_reals_are_worse_than_fakes() -> None:
    """And comes to rest where gamma L(x) = L(G), on a made game whose losses are given numbers."""
    k = torch.zeros(())
    spec = gan(
        state={"k": Running("clip(k + 0.05 * (0.5 * real - made), 0, 1)")},
        let={"fake": "G(z)", "real": "l1(x, x - 2)", "made": "0.4 + k"},
        round=[
            Update("D", {"d": "mean(D(x)) * real - k * mean(D(fake)) * made"}),
            gan().stages[0].round[1],
        ],
    )  # L(x) = 2, L(G) = 0.4 + k: equilibrium at 0.5 * 2 = 0.4 + k
    run = training(spec)
    for _ in range(120):
        rises = 0.4 + k.item() < 0.5 * 2
        run._ends = [10_000]  # as long as it takes
        run.round()
        assert (held(run, "k") > k).item() == rises or abs(held(run, "k") - 0.6) < 1e-3
        k = held(run, "k").clone()
    assert k.item() == pytest.approx(0.6, abs=2e-3)


@pytest.mark.parametrize(("scores", "sign"), [("5", 1), ("-5", -1)])
def test_ada_moves_p_by_four_batches_over_half_a_million(scores: str, sign: int) -> None:
    """D(real) = c: p rises, or falls, by 4 b / 500k; and not below 0."""
    step = "4 * batch / 500e3 * sign(mean(sign(judged)) - 0.6)"
    spec = gan(
        state={"p": Running(f"maximum(0, p + {step})", start=1e-4, every=4)},
        let={"fake": "G(z)", "judged": f"0 * D(ada(x, p)) + {scores}"},
        round=[
            Update("D", {"d": "mean(softplus(-judged))", "f": "mean(D(ada(fake, p)))"}),
            gan().stages[0].round[1],
        ],
    )
    run = training(spec)
    wanted = 1e-4
    for number in range(8):
        run.round()
        wanted = max(0.0, wanted + (sign * 4 * 8 / 500e3 if number % 4 == 0 else 0))
        assert held(run, "p").item() == pytest.approx(wanted, abs=1e-9)


# ---------------------------------------------------------------------------- vectors, tasks


def truncated() -> Spec:
    return gan(
        state={"z_mean": Running("lerp(z_mean, batch_mean(z), 0.5)", size=4)},
        tasks={"generate": Task(kind="generate", output="G(lerp(z_mean, z, psi))",
                                numbers={"psi": 0.7})},
    )  # fmt: skip


def test_a_state_that_a_task_reads_is_published(tmp_path: Path) -> None:
    run = training(truncated())
    for _ in range(3):
        run.round()
    model = run.model()
    assert torch.equal(model.state["z_mean"], held(run, "z_mean"))
    again = store.load(store.save(model, tmp_path / "model", dtype="float16"))
    assert torch.equal(again.state["z_mean"], held(run, "z_mean"))
    assert torch.allclose(again.generate(3, output="pt"), model.generate(3, output="pt"), atol=1e-2)
    run.round()  # the published one is a copy
    assert not torch.equal(model.state["z_mean"], held(run, "z_mean"))


def test_truncation_moves_samples_toward_the_mean() -> None:
    run = training(truncated())
    run.round()
    model = run.model()
    mean = model.evaluate("G(z)", {"z": model.state["z_mean"][None]})

    def distance(psi: float) -> float:
        images = model.generate(16, psi=psi, output="pt").mul(2).sub(1)
        return (images - mean).flatten(1).norm(dim=1).mean().item()

    distances = [distance(psi) for psi in (0, 0.3, 0.7, 1)]
    assert distances[0] == pytest.approx(0, abs=1e-5)
    assert distances == sorted(distances)
    default = model.generate(4, output="pt")
    assert torch.equal(default, model.generate(4, psi=0.7, output="pt"))


def test_a_vector_beside_a_batch_stands_for_each_row_and_nothing_else_is_broadcast() -> None:
    mean = {"m": Running("lerp(m, batch_mean(z), 0.1)", size=4)}
    build(gan(state=mean, let={"fake": "G(z - m)"}))
    d = Update("D", {"a": "mean(w)", "b": "mean(D(fake))"})
    spec = gan(let={"fake": "G(z)", "w": "D(x) - norm(x)"}, round=[d, gan().stages[0].round[1]])
    with pytest.raises(ShapeError, match="operands have one shape, or one of them is a number"):
        build(spec)


# ----------------------------------------------------------------------------------- pools


def pooled(size: int = 6) -> Spec:
    return gan(
        state={"old": Pool("fake", size)},
        round=[
            Update("D", {"real": "mean(softplus(-D(x)))", "fake": "mean(softplus(D(old)))"}),
            gan().stages[0].round[1],
        ],
    )


def run_pool(size: int, batch: int, rounds: int) -> list[tuple[Tensor, Tensor]]:
    """What came and what was seen, of a pool of numbers that count up."""
    pool = Pool("fake", size)
    now = pool.tensors({"of": (1,)})
    found: list[tuple[Tensor, Tensor]] = []
    generator = torch.Generator().manual_seed(0)
    for number in range(rounds):
        came = torch.arange(batch).float().add(number * batch).unsqueeze(1)
        chance = {w: torch.rand(batch, generator=generator) for w in ("place", "swap")}
        found.append((came, pool.value(now, of=came, **chance)))
        now = pool.after(now, of=came, **chance)
    return found


@pytest.mark.parametrize(("size", "batch"), [(50, 1), (50, 4), (12, 8), (5, 8)])
def test_a_pool_shows_older_samples_half_of_the_time(size: int, batch: int) -> None:
    found = run_pool(size, batch, 600)
    full = -(-size // batch) + 1
    before = [seen for came, seen in found[: size // batch] if not torch.equal(came, seen)]
    assert not before  # until it is full, samples are seen as they are
    old = torch.cat([(came != seen).float() for came, seen in found[full:]])
    share = 0.5 * min(1, size / batch)
    assert old.mean().item() == pytest.approx(share, abs=0.06)
    everything: list[float] = []
    for came, seen in found:
        assert set(seen.flatten().tolist()) <= {*everything, *came.flatten().tolist()}
        shown = seen[came != seen].tolist()
        assert len(set(shown)) == len(shown)  # no place twice in a batch
        everything += came.flatten().tolist()
    # what is shown once is gone from the pool: it is exchanged and not copied
    shown = [value for came, seen in found for value in seen[came != seen].tolist()]
    assert len(set(shown)) == len(shown)


def test_samples_stay_in_a_pool_as_long_as_chance_says() -> None:
    """Each round a place of n is taken with probability b / 2n: a mean age of 2n / b rounds."""
    ages = [(came - seen)[came != seen] for came, seen in run_pool(50, 1, 4000)[500:]]
    assert torch.cat(ages).mean().item() == pytest.approx(2 * 50, rel=0.15)


def test_what_a_pool_shows_has_no_graph_and_needs_no_pass() -> None:
    round = Plan(pooled()).round(0, 0)
    assert round.passes()["G"].total == 1 and round.passes()["D"].trained == 2
    run = training(pooled())
    for _ in range(3):
        run.round()
    assert run.memory.held["old"]["filled"].item() == 6


# ------------------------------------------------------------- resuming, processes, mistakes


def everything() -> Spec:
    return gan(
        state={
            "m": Running("lerp(m, batch_mean(z), 0.1)", size=4),
            "k": Running("lerp(k, mean(D(x)), 0.5)", every=2),
            "old": Pool("fake", 12),
        },
        round=[
            Update("D", {"r": "mean(softplus(-D(x))) * (1 + k)", "f": "mean(softplus(D(old)))"}),
            Update("G", {"f": "mean(softplus(-D(fake)))", "a": "0.1 * l1(fake, G.ema(z))"}),
        ],
        ema={"G": {"half_life": 40}},
        tasks={"generate": "G(z + m)"},
    )


def test_a_run_with_state_resumes_bit_for_bit(tmp_path: Path) -> None:
    whole, half, rest = (training(everything()) for _ in range(3))
    for _ in range(7):
        whole.round()
    for _ in range(3):
        half.round()
    half.save(tmp_path / "half.safetensors")
    rest.load(tmp_path / "half.safetensors")
    for _ in range(4):
        rest.round()
    ours, theirs = whole._state(), rest._state()
    assert ours.keys() == theirs.keys()
    assert {"state/m/value", "state/old/samples", "state/old/filled", "averages/G/0"} <= set(ours)
    assert all(torch.equal(ours[key], theirs[key]) for key in ours)


def test_a_spec_with_state_comes_back_from_json() -> None:
    spec = everything()
    assert Spec.from_json(spec.to_json()) == spec
    short = {**spec.to_dict(), "state": {"k": {"next": "lerp(k, mean(D(x)), 0.5)", "every": 2},
                                         "m": spec.to_dict()["state"]["m"],
                                         "old": {"of": "fake", "size": 12}}}  # fmt: skip
    assert Spec.from_dict(short) == spec.model_copy(
        update={"state": type(spec.state)({name: spec.state[name] for name in short["state"]})}
    )


@pytest.mark.parametrize(
    ("state", "path", "message"),
    [
        ({"k": {"next": "k + mean(D(y))"}}, "state.k.next", "no draw or let 'y'"),
        ({"k": {"nxt": "k"}}, "state.k", "a kind is required"),
        ({"k": {"kind": "runing", "next": "k"}}, "state.k", "did you mean 'running'?"),
        ({"k": {"next": "k", "every": 2, "on": [2]}}, "state.k.on", "never round % every"),
        ({"x": {"next": "x"}}, "state.x", "the name is taken by draws.x"),
        ({"k": {"size": 3, "next": "k + 1"}}, "state.k", "is never used"),
        ({"k": {"of": "fake", "size": 0}}, "state.k.size", "greater than or equal to 1"),
    ],
)
def test_one_mistake_gives_one_problem_at_its_path(state: Any, path: str, message: str) -> None:
    with pytest.raises(SpecError) as caught:
        Spec.from_dict({**gan().to_dict(), "state": state})
    [(found, problem)] = caught.value.problems
    assert found == path and message in problem


@pytest.mark.parametrize(
    ("state", "message"),
    [
        (Running("batch_mean(z)"), "keeps one number, and this is 4"),
        (Running("mean(z)", size=4), "keeps 4 numbers, and this is one number"),
        (Running("z", size=4), "keeps 4 numbers, and this is 4x4"),
    ],
)
def test_what_a_state_becomes_has_its_shape(state: State, message: str) -> None:
    d = Update("D", {"r": "mean(D(x)) + 0 * mean(k)", "f": "mean(D(fake))"})
    if not isinstance(state, Running) or not state.size:
        d = Update("D", {"r": "mean(D(x)) + 0 * k", "f": "mean(D(fake))"})
    with pytest.raises(ShapeError) as caught:
        build(gan(state={"k": state}, round=[d, gan().stages[0].round[1]]))
    [(path, text)] = caught.value.problems
    assert path == "state.k.next" and message in text


def test_a_task_cannot_read_a_pool() -> None:
    with pytest.raises(SpecError, match="is read from 'fake' while training"):
        gan(state={"old": Pool("fake")}, tasks={"generate": "old"})


# --------------------------------------------------------------------------------- plugins


class Largest(State):
    """The largest number that a value ever had."""

    texts: ClassVar[Any] = {"of": "next"}
    kind: Literal["largest"] = Field("largest", init=False)
    of: str

    def tensors(self, shapes: Any) -> Any:
        return {"most": torch.full((), -1e9)}

    def value(self, held: Any, **values: Tensor) -> Tensor:
        return held["most"]

    def after(self, held: Any, **values: Tensor) -> Any:
        return {"most": torch.maximum(held["most"], values["of"].max())}


class _Plugin:
    @staticmethod
    def states() -> list[type[State]]:
        return [Largest]


def test_a_plugin_brings_a_kind_of_state() -> None:
    from ganzoo import hookimpl

    host = Host()
    host.register(type("Module", (), {"ganzoo_states": staticmethod(hookimpl(_Plugin.states))}))
    before = vocabulary.extend_with(lambda: host.vocabulary)
    try:
        spec = gan(
            draws={**gan().draws, "u": Normal(1)},
            state={"top": Largest("D(x)")},
            round=[
                Update("D", {"r": "mean(D(x)) + 0 * top", "f": "mean(D(fake)) + 0 * mean(u)"}),
                gan().stages[0].round[1],
            ],
        )
        assert Spec.from_json(spec.to_json()) == spec
        run = training(spec)
        run.round()
        assert run.memory.held["top"]["most"] > -1e9
    finally:
        vocabulary.extend_with(before)
    data = spec.to_dict()
    with pytest.raises(SpecError, match="no state of kind 'largest'"):
        Spec.from_dict(data)
    stranger = Spec.from_dict(data, allow_unknown=True)
    assert ("state.top", "states", "largest") in set(stranger.unknown())


def test_a_value_of_its_own_in_an_update_is_pinned_to_before_it() -> None:
    """docs/spec-files.md: of what several updates compute, a state reads the last."""
    after, before = "mean(D(fake))", "mean(1 * D(fake))"
    spec = gan(
        let={"fake": "G(z)", "after": after, "before": before},
        state={"a": Running("after"), "b": Running("before")},
        round=[
            Update("D", {"real": "-mean(D(x))", "fake": "before"}, Adam(0.1)),
            Update("G", {"fool": "-after"}),
        ],
    )
    run, other = training(spec), training(spec)
    z = run.draws(0, 0, ("z",))[0]
    wanted = other.networks["D"](other.networks["G"](z, outputs=("",)), outputs=("",)).mean()
    run.round()
    assert held(run, "b").item() == pytest.approx(wanted.item(), rel=1e-5)
    other.networks["D"].load_state_dict(run.networks["D"].state_dict())
    moved = other.networks["D"](other.networks["G"](z, outputs=("",)), outputs=("",)).mean()
    assert held(run, "a").item() == pytest.approx(moved.item(), rel=1e-5)
    assert abs(moved.item() - wanted.item()) > 0.1
