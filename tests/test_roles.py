"""Which network is the generator, which one the discriminator, and what it sees."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch

import ganzoo
from ganzoo import Spec
from ganzoo.errors import SpecError
from ganzoo.spec import (
    Flatten,
    Image,
    Label,
    Linear,
    Network,
    Normal,
    OneHot,
    Tap,
    Together,
    Update,
)
from ganzoo.spec.losses.loss import LOSSES
from ganzoo.spec.losses.roles import Roles
from tests.shipped import SMALL, small
from tests.two_networks import PAIRS, linear, minimized, told

# --------------------------------------------------------------------- reading a Spec's game


def test_the_game_of_a_conditional_spec() -> None:
    game = Roles.of(told())
    assert (game.generator, game.discriminator, game.place) == ("G", "D", 0)
    assert (str(game.real), str(game.fake)) == ("D(x, y)", "D(fake, y)")


def test_names_are_those_of_the_spec() -> None:
    spec = Spec.from_json(
        told().to_json().replace('"D"', '"Score"').replace("D(", "Score(")
        .replace('"x": {"kind"', '"photo": {"kind"').replace("(x, y)", "(photo, y)")
    )  # fmt: skip
    assert minimized(ganzoo.with_loss(spec, "wgan-gp,penalty=3"))["Score"] == {
        "critic": "mean(Score(fake, y)) - mean(Score(photo, y))",
        "penalty": "3 * gradient_penalty(Score, photo, fake, y)",
    }


def test_images_and_calls_may_be_written_in_place_or_by_lets() -> None:
    spec = linear(
        {"real": "bce(verdict, 1)", "fake": "bce(D(G(z)), 0)"}, {"fool": "bce(D(made), 1)"},
        let={"fake": "G(z)", "made": "fake", "small": "resize(x, 2)", "verdict": "D(small)"},
    )  # fmt: skip
    made, changes = LOSSES["rpgan"].applied(spec)
    assert minimized(made)["D"] == {
        "pair": "mean(softplus(D(G(z)) - D(small)))",
        "r1": "0.5 * r1(D, small)",
        "r2": "0.5 * r1(D, G(z))",
    }
    assert set(made.let) == {"small"}
    assert "nothing needs fake, made, verdict any more (let)" in changes


def test_draws_of_the_old_loss_alone_are_gone() -> None:
    spec = linear(
        {"real": "bce(D(x), 1) + 0 * mean(e)", "fake": "bce(D(fake), 0)"}, draws={"e": Normal(2)}
    )
    made, changes = LOSSES["hinge"].applied(spec)
    assert set(made.draws) == {"x", "z"} and "nothing needs e any more (draws)" in changes


def test_terms_that_do_not_ask_the_discriminator_stay() -> None:
    fool = {"match": "10 * l1(fake, x)", "fool": "0.1 * bce(D(fake), 1)"}
    made, changes = LOSSES["hinge"].applied(linear(None, fool))
    assert minimized(made)["G"] == {"fool": "-mean(D(fake))", "match": "10 * l1(fake, x)"}
    assert changes[1] == (
        "G minimizes fool: -mean(D(fake)) (before: fool: 0.1 * bce(D(fake), 1)); "
        "it still minimizes match"
    )


def test_two_conditions_and_others_for_fakes() -> None:
    discriminator = Network(
        {"x": (Flatten(),), "y": (OneHot(3),), "t": ()}, (Linear(3), Linear(1))
    )  # fmt: skip
    spec = told(
        "D(x, y, t)",
        "D(fake, y, t)",
        discriminator=discriminator,
        draws={"y": Label(3), "t": Normal(2)},
    )
    made = ganzoo.with_loss(spec, "wgan-gp")
    assert minimized(made)["D"]["penalty"] == "10 * gradient_penalty(D, x, fake, (y, t))"
    for step in ganzoo.train(made, source_of_labels(), steps=1, batch=4, precision="fp32"):
        assert math.isfinite(step.losses()["D.penalty"])
    other = told("D(x, y)", "D(fake, w)", draws={"y": Label(3), "w": Label(3, independent=True)})
    assert minimized(ganzoo.with_loss(other, "rpgan"))["D"] == {
        "pair": "mean(softplus(D(fake, w) - D(x, y)))",
        "r1": "0.5 * r1(D, x, y)",
        "r2": "0.5 * r1(D, fake, w)",
    }
    with pytest.raises(SpecError, match="the same condition for data and fakes"):
        ganzoo.with_loss(other, "wgan-gp")


def source_of_labels() -> Any:
    from ganzoo import Fields, Source

    fields = Fields(fields={"image": Image((1, 2, 2)), "label": Label(3)})
    arrays = {"image": torch.arange(32, dtype=torch.uint8).view(8, 1, 2, 2),
              "label": torch.arange(8) % 3}  # fmt: skip
    return Source("few", fields, arrays)


def test_an_image_that_stands_after_its_condition() -> None:
    discriminator = Network({"y": (OneHot(3),), "x": (Flatten(),)}, (Linear(3), Linear(1)))
    spec = told("D(y, x)", "D(y, fake)", discriminator=discriminator)
    assert minimized(ganzoo.with_loss(spec, "hinge"))["D"]["real"] == "hinge(D(y, x), 1)"
    with pytest.raises(SpecError, match=r"first input is the image, and in D\(y, x\)"):
        ganzoo.with_loss(spec, "rpgan")


@pytest.mark.parametrize("variant, why", [
    ("bigan", "BiGAN trains 3 networks (G, E, D)"),
    ("ali", "ALI trains 3 networks (G, E, D)"),
    ("wbigan", "Wasserstein BiGAN trains 3 networks (G, E, C)"),
    ("ganomaly", "GANomaly trains 4 networks (GE, GD, E, D)"),
    ("discogan", "DiscoGAN has 2 stages (start, rest), each with losses of its own"),
    ("stackgan", "StackGAN has 2 stages (small, large), each with losses of its own"),
])  # fmt: skip
def test_variants_of_more_than_two_players_say_why(variant: str, why: str) -> None:
    for loss in LOSSES:
        with pytest.raises(SpecError) as caught:
            ganzoo.with_loss(small(variant), loss)
        text = str(caught.value)
        assert f"another loss needs one generator and one discriminator, and {why}; " in text
        assert "ganzoo show NAME --json" in text


def test_every_variant_that_ships_takes_a_loss_or_says_why() -> None:
    assert {name for name in SMALL if name in PAIRS or len(small(name).networks) != 2} == set(SMALL)


BCE = {"real": "bce(D(x), 1)", "fake": "bce(D(fake), 0)"}
TAPPED = Network({"x": (Flatten(),)}, (Linear(3), Tap("features"), Linear(1)))

ODD: dict[str, tuple[Callable[[], Spec], str]] = {
    "pairs of strangers": (
        lambda: linear({"real": "bce(D(x), 1) + bce(D(roll(x)), 0)", "fake": "bce(D(fake), 0)"}),
        r"shows D the data in 2 ways \(D\(x\), D\(roll\(x\)\)\)",
    ),
    "two kinds of fakes": (
        lambda: linear({**BCE, "more": "bce(D(-fake), 0)"}),
        r"shows D what is made in 2 ways \(D\(fake\), D\(-fake\)\)",
    ),
    "features": (
        lambda: linear({**BCE, "f": "mean(D.features(x))"}, discriminator=TAPPED),
        r"reads D\.features\(x\), a layer inside D",
    ),
    "together": (
        lambda: linear(round=[Together([Update("D", BCE), Update("G", {"g": "bce(D(fake), 1)"})])]),
        "steps its networks together",
    ),
    "one update for both": (
        lambda: linear(round=[Update(("D", "G"), BCE)]),
        r"does not give each of its networks one update \(D, G\)",
    ),
    "two updates of one": (
        lambda: linear(
            round=[
                Update("D", {"real": "bce(D(x), 1)"}),
                Update("G", {"g": "bce(D(fake), 1)"}),
                Update("D", {"fake": "bce(D(fake), 0)"}, name="again"),
            ]
        ),
        r"one update \(D; G; D\)",
    ),
    "no discriminator": (
        lambda: linear({"a": "mean(D(x))"}, {"b": "l1(fake, x)"}),
        r"no network that scores what the other generates \(G, D\)",
    ),
    "a fake that is added": (
        lambda: linear(None, {"fool": "bce(D(fake), 1) + 2 * l1(fake, x)"}),
        r"term 'fool' of G adds l1\(fake, x\) to the output of D",
    ),
    "a name that is taken": (
        lambda: linear(None, {"f": "bce(D(fake), 1)", "fool": "l1(fake, x)"}),
        "the name of term 'fool' of G is needed by loss 'hinge'; rename it",
    ),
    "fakes on both sides": (
        lambda: told(
            "D(x, z)",
            "D(fake, mean(fake) + z)",
            draws={},
            discriminator=Network({"x": (Flatten(),), "z": ()}, (Linear(1),)),
        ),
        r"passes 2 outputs of G to D at once",
    ),
}


@pytest.mark.parametrize("name", ODD)
def test_a_spec_that_is_about_more_says_why(name: str) -> None:
    make, message = ODD[name]
    with pytest.raises(SpecError, match=message):
        ganzoo.with_loss(make(), "hinge")


def test_lets_that_double_each_other_cost_nothing() -> None:
    doubling = {f"a{n}": f"a{n - 1} + a{n - 1}" for n in range(1, 60)}
    spec = linear(
        {"real": "bce(D(x + a59), 1)", "fake": "bce(D(fake), 0)"}, let={"a0": "x", **doubling}
    )
    assert minimized(ganzoo.with_loss(spec, "hinge"))["D"]["real"] == "hinge(D(x + a59), 1)"
