"""The DCGAN: the paper's rules, every size it promises, and that it learns."""

import pytest
import torch

import ganzoo
from ganzoo.build import build
from ganzoo.spec import BatchNorm, Image
from ganzoo_dcgan import DCGAN, doublings_for


def spec(size: int = 16, channels: int = 1, **settings):
    return DCGAN(**settings).spec(ganzoo.Fields({"image": Image((channels, size, size))}))


@pytest.mark.parametrize("size", [16, 20, 28, 32, 33, 48, 50, 64, 96, 100, 127, 128])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_every_size_fits(size: int, channels: int) -> None:
    networks = build(spec(size, channels, width=4))
    assert networks["D"].shapes == ((channels, size, size),)


@pytest.mark.parametrize(
    "size, doublings", [(16, 2), (28, 2), (31, 2), (32, 3), (63, 3), (64, 4), (128, 5)]
)
def test_the_smallest_map_has_4_to_7_pixels(size: int, doublings: int) -> None:
    assert doublings_for(size) == doublings
    assert 4 <= size // 2**doublings <= 7


def test_batch_norm_is_everywhere_but_at_the_ends() -> None:
    """Not after the generator's last layer, not after the discriminator's first (the paper)."""
    small = spec(64, 3, width=8)
    generator = [layer.kind for layer in small.networks["G"].layers]
    discriminator = [layer.kind for layer in small.networks["D"].layers]
    assert generator[-2:] == ["deconv", "tanh"]
    assert generator.count("batch_norm") == generator.count("deconv") == 4
    assert discriminator[:3] == ["conv", "leaky_relu", "conv"]
    assert discriminator.count("batch_norm") == discriminator.count("conv") - 1
    # 0.8 given as the second argument of torch's BatchNorm2d is an epsilon, in much public code
    norms = [layer for layer in small.networks["D"].layers if isinstance(layer, BatchNorm)]
    assert {(norm.eps, norm.momentum) for norm in norms} == {(1e-5, 0.1)}


def test_it_learns_a_constant_image() -> None:
    """On one image the samples must come closer to it than the untrained ones are."""
    image = torch.zeros(1, 16, 16, dtype=torch.uint8)
    image[0, 4:12, 4:12] = 255
    data = ganzoo.Source.from_arrays("square", image.expand(32, 1, 16, 16).contiguous())
    target = image[None].float() / 255
    errors = {}
    for step in ganzoo.train(spec(width=8, batch=32, lr=1e-3), data, steps=300):
        if step.number in (1, step.total):
            samples = step.model().generate(64, output="pt")
            errors[step.number] = (samples - target).abs().mean().item()
    assert errors[300] < 0.5 * errors[1]
