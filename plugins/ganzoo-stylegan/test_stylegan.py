"""StyleGAN2 against the formulas of its paper, in plain torch: networks, a round, its pitfalls."""

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

import ganzoo
from ganzoo.engine.training import Training
from ganzoo.nn.build import build, initialize
from ganzoo.nn.functions.augmentations import ada
from ganzoo.spec import Adam, HalfLife, Image, Label, Shared
from ganzoo.spec.numbers import Clock
from ganzoo.spec.numbers import value as number_of
from ganzoo.testing import CHECKS, conforms, noise
from ganzoo_stylegan import CIFAR10, Paper256, StyleGAN2

SMALL: dict[str, Any] = {"latent": 6, "width": 8, "mapping": 2, "group": 2, "batch": 4}
FORMS = pytest.mark.parametrize("conditional", [False, True], ids=["plain", "conditional"])
ROOT = 2**0.5
ROWS = 6
"""Styles of a network for 16 pixels."""


def spec(size: int = 16, channels: int = 3, **settings: Any) -> ganzoo.Spec:
    fields = {"image": Image((channels, size, size)), "label": Label(3)}
    return StyleGAN2(**{**SMALL, **settings}).spec(ganzoo.Fields(fields=fields))


@pytest.fixture
def float64() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


# ------------------------------------------------------- the paper's networks in plain torch


