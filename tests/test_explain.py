"""Explanations: their figures against counts by hand."""

import pytest

from ganzoo.engine.explain import explain
from ganzoo.spec import Adam, Linear, Network, Normal, Spec, Update, Vector
from tests.table import TABLE

BATCH, X, Z = 10, 7, 3


def two_layers() -> Spec:
    """A GAN of one matrix each: G is 3 to 7, D is 7 to 1; no biases."""
    return Spec(
        draws={"x": Vector(X), "z": Normal(Z)},
        networks={
            "G": Network({"z": ()}, (Linear(X, bias=False),)),
            "D": Network({"x": ()}, (Linear(1, bias=False),)),
        },
        let={"fake": "G(z)"},
        round=[
            Update("D", {"real": "bce(D(x), 1)", "fake": "bce(D(fake), 0)"}, Adam()),
            Update("G", {"fool": "bce(D(fake), 1)"}, Adam()),
        ],
        batch=BATCH,
    )


def test_operations_are_those_counted_by_hand() -> None:
    """A product of (n, k) and (k, m) is 2nkm operations, whichever way it is taken."""
    g, d = 2 * BATCH * Z * X, 2 * BATCH * X * 1
    (one,) = explain(two_layers())
    # D's update: D(x), D(fake) and the two gradients of its weights; G runs once, for both.
    # G's update: D(fake), the gradient through D, the gradient of G's weights.
    assert one.flops == g + 4 * d + (d + d + g)
    # a loop that shares nothing runs G and its gradient in both, and D's weight gradients in both
    assert one.plain_flops == (g + 2 * d + 2 * d + d + g) + (g + d + 2 * d + g)


@pytest.mark.parametrize("name", TABLE)
def test_no_row_costs_more_than_a_plain_loop(name: str) -> None:
    for one in explain(TABLE[name]()):
        assert 0 < one.flops <= one.plain_flops
        for network, passes in one.passes.items():
            assert passes.total <= one.plain_passes[network]


@pytest.mark.parametrize("name, updates", [("bigan", 2), ("gan", 2), ("wgan", 6)])
def test_updates_are_counted_also_where_they_are_made_together(name: str, updates: int) -> None:
    [item] = explain(TABLE[name]())
    assert item.round.updates == updates


def test_patterns_of_rounds_are_told_apart() -> None:
    """DiscoGAN's discriminators learn in one round of three, its generators in the others."""
    found = [(one.stage, one.pattern) for one in explain(TABLE["discogan"]())]
    assert len(found) == len(set(found)) == 4
    assert {pattern for _, pattern in found} == {"rounds 0 of 3", "rounds 1, 2 of 3"}
