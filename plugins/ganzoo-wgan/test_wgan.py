"""The Wasserstein GANs: what the papers say of the critic, every size, and that they learn."""

import pytest
import torch

import ganzoo
from ganzoo.nn.build import build
from ganzoo.spec import Adam, Image, Normal, RMSprop
from ganzoo_wgan import WGAN, WGANGP

VARIANTS = [WGAN, WGANGP]


def spec(variant, size: int = 16, channels: int = 1, **settings):
    return variant(**settings).spec(ganzoo.Fields({"image": Image((channels, size, size))}))


def square() -> tuple[torch.Tensor, ganzoo.Source]:
    """A constant image, in [0, 1], and a data set of nothing else."""
    image = torch.zeros(1, 16, 16, dtype=torch.uint8)
    image[0, 4:12, 4:12] = 255
    data = ganzoo.Source.from_arrays("square", image.expand(32, 1, 16, 16).contiguous())
    return image[None].float() / 255, data


SIZES = [(1, 16), (4, 20), (1, 28), (3, 32), (1, 33), (3, 50), (3, 64), (1, 100), (4, 128)]


@pytest.mark.parametrize("channels, size", SIZES)
@pytest.mark.parametrize("variant", VARIANTS)
def test_every_size_fits(variant: type, size: int, channels: int) -> None:
    networks = build(spec(variant, size, channels, width=4))
    assert networks["C"].shapes[0] == networks["G"].leaves[""] == (channels, size, size)


def test_the_schedule_is_the_papers_but_for_rates() -> None:
    clipped, penalised = (spec(variant).stages[0].updates for variant in VARIANTS)
    assert [update.repeat for update in (*clipped, *penalised)] == [5, 1, 5, 1]
    assert [update.clip_weights for update in (*clipped, *penalised)] == [0.01, None, None, None]
    critic, generator = (update.optimizer for update in clipped)
    assert critic == RMSprop(lr=5e-5) and isinstance(generator, RMSprop)
    for update in penalised:
        assert isinstance(update.optimizer, Adam) and update.optimizer.betas == (0.5, 0.9)
    theirs = spec(WGANGP, lr=1e-4, lr_generator=1e-4, decay=False).stages[0].updates
    assert theirs[0].optimizer == theirs[1].optimizer == Adam(lr=1e-4, betas=(0.5, 0.9))
    assert spec(WGANGP).draws["z"] == Normal(128)


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_critic_gives_a_number_without_bounds(variant: type) -> None:
    """No norm, and nothing after the last linear layer: it is not a probability."""
    kinds = [layer.kind for layer in spec(variant, 64).networks["C"].layers]
    assert kinds == ["conv", "leaky_relu"] * 4 + ["linear"]


def test_the_two_differ_in_the_critics_bound_alone() -> None:
    """The same networks, so that one can be compared with the other."""
    clipped, penalised = (spec(variant, width=8) for variant in VARIANTS)
    assert clipped.networks == penalised.networks
    ours, theirs = (s.stages[0].updates for s in (clipped, penalised))
    assert ours[1].minimize == theirs[1].minimize
    assert ours[0].minimize["critic"] == theirs[0].minimize["critic"]
    assert set(theirs[0].minimize) - set(ours[0].minimize) == {"penalty"}


@pytest.mark.parametrize("clip, inside", [(0.01, True), (1.0, False)])
def test_no_pass_ever_meets_a_weight_outside_the_box(clip: float, inside: bool) -> None:
    """Clamped before the step, as in the authors' code, they are outside when G learns."""
    _, data = square()
    small = spec(WGAN, latent=4, width=4, batch=8, lr=1e-2, clip=clip)
    largest: list[float] = []

    def look(critic: torch.nn.Module, *_: object) -> None:
        largest.append(max(p.abs().max().item() for p in critic.parameters()))

    for step in ganzoo.train(small, data, steps=4, precision="fp32"):
        if step.number == 1:  # before its first step the weights are as they begin
            step.training.networks["C"].register_forward_pre_hook(look)
    assert len(largest) == 3 * (2 * 5 + 1)
    assert (max(largest) <= 0.01) == inside


@pytest.mark.parametrize(
    "variant, settings",
    [
        (WGAN, {"clip": 0.05, "lr": 1e-3, "lr_generator": 5e-3}),
        (WGANGP, {"lr": 3e-3, "lr_generator": 3e-3, "decay": False}),
    ],
)
def test_it_learns_a_constant_image(variant: type, settings: dict) -> None:
    """On one image the samples must come closer to it than the untrained ones are."""
    target, data = square()
    small = spec(variant, latent=10, width=8, batch=32, critic_steps=2, **settings)
    errors = {}
    for step in ganzoo.train(small, data, steps=50):
        if step.number in (1, step.total):
            samples = step.model().generate(64, output="pt")
            errors[step.number] = (samples - target).abs().mean().item()
    assert errors[50] < 0.6 * errors[1]
