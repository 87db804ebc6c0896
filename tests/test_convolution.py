"""Convolutions of the engine against torch's, in double precision, up to gradients of gradients."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from ganzoo.engine.plan import Plan
from ganzoo.nn import convolution
from ganzoo.nn.convolution import Convolutions, convolutions_for
from ganzoo.nn.functions.penalties import gradient_penalty, r1
from tests.by_hand import small
from tests.convolutions import CASES, parts, random


def orders(conv: Callable[..., Tensor], tensors: tuple[Tensor, ...], form: Any) -> list[Tensor]:
    """The value and all gradients of it, of those, and of those, of something not linear."""
    x, w, b = tensors
    value = conv(x, w, b, **form)
    found = [value]
    scalar = (value.tanh() * value).sum()
    last = 2 if "output_padding" in form else 3  # where torch's own third order is an error
    for order in range(1, last + 1):
        gradients = torch.autograd.grad(scalar, (x, w, b), create_graph=order < last)
        found += gradients
        scalar = torch.stack([(g.tanh() * g).sum() for g in gradients]).sum()
    return found


@pytest.mark.parametrize("transposed, name, form", CASES, ids=[f"{t} {n}" for t, n, _ in CASES])
def test_three_orders_are_torchs(transposed: bool, name: str, form: dict[str, Any]) -> None:
    tensors = parts(transposed, form.get("groups", 1))
    theirs = F.conv_transpose2d if transposed else F.conv2d
    ours = convolution.conv_transpose2d if transposed else convolution.conv2d
    expected, found = (orders(conv, tensors, form) for conv in (theirs, ours))
    assert len(expected) >= 7
    for a, b in zip(expected, found, strict=True):
        scale = a.abs().max().clamp(min=1)
        assert ((a - b).abs().max() / scale).item() < 1e-9


@pytest.mark.parametrize("transposed", [False, True])
def test_gradcheck(transposed: bool) -> None:
    x, w, b = random(2, 2, 5, 4), random(2, 2, 3, 3, seed=1), random(2, seed=2)
    conv = convolution.conv_transpose2d if transposed else convolution.conv2d

    def function(*v: Tensor) -> Tensor:
        return conv(*v, stride=2, padding=1)

    assert torch.autograd.gradcheck(function, (x, w, b))
    assert torch.autograd.gradgradcheck(function, (x, w, b))


def critic() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, 1, 1),
        nn.LeakyReLU(0.2, inplace=True),
        nn.Conv2d(8, 8, 3, 1, 1, groups=4, bias=False),
        nn.SiLU(),
        nn.Conv2d(8, 8, 4, 2, 1),
        nn.GroupNorm(1, 8),
        nn.ConvTranspose2d(8, 4, 4, 2, 1),
        nn.Tanh(),
        nn.Flatten(),
        nn.Linear(4 * 64, 1),
    ).double()


class Switched:
    """A critic that uses the engine's convolutions, or not."""

    def __init__(self, ours: bool) -> None:
        self.net, self.ours = critic(), ours

    def __call__(self, *x: Tensor) -> Tensor:
        if not self.ours:
            return self.net(*x)
        with Convolutions():
            return self.net(*x)


def penalties(ours: bool) -> list[Tensor]:
    net = Switched(ours)
    x, y = random(4, 3, 8, 8).detach(), random(4, 3, 8, 8, seed=1).detach()
    weights = list(net.net.parameters())
    mix = torch.linspace(0, 0.9, 4, dtype=torch.float64)
    found: list[Tensor] = []
    for penalty in (r1(net, x), gradient_penalty(net, x, y, mix=mix)):
        found += [penalty, *torch.autograd.grad(penalty, weights, allow_unused=True)]
    # path length: how an output moves with what stands before a transposed convolution
    code = random(4, 3, 8, 8, seed=3)
    moved = torch.autograd.grad((net(code) * 3).sum(), code, create_graph=True)[0]
    length = (moved.square().sum((1, 2, 3)).sqrt() - 0.3).square().mean()
    return [*found, length, *torch.autograd.grad(length, weights, allow_unused=True)]


def test_penalties_are_torchs() -> None:
    compared = 0
    for a, b in zip(penalties(False), penalties(True), strict=True):
        assert (a is None) == (b is None)
        if a is not None:
            compared += 1
            assert ((a - b).abs().max() / a.abs().max().clamp(min=1e-6)).item() < 1e-9
    assert compared > 30


