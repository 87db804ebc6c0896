"""BiGAN, ALI and the Wasserstein BiGAN: the papers' rules, every size, and that they learn."""

import pytest
import torch

import ganzoo
from ganzoo.nn.build import build
from ganzoo.spec import Image, Linear, Normal, Skip, Together, Uniform
from ganzoo_bigan import ALI, BiGAN, WBiGAN

VARIANTS = [BiGAN, ALI, WBiGAN]


def spec(variant, size: int = 16, channels: int = 1, **settings):
    return variant(**settings).spec(ganzoo.Fields({"image": Image((channels, size, size))}))


SIZES = [(1, 16), (4, 20), (1, 28), (3, 32), (1, 33), (3, 50), (3, 64), (1, 100), (4, 128)]


@pytest.mark.parametrize("channels, size", SIZES)
@pytest.mark.parametrize("variant", VARIANTS)
def test_every_size_fits(variant: type, size: int, channels: int) -> None:
    settings = {"latent": 7} | ({} if variant is BiGAN else {"hidden": 8})
    networks = build(spec(variant, size, channels, width=4, **settings))
    discriminator = networks["C" if variant is WBiGAN else "D"]
    assert discriminator.shapes == ((channels, size, size), (7,))
    assert networks["G"].leaves[""] == networks["E"].shapes[0] == (channels, size, size)
    assert networks["E"].leaves[""] == ((14,) if variant is ALI else (7,))


@pytest.mark.parametrize("channels, size", SIZES)
def test_filters_make_bigan_convolutional(size: int, channels: int) -> None:
    made = spec(BiGAN, size, channels, latent=7, width=8, filters=4)
    for name in ("E", "D"):
        kinds = {layer.kind for _, layer in made.networks[name].walk()}
        assert "conv" in kinds, name
    networks = build(made)
    assert networks["G"].leaves[""] == networks["E"].shapes[0] == (channels, size, size)
    assert networks["E"].leaves[""] == (7,)
    assert networks["D"].leaves[""] == (1,)


@pytest.mark.parametrize("variant", [BiGAN, ALI])
def test_both_sides_step_at_once_with_all_labels_flipped(variant: type) -> None:
    """Of the pair (x, E(x)) the encoder learns nothing from the generator's label alone."""
    [group] = spec(variant).stages[0].round
    assert isinstance(group, Together)
    discriminator, others = group.together
    assert discriminator.train == ("D",) and others.train == ("E", "G")
    assert discriminator.minimize == {"data": "bce(D(x, code), 1)", "model": "bce(D(fake, z), 0)"}
    assert others.minimize == {"data": "bce(D(x, code), 0)", "model": "bce(D(fake, z), 1)"}


@pytest.mark.parametrize("variant, settings", [(BiGAN, {"filters": 4}), (BiGAN, {}), (ALI, {})])
def test_gamma_penalizes_gradients_at_pairs_of_both_kinds(variant: type, settings: dict) -> None:
    """And D has no batch norm, which would mix the samples whose gradients count one by one."""
    made = spec(variant, width=4, gamma=3, **settings)
    discriminator, others = made.stages[0].round[0].together
    assert discriminator.minimize["r1"] == "1.5 * r1(D, (x, code))"
    assert discriminator.minimize["r2"] == "1.5 * r1(D, (fake, z))"
    assert others.minimize.keys() == {"data", "model"}
    norms = {n for n, net in made.networks.items() for _, one in net.walk() if "norm" in one.kind}
    assert norms == {"E", "G"}


def test_the_latent_enters_the_second_layer_of_bigans_generator_too() -> None:
    """The authors' net.py: W1 h + Wz z, written as one matrix times both."""
    layers = spec(BiGAN).networks["G"].layers
    assert isinstance(layers[0], Skip)
    assert layers[1] == Linear(1024, bias=False)
    small = build(spec(BiGAN, latent=7, width=9))["G"]
    assert small.get_parameter("layers.1.weight").shape == (9, 9 + 7)


