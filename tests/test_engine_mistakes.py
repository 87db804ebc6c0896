"""Mistakes that other implementations are known for, which training does not make."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
import torch
from torch import Tensor

from ganzoo.engine.training import Training
from ganzoo.nn.functions.penalties import gradient_penalty, r1
from ganzoo.spec import (
    SGD,
    RMSprop,
    Spec,
    Stage,
    Update,
)
from tests.builders import data_of as data
from tests.builders import training
from tests.table import TABLE


def _with_rate(spec: Spec, lr: float) -> Spec:
    stages = []
    for stage in spec.stages:
        items = []
        for item in stage.round:
            if isinstance(item, Update):
                items.append(item.model_copy(update={"optimizer": SGD(lr)}))
            else:
                inner = [u.model_copy(update={"optimizer": SGD(lr)}) for u in item.together]
                items.append(item.model_copy(update={"together": tuple(inner)}))
        stages.append(stage.model_copy(update={"round": tuple(items)}))
    return spec.model_copy(update={"stages": tuple(stages)})


def _frozen_statistics(run: Training) -> None:
    """Networks in evaluation mode, so that a score depends on weights alone."""
    enter = run._enter

    def entered(index: int) -> None:
        enter(index)
        for net in run.networks.values():
            net.eval()

    run._enter = entered  # type: ignore[method-assign]


# ------------------------------------------------------------------------- known mistakes


def test_weights_are_clipped_after_the_step() -> None:
    """Known bug 5: clamped before the step, they are outside when the generator learns."""
    spec = TABLE["wgan"]()
    # a rate at which each step leaves the box
    round = [u.model_copy(update={"optimizer": RMSprop(0.05)}) for u in spec.stages[0].round]
    spec = spec.model_copy(update={"stages": (Stage(round=tuple(round), steps=2),)})
    run = training(spec, data("wgan"))
    apply, corners = run._apply, []

    def watched(name: str) -> None:
        before = [p.clone() for p in run.networks["C"].parameters()]
        apply(name)
        now = list(run.networks["C"].parameters())
        assert all(p.abs().max() <= 0.01 for p in now)
        if name == "C":
            assert any(not torch.equal(a, b) for a, b in zip(before, now, strict=True))
            corners.append(sum(int((p.abs() == 0.01).sum()) for p in now))

    run._apply = watched  # type: ignore[method-assign]
    for _ in range(spec.steps):
        run.round()
    assert len(corners) == 10 and min(corners) > 0


def test_the_generator_of_wgan_raises_the_critic() -> None:
    """Known bug 5 again: the sign."""
    spec = _with_rate(TABLE["wgan"](), 0.01)
    run = training(spec, data("wgan"))
    _frozen_statistics(run)
    seen: list[tuple[float, float]] = []
    apply = run._apply

    def critic() -> float:
        (z,) = run.draws(run.step, 4, ("z",))
        C, G = (deepcopy(run.networks[name]).double() for name in "CG")
        with torch.no_grad():
            return C(G(z.double())).mean().item()

    def watched(name: str) -> None:
        before = critic()
        apply(name)
        if name == "G":
            seen.append((before, critic()))

    run._apply = watched  # type: ignore[method-assign]
    for _ in range(3):
        run.round()
    assert len(seen) == 3 and all(after > before for before, after in seen)


def test_the_encoder_and_the_generator_of_bigan_fool_the_discriminator() -> None:
    """Known bug 1: one small E, G step raises D(G(z), z) and lowers D(x, E(x))."""
    spec = _with_rate(TABLE["bigan"](), 1e-4)
    run = training(spec, data("bigan"))
    D, E, G = (run.networks[name] for name in "DEG")
    x, z = run.draws(0, 0, ("x", "z"))
    before: dict[str, float] = {}
    after: dict[str, float] = {}

    def scores() -> dict[str, float]:
        with torch.no_grad():
            return {"coded": D(x, E(x)).mean().item(), "made": D(G(z), z).mean().item()}

    apply = run._apply

    def only_e_and_g(name: str) -> None:
        if name == "E_G":
            state = {
                n: {k: v.clone() for k, v in m.state_dict().items()}
                for n, m in run.networks.items()
            }
            before.update(scores())
            apply(name)
            after.update(scores())
            assert changed_networks(state, run) == {"E", "G"}

    def changed_networks(state: dict[str, dict[str, Tensor]], run: Training) -> set[str]:
        return {
            name
            for name, net in run.networks.items()
            for key, value in net.named_parameters()
            if not torch.equal(value, state[name][key])
        }

    run._apply = only_e_and_g  # type: ignore[method-assign]
    run.round()
    assert after["made"] > before["made"]
    assert after["coded"] < before["coded"]


class TestGradientPenalty:
    """Known bugs 3 and 4."""

    def critic(self, *sizes: int) -> tuple[list[Tensor], Any]:
        generator = torch.Generator().manual_seed(0)
        w = [torch.randn(size, generator=generator, dtype=torch.float64) for size in sizes]
        return w, lambda *v: sum((a.flatten(1) @ b)[:, None] for a, b in zip(v, w, strict=True))

    def points(self, *sizes: int, seed: int = 1) -> tuple[Tensor, ...]:
        generator = torch.Generator().manual_seed(seed)
        return tuple(
            torch.randn(6, size, generator=generator, dtype=torch.float64) for size in sizes
        )

    def test_of_a_linear_critic(self) -> None:
        (w,), critic = self.critic(12)
        x, y = self.points(12, 12)
        x, y = x.view(6, 3, 2, 2), y.view(6, 3, 2, 2)  # a norm over all axes, not over channels
        found = gradient_penalty(critic, x, y, mix=torch.rand(6, dtype=torch.float64))
        assert found.item() == pytest.approx((w.norm().item() - 1) ** 2, rel=1e-9)

    def test_of_two_inputs_is_one_norm(self) -> None:
        (v, w), critic = self.critic(5, 3)
        real, fake = self.points(5, 3), self.points(5, 3, seed=2)
        found = gradient_penalty(critic, real, fake, mix=torch.rand(6, dtype=torch.float64))
        joint = (torch.cat([v, w]).norm().item() - 1) ** 2
        assert found.item() == pytest.approx(joint, rel=1e-9)
        assert joint != pytest.approx((v.norm().item() - 1) ** 2 + (w.norm().item() - 1) ** 2)

    def test_mixes_each_sample_alone_and_all_its_inputs_alike(self) -> None:
        seen: list[tuple[Tensor, ...]] = []

        def critic(*values: Tensor) -> Tensor:
            seen.append(values)
            return sum(value.sum(1) for value in values)

        mix = torch.tensor([0, 0.25, 0.5, 0.75, 1, 0.1], dtype=torch.float64)
        zeros = (torch.zeros(6, 4, dtype=torch.float64), torch.zeros(6, 2, dtype=torch.float64))
        ones = tuple(value + 1 for value in zeros)
        gradient_penalty(critic, ones, zeros, mix=mix)
        for value in seen[0]:
            torch.testing.assert_close(value, mix[:, None].expand_as(value))

    def test_does_not_depend_on_the_order_or_on_the_others(self) -> None:
        torch.manual_seed(0)
        net = torch.nn.Sequential(torch.nn.Linear(5, 7), torch.nn.Tanh(), torch.nn.Linear(7, 1))
        net = net.double()
        x, y = self.points(5, 5)
        mix = torch.rand(6, dtype=torch.float64)
        each = [
            gradient_penalty(net, x[i : i + 1], y[i : i + 1], mix=mix[i : i + 1]) for i in range(6)
        ]
        whole = gradient_penalty(net, x, y, mix=mix)
        order = torch.tensor([3, 1, 5, 0, 2, 4])
        shuffled = gradient_penalty(net, x[order], y[order], mix=mix[order])
        assert whole.item() == pytest.approx(shuffled.item(), rel=1e-12)
        assert whole.item() == pytest.approx(sum(v.item() for v in each) / 6, rel=1e-12)

    def test_a_flat_critic_has_finite_gradients(self) -> None:
        w = torch.zeros(4, dtype=torch.float64, requires_grad=True)
        x, y = self.points(4, 4)
        loss = gradient_penalty(lambda v: v @ w, x, y, mix=torch.rand(6, dtype=torch.float64))
        loss.backward()
        assert torch.isfinite(w.grad).all()

    def test_what_is_given_is_neither_mixed_nor_part_of_the_norm(self) -> None:
        """A critic x @ w[y]: its slope at a sample is the row of the label, and no other."""
        rows = torch.tensor([[3.0, 4.0], [0.0, 1.0]], dtype=torch.float64)
        label = torch.tensor([0, 0, 1, 1, 1, 0])
        scale = torch.full((6, 1), 2.0, dtype=torch.float64)

        def critic(v: Tensor, y: Tensor, s: Tensor) -> Tensor:
            return (v * rows[y] * s).sum(1)

        x, y = self.points(2, 2)
        mix = torch.rand(6, dtype=torch.float64)
        found = gradient_penalty(critic, x, y, (label, scale), mix=mix)
        assert found.item() == pytest.approx(((10 - 1) ** 2 + (2 - 1) ** 2) / 2, rel=1e-9)


class TestR1:
    """Closed forms of the zero-centred penalty."""

    def test_of_a_linear_critic_is_its_squared_weight_wherever_it_is_taken(self) -> None:
        w = torch.tensor([1.0, -2.0, 3.0], dtype=torch.float64)
        generator = torch.Generator().manual_seed(0)
        x = torch.randn(6, 3, generator=generator, dtype=torch.float64)
        for at in (x, 100 * x, x[:1]):
            assert r1(lambda v: v @ w, at).item() == pytest.approx(14, rel=1e-9)

    def test_of_a_square_is_the_mean_squared_slope_in_any_order(self) -> None:
        x = torch.tensor([[1.0], [-2.0], [3.0]], dtype=torch.float64)
        wanted = (2**2 + 4**2 + 6**2) / 3
        for order in ([0, 1, 2], [2, 0, 1]):
            found = r1(lambda v: v.square().sum(1), x[order])
            assert found.item() == pytest.approx(wanted, rel=1e-9)

    def test_of_two_inputs_is_one_norm_and_what_is_given_counts_for_nothing(self) -> None:
        x = torch.ones(4, 2, dtype=torch.float64)
        both = r1(lambda v, w: 3 * v.sum(1) + w.sum(1), (x, x))
        first = r1(lambda v, w: 3 * v.sum(1) + w.sum(1), x, x)
        assert both.item() == pytest.approx(2 * 9 + 2, rel=1e-9)
        assert first.item() == pytest.approx(2 * 9, rel=1e-9)

    def test_a_label_chooses_the_slope(self) -> None:
        rows = torch.tensor([1.0, 5.0], dtype=torch.float64)
        x, label = torch.ones(4, 1, dtype=torch.float64), torch.tensor([0, 1, 1, 1])
        found = r1(lambda v, y: v[:, 0] * rows[y], x, label)
        assert found.item() == pytest.approx((1 + 3 * 25) / 4, rel=1e-9)

    def test_its_gradient_reaches_the_critic_and_not_the_samples(self) -> None:
        w = torch.tensor([1.0, -2.0], dtype=torch.float64, requires_grad=True)
        x = torch.ones(3, 2, dtype=torch.float64, requires_grad=True)
        r1(lambda v: v @ w, x).backward()
        assert w.grad is not None and x.grad is None
        torch.testing.assert_close(w.grad, 2 * w.detach())
