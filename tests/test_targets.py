"""Which figures a training loss targets, read off the Specs of all kinds."""

from __future__ import annotations

import pytest

from ganzoo.metrics.targets import classified, compared, cycled, spelled_out
from ganzoo.spec import Flatten, Image, Label, Linear, Network, Normal, Reshape, Spec, Update
from tests import table

SHAPE = (1, 8, 8)


def test_lets_are_spelled_out() -> None:
    spec = table.ganomaly()
    text = str(spelled_out(spec, "recon"))
    assert "recon" not in text and "code" not in text and text.count("(") == 2


def test_an_autoencoder_that_is_trained_to_reconstruct() -> None:
    ganomaly = table.ganomaly()
    assert compared(ganomaly, "x", "recon") and compared(ganomaly, "recon", "x")
    assert compared(ganomaly, "code", "recode")
    assert not compared(ganomaly, "x", "code")
    bigan = table.bigan()
    assert not compared(bigan, "x", "G(E(x))"), "it is trained to fool, and nothing else"


def test_cycles() -> None:
    discogan = table.discogan()
    assert cycled(discogan, "AB(a)", "BA(b)") and cycled(discogan, "BA(b)", "AB(a)")
    assert not cycled(table.bigan(), "G(z)", "E(x)")


@pytest.mark.parametrize("taught", [True, False])
def test_a_generator_that_is_taught_by_a_classifier(taught: bool) -> None:
    more = {"class": "cross_entropy(Q(fake), y)"} if taught else {}
    spec = Spec(
        draws={"x": Image(SHAPE), "y": Label(3), "z": Normal(4)},
        networks={
            "G": Network({"z": (Linear(64), Reshape(SHAPE))}, ()),
            "D": Network({"x": (Flatten(),)}, (Linear(1),)),
            "Q": Network({"x": (Flatten(),)}, (Linear(3),)),
        },
        let={"fake": "G(z)"},
        round=[
            Update(("D", "Q"), {
                "real": "bce(D(x), 1)", "fake": "bce(D(fake), 0)", "q": "cross_entropy(Q(x), y)",
            }),
            Update("G", {"fool": "bce(D(fake), 1)", **more}),
        ],
        tasks={"generate": "G(z)"},
    )  # fmt: skip
    assert classified(spec, "G(z)") == taught
