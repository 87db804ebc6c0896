"""The original GAN and the conditional one: what the papers say, and that they learn."""

import pytest
import torch

import ganzoo
from ganzoo.spec import Dropout, Flatten, Image, Label, Linear, Maxout, OneHot, Uniform
from ganzoo_gan import CGAN, GAN


def spec(size: int = 8, variant: type[ganzoo.Variant] = GAN, **settings):
    fields = {"image": Image((1, size, size)), "label": Label(2)}
    return variant(**settings).spec(ganzoo.Fields(fields))


def test_networks_are_the_papers() -> None:
    networks = spec(dropout=0.5, dropout_input=0.2).networks  # the paper's rates
    kinds = [layer.kind for layer in networks["G"].layers]
    assert kinds == ["linear", "relu", "linear", "relu", "linear", "tanh", "reshape"]
    body = networks["D"].layers
    assert [layer.units for layer in body if isinstance(layer, Maxout)] == [240, 240]
    assert {layer.pieces for layer in body if isinstance(layer, Maxout)} == {5}
    assert [layer.rate for layer in body if isinstance(layer, Dropout)] == [0.5, 0.5]
    assert networks["D"].inputs["x"] == (Dropout(0.2),)


def test_the_condition_has_a_branch_of_its_own_in_both_networks() -> None:
    """Mirza and Osindero: z to 200 and y to 1,000 units; x to 240 and y to 50 maxout units."""
    networks = spec(variant=CGAN, branches=True).networks
    z, y = networks["G"].inputs["z"], networks["G"].inputs["y"]
    assert (z[0], y[1]) == (Linear(200), Linear(1000))
    discriminator = [layer for _, layer in networks["D"].walk() if isinstance(layer, Maxout)]
    assert discriminator == [Maxout(240, 5), Maxout(50, 5), Maxout(240, 4)]
    assert y[0] == networks["D"].inputs["y"][0] == OneHot(2)


def test_the_class_joins_at_the_entry_by_default() -> None:
    networks = spec(variant=CGAN).networks
    assert networks["G"].inputs == {"z": (), "y": (OneHot(2),)}
    assert networks["D"].inputs == {"x": (Flatten(),), "y": (OneHot(2),)}
    layers = [*networks["G"].layers, *networks["D"].layers]
    wide = [layer for layer in layers if isinstance(layer, Linear | Maxout)]
    assert wide == [*[Linear(1000)] * 2, Linear(64), *[Maxout(240, 5)] * 2, Linear(1)]


def test_a_rate_of_zero_is_no_dropout() -> None:
    for variant in (GAN, CGAN):
        discriminator = spec(variant=variant, dropout=0.0, dropout_input=0.0).networks["D"]
        assert not any(isinstance(layer, Dropout) for _, layer in discriminator.walk())


def test_latent_has_unit_variance() -> None:
    z = spec().draws["z"]
    assert isinstance(z, Uniform)
    assert abs((z.high - z.low) ** 2 / 12 - 1) < 1e-9


def test_it_learns_a_constant_image() -> None:
    """On one image the samples must come closer to it than the untrained ones are."""
    image = torch.zeros(1, 8, 8, dtype=torch.uint8)
    image[0, 2:6, 2:6] = 255
    data = ganzoo.Source.from_arrays("square", image.expand(32, 1, 8, 8).contiguous())
    small = spec(width=64, pieces=2, batch=32, lr=2e-3)
    target = image[None].float() / 255
    errors = {}
    for step in ganzoo.train(small, data, steps=60):
        if step.number in (1, step.total):
            samples = step.model().generate(64, output="pt")
            errors[step.number] = (samples - target).abs().mean().item()
    assert errors[60] < 0.3 * errors[1]


@pytest.mark.parametrize("paired", [True, False])
def test_it_learns_which_image_belongs_to_which_label(paired: bool) -> None:
    """Two classes of one image each; with labels drawn apart from their images it cannot."""
    images = torch.full((2, 1, 8, 8), 100, dtype=torch.uint8)
    images[0, :, :4, :4] = images[1, :, :4, 4:] = 156
    labels = torch.arange(32) % 2
    data = ganzoo.Source.from_arrays("corners", images[labels], labels)
    small = spec(variant=CGAN, latent=8, width=64, pieces=2, batch=32, lr=2e-3)
    if not paired:
        apart = small.draws["y"].model_copy(update={"independent": True})
        small = small.model_copy(update={"draws": {**small.draws, "y": apart}})
    *_, step = ganzoo.train(small, data, steps=100)
    asked = torch.arange(64) % 2
    samples = step.model().generate(label=asked.tolist(), output="pt")
    distance = (samples[:, None] - images.float() / 255).abs().mean((2, 3, 4))
    right = distance.argmin(1) == asked
    told = all(right[asked == label].float().mean() > 0.9 for label in range(2))
    assert told == paired
