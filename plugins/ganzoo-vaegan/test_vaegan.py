"""VAE/GAN: who learns from what, the likelihood of features, and Algorithm 1."""

import pytest
import torch

import ganzoo
from ganzoo.engine.training import Training
from ganzoo.nn.build import build
from ganzoo.spec import Image
from ganzoo.testing import noise
from ganzoo_vaegan import VAEGAN, CelebA


def spec(size: int = 16, channels: int = 1, **settings):
    return VAEGAN(**settings).spec(ganzoo.Fields({"image": Image((channels, size, size))}))


@pytest.mark.parametrize("size, channels", [(16, 1), (28, 1), (32, 3), (50, 3), (64, 3)])
def test_every_size_fits(size: int, channels: int) -> None:
    nets = build(spec(size, channels, width=4, hidden=8, latent=4))
    assert nets["Dec"].leaves[""] == (channels, size, size)
    assert nets["Enc"].leaves[""] == (8,)


def test_the_likelihood_is_half_the_squared_distance_of_the_papers_features() -> None:
    """At 64 pixels and the authors' width there are 16,384 of them, and a mean times half of
    that is half the sum."""
    made = CelebA().spec(ganzoo.Fields({"image": Image((3, 64, 64))}))
    assert build(made)["Dis"].leaves["l"] == (256, 8, 8)
    assert made.let["likelihood"] == "8192 * mse(Dis.l(x), Dis.l(recon))"
    assert made.stages[0].updates[1].minimize["likelihood"] == "1e-06 * likelihood"


def run_of(made):
    return Training(
        made, noise(16, 1), batch=4, seed=0, device=torch.device("cpu"), precision="fp32"
    )


def gradients(made) -> dict[str, dict[str, float]]:
    """The largest gradient of each network by the update that has it."""
    run, found = run_of(made), dict[str, dict[str, float]]()
    apply = run._apply

    def seen(name: str) -> None:
        found[name] = {
            net: max((float(p.grad.abs().max()) for p in module.parameters()
                      if p.grad is not None), default=0.0)
            for net, module in run.networks.items()
        }  # fmt: skip
        apply(name)

    run._apply = seen
    run.round()
    return found


def test_the_encoder_learns_nothing_from_the_discriminators_verdict() -> None:
    """Its gradients are the same whether the decoder fools by one loss or another."""
    ours, minimax = (
        gradients(spec(width=4, hidden=8, latent=4, minimax=word)) for word in (False, True)
    )
    assert ours["Enc"]["Enc"] == minimax["Enc"]["Enc"] > 0
    assert ours["Dis"]["Dis"] == minimax["Dis"]["Dis"] > 0
    assert ours["Dec"]["Dec"] != minimax["Dec"]["Dec"]


def test_the_discriminator_learns_nothing_from_the_likelihood() -> None:
    """Algorithm 1: it would make the features all alike."""
    terms = {update.name: " ".join(update.minimize.values()) for update in spec().stages[0].updates}
    assert "likelihood" in terms["Enc"] and "likelihood" in terms["Dec"]
    assert "likelihood" not in terms["Dis"] and "bce" not in terms["Enc"]
    small, large = (
        gradients(spec(width=4, hidden=8, latent=4, gamma=gamma)) for gamma in (1e-6, 1.0)
    )
    assert small["Dis"]["Dis"] == large["Dis"]["Dis"]
    assert small["Dec"]["Dec"] < large["Dec"]["Dec"]


def test_the_decoder_may_fool_as_algorithm_1_does() -> None:
    terms = spec(minimax=True).stages[0].updates[1].minimize
    assert terms["fool"] == "-(bce(Dis(fake), 0) + bce(Dis(recon), 0))"


def test_a_reconstruction_is_of_the_mean_code() -> None:
    run = run_of(spec(width=4, hidden=8, latent=4))
    run.round()
    model = run.model()
    images = torch.rand(3, 1, 16, 16)
    assert torch.equal(*(model.reconstruct(images, output="pt") for _ in range(2)))
    code = torch.from_numpy(model.encode(images))
    decoded = model.generate(3, noise={"z": code}, output="pt")
    assert torch.allclose(decoded, model.reconstruct(images, output="pt"), atol=1e-5)


def test_a_higher_weight_of_the_prior_brings_codes_nearer_to_it() -> None:
    """By the divergence of the codes of images, after as many rounds."""
    nats: list[float] = []
    for weight in (1.0, 100.0):
        run = run_of(spec(width=4, hidden=8, latent=4, prior=weight, lr=3e-3))
        for _ in range(40):
            run.round()
        images = noise(16, 1).batch("image", torch.arange(8))
        mean, log_variance = run.networks["Enc"](images).chunk(2, 1)
        both = mean.square() + log_variance.exp() - log_variance - 1
        nats.append(both.sum(1).mean().item() / 2)
    assert nats[1] < 0.5 * nats[0]
