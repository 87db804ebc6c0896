"""R3GAN against the formulas of its paper, in plain torch: networks, a round, its pitfalls."""

import math
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

import ganzoo
from ganzoo.engine.training import Training
from ganzoo.errors import SpecError
from ganzoo.nn.build import build, initialize, parameter_count
from ganzoo.nn.functions import augmentations
from ganzoo.spec import Flatten, HalfLife, Image, Label, Linear, Network
from ganzoo.spec.numbers import Clock, value
from ganzoo.testing import CHECKS, conforms, noise
from ganzoo_r3gan import CIFAR10, FFHQ64, R3GAN

SMALL: dict[str, Any] = {"latent": 6, "width": 8, "group": 4, "batch": 4}
FORMS = pytest.mark.parametrize("conditional", [False, True], ids=["plain", "conditional"])


def spec(size: int = 16, channels: int = 3, **settings: Any) -> ganzoo.Spec:
    fields = {"image": Image((channels, size, size)), "label": Label(3)}
    return R3GAN(**{**SMALL, **settings}).spec(ganzoo.Fields(fields=fields))


@pytest.fixture
def float64() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


# ------------------------------------------------------- the paper's networks in plain torch


class Paper:
    """The networks by the formulas, which read the weights of a state dict in order."""

    def __init__(self, weights: dict[str, Tensor], blocks: int = 2, group: int = 4) -> None:
        self.left, self.blocks, self.group = list(weights.values()), blocks, group

    def next(self) -> Tensor:
        return self.left.pop(0)

    def block(self, x: Tensor) -> Tensor:
        def act(v: Tensor) -> Tensor:
            return F.leaky_relu(v + self.next()[:, None, None], 0.2)

        inner = act(F.conv2d(x, self.next()))
        inner = act(F.conv2d(inner, self.next(), padding=1, groups=inner.shape[1] // self.group))
        return x + F.conv2d(inner, self.next())

    def generator(self, z: Tensor, y: Tensor | None, widths: list[int]) -> Tensor:
        if y is not None:
            z = torch.cat((z, F.one_hot(y, 3).to(z.dtype) @ self.next().T), 1)
        x = z @ self.next().T
        x = x[:, :, None, None] * self.next()
        for index, width in enumerate(widths):
            if index:
                x = x if width == widths[index - 1] else F.conv2d(x, self.next())
                wide = x.new_zeros(*x.shape[:2], 2 * x.shape[2], 2 * x.shape[3])
                wide[:, :, ::2, ::2] = x
                x = fir(wide, 2, 1) * 4
            for _ in range(self.blocks):
                x = self.block(x)
        return F.conv2d(x, self.next())

    def discriminator(self, x: Tensor, y: Tensor | None, widths: list[int]) -> Tensor:
        x = F.conv2d(x, self.next())
        for index, width in reversed([*enumerate(widths)]):
            if index < len(widths) - 1:
                x = fir(x, 1, 1)[:, :, ::2, ::2]
                x = x if width == widths[index + 1] else F.conv2d(x, self.next())
            for _ in range(self.blocks):
                x = self.block(x)
        x = (x * self.next()[:, 0]).sum((2, 3))  # one 4x4 filter a channel
        x = x @ self.next().T
        if y is None:
            return x
        return (x * (F.one_hot(y, 3).to(x.dtype) @ self.next().T)).sum(1, keepdim=True)


def fir(x: Tensor, before: int, after: int) -> Tensor:
    """[1, 3, 3, 1] over rows and columns, of a map with zeros around it."""
    taps = torch.tensor([1.0, 3, 3, 1], dtype=x.dtype) / 8
    kernel = (taps[:, None] * taps).expand(x.shape[1], 1, 4, 4)
    return F.conv2d(F.pad(x, (before, after, before, after)), kernel, groups=x.shape[1])


def networks(made: ganzoo.Spec, noisy: bool = True) -> dict[str, Any]:
    nets = build(made)
    for seed, (name, net) in enumerate(nets.items()):
        initialize(net, made.networks[name], seed)
        with torch.no_grad():  # of what begins at 0, as well
            for weight in net.parameters() if noisy else ():
                weight.add_(0.2 * torch.randn(weight.shape))
    return nets


def weights(net: Any) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in net.named_parameters()}


@FORMS
@pytest.mark.parametrize("size", [16, 64])
def test_the_networks_are_the_papers(size: int, conditional: bool) -> None:
    torch.manual_seed(0)
    nets = networks(spec(size, conditional=conditional))
    y = torch.tensor([0, 2, 1, 2]) if conditional else None
    told, widths = () if y is None else (y,), R3GAN(**SMALL).widths(size)
    z, x = torch.randn(4, 6), torch.randn(4, 3, size, size)
    for found, paper, wanted in (
        (nets["G"](z, *told), p := Paper(weights(nets["G"])), p.generator(z, y, widths)),
        (nets["D"](x, *told), p := Paper(weights(nets["D"])), p.discriminator(x, y, widths)),
    ):
        assert not paper.left, "weights that the formulas do not have"
        assert (found - wanted).abs().max() < 1e-5 * max(1.0, wanted.abs().max().item())


# ------------------------------------------------------------------ a round in plain torch


def run_of(made: ganzoo.Spec) -> tuple[Training, list[Any], dict[str, Tensor]]:
    """A run in the default precision; what each step saw, and all that was drawn, by name."""
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
        found = batch_of(name, raw)
        drawn[name] = found.to(torch.get_default_dtype()) if found.is_floating_point() else found
        return drawn[name]

    run._apply, run.draws.batch_of = seen, draw  # type: ignore[method-assign]
    return run, steps, drawn


def augmented(images: Tensor, p: float, drawn: dict[str, Tensor], of: str) -> Tensor:
    """The authors' steps in their order, each with the numbers that were drawn for it."""
    for step, share in (("ada_blit", p), ("ada_geometry", p), ("ada_color", p / 2),
                        ("ada_cutout", p)):  # fmt: skip
        [chance] = [v for name, v in drawn.items() if name.startswith(f"{step}(") and of in name]
        images = getattr(augmentations, step)(images, share, chance=chance)
    return images


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("settings", [{}, {"conditional": True, "augment": 0.8}],
                         ids=["plain", "all"])  # fmt: skip
def test_a_round_is_that_of_a_plain_loop(settings: dict[str, Any]) -> None:
    torch.manual_seed(0)
    run, steps, drawn = run_of(spec(**settings).with_steps(10))
    widths = R3GAN(**SMALL).widths(16)
    with torch.no_grad():
        for net in run.networks.values():
            for weight in net.parameters():
                weight.add_(0.2 * torch.randn(weight.shape))
    for number in range(3):
        steps.clear()
        drawn.clear()
        run.round()
        # half a cosine over the first 0.4 of the run
        t = min(number / 10 / 0.4, 1)
        gamma, p = (b + (a - b) / 2 * (1 + math.cos(math.pi * t)) for a, b in ((2, 0.2), (0, 0.8)))
        y = drawn.get("y")

        def logits(w: Any, x: Tensor, of: str, p: float = p, y: Any = y) -> Tensor:
            seen = augmented(x, p, drawn, of) if "augment" in settings else x
            return Paper(w).discriminator(seen, y, widths)

        for name, kept, found in steps:
            copies = {net: {k: v.clone().requires_grad_() for k, v in own.items()}
                      for net, own in kept.items()}  # fmt: skip
            x, fake = drawn["x"].clone(), Paper(copies["G"]).generator(drawn["z"], y, widths)
            if name == "D":
                x, fake = x.requires_grad_(), fake.detach().requires_grad_()
                real, made = logits(copies["D"], x, "x"), logits(copies["D"], fake, "fake")
                loss = F.softplus(made - real).mean()
                for score, image in ((real, x), (made, fake)):
                    [slope] = torch.autograd.grad(score.sum(), image, create_graph=True)
                    loss = loss + gamma / 2 * slope.square().sum((1, 2, 3)).mean()
            else:
                real, made = logits(copies["D"], x, "x"), logits(copies["D"], fake, "fake")
                loss = F.softplus(real - made).mean()
            wanted = torch.autograd.grad(loss, list(copies[name].values()))
            largest = max(g.abs().max().item() for g in wanted)
            assert largest > 1e-6, name
            for ours, theirs in zip(found, wanted, strict=True):
                assert (ours - theirs).abs().max().item() <= 1e-9 * max(1, largest), (number, name)


# --------------------------------------------------------------------- what can go wrong


@pytest.mark.parametrize("batch", [2, 8])
@pytest.mark.parametrize("through", [1, 2])
def test_r1_and_r2_of_a_linear_critic(batch: int, through: int) -> None:
    """gamma / 2 |w|^2 of each, at any batch; of D(2x) four times that."""
    made = spec()
    linear = Network({"x": ()}, (Flatten(), Linear(1)))
    let = {**made.let, "real": f"D({through} * x)", "made": f"D({through} * fake)"}
    run = Training(made.replace(networks={**made.networks, "D": linear}, let=let), noise(16, 3),
                   batch=batch, seed=0, device=torch.device("cpu"), precision="fp32")  # fmt: skip
    w = next(run.networks["D"].parameters()).detach().clone()
    run.round()
    for term in ("D.r1", "D.r2"):
        wanted = through**2 * w.square().sum().item()  # gamma is 2 at first
        assert run.losses()[term] == pytest.approx(wanted, rel=1e-5)


def test_images_are_compared_in_pairs() -> None:
    """Equal scores cost ln 2 either way, and it matters which fake meets which image."""
    run, *_ = run_of(spec(lr=1e-12))
    with torch.no_grad():
        for weight in run.networks["D"].parameters():
            weight.zero_()
    run.round()
    losses = run.losses()
    assert losses["D.relative"] == pytest.approx(math.log(2))
    assert losses["G.relative"] == pytest.approx(math.log(2))
    made = spec()
    assert made.stages[0].updates[0].minimize["relative"] == "mean(softplus(made - real))"
    assert made.stages[0].updates[1].minimize["relative"] == "mean(softplus(real - made))"
    real, fake = torch.tensor([3.0, -3.0]), torch.tensor([2.0, -1.0])
    one, two = (F.softplus(other - real).mean() for other in (fake, fake.flip(0)))
    assert not torch.allclose(one, two)


@FORMS
def test_every_block_begins_as_nothing(conditional: bool) -> None:
    """The last weights of a block are 0, and its biases; convolutions have none of their own."""
    made = spec(conditional=conditional)
    torch.manual_seed(0)
    nets = networks(made, noisy=False)
    with torch.no_grad():
        for net in nets.values():
            for name, weight in net.named_parameters():
                inner = ".layers.0.weight" in name or ".layers.3.weight" in name
                if inner:  # whatever they are, nothing comes through
                    weight.copy_(torch.randn_like(weight))
    z, y = torch.randn(4, 6), torch.tensor([0, 1, 2, 0])
    told, widths = (y,) if conditional else (), R3GAN(**SMALL).widths(16)

    class Empty(Paper):
        def block(self, x: Tensor) -> Tensor:
            del self.left[:5]
            return x

    wanted = Empty(weights(nets["G"])).generator(z, y if conditional else None, widths)
    assert torch.allclose(nets["G"](z, *told), wanted, atol=1e-6)
    biased = [layer for net in made.networks for _, layer in made.layers_of(net)
              if layer.kind in ("conv", "linear") and getattr(layer, "bias")]  # noqa: B009  # fmt: skip
    assert biased == []


def test_weights_begin_as_wide_as_the_authors() -> None:
    """N(0, g / sqrt(fan in)); in blocks g is sqrt(2 / 1.04) L^(-1/4), L the blocks of the whole."""
    nets = networks(spec(width=64, group=32), noisy=False)
    gain = (2 / 1.04) ** 0.5 * (2 * 3) ** -0.25
    for name, weight in nets["G"].named_parameters():
        if weight.ndim == 4 and weight.abs().max() > 0 and ".layers." in name.removeprefix("lay"):
            wide = weight.std().item() * weight[0].numel() ** 0.5
            assert wide == pytest.approx(gain, rel=0.08), name


def test_the_schedules_follow_images() -> None:
    made = CIFAR10().spec(ganzoo.Fields(fields={"image": Image((3, 32, 32))}))
    numbers = {"lr": made.let["lr"], "gamma": made.let["gamma"], "p": made.let["p"]}
    adam = made.stages[0].updates[0].optimizer
    numbers["beta2"] = adam.betas[1]  # type: ignore[attr-defined]
    average = made.ema["G"]
    assert isinstance(average, HalfLife)
    numbers["half"] = str(average.half_life)
    ends = {"lr": (2e-4, 5e-5), "gamma": (0.05, 0.005), "p": (0, 0.55), "beta2": (0.9, 0.99),
            "half": (0, 5e6)}  # fmt: skip
    for name, text in numbers.items():
        first, last = ends[name]
        for images, wanted in ((0, first), (1e7, (first + last) / 2), (2e7, last), (4e7, last)):
            clock = Clock(int(images // 512), 512, 0.0)
            found = value(text, made.let, clock)
            assert found == pytest.approx(wanted, rel=1e-3, abs=1e-3 * max(ends[name])), name


@pytest.mark.parametrize("steps", [1_000, 100_000])
def test_a_short_run_is_not_averaged_over_half_of_it(steps: int) -> None:
    made = spec(steps=steps, batch=32)
    average = made.ema["G"]
    assert isinstance(average, HalfLife)
    for share in (0.1, 0.5, 1.0):
        clock = Clock(int(steps * share), 32, share)
        found = value(str(average.half_life), made.let, clock)
        assert 0 < found <= min(100_000, 0.05 * clock.images)
    assert found == min(100_000, 0.05 * 32 * steps)


def test_the_average_is_a_copy_at_first_and_forgets_by_images() -> None:
    assert HalfLife.decay(0, 64) == 0
    for batch in (10, 1000):
        assert HalfLife.decay(5e6, batch) ** (5e6 / batch) == pytest.approx(0.5)


@pytest.mark.parametrize("variant, size, millions", [(CIFAR10, 32, 20.8), (FFHQ64, 64, 22.4)])
def test_the_presets_are_as_large_as_the_authors_networks(
    variant: type, size: int, millions: float
) -> None:
    made = variant().spec(ganzoo.Fields(fields={"image": Image((3, size, size))}))
    assert ganzoo.Spec.from_json(made.to_json()) == made
    generator = build(made)["G"]
    assert parameter_count(generator) / 1e6 == pytest.approx(millions, rel=0.01)
    grouped = {layer.groups for _, layer in made.layers_of("G") if getattr(layer, "groups", 1) > 1}  # type: ignore[attr-defined]
    assert grouped == ({96} if size == 32 else {96, 48})


def test_the_label_counts() -> None:
    nets = networks(spec(conditional=True))
    z, x = torch.randn(1, 6), torch.randn(2, 3, 16, 16)
    images = [nets["G"](z, torch.tensor([y])) for y in range(3)]
    assert (images[0] - images[1]).norm() > 1e-3 < (images[1] - images[2]).norm()
    scores = [nets["D"](x, torch.full((2,), y)) for y in range(3)]
    assert not torch.allclose(scores[0], scores[1]) and not torch.allclose(scores[1], scores[2])


@pytest.mark.parametrize("check", CHECKS)
def test_conforms(check: str) -> None:
    settings = {**SMALL, "conditional": True, "augment": 0.3}
    conforms("r3gan", check, data=noise(16, 3), **settings)


@pytest.mark.parametrize("text", ["1, 1,0.5", "1 1 0.5"])
def test_several_values_can_be_given_as_text(text: str) -> None:
    assert R3GAN.parse({"shares": text}) == R3GAN(shares=(1, 1, 0.5))
    with pytest.raises(SpecError, match=r"r3gan\.shares\.1: input should be a valid number"):
        R3GAN.parse({"shares": "1, wide"})
