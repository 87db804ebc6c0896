"""Gradients of single samples, and batch norm, which mixes the samples of a batch."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from ganzoo.errors import SpecError
from ganzoo.nn.build import initialize
from ganzoo.nn.modules import Net
from ganzoo.spec import (
    BatchNorm,
    CondNorm,
    Constant,
    Conv,
    Embedding,
    GlobalPool,
    Inject,
    LeakyReLU,
    Linear,
    Network,
    Repeat,
    Reshape,
    Residual,
    Skip,
    Spec,
    Tanh,
    Tap,
)
from ganzoo.spec.losses.loss import Loss
from ganzoo.spec.mixing import way_through
from tests.builders import SIDE, critic, gan

D, G = gan().stages[0].updates
MIXED = Network({"x": ()}, (Conv(2), BatchNorm(), LeakyReLU(), Linear(1)))
R1 = "mean(squared_norm(grad(D(x), x)))"
REASON = "grad refuses batch norm ({}): it mixes the samples of a batch, so the gradient for one"


def spec_of(d: Network, term: str, g: Network | None = None, **changes: Any) -> Spec:
    """A GAN whose discriminator is `d` and has one term more."""
    networks = {"G": g or gan().networks["G"], "D": d}
    round = [D.replace(minimize={**D.minimize, "penalty": term}), G]
    return gan(networks=networks, round=round, **changes)


@pytest.mark.parametrize(
    ("term", "lets", "path"),
    [
        (R1, {}, "stages.0.round.0.minimize.penalty"),
        ("mean(squared_norm(grad(D(fake), fake)))", {}, "stages.0.round.0.minimize.penalty"),
        # what is not a network does not hide it
        ("norms", {"norms": "mean(norm(grad(D(mirror(x, 0)), x)))"}, "let.norms"),
        ("mean(square(norm(slope) - 1))",
         {"point": "between(x, fake)", "seen": "D(point)", "slope": "grad(2 * seen, point)"},
         "let.slope"),
    ],
)  # fmt: skip
def test_a_penalty_for_each_sample_refuses_batch_norm(
    term: str, lets: dict[str, str], path: str
) -> None:
    let = {"fake": "G(z)", **lets}
    with pytest.raises(SpecError) as caught:
        spec_of(MIXED, term, let=let)
    [(found, message)] = caught.value.problems
    assert found == path and REASON.format("networks.D.layers.1") in message
    # as `r1` does
    with pytest.raises(SpecError, match=r"r1 refuses batch_norm \(networks\.D\.layers\.1\)"):
        spec_of(MIXED, "r1(D, x)")
    spec_of(critic(), term, let=let)


def test_what_needs_no_single_samples_may_have_batch_norm() -> None:
    painted = Network({"z": ()}, (Linear(SIDE * SIDE), BatchNorm(), Reshape((1, SIDE, SIDE))))
    # fakes of a generator with batch norm, and images before a tap
    spec_of(critic(), "mean(squared_norm(grad(D(fake), fake)))", painted)
    tapped = MIXED.replace(layers=(Conv(2), Tap("low"), *MIXED.layers[1:]))
    spec_of(tapped, "mean(squared_norm(grad(D.low(x), x)))")
    # in evaluation mode: of an average, in a task, and of a network that another update trains
    spec_of(MIXED, "mean(squared_norm(grad(D.ema(x), x)))", ema={"D": 0.9})
    score = {"kind": "score", "output": "norm(grad(D(x), x))"}
    gan(networks={**gan().networks, "D": MIXED}, tasks={"generate": "G(z)", "score": score})
    # LOGAN's step in the latent space, and VQGAN's weight, of two losses of one image
    slope = {"fake": "G(z + grad(D(G(z)), z))"}
    spec_of(MIXED, "mean(D(fake))", painted, let=slope)
    weight = "mean(norm(grad(D(fake), fake)))"
    weighted = G.replace(minimize={"fool": f"-mean(D(fake)) / {weight}"})
    gan(networks={**gan().networks, "D": MIXED}, round=[D, weighted])
    spec_of(MIXED, f"mean(D(x)) * detach({weight})")


def test_a_loss_with_a_gradient_replaces_batch_norm_like_one_with_a_penalty() -> None:
    spec = gan(networks={**gan().networks, "D": MIXED})
    made = {
        term: Loss.from_dict(
            {
                "name": "slopes", "generator": {"fool": "-mean(D(fake))"},
                "discriminator": {"real": "-mean(D(x))", "fake": "mean(D(fake))", "slope": term},
            }
        ).apply(spec)
        for term in (R1, "r1(D, x)")
    }  # fmt: skip
    one, other = (spec.networks["D"] for spec in made.values())
    assert one == other and [layer.kind for layer in one.layers][1] == "layer_norm"


LABEL, IMAGE = (Embedding(5, 4),), (1, 4, 4)
NETWORKS = [
    ({"x": ()}, (Linear(3),)),
    ({"x": ()}, (Linear(3), BatchNorm())),
    ({"x": (BatchNorm(),)}, (Linear(3),)),
    ({"x": ()}, (Residual((Conv(1),), (BatchNorm(),)),)),
    ({"x": ()}, (Skip((Conv(1), BatchNorm())), Conv(2))),
    ({"x": ()}, (Repeat(2, (Conv(2), BatchNorm())),)),
    ({"x": ()}, (Tap("t", (BatchNorm(),)), Conv(2))),
    ({"x": ()}, (Tap("t", (BatchNorm(),)), Conv(2), Inject("t"))),
    ({"x": ()}, (Constant(IMAGE), BatchNorm(), Conv(2))),
    ({"x": ()}, (Constant(IMAGE), BatchNorm(), Inject("x"), Conv(2))),
    ({"x": ()}, (Constant(IMAGE), Inject("x"), BatchNorm(), Conv(2))),
    ({"x": ()}, (Constant(IMAGE), Inject("x", (Conv(2), BatchNorm())), Conv(2))),
    # the other input is not moved
    ({"x": (), "y": (*LABEL, BatchNorm())}, (Conv(2),)),
    ({"x": (), "y": LABEL}, (Conv(2), BatchNorm())),
    ({"x": (), "y": LABEL}, (Conv(2), CondNorm("y"))),
    ({"x": (), "y": LABEL}, (Conv(2), CondNorm("y", norm="instance"))),
    ({"y": LABEL, "x": (GlobalPool(), Linear(4))}, (Constant(IMAGE), CondNorm("x"))),
    ({"y": LABEL, "x": ()}, (Linear(4), Tanh(), BatchNorm(), Inject("x", (Linear(2),)))),
]


@pytest.mark.parametrize(("inputs", "layers"), NETWORKS)
def test_the_way_is_that_of_the_gradient(inputs: Any, layers: Any) -> None:
    """Where samples mix, the first output depends on the image of the second sample."""
    network = Network(inputs, layers)
    words = tuple(network.inputs)
    shapes: list[tuple[int, ...]] = [IMAGE if name == "x" else () for name in words]
    net = Net(network, shapes, [5 if name == "y" else 0 for name in words], dry=True)
    initialize(net, network, 0)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.normal_()
    x, y = torch.randn(4, *IMAGE, requires_grad=True), torch.tensor([0, 1, 2, 3])
    first = net(*(x if name == "x" else y for name in words), outputs=("",))[0].square().sum()
    [slope] = torch.autograd.grad(first, x, allow_unused=True)
    mixed = slope is not None and bool(slope[1:].abs().max() > 1e-6)
    assert bool(way_through(network, {"x"}, "")) == mixed


def test_the_way_to_a_tap_is_its_own() -> None:
    network = Network({"x": ()}, (Tap("a", (BatchNorm(),)), Conv(2), Tap("b"), BatchNorm()))
    assert way_through(network, {"x"}, "a") == ("layers.0.through.0",)
    assert way_through(network, {"x"}, "b") == ()
    assert way_through(network, {"x"}, "") == ("layers.3",)
    assert way_through(network, set(), "") is None
