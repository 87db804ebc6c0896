"""InfoGAN's mutual information in closed form; what codes do; AC-GAN's two heads."""

import math

import pytest
import torch

import ganzoo
from ganzoo.engine.training import Training
from ganzoo.nn.build import build
from ganzoo.spec import Image, Label, expression
from ganzoo.testing import noise
from ganzoo_infogan import ACGAN, InfoGAN

TINY = {"width": 4, "latent": 5, "batch": 8}


def fields(size: int, channels: int = 1):
    return ganzoo.Fields({"image": Image((channels, size, size)), "label": Label(10)})


def trained(variant, rounds: int = 1):
    data = noise(16, 1)
    spec = variant.spec(data.fields)
    run = Training(spec, data, batch=8, seed=0, device=torch.device("cpu"), precision="fp32")
    for _ in range(rounds):
        run.round()
    return run


@pytest.mark.parametrize("size, channels", [(16, 1), (28, 1), (32, 3), (50, 3), (64, 3)])
def test_every_size_fits(size: int, channels: int) -> None:
    for variant in (InfoGAN(width=2, hidden=16), ACGAN(width=2)):
        assert build(variant.spec(fields(size, channels)))["G"].leaves[""] == (channels, size, size)


def test_the_networks_are_the_authors_for_mnist() -> None:
    spec = InfoGAN(width=64, hidden=1024).spec(fields(28))
    found = {net: [layer.model_dump() for _, layer in spec.networks[net].walk()] for net in "GD"}
    kept = {net: [tuple(filter(None, (d["kind"], d.get("units"), d.get("channels"))))
                  for d in layers if d["kind"] in ("linear", "conv", "deconv")]
            for net, layers in found.items()}  # fmt: skip
    assert kept["G"] == [("linear", 1024), ("linear", 6272), ("deconv", 64), ("deconv", 1)]
    assert kept["D"] == [
        ("conv", 64), ("conv", 128), ("linear", 1024), ("linear", 128), ("linear", 12),
        ("linear", 1),
    ]  # fmt: skip


@pytest.fixture(scope="module")
def model():
    return trained(InfoGAN(hidden=16, **TINY), 2).model()


def information(model, logits: torch.Tensor, numbers: torch.Tensor, c, v) -> float:
    """The let of that name, where Q says `logits` and `numbers`."""
    known = {expression.Name("q"): torch.cat([logits, numbers], 1)}
    return model.evaluate("information", {"c": c, "v": v}, known).item()


def test_who_tells_all_codes_has_ln_10(model) -> None:
    """A generator that shows its class, and a Q that reads it: I = H(c) = ln 10."""
    c, v = torch.arange(8), torch.rand(8, 2) * 2 - 1
    sure = 100 * torch.nn.functional.one_hot(c, 10).float()
    assert information(model, sure, v, c, v) == pytest.approx(math.log(10), rel=1e-5)
    assert information(model, 0 * sure, v, c, v) == pytest.approx(0, abs=1e-6)
    # numbers: half the squared distance, which is -log of a Gaussian of deviation 1
    assert information(model, sure, v + 1, c, v) == pytest.approx(math.log(10) - 1, rel=1e-5)


def test_q_learns_in_both_updates_and_knows_no_other_code_than_the_one_drawn() -> None:
    """Pitfalls: a head outside the discriminator's optimizer; codes that are drawn anew."""
    run = trained(InfoGAN(hidden=16, **TINY), 0)
    spec = run.spec
    for update in spec.stages[0].updates:
        assert update.minimize["information"] == "-1 * information"
    head = {k: w.clone() for k, w in run.networks["D"].named_parameters() if "through" in k}
    run.round()
    assert head and not any(torch.equal(run.networks["D"].get_parameter(k), w)
                            for k, w in head.items() if "weight" in k)  # fmt: skip
    assert run.plan.round(0, 0).draws.count((0, "c")) <= 1


def test_a_code_is_chosen_by_people(model) -> None:
    z = torch.zeros(2, 5)
    v = torch.zeros(2, 2)
    one, same, other = (
        model.generate(2, c=c, noise={"z": z, "v": v}, output="pt") for c in (1, 1, 2)
    )
    assert torch.equal(one, same) and not torch.equal(one, other)
    moved = model.generate(2, c=1, noise={"z": z, "v": v + 1}, output="pt")
    assert not torch.equal(one, moved)


def test_the_discriminator_of_acgan_is_told_the_class_of_fakes_too() -> None:
    spec = ACGAN().spec(fields(32, 3))
    discriminator, paint = spec.stages[0].updates
    assert discriminator.minimize["class_of_fake"] == paint.minimize["class_of_fake"]
    assert "cross_entropy" in discriminator.minimize["class_of_real"]


def test_acgan_draws_what_is_asked() -> None:
    model = trained(ACGAN(width=2, latent=5, batch=8)).model()
    one, other = (
        model.generate(2, label=y, noise={"z": torch.zeros(2, 5)}, output="pt") for y in (0, 1)
    )
    assert not torch.equal(one, other)
