"""A round as a function of tensors that stay in place: the same bits as call by call."""

from __future__ import annotations

import math
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from ganzoo.engine import train
from ganzoo.engine.capture import NotRecordableError, named, rehearse
from ganzoo.engine.losses import Losses
from ganzoo.engine.numbers import Numbers
from ganzoo.engine.training import Training
from ganzoo.errors import NonFiniteError
from ganzoo.nn.convolution import Convolutions
from ganzoo.nn.moving_adam import MovingAdam
from ganzoo.spec import SGD, Linear, Network, Normal, Spec, Update
from tests.builders import CPU, diverging, nothing, same, training, weights
from tests.builders import data_of as data
from tests.static_specs import MODERN, SPECS, declared, patterned, rows
from tests.table import TABLE


def run(name: str, graph: bool, steps: int = 3) -> tuple[Training, list[dict[str, float]]]:
    spec = declared(name)
    spec = spec.with_steps(max(steps, steps * len(spec.stages)))
    made = training(spec, rows(name), graph=graph)
    losses: list[dict[str, float]] = []
    for _ in range(spec.steps):
        made.round()
        losses.append(made.losses())
    return made, losses


@pytest.mark.parametrize("name", [*SPECS, *MODERN])
def test_static_tensors_give_the_bits_of_calls(name: str) -> None:
    """All that was learnt and each loss of each round, in every stage and pattern."""
    steps = 12 if name == "patterns" else 3
    (plain, said), (static, also) = run(name, False, steps), run(name, True, steps)
    assert static.runner.static and not plain.runner.static
    assert said == also
    assert same(weights(plain), weights(static))


@pytest.mark.parametrize("graph", [False, True], ids=["calls to static", "static to calls"])
@pytest.mark.parametrize(
    "name", ["stackgan", "discogan", "patterns", "wgan_gp", "dropout", *MODERN]
)
def test_either_goes_on_where_the_other_stopped(name: str, graph: bool, tmp_path: Path) -> None:
    spec = declared(name).with_steps(8)
    whole = training(spec, rows(name), graph=graph)
    while whole.step < spec.steps:
        whole.round()
    first = training(spec, rows(name), graph=graph)
    for stop in (3, 6):
        while first.step < stop:
            first.round()
        path = first.save(tmp_path / f"{stop}")
        first = training(spec, rows(name), graph=not first.runner.static)
        first.load(path)
    while first.step < spec.steps:
        first.round()
    assert same(weights(whole), weights(first))


def test_a_round_draws_before_it_begins() -> None:
    """Inside a static round nothing is asked of the data or of a generator of draws."""
    made = training(TABLE["wgan_gp"](), data("wgan_gp"), graph=True)
    compute, raw = made.runner.compute, made.draws.raw
    inside: list[bool] = []
    drawn: list[bool] = []

    def computed(*arguments: Any) -> Tensor:
        inside.append(True)
        try:
            return compute(*arguments)
        finally:
            inside.pop()

    def asked(*arguments: Any, **more: Any) -> Any:
        drawn.append(bool(inside))
        return raw(*arguments, **more)

    made.runner.compute = computed
    made.draws.raw = asked  # type: ignore[method-assign]
    for _ in range(3):
        made.round()
    assert drawn and not any(drawn)


def test_static_tensors_stay_where_they_are() -> None:
    made = training(patterned(), data("dcgan"), graph=True)
    for _ in range(6):  # all patterns, and all that optimizers remember
        made.round()

    def places() -> dict[Any, int]:
        kept = made.runner.inputs._kept.items()
        draws = {(key, i): t.data_ptr() for key, parts in kept for i, t in enumerate(parts)}
        numbers = {key: made.numbers[key].data_ptr() for key in made.numbers.names}
        return draws | numbers | {key: value.data_ptr() for key, value in made._state().items()}

    before = places()
    for _ in range(6):
        made.round()
    assert places() == before


@pytest.mark.parametrize("row", ["dcgan", "wgan_gp", "stackgan", "ganomaly"])
def test_the_convolutions_of_cuda_give_the_same_gradients(row: str) -> None:
    """Of a whole first update, penalty included; later ones differ, as Adam makes whole steps of
    gradients that are all but zero."""
    found: list[list[Tensor]] = []
    for ours in (False, True):
        made = training(TABLE[row](), data(row))
        for net in made.networks.values():
            net.convolutions = Convolutions() if ours else None
        first: list[Tensor] = []

        def watched(name: str, made: Training = made, first: list[Tensor] = first) -> None:
            grads = [p.grad for p in made.updaters[name].parameters]
            first += [g.clone() for g in grads if g is not None] if not first else []

        made._apply = watched  # type: ignore[method-assign]
        made.round()
        found.append(first)
    assert len(found[0]) == len(found[1]) > 1
    for a, b in zip(*found, strict=True):
        assert (a - b).abs().max() <= 1e-5 * a.abs().max() + 1e-6