def test_latents_are_the_papers() -> None:
    assert spec(BiGAN).draws["z"] == Uniform(50, -1, 1)
    assert spec(ALI).draws["z"] == Normal(64) == spec(ALI).draws["e"]
    assert spec(WBiGAN).draws["z"] == Normal(64)


def test_alis_dropout_stands_before_all_that_the_discriminator_sees() -> None:
    discriminator = spec(ALI, dropout=0.2).networks["D"]
    assert all(branch[0].kind == "dropout" for branch in discriminator.inputs.values())
    without = spec(ALI, dropout=0.0).networks["D"]
    assert not any(layer.kind == "dropout" for _, layer in without.walk())


@pytest.mark.parametrize("variant", [ALI, WBiGAN])
def test_the_joint_discriminator_has_a_branch_for_image_and_code_each(variant: type) -> None:
    discriminator = spec(variant).networks["C" if variant is WBiGAN else "D"]
    assert discriminator.joined == ("x", "z")
    assert all(
        any(layer.kind in ("conv", "linear") for layer in b) for b in discriminator.inputs.values()
    )
    norms = [layer for _, layer in discriminator.walk() if layer.kind.endswith("norm")]
    assert bool(norms) == (variant is ALI)  # none where the gradient is penalised


def corners(size: int) -> tuple[torch.Tensor, ganzoo.Source]:
    """Four images in [0, 1], each with one bright quarter, and a data set of them."""
    images = torch.zeros(4, 1, size, size, dtype=torch.uint8)
    half = size // 2
    for index in range(4):
        top, left = half * (index // 2), half * (index % 2)
        images[index, :, top : top + half, left : left + half] = 255
    data = ganzoo.Source.from_arrays("corners", images[torch.arange(64) % 4])
    return images.float() / 255, data


@pytest.mark.parametrize(
    "variant, size, steps, settings",
    [
        (BiGAN, 8, 300, {"width": 64, "lr": 2e-3, "dropout": 0.0}),
        (
            WBiGAN,
            16,
            40,
            {
                "width": 8,
                "hidden": 32,
                "critic_steps": 2,
                "lr": 3e-3,
                "lr_generator": 3e-3,
                "decay": False,
            },
        ),
    ],
)
def test_it_learns_images_and_their_codes(
    variant: type, size: int, steps: int, settings: dict
) -> None:
    """Samples come closer to some image of the data, and an image comes back as itself."""
    images, data = corners(size)
    small = spec(variant, size, latent=8, batch=64, **settings)
    models = [
        step.model()
        for step in ganzoo.train(small, data, steps=steps)
        if step.number in (1, step.total)
    ]
    errors = []
    for model in models:
        samples = model.generate(64, output="pt")
        distance = (samples[:, None] - images).abs().mean((2, 3, 4))
        errors.append(distance.min(1).values.mean().item())
    assert errors[1] < 0.7 * errors[0]
    again = models[1].reconstruct(images, output="pt")
    apart = (again[:, None] - images).abs().mean((2, 3, 4))
    own = apart.diagonal().mean()
    others = (apart.sum() - apart.diagonal().sum()) / 12
    assert own < 0.9 * others


def test_ali_learns_a_constant_image() -> None:
    """On one image the samples must come closer to it than the untrained ones are."""
    images, _ = corners(16)
    data = ganzoo.Source.from_arrays("corner", images[:1].expand(32, 1, 16, 16))
    small = spec(ALI, latent=8, width=8, hidden=32, batch=32, lr=3e-3)
    errors = {}
    for step in ganzoo.train(small, data, steps=70):
        if step.number in (1, step.total):
            samples = step.model().generate(64, output="pt")
            errors[step.number] = (samples - images[:1]).abs().mean().item()
    assert errors[70] < 0.7 * errors[1]