class Calls(TorchDispatchMode):
    """Counts the operations on tensors."""

    def __init__(self) -> None:
        super().__init__()
        self.kernels: list[tuple[int, ...]] = []
        self.masks: list[list[bool]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.ops.aten.convolution.default:
            self.kernels.append(tuple(args[1].shape[2:]))
        if func is torch.ops.aten.convolution_backward.default:
            self.masks.append(list(args[-1]))
        return func(*args, **(kwargs or {}))


def test_no_kernel_is_a_whole_map() -> None:
    """What this is for: in torch's way R1's weight gradients are convolutions of maps by maps."""
    largest: dict[bool, int] = {}
    for ours in (False, True):
        net = Switched(ours)
        weights = list(net.net.parameters())
        with Calls() as calls:
            penalty = r1(net, random(2, 3, 8, 8).detach())
            torch.autograd.grad(penalty, weights, allow_unused=True)
        largest[ours] = max(side for kernel in calls.kernels for side in kernel)
    assert largest[False] >= 8 and largest[True] == 4


def test_gradients_that_are_not_needed_are_not_computed() -> None:
    net, x = Switched(True), random(2, 3, 8, 8)
    score = net(x).sum()
    with Calls() as calls:
        torch.autograd.grad(score, x, retain_graph=True)
    assert calls.masks == [] and len(calls.kernels) == 4  # of inputs alone
    with Calls() as calls:
        torch.autograd.grad(score, list(net.net.parameters()))
    assert calls.masks == [[False, True, False]] * 4 and len(calls.kernels) == 3


def test_what_was_overwritten_is_an_error() -> None:
    x, w = random(1, 2, 4, 4), random(2, 2, 3, 3)
    value = convolution.conv2d(x, w)
    with torch.no_grad():
        w.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        torch.autograd.grad(value.sum(), x)


def test_bfloat16_under_autocast() -> None:
    """As autocast does: the sum of products in bfloat16, gradients in the weights' own type."""
    torch.manual_seed(0)
    net, x = nn.Conv2d(4, 8, 3, padding=1), torch.randn(2, 4, 6, 6)
    results = []
    for ours in (False, True):
        with torch.autocast("cpu", torch.bfloat16):
            if ours:
                with Convolutions():
                    value = net(x)
            else:
                value = net(x)
        assert value.dtype == torch.bfloat16
        gradients = torch.autograd.grad(value.float().square().mean(), list(net.parameters()))
        assert all(gradient.dtype == torch.float32 for gradient in gradients)
        results.append([value.float(), *gradients])
    for a, b in zip(*results, strict=True):
        torch.testing.assert_close(a, b, rtol=2e-2, atol=2e-2)


def test_without_gradients_nothing_is_kept() -> None:
    with torch.no_grad():
        value = convolution.conv2d(random(1, 2, 4, 4), random(2, 2, 3, 3))
    assert value.grad_fn is None and not value.requires_grad


def test_maps_of_65536_places_in_bfloat16_do_not_end_the_process() -> None:
    """R1 of 64 images of 32x32 through a kernel of one pixel, as R3GAN's discriminator has it.

    In a process of its own, as oneDNN's division by zero would end this one.
    """
    said = subprocess.run(
        [sys.executable, "-c", R1_OF_A_POINTWISE_CONVOLUTION], capture_output=True, text=True
    )
    assert said.returncode == 0, f"{said.returncode}: {said.stderr}"
    assert said.stdout.strip() == "True"


R1_OF_A_POINTWISE_CONVOLUTION = """
import torch
from ganzoo.nn.convolution import convolutions_for

def gradient(ours):
    torch.manual_seed(0)
    net = torch.nn.Conv2d(24, 48, 1).to(memory_format=torch.channels_last)
    x = torch.randn(64, 24, 32, 32).to(memory_format=torch.channels_last).requires_grad_()
    context = convolutions_for(net, torch.device("cpu"), bf16=True)
    with context, torch.autocast("cpu", torch.bfloat16, enabled=ours):
        y = net(x).float()
    (g,) = torch.autograd.grad(y.square().mean(), x, create_graph=True)
    return torch.autograd.grad(g.square().sum(), net.weight)[0]

a, b = gradient(False), gradient(True)
print(((a - b).norm() / a.norm()).item() < 0.02)
"""


def test_only_what_must_be_is_replaced() -> None:
    """On the CPU torch's own convolutions are faster, but of groups, and their bits are kept."""
    cpu, cuda = torch.device("cpu"), torch.device("cuda")
    pointwise, wide, grouped = nn.Conv2d(2, 4, 1), nn.Conv2d(2, 4, 3), nn.Conv2d(2, 4, 3, groups=2)
    assert convolutions_for(pointwise, cpu, bf16=False) is None
    assert convolutions_for(nn.Sequential(wide, nn.Linear(2, 2)), cpu, bf16=True) is None
    some, every = convolutions_for(pointwise, cpu, bf16=True), convolutions_for(wide, cuda, True)
    # the second gradient of groups is slow in any precision
    groups = convolutions_for(nn.Sequential(wide, grouped), cpu, bf16=False)
    assert some and every and groups
    x = random(1, 2, 4, 4).float()
    for context, module, ours in (
        (some, pointwise, True),
        (some, wide, False),
        (every, pointwise, True),
        (every, wide, True),
        (groups, wide, False),
        (groups, grouped, True),
    ):
        with context:
            y = torch.conv2d(input=x, weight=module.weight, groups=module.groups)
        assert ("Join" in type(y.grad_fn).__name__) == ours


@pytest.mark.parametrize(
    ("variant", "twice"),
    [
        ("stackgan", False),
        ("dcgan", False),
        ("wgan-gp", True),
        ("r3gan", True),
        ("stylegan2", True),
    ],
)
def test_rounds_without_gradients_of_gradients_have_torch_s_own(variant: str, twice: bool) -> None:
    """In bf16 on a CPU: the context costs time in each call, and only second gradients need it."""
    plan = Plan(small(variant))
    assert plan.differentiates_twice == twice
    pointwise, cpu = nn.Conv2d(2, 4, 1), torch.device("cpu")
    found = convolutions_for(pointwise, cpu, bf16=True, twice=plan.differentiates_twice)
    assert bool(found) == twice
    assert convolutions_for(pointwise, torch.device("cuda"), bf16=True, twice=twice)