# ------------------------------------------------------------------- rehearsal and naming


def test_a_rehearsal_leaves_no_trace() -> None:
    for name in ("dcgan", "wgan", "patterns", "ganomaly"):
        made, other = (training(SPECS[name](), rows(name)) for _ in range(2))
        rehearse(made.round, made._state)
        made.step = 0
        made.runner.forget()
        assert all(torch.count_nonzero(v) == 0 for k, v in made._state().items() if "optim" in k)
        made._stage = -1
        for _ in range(3):
            made.round()
            other.round()
        assert same(weights(made), weights(other)), name


def test_a_rehearsal_that_fails_leaves_no_trace() -> None:
    made = training(TABLE["dcgan"](), data("dcgan"))
    before = weights(made)

    def broken() -> None:
        made.round()
        raise RuntimeError("on the way")

    with pytest.raises(RuntimeError, match="on the way"):
        rehearse(broken, made._state)
    after = weights(made)
    assert all(torch.equal(value, after[key]) for key, value in before.items())


class Stubborn(nn.Module):
    """A layer that no graph can hold: it asks for a number of the device."""

    def forward(self, x: Tensor) -> Tensor:
        raise RuntimeError("operation not permitted when stream is capturing")


class Strict:
    """Records as CUDA would, and refuses what CUDA would refuse."""

    def record(
        self, compute: Callable[[], Tensor], state: Any, networks: Mapping[str, nn.Module]
    ) -> Callable[[], Tensor]:
        def recording() -> None:
            kept = networks["D"].layers.get_submodule("0").forward  # type: ignore[union-attr]
            networks["D"].layers.get_submodule("0").forward = Stubborn().forward  # type: ignore[union-attr]
            try:
                with named(networks, "a round"):
                    compute()
            finally:
                networks["D"].layers.get_submodule("0").forward = kept  # type: ignore[union-attr]

        rehearse(recording, state)
        raise AssertionError("it was recorded")


def test_a_layer_that_cannot_be_recorded_is_named_and_the_run_goes_on() -> None:
    plain, made = training(TABLE["gan"](), data("gan")), training(TABLE["gan"](), data("gan"))
    made.runner.static, made.runner._recorder = True, Strict()
    with pytest.warns(UserWarning, match=r"D\.layers\.0 \(.*\) cannot be recorded.*capturing"):
        made.round()
    assert "D.layers.0" in made.runner.why_not and not made.runner.static
    plain.round()
    for _ in range(2):
        plain.round()
        made.round()
    assert same(weights(plain), weights(made))


def test_errors_outside_of_layers_are_named_too() -> None:
    net = nn.Sequential(nn.Linear(2, 2))
    where = pytest.raises(NotRecordableError, match=r"a round cannot be recorded.*no such thing")
    with where, named({"N": net}, "a round"):
        net(torch.zeros(1, 2))
        raise RuntimeError("no such thing")
    assert not net._forward_pre_hooks and not net[0]._forward_hooks


WAITS = (
    torch.ops.aten._local_scalar_dense,
    torch.ops.aten.nonzero,
    torch.ops.aten.masked_select,
    torch.ops.aten.equal,
    torch.ops.aten._unique2,
)
"""Operations that make the host wait for a device, so that no graph can hold them."""


class Waiting(TorchDispatchMode):
    """Notes the modules of ganzoo that wait."""

    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func._overloadpacket in WAITS:
            frames = [frame.filename for frame in traceback.extract_stack()]
            ours = [Path(name).stem for name in frames if "/ganzoo" in name]
            self.found.add(ours[-1])
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("name", [*SPECS, *MODERN])
def test_no_round_waits_for_its_device(name: str) -> None:
    """Except where the CPU reads rates as numbers, looks at losses, and torch at labels that are
    to be one-hot, which it does not on CUDA."""
    made = training(declared(name), rows(name), graph=True)
    made.round()
    with Waiting() as waiting:
        for _ in range(4):
            made.round()
    assert waiting.found <= {"updates", "averages", "training", "losses", "labels"}