class Paper:
    """The networks by the formulas, which read the weights of a state dict in order."""

    def __init__(self, weights: dict[str, Tensor]) -> None:
        self.left = list(weights.values())

    def next(self) -> Tensor:
        return self.left.pop(0)

    def dense(self, x: Tensor, rate: float = 1.0, active: bool = True) -> Tensor:
        w, b = self.next(), self.next()
        y = x @ (w.T * rate / w.shape[1] ** 0.5) + b * rate
        return F.leaky_relu(y, 0.2) * ROOT if active else y

    def mapping(self, z: Tensor, y: Tensor | None, layers: int) -> Tensor:
        told = None if y is None else unit(self.dense(F.one_hot(y, 3).to(z.dtype), active=False))
        x = unit(z) if told is None else torch.cat((unit(z), told), 1)
        for _ in range(layers):
            x = self.dense(x, 0.01)
        return x

    def modulated(self, x: Tensor, w: Tensor, up: bool = False, demodulate: bool = True) -> Tensor:
        weight, a, bias = self.next(), self.next(), self.next()
        style = w @ a.T / a.shape[1] ** 0.5 + bias
        made = []
        for sample, s in zip(x, style, strict=True):
            own = weight / weight[0].numel() ** 0.5 * s[None, :, None, None]
            if demodulate:
                own = own / (own.square().sum((1, 2, 3), keepdim=True) + 1e-8).sqrt()
            if up:
                wide = sample.new_zeros(len(sample), *(2 * n - 1 for n in sample.shape[1:]))
                wide[:, ::2, ::2] = sample
                full = F.conv2d(F.pad(wide, (2, 2, 2, 2))[None], own.flip((2, 3)))
                made.append(fir(full, 1, 1) * 4)
            else:
                made.append(F.conv2d(sample[None], own, padding=own.shape[2] // 2))
        return torch.cat(made)

    def synthesis(self, ws: Tensor, noise: Tensor, size: int) -> Tensor:
        x = self.next().expand(len(ws), -1, -1, -1)
        row, side, image = 0, 4, None
        while True:
            for up in [False] if side == 4 else [True, False]:
                x = self.modulated(x, ws[:, row], up)
                x = x + self.next() * noise[:, row : row + 1, :side, :side]
                x = F.leaky_relu(x + self.next()[:, None, None], 0.2) * ROOT
                row += 1
            colours = self.modulated(x, ws[:, row], demodulate=False) + self.next()[:, None, None]
            if image is not None:
                wide = image.new_zeros(*image.shape[:2], side, side)
                wide[:, :, ::2, ::2] = image
                colours = colours + fir(wide, 2, 1) * 4
            image = colours
            if side == size:
                return image
            side *= 2

    def conv(self, x: Tensor, bias: bool = True, **how: Any) -> Tensor:
        w = self.next()
        w = w / w[0].numel() ** 0.5
        return F.conv2d(x, w, self.next() if bias else None, **how)

    def discriminator(self, x: Tensor, y: Tensor | None, group: int) -> Tensor:
        def act(v: Tensor) -> Tensor:
            return F.leaky_relu(v, 0.2) * ROOT

        x = act(self.conv(x))
        while x.shape[2] > 4:
            inner = act(self.conv(x, padding=1))
            inner = act(self.conv(fir(inner, 2, 2), stride=2))
            x = (inner + self.conv(fir(x, 1, 1)[:, :, ::2, ::2], bias=False)) / ROOT
        groups = x.reshape(group, -1, *x.shape[1:])
        spread = ((groups - groups.mean(0)).square().mean(0) + 1e-8).sqrt().mean((1, 2, 3))
        spread = spread.repeat(group)[:, None, None, None].expand(-1, 1, 4, 4)
        x = act(self.conv(torch.cat((x, spread), 1), padding=1))
        x = self.dense(x.flatten(1))
        x = self.dense(x, active=False)
        if y is None:
            return x
        told = unit(self.dense(F.one_hot(y, 3).to(x.dtype), active=False))
        for _ in range(8):
            told = self.dense(told, 0.01)
        return (x * told).sum(1, keepdim=True) / x.shape[1] ** 0.5


def unit(x: Tensor) -> Tensor:
    return x / (x.square().mean(1, keepdim=True) + 1e-8).sqrt()


def fir(x: Tensor, before: int, after: int) -> Tensor:
    """[1, 3, 3, 1] over rows and columns, of a map with zeros around it."""
    taps = torch.tensor([1.0, 3, 3, 1], dtype=x.dtype) / 8
    kernel = (taps[:, None] * taps).expand(x.shape[1], 1, 4, 4)
    return F.conv2d(F.pad(x, (before, after, before, after)), kernel, groups=x.shape[1])


def networks(made: ganzoo.Spec) -> dict[str, Any]:
    nets = build(made)
    for seed, (name, net) in enumerate(nets.items()):
        initialize(net, made.networks[name], seed)
        with torch.no_grad():  # of biases and strengths, which begin at 0, as well
            for value in net.parameters():
                if value.ndim < 2:
                    value.add_(0.3 * torch.randn(value.shape))
    return nets


def weights(net: Any) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in net.named_parameters()}


@FORMS
@pytest.mark.parametrize("size", [16, 32])
def test_the_networks_are_the_papers(size: int, conditional: bool) -> None:
    torch.manual_seed(0)
    made = spec(size, conditional=conditional)
    nets, y = networks(made), torch.tensor([0, 2, 1, 2]) if conditional else None
    told = () if y is None else (y,)
    z, x = torch.randn(4, 6), torch.randn(4, 3, size, size)
    rows = 2 * (size.bit_length() - 1) - 2
    ws, n = torch.randn(4, rows, 6), torch.randn(4, rows - 1, size, size)
    for found, paper, wanted in (
        (nets["M"](z, *told), p := Paper(weights(nets["M"])), p.mapping(z, y, 2)),
        (nets["S"](ws, n), p := Paper(weights(nets["S"])), p.synthesis(ws, n, size)),
        (nets["D"](x, *told), p := Paper(weights(nets["D"])), p.discriminator(x, y, 2)),
    ):
        assert not paper.left, "weights that the formulas do not have"
        assert (found - wanted).abs().max() < 1e-5 * max(1.0, wanted.abs().max().item())


# ---------------------------------------------------------------- a round in plain torch


def watched(made: ganzoo.Spec) -> tuple[Training, list[Any], dict[str, Tensor]]:
    """A run in the default precision; what each step saw, and all that was drawn last, by name."""
    run = Training(made, noise(16, 3), batch=4, seed=0, device=torch.device("cpu"),
                   precision="fp32")  # fmt: skip
    steps: list[Any] = []
    drawn: dict[str, Tensor] = {}
    apply, batch_of = run._apply, run.draws.batch_of

    def seen(name: str) -> None:
        kept = {net: weights(run.networks[net]) for net in run.networks}
        steps.append((name, kept, [p.grad for p in run.updaters[name].parameters]))
        apply(name)

    def draw(name: str, raw: tuple[Tensor, ...]) -> Tensor:
        value = batch_of(name, raw)
        drawn[name] = value.to(torch.get_default_dtype()) if value.is_floating_point() else value
        return drawn[name]

    run._apply, run.draws.batch_of = seen, draw  # type: ignore[method-assign]
    with torch.no_grad():
        for net in run.networks.values():
            for value in net.parameters():
                if value.ndim < 2:
                    value.add_(0.3 * torch.randn(value.shape))
    return run, steps, drawn


class Round:
    """One round as a person would write it, from the weights that stand before each step."""

    def __init__(self, drawn: dict[str, Tensor], state: dict[str, Tensor], settings: Any) -> None:
        self.drawn, self.state, self.settings = drawn, state, settings
        self.y = drawn.get("y")

    def noise_of(self, start: str) -> Tensor:
        [found] = [value for name, value in self.drawn.items() if name.startswith(start)]
        return found

    def styles(self, m: dict[str, Tensor]) -> Tensor:
        one, other = (Paper(m).mapping(self.drawn[v], self.y, 2) for v in "zu")
        ws = one[:, None].repeat(1, ROWS, 1)
        gate, cut = self.drawn[self.name("gate")], self.drawn[self.name("cut")]
        for i in range(4):
            if gate[i] < 0.9:
                first = 1 + int(cut[i] * (ROWS - 1))
                ws = torch.cat((ws[:i], torch.cat((ws[i, :first], other[i].expand(ROWS - first, -1)
                                                   ))[None], ws[i + 1 :]))  # fmt: skip
        return ws

    def name(self, ending: str) -> str:
        [found] = [name for name in self.drawn if name.endswith(f".{ending}")]
        return found

    def fake(self, m: dict[str, Tensor], s: dict[str, Tensor], ws: Tensor | None = None) -> Tensor:
        return Paper(s).synthesis(self.styles(m) if ws is None else ws, self.drawn["n"], 16)

    def logits(self, d: dict[str, Tensor], x: Tensor, of: str) -> Tensor:
        if self.settings.get("ada"):
            [chance] = [v for n, v in self.drawn.items() if n.startswith(f"ada({of}")]
            x = ada(x, self.state["p"], chance=chance)
        return Paper(d).discriminator(x, self.y, 2)

    def loss(self, update: str, w: dict[str, dict[str, Tensor]]) -> Tensor:
        x = self.drawn["x"]
        if update == "D":
            made = self.logits(w["D"], self.fake(w["M"], w["S"]), "fake")
            return F.softplus(made).mean() + F.softplus(-self.logits(w["D"], x, "x")).mean()
        if update == "D_reg":
            x = x.clone().requires_grad_()
            self.real = self.logits(w["D"], x, "x")
            [slope] = torch.autograd.grad(self.real.sum(), x, create_graph=True)
            gamma = 0.0002 * 16 * 16 / 4
            return 16 * gamma / 2 * slope.square().sum((1, 2, 3)).mean()
        if update == "G":
            return F.softplus(-self.logits(w["D"], self.fake(w["M"], w["S"]), "fake")).mean()
        ws = self.styles(w["M"])
        fake = self.fake(w["M"], w["S"], ws)
        pixels = self.drawn["noise"] / (16 * 16) ** 0.5
        [slope] = torch.autograd.grad((fake * pixels).sum(), ws, create_graph=True)
        self.lengths = slope.square().sum(2).mean(1).sqrt()
        return 4 * 2 * (self.lengths - self.state["length"]).square().mean()


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("settings", [{}, {"conditional": True, "ada": True}], ids=["plain", "all"])
def test_a_round_is_that_of_a_plain_loop(settings: dict[str, Any]) -> None:
    torch.manual_seed(0)
    run, steps, drawn = watched(spec(**settings))
    before = {"length": 0.3, **({"p": 0.4} if "ada" in settings else {})}
    for name, value in before.items():
        run.memory.held[name]["value"].fill_(value)
    run.memory.held["w_mean"]["value"].copy_(torch.linspace(-1, 1, 6))
    state = {name: held["value"].clone() for name, held in run.memory.held.items()}
    run.round()
    assert [name for name, *_ in steps] == ["D", "D_reg", "G", "G_reg"]
    loop = Round(drawn, state, settings)
    for name, kept, found in steps:
        copies = {net: {k: v.clone().requires_grad_() for k, v in own.items()}
                  for net, own in kept.items()}  # fmt: skip
        trained = [v for net in ("D" if name[0] == "D" else "MS") for v in copies[net].values()]
        loss = loop.loss(name, copies)
        wanted = torch.autograd.grad(loss, trained, allow_unused=True)
        largest = max(g.abs().max().item() for g in wanted if g is not None)
        assert largest > 1e-6, name
        for ours, theirs in zip(found, wanted, strict=True):
            theirs = torch.zeros(()) if theirs is None else theirs
            ours = torch.zeros(()) if ours is None else ours
            assert (ours - theirs).abs().max().item() <= 1e-9 * max(1, largest), name
    held = {name: value["value"] for name, value in run.memory.held.items()}
    assert (held["length"] - torch.lerp(state["length"], loop.lengths.mean(), 0.01)).abs() < 1e-9
    # of z alone, not of the rows that are mixed in
    w = Paper(steps[-1][1]["M"]).mapping(drawn["z"], drawn.get("y"), 2)
    assert torch.allclose(held["w_mean"], torch.lerp(state["w_mean"], w.mean(0), 0.005), atol=1e-9)
    if "ada" in settings:
        sure = torch.sign(loop.real.sign().mean() - 0.6)
        assert (held["p"] - (0.4 + 4 * 4 / 500_000 * sure)).abs() < 1e-12


# --------------------------------------------------------------------- what can go wrong


def test_path_length_is_what_finite_differences_say() -> None:
    """The Jacobian's rows by differences in w, times the noise: sqrt of the mean over layers."""
    torch.manual_seed(0)
    net = networks(spec())["S"].double()
    ws = torch.randn(1, ROWS, 6, dtype=torch.float64)
    n = torch.randn(1, ROWS - 1, 16, 16, dtype=torch.float64)
    pixels = torch.randn(1, 3, 16, 16, dtype=torch.float64) / 16
    slopes = torch.zeros(ROWS, 6, dtype=torch.float64)
    with torch.no_grad():
        for row in range(ROWS):
            for j in range(6):
                step = torch.zeros_like(ws)
                step[0, row, j] = 1e-5
                slopes[row, j] = ((net(ws + step, n) - net(ws - step, n)) * pixels).sum() / 2e-5
    ws.requires_grad_()
    [found] = torch.autograd.grad((net(ws, n) * pixels).sum(), ws)
    assert found.norm().item() == pytest.approx(slopes.norm().item(), rel=1e-4)
    lengths = spec().let["lengths"]
    assert lengths == f"norm(grad(dot(fake, noise) / 16, w)) / sqrt({ROWS})"


def test_mixing_crosses_over_where_it_says() -> None:
    run, drawn = still()
    styles: list[Tensor] = []
    run.networks["S"].register_forward_pre_hook(lambda _, values: styles.append(values[0]))
    run.round()
    mapped = [run_before(run, drawn[v]) for v in "zu"]
    [gate] = [v for name, v in drawn.items() if name.endswith(".gate")]
    [cut] = [v for name, v in drawn.items() if name.endswith(".cut")]
    for i in range(4):
        first = 1 + int(cut[i] * (ROWS - 1)) if gate[i] < 0.9 else ROWS
        assert torch.allclose(styles[0][i, :first], mapped[0][i].expand(first, -1), atol=1e-5)
        rest = mapped[1][i].expand(ROWS - first, -1)
        assert torch.allclose(styles[0][i, first:], rest, atol=1e-5)


def still(**settings: Any) -> tuple[Training, dict[str, Tensor]]:
    """A run whose weights hardly move, and what it drew last."""
    torch.manual_seed(0)
    run, _, drawn = watched(spec(lr=1e-12, **settings))
    return run, drawn


def run_before(run: Training, z: Tensor) -> Tensor:
    with torch.no_grad():
        return run.networks["M"](z)


def test_truncation_moves_toward_the_mean() -> None:
    run, _ = still()
    for _ in range(3):
        run.round()
    model, seen = run.model(), list[Tensor]()
    model.networks["S"].register_forward_pre_hook(lambda _, values: seen.append(values[0]))
    for psi in (0.0, 0.5, 1.0):
        model.generate(8, seed=0, psi=psi)
    model.generate(8, seed=0)
    none, half, whole, asked_nothing = seen
    assert torch.equal(asked_nothing, whole)
    mean = model.state["w_mean"]
    assert torch.allclose(none, mean.expand_as(none), atol=1e-6)
    assert torch.allclose(half, (whole + mean) / 2, atol=1e-5)
    assert (whole - mean).norm() > 0.1


@pytest.mark.parametrize("sure, way", [(3.0, 1), (-3.0, -1)])
def test_the_sign_of_reals_moves_p(sure: float, way: int) -> None:
    """D(x) = +-c moves p by 4b / 500k, whatever D says of fakes, in one round of four."""
    run, _ = still(ada=True)
    with torch.no_grad():
        for value in run.networks["D"].parameters():
            value.zero_()
        [*run.networks["D"].parameters()][-1].fill_(sure)
    run.memory.held["p"]["value"].fill_(0.5)
    for number in range(5):
        run.round()
        changes = 1 + number // 4
        wanted = 0.5 + way * changes * 4 * 4 / 500_000
        assert run.memory.held["p"]["value"].item() == pytest.approx(wanted, abs=1e-7)


def test_ada_drives_an_overfit_discriminator_to_the_target() -> None:
    """Made: D is sure of an image by how little it was changed; p settles where signs average 0.6.

    Of 16 verdicts, D recognises those whose image was augmented by a smaller number than 1 - p.
    """
    rule = spec(ada=True, ada_images=2_000, batch=16).state["p"]
    assert rule.every == 4
    p, seen = torch.zeros(()), []
    torch.manual_seed(0)
    for _ in range(300):
        verdicts = torch.where(torch.rand(16) < 1 - p, 1.0, -1.0)
        p = (p + 4 * 16 / 2_000 * torch.sign(verdicts.sign().mean() - 0.6)).clamp_min(0)
        seen.append(p.item())
    # E sign = 1 - 2p is 0.6 at p = 0.2
    assert sum(seen[100:]) / 200 == pytest.approx(0.2, abs=0.06)
    assert "sign(mean(sign(real)) - 0.6)" in getattr(rule, "next")  # noqa: B009


def test_lazy_regularizers_count_as_often_as_they_are_left_out() -> None:
    made = spec(gamma=2.0)
    by_name = {update.name: update for update in made.stages[0].updates}
    r1, length = by_name["D_reg"], by_name["G_reg"]
    assert (r1.every, length.every) == (16, 4)
    assert r1.minimize["r1"] == "16 * mean(squared_norm(grad(real, x)))"  # 16 * gamma / 2
    assert length.minimize["path_length"].startswith("8 * ")  # 4 * 2
    assert (r1.optimizer, length.optimizer) == (Shared("D"), Shared("G"))
    for name, c in (("D", 16 / 17), ("G", 4 / 5)):
        adam = by_name[name].optimizer
        assert isinstance(adam, Adam)
        found = [number_of(str(text), {}, Clock(0, 4, 0.0)) for text in (adam.lr, adam.betas[1])]
        assert found == [pytest.approx(2e-3 * c), pytest.approx(0.99**c)]


def test_a_rate_multiplier_does_not_show_at_first() -> None:
    """w = M(z) begins as wide whatever the multiplier, and an SGD step counts its square."""
    torch.manual_seed(0)
    net = build(spec())["M"]
    initialize(net, spec().networks["M"], 0)
    w = net(torch.randn(512, 6))
    assert 0.3 < w.std() < 3
    first = next(iter(net.parameters()))
    assert first.std().item() == pytest.approx(100, rel=0.5)


def test_the_moving_average_forgets_by_images() -> None:
    """`half_life` in images at any batch, and a twentieth of those seen before."""
    average = spec(half_life=1000).ema["S"]
    assert average == HalfLife("minimum(1000, 0.05 * images)")
    assert HalfLife.decay(1000, 250) ** 4 == pytest.approx(0.5)
    assert HalfLife.decay(0, 250) == 0


def test_constants_stay_constant_inside() -> None:
    """The filter going up is times four, so that a grey image stays as grey."""
    x = torch.ones(1, 1, 8, 8)
    wide = torch.zeros(1, 1, 16, 16)
    wide[:, :, ::2, ::2] = x
    assert torch.allclose(fir(wide, 2, 1)[:, :, 3:-3, 3:-3] * 4, torch.ones(1, 1, 10, 10))
    assert torch.allclose(fir(x, 2, 2)[:, :, 3:-3, 3:-3], torch.ones(1, 1, 3, 3))


@FORMS
def test_the_label_counts(conditional: bool) -> None:
    made = spec(conditional=conditional)
    assert ("y" in made.draws) == conditional
    if not conditional:
        return
    nets = networks(made)
    z, x = torch.randn(1, 6), torch.randn(2, 3, 16, 16)
    maps = [nets["M"](z, torch.tensor([y])) for y in range(3)]
    assert (maps[0] - maps[1]).norm() > 0.01 < (maps[1] - maps[2]).norm()
    scores = [nets["D"](x, torch.full((2,), y)) for y in range(3)]
    assert not torch.allclose(scores[0], scores[1]) and not torch.allclose(scores[1], scores[2])


@pytest.mark.parametrize("variant, size", [(CIFAR10, 32), (Paper256, 256)])
def test_the_presets_are_sound_and_as_wide_as_the_papers(variant: type, size: int) -> None:
    made = variant().spec(ganzoo.Fields(fields={"image": Image((3, size, size))}))
    assert ganzoo.Spec.from_json(made.to_json()) == made
    kinds = [layer for layer in made.networks["S"].layers if layer.kind == "mod_conv"]
    assert getattr(kinds[0], "channels") == 512  # noqa: B009


@pytest.mark.parametrize("check", CHECKS)
def test_conforms(check: str) -> None:
    conforms("stylegan2", check, data=noise(16, 3), **{**SMALL, "conditional": True, "ada": True})
