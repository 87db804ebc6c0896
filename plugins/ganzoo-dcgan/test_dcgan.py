"""The DCGAN and the conditional one: the paper's rules, every size, and that they learn."""

import pytest
import torch

import ganzoo
from ganzoo.nn.build import build
from ganzoo.spec import BatchNorm, Image, Label
from ganzoo_dcgan import CDCGAN, DCGAN


def spec(size: int = 16, channels: int = 1, variant: type[ganzoo.Variant] = DCGAN, **settings):
    fields = {"image": Image((channels, size, size)), "label": Label(4)}
    return variant(**settings).spec(ganzoo.Fields(fields))


SIZES = [
    (1, 16), (3, 16), (4, 20), (1, 28), (3, 32), (1, 33), (4, 48), (3, 50), (3, 64), (1, 96),
    (1, 100), (3, 127), (4, 128),
]  # fmt: skip


@pytest.mark.parametrize("channels, size", SIZES)
@pytest.mark.parametrize("variant", [DCGAN, CDCGAN])
def test_every_size_fits(variant: type, size: int, channels: int) -> None:
    networks = build(spec(size, channels, variant, width=4))
    assert networks["D"].shapes[0] == networks["G"].leaves[""] == (channels, size, size)


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


def test_batch_norm_of_the_conditional_one_has_no_gain_and_no_bias() -> None:
    """The authors' code; the label, which joins after each, is what shifts a map."""
    small = spec(32, variant=CDCGAN, width=8)
    norms = [
        layer
        for network in small.networks.values()
        for layer in network.layers
        if isinstance(layer, BatchNorm)
    ]
    assert set(norms) == {BatchNorm(affine=False)} and len(norms) == 3 + 3


def test_it_learns_a_constant_image() -> None:
    """On one image the samples must come closer to it than the untrained ones are."""
    image = torch.zeros(1, 16, 16, dtype=torch.uint8)
    image[0, 4:12, 4:12] = 255
    data = ganzoo.Source.from_arrays("square", image.expand(32, 1, 16, 16).contiguous())
    target = image[None].float() / 255
    errors = {}
    for step in ganzoo.train(spec(width=8, batch=32, lr=3e-3), data, steps=80):
        if step.number in (1, step.total):
            samples = step.model().generate(64, output="pt")
            errors[step.number] = (samples - target).abs().mean().item()
    assert errors[80] < 0.7 * errors[1]


@pytest.mark.parametrize("paired", [True, False])
def test_it_learns_which_image_belongs_to_which_label(paired: bool) -> None:
    """Four classes of one image each; with labels drawn apart from their images it cannot.

    Two classes are too few: normalised without gain and bias, they are 1 and -1 on every map.
    """
    images = torch.zeros(4, 1, 16, 16, dtype=torch.uint8)
    for label in range(4):
        top, left = 8 * (label // 2), 8 * (label % 2)
        images[label, :, top : top + 8, left : left + 8] = 255
    labels = torch.arange(64) % 4
    data = ganzoo.Source.from_arrays("corners", images[labels], labels)
    small = spec(variant=CDCGAN, latent=8, width=8, hidden=32, batch=64, lr=1e-2)
    if not paired:
        apart = small.draws["y"].model_copy(update={"independent": True})
        small = small.model_copy(update={"draws": {**small.draws, "y": apart}})
    *_, step = ganzoo.train(small, data, steps=80 if paired else 40)
    asked = torch.arange(64) % 4
    samples = step.model().generate(label=asked.tolist(), output="pt")
    distance = (samples[:, None] - images.float() / 255).abs().mean((2, 3, 4))
    right = distance.argmin(1) == asked
    told = all(right[asked == label].float().mean() > 0.9 for label in range(4))
    assert told == paired