def test_adam_with_moving_betas_is_adam() -> None:
    """Rates and betas from tensors, step by step; weights that begin to learn later."""
    generator = torch.Generator().manual_seed(0)

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    for decoupled, base in ((False, torch.optim.Adam), (True, torch.optim.AdamW)):
        start = [normal(3, 2), normal(5), normal(2)]
        ours, theirs = ([t.clone().requires_grad_() for t in start] for _ in range(2))
        lr, b1, b2 = (torch.zeros((), dtype=torch.float64) for _ in range(3))
        moving = MovingAdam(ours, lr, (b1, b2), 1e-8, 0.1, decoupled=decoupled)
        plain = base(theirs, 1.0, weight_decay=0.1)
        for step in range(6):
            now = (0.1 / (1 + step), 0.0 if step < 2 else 0.5, 0.9 + 0.01 * step)
            for place, value in zip((lr, b1, b2), now, strict=True):
                place.fill_(value)
            plain.param_groups[0].update(lr=now[0], betas=now[1:])
            for a, b in zip(ours[: 2 + (step > 2)], theirs, strict=False):
                a.grad = normal(*a.shape)
                b.grad = a.grad.clone()
            with Waiting() as waiting:
                moving.step()
            # the device is asked once for each set of weights that learn
            assert bool(waiting.found) == (step in (0, 3))
            plain.step()
        for a, b in zip(ours, theirs, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-12)
        for a, b in zip(ours, theirs, strict=True):
            assert moving.state[a].keys() == plain.state[b].keys()


# ----------------------------------------------------------------------- losses, numbers


def test_the_first_bad_step_and_term_are_found_later() -> None:
    """As on a device on which nobody looks at each round."""
    losses = Losses(3, CPU, rounds=8)
    losses._memory = losses._memory.to("cpu")
    names = [("D", "real"), ("D", "fake"), ("G", "fool")]
    losses._kept = [(step, "train", names[: 2 + step % 2]) for step in range(5, 9)]
    for row, step in enumerate(range(5, 9)):
        losses._memory[row] = torch.tensor([step, 1.0, 2.0])
    losses._memory[2, 1] = math.inf
    losses._memory[3, 0] = math.nan
    with pytest.raises(NonFiniteError) as caught:
        losses.look(Path("saved"))
    assert (caught.value.term, caught.value.step) == ("train.D.fake", 8)
    assert caught.value.checkpoint == "saved"
    losses.look(None)  # what was said once is not said again
    assert losses.latest(None)["D", "real"] == 6 and losses.latest(None)["G", "fool"] == 2


def test_a_term_that_did_not_run_lately_keeps_its_value() -> None:
    made = training(patterned(), data("dcgan"), graph=True)
    seen: list[float] = []
    for _ in range(4):
        made.round()
        seen.append(made.losses()["lazy.r1"])
    assert seen[0] == seen[1] == seen[2] != seen[3]


def test_a_bad_loss_stops_a_static_run_at_its_step() -> None:
    found: list[tuple[str, int]] = []
    for graph in (False, True):
        number = 0
        with pytest.raises(NonFiniteError) as caught:
            for step in train(diverging(), nothing(), precision="fp32", batch=8, graph=graph):
                number = step.number
        assert caught.value.step == number + 1 > 2
        found.append((caught.value.term, number))
    assert found[0] == found[1] and found[0][0] == "train.A.wild"


def test_numbers_are_read_from_one_place() -> None:
    numbers = Numbers(["a", "b"], CPU)
    a, b = numbers["a"], numbers["b"]
    numbers.write({"a": 2e-4, "b": 0.25})
    assert (a.item(), b.item()) == (2e-4, 0.25)  # to the last bit of a double
    numbers.write({"b": 1.0})
    assert (a.item(), b.item()) == (2e-4, 1.0)


def test_the_rate_is_read_inside_the_round() -> None:
    """Written between two calls of one function it counts at once: nothing is baked in."""
    spec = Spec(
        draws={"v": Normal(1)},
        networks={"A": Network({"v": ()}, (Linear(1),))},
        round=[Update("A", {"a": "mean(A(v))"}, SGD(0.5))],
        steps=4,
    )
    made = training(spec, nothing(), graph=True)
    bias = made.networks["A"].layers.get_submodule("0").bias
    assert isinstance(bias, Tensor)
    made.round()
    run = next(iter(made.runner._recorded.values()))
    for rate in (0.5, 0.125):
        before = bias.item()
        made.numbers.write({"rate/A/lr": rate})
        run()
        assert before - bias.item() == pytest.approx(rate, rel=1e-5)
