"""On CUDA: what is recorded computes what calls compute, resumes to the bit, and says what fails.

All else about rounds is tested on the CPU (`test_capture`), where the same function runs on the
same tensors; here is the recording itself.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ganzoo.engine.training import Training
from ganzoo.errors import NonFiniteError
from ganzoo.nn import convolution
from ganzoo.nn.modules import Row
from ganzoo.spec import SGD, Stage
from tests.builders import data_of as data
from tests.builders import diverging, nothing, weights
from tests.convolutions import CASES, parts
from tests.static_specs import MODERN, SPECS, declared, rows
from tests.table import TABLE

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
CUDA, CPU = torch.device("cuda"), torch.device("cpu")


def training(name: str, steps: int = 8, device: torch.device = CUDA, **more: Any) -> Training:
    spec = declared(name)
    spec = spec.with_steps(max(steps, 2 * len(spec.stages)))
    more = {"batch": spec.batch, "seed": 1, "precision": "fp32", **more}
    return Training(spec, rows(name), device=device, **more)


def finish(made: Training) -> Training:
    while made.step < made.spec.steps:
        made.round()
    made.losses()
    return made


def largest(a: dict[str, Tensor], b: dict[str, Tensor]) -> float:
    """The largest difference of two states, as a share of the largest number of its tensor."""
    return max(
        (
            (a[k].double() - b[k].double()).abs().max() / b[k].double().abs().max().clamp(min=1e-3)
        ).item()
        for k in b
        if b[k].numel()
    )


@pytest.mark.parametrize(
    "name, precision",
    [
        *((name, "fp32") for name in (*SPECS, *MODERN)),
        *((name, "bf16") for name in ("dcgan", "wgan_gp", "stackgan", "patterns", *MODERN)),
    ],
)
def test_recorded_rounds_give_the_bits_of_calls(name: str, precision: str) -> None:
    """Where two called runs have the same bits. Where they have not, as kernels may add in another
    order each time, what is recorded differs at most ten times as much as they do."""
    plain, again, graph = (
        finish(training(name, graph=recorded, precision=precision))
        for recorded in (False, False, True)
    )
    assert graph.runner.static and not graph.runner.why_not
    one, same, two = weights(plain), weights(again), weights(graph)
    different = [key for key in one if not torch.equal(one[key], two[key])]
    noise = largest(one, same)
    print(f"{name} {precision}: {len(different)} of {len(one)} differ; two called runs by {noise}")
    assert largest(one, two) <= 10 * noise, (len(different), largest(one, two), noise)


@pytest.mark.parametrize("graph", [True, False])
@pytest.mark.parametrize("name", ["dcgan", "wgan_gp", "stackgan", "patterns", "dropout", *MODERN])
def test_a_resumed_run_is_the_run_to_the_bit(name: str, graph: bool, tmp_path: Path) -> None:
    whole, again = (finish(training(name, graph=graph)) for _ in range(2))
    first = training(name, graph=graph)
    for _ in range(3):
        first.round()
    path = first.save(tmp_path / "saved")
    second = training(name, graph=graph)
    second.load(path)
    one, two = weights(whole), weights(finish(second))
    noise = largest(one, weights(again))  # 0, unless a kernel adds in another order each time
    assert largest(one, two) <= 10 * noise, (largest(one, two), noise)


@pytest.mark.parametrize("name", TABLE)
def test_cuda_answers_as_the_cpu_does(name: str) -> None:
    """The same weights, one round, and then the losses of the first round on the same draws."""
    cpu, cuda = training(name, device=CPU), training(name, graph=True)
    raw = cpu.draws.raw
    cuda.draws.raw = lambda step, version, draw, into=(): raw(step, version, draw)  # type: ignore[method-assign]
    for made in (cpu, cuda):
        made.round()
    one, two = cpu.losses(), cuda.losses()
    assert two == pytest.approx(one, rel=2e-3, abs=2e-4)


class Asking(nn.Module):
    """Asks the device for a number: no graph holds that."""

    def forward(self, x: Tensor) -> Tensor:
        return x * (1.0 if x.sum().item() > -math.inf else 0.0)


@pytest.mark.parametrize("graph", [False, True])
def test_wgan_gp_learns_on_cuda_what_it_learns_on_the_cpu(graph: bool) -> None:
    """Penalties and all, on the same draws, in float32: each loss of each round."""
    cpu = training("wgan_gp", 4, device=CPU)
    cuda = training("wgan_gp", 4, graph=graph)
    cuda.draws.raw = lambda step, version, name, into=(): tuple(  # type: ignore[method-assign]
        part.to(CUDA) for part in cpu.draws.raw(step, version, name)
    )
    while cpu.step < cpu.spec.steps:
        cpu.round()
        cuda.round()
        assert cuda.losses() == pytest.approx(cpu.losses(), rel=1e-3, abs=1e-4)
    assert cuda.runner.static == graph and not cuda.runner.why_not


def test_a_layer_that_waits_is_named_and_the_run_goes_on() -> None:
    plain = finish(training("gan", graph=False))
    made = training("gan", graph=True)
    layers, asking = made.networks["D"].layers, Asking()
    assert isinstance(layers, Row)
    layers.add_module("asking", asking)
    layers.steps = (*layers.steps, (asking, False))
    with pytest.warns(UserWarning, match=r"D\.layers\.asking \(Asking\) cannot be recorded"):
        made.round()
    finish(made)
    assert "asking" in made.runner.why_not
    one, two = weights(plain), weights(made)
    assert all(torch.equal(one[key], two[key]) for key in one)


def test_a_bad_loss_is_found_later_at_its_step() -> None:
    found: list[tuple[str, int]] = []
    for device, graph in ((CPU, False), (CUDA, False), (CUDA, True)):
        made = Training(
            diverging(), nothing(), batch=8, seed=0, device=device, precision="fp32", graph=graph
        )
        with pytest.raises(NonFiniteError) as caught:
            for _ in range(100):
                made.round()
            made.losses()
        found.append((caught.value.term, caught.value.step))
    assert found[1] == found[2] and found[1][0] == "train.A.wild"
    assert abs(found[0][1] - found[1][1]) <= 2  # other noise


def test_rates_that_change_count_in_recorded_rounds() -> None:
    made = training("patterns", steps=12, graph=True)
    rates: list[float] = []
    for _ in range(12):
        made.round()
        rates.append(made.numbers["rate/D/lr"].item())
    assert rates == sorted(rates, reverse=True) and rates[0] > rates[-1]
    plain = finish(training("patterns", steps=12, graph=False))
    assert largest(weights(plain), weights(made)) < 1e-5


def test_graphs_share_their_memory() -> None:
    spec = SPECS["patterns"]()
    made = Training(spec, data("dcgan"), batch=spec.batch, seed=0, device=CUDA, graph=True)
    for _ in range(6):
        made.round()
    torch.cuda.synchronize()
    before = torch.cuda.memory_reserved()
    for _ in range(6):
        made.round()
    torch.cuda.synchronize()
    assert torch.cuda.memory_reserved() == before


def test_momentum_starts_as_it_does_in_calls() -> None:
    """SGD makes its memory from the first gradient; in a rehearsal it is made, and emptied."""
    base = SPECS["gan"]()
    updates = [u.model_copy(update={"optimizer": SGD(0.01, 0.9)}) for u in base.stages[0].updates]
    spec = base.model_copy(update={"stages": (Stage(tuple(updates), steps=4),)})
    made = [
        finish(Training(spec, data("gan"), batch=4, seed=0, device=CUDA, precision="fp32", graph=g))
        for g in (False, True)
    ]
    assert largest(*map(weights, made)) < 1e-6


@pytest.mark.parametrize("transposed, name, form", CASES, ids=[f"{t} {n}" for t, n, _ in CASES])
def test_convolutions_are_torchs(transposed: bool, name: str, form: dict[str, Any]) -> None:
    """In double, the gradients of gradients, too, in both layouts."""
    for layout in (torch.contiguous_format, torch.channels_last):
        x, w, b = (
            (
                t.detach().cuda().contiguous(memory_format=layout)
                if t.ndim == 4
                else t.detach().cuda()
            ).requires_grad_()
            for t in parts(transposed, form.get("groups", 1))
        )
        theirs = torch.conv_transpose2d if transposed else torch.conv2d
        ours = convolution.conv_transpose2d if transposed else convolution.conv2d
        found: list[list[Tensor]] = []
        for conv in (theirs, ours):
            value = conv(x, w, b, **form)
            inner = torch.autograd.grad(value.tanh().sum(), (x, w), create_graph=True)
            squares = torch.stack([g.square().sum() for g in inner]).sum()
            outer = torch.autograd.grad(squares, (x, w, b))
            found.append([value, *inner, *outer])
        for one, two in zip(*found, strict=True):
            assert (one - two).abs().max() / one.abs().max() < 1e-9
