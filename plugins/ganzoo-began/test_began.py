"""BEGAN: k's law, the measure of convergence, the decoder's twin, the rate's halvings."""

from typing import Any

import pytest
import torch

import ganzoo
from ganzoo.engine.training import Training
from ganzoo.nn.build import build
from ganzoo.spec import Conv, Image
from ganzoo.testing import noise
from ganzoo_began import BEGAN


def spec(size: int = 16, channels: int = 1, **settings):
    return BEGAN(**settings).spec(ganzoo.Fields({"image": Image((channels, size, size))}))


@pytest.mark.parametrize("size, channels", [(16, 1), (28, 1), (32, 3), (64, 3)])
def test_every_size_fits(size: int, channels: int) -> None:
    nets = build(spec(size, channels, width=2, latent=4))
    assert nets["G"].leaves[""] == nets["D"].leaves[""] == (channels, size, size)


def test_the_generator_is_the_decoders_twin() -> None:
    made = spec(32, 3)
    decoder = made.networks["G"].layers
    assert made.networks["D"].layers[-len(decoder) :] == decoder
    # of the authors' 64 pixels: maps of 8, and channels n, 2n, 3n, 4n on the way down
    wide = [layer.channels for layer in spec(64, 3, width=10).networks["D"].layers
            if isinstance(layer, Conv)]  # fmt: skip
    assert wide[:12] == [10, 10, 10, 20, 20, 20, 30, 30, 30, 40, 40, 40]


@pytest.mark.parametrize("gamma", [0.3, 0.9])
def test_k_rises_if_and_only_if_fakes_are_made_better_than_the_share_of_data(gamma: float) -> None:
    run = Training(
        spec(width=4, latent=4, gamma=gamma, step=0.05, lr=1e-3), noise(16, 1), batch=4, seed=0,
        device=torch.device("cpu"), precision="fp32",
    )  # fmt: skip
    before = 0.0
    for _ in range(8):
        run.round()
        said = run.losses()
        balance = gamma * said["D.real"] - said["G.fake"]
        wanted = min(max(before + 0.05 * balance, 0), 1)
        assert said["state.k"] == pytest.approx(wanted, abs=1e-6)
        assert said["state.convergence"] == pytest.approx(said["D.real"] + abs(balance), rel=1e-5)
        # the discriminator's loss of fakes is -k times theirs, by the k of before the round
        assert said["D.fake"] == pytest.approx(-before * said["G.fake"], abs=1e-6)
        before = said["state.k"]


def test_k_comes_to_its_equilibrium() -> None:
    """A game in which the discriminator's neglect of fakes is what makes them worse: L(x) = 2
    and L(G) = 0.4 + k, so that gamma L(x) = L(G) at k = 0.6. k comes to rest there, from 0."""
    made = spec(width=2, latent=4, step=0.05)
    text: Any = made.state["k"].model_dump()["next"]
    k = 0.0
    for _ in range(200):
        real, fake = 2.0, 0.4 + k
        k = eval(text, {"clip": lambda v, a, b: min(max(v, a), b)},
                 {"k": k, "real": real, "made": fake})  # fmt: skip
    assert k == pytest.approx(0.6, abs=1e-3)


def test_the_rate_is_halved_twice() -> None:
    from ganzoo.spec.numbers import Clock, value

    optimizer: Any = spec().stages[0].updates[0].optimizer
    text = optimizer.lr
    rates = [value(text, {}, Clock(step, 16, 0.5)) for step in (0, 99_999, 100_000, 200_000, 10**6)]
    assert rates == pytest.approx([8e-5, 8e-5, 4e-5, 2e-5, 2e-5])
