"""The original GAN: what the paper says, and that it learns."""

import torch

import ganzoo
from ganzoo.spec import Dropout, Image, Maxout, Uniform
from ganzoo_gan import GAN


def spec(size: int = 8, **settings):
    return GAN(**settings).spec(ganzoo.Fields({"image": Image((1, size, size))}))


def test_networks_are_the_papers() -> None:
    networks = spec().networks
    kinds = [layer.kind for layer in networks["G"].layers]
    assert kinds == ["linear", "relu", "linear", "relu", "linear", "tanh", "reshape"]
    body = networks["D"].layers
    assert [layer.units for layer in body if isinstance(layer, Maxout)] == [240, 240]
    assert {layer.pieces for layer in body if isinstance(layer, Maxout)} == {5}
    assert [layer.rate for layer in body if isinstance(layer, Dropout)] == [0.5, 0.5]
    assert networks["D"].inputs["x"] == (Dropout(0.2),)


def test_latent_has_unit_variance() -> None:
    z = spec().draws["z"]
    assert isinstance(z, Uniform)
    assert abs((z.high - z.low) ** 2 / 12 - 1) < 1e-9


def test_it_learns_a_constant_image() -> None:
    """On one image the samples must come closer to it than the untrained ones are."""
    image = torch.zeros(1, 8, 8, dtype=torch.uint8)
    image[0, 2:6, 2:6] = 255
    data = ganzoo.Source.from_arrays("square", image.expand(32, 1, 8, 8).contiguous())
    small = spec(width=64, batch=32, lr=1e-3)
    target = image[None].float() / 255
    errors = {}
    for step in ganzoo.train(small, data, steps=300):
        if step.number in (1, step.total):
            samples = step.model().generate(64, output="pt")
            errors[step.number] = (samples - target).abs().mean().item()
    assert errors[300] < 0.5 * errors[1]
