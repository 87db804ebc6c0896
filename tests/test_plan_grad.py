"""`grad(y, x)`: what it is, which pass it shares, and the penalties that are made of it."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor
from torch.nn.functional import softplus

from ganzoo.engine.plan import Plan
from ganzoo.engine.training import Training
from ganzoo.errors import SpecError
from ganzoo.spec import Adam, Flatten, Linear, Network, Normal, Reshape, Spec, Update
from ganzoo.spec.latex import expression_latex
from tests.builders import SIDE, critic, gan, training

Weights = dict[str, list[Tensor]]
R1 = "mean(squared_norm(grad(D(x), x)))"


def linear(**more: object) -> Network:
    return Network({"x": ()}, [Flatten(), Linear(1)], **more)  # type: ignore[arg-type]


def losses(spec: Spec, batch: int = 8) -> tuple[dict[str, float], dict[str, Tensor]]:
    """The loss terms of the first round, and the weights of D before it."""
    run = training(spec, batch=batch)
    weights = {name: value.clone() for name, value in run.networks["D"].state_dict().items()}
    run.round()
    return run.losses(), weights


@pytest.mark.parametrize("batch", [2, 8])
def test_r1_of_a_linear_critic_is_the_norm_of_its_weights(batch: int) -> None:
    """gamma / 2 |w|^2, at any batch: not the mean over pixels, nor over the batch."""
    spec = gan(
        networks={"G": gan().networks["G"], "D": linear()},
        round=[
            Update("D", {"r1": f"3 / 2 * {R1}", "r2": f"3 / 2 * {R1.replace('x', 'fake')}"}),
            Update("G", {"fool": "-mean(D(fake))"}),
        ],
    )
    # replacing x in D(x) and x gives grad(D(fake), fake)
    assert "grad(D(fake), fake)" in spec.stages[0].updates[0].minimize["r2"]
    found, weights = losses(spec, batch)
    wanted = 1.5 * weights["layers.1.weight"].square().sum().item()
    assert found["D.r1"] == pytest.approx(wanted, rel=1e-5)
    assert found["D.r2"] == pytest.approx(wanted, rel=1e-5)


def test_a_penalty_through_an_augmentation_is_of_what_comes_before_it() -> None:
    """T = 2x gives four times R1: the gradient goes through T, and is not taken at T(x)."""
    plain, twice = (
        gan(
            networks={"G": gan().networks["G"], "D": linear()},
            let={"fake": "G(z)", "judged": f"D({factor} * x)"},
            round=[
                Update("D", {"r1": "mean(squared_norm(grad(judged, x)))"}),
                Update("G", {"fool": "-mean(D(fake))"}),
            ],
        )
        for factor in (1, 2)
    )
    assert losses(twice)[0]["D.r1"] == pytest.approx(4 * losses(plain)[0]["D.r1"], rel=1e-5)


def test_it_shares_the_pass_of_the_loss() -> None:
    terms = {"real": "mean(softplus(-D(x)))", "fake": "mean(softplus(D(fake)))"}
    with_it = {**terms, "r1": R1, "r2": "mean(squared_norm(grad(D(fake), fake)))"}
    rounds = [
        Plan(gan(round=[Update("D", minimize), gan().stages[0].round[1]])).round(0, 0)
        for minimize in (terms, with_it)
    ]
    assert rounds[0].passes() == rounds[1].passes()
    assert "D(fake.detach())" in rounds[0].code and "leaf(fake)" in rounds[1].code


def test_its_gradients_are_those_of_a_plain_loop() -> None:
    """Weights learn by the penalty (it is not detached), as autograd says."""
    spec = gan(
        round=[
            Update("D", {"pair": "mean(softplus(D(fake) - D(x)))", "r1": f"2 * {R1}"}),
            Update("G", {"pair": "mean(softplus(D(x) - D(fake)))"}, Adam(1e-3)),
        ]
    )
    run = training(spec)
    found: dict[str, list[Tensor]] = {}
    apply, before = run._apply, weights(run)

    def seen(name: str) -> None:
        found[name] = [g for p in run.updaters[name].parameters if (g := p.grad) is not None]
        apply(name)

    run._apply = seen  # type: ignore[method-assign]
    x, z = run.draws(0, 0, ("x", "z"))
    run.round()
    d, g = run.networks["D"], run.networks["G"]
    after = weights(run)
    restore(run, before)
    fake, point = g(z), x.clone().requires_grad_()
    scores = d(point)
    [slope] = torch.autograd.grad(scores.sum(), point, create_graph=True)
    loss = softplus(d(fake.detach()) - scores).mean()
    loss = loss + 2 * slope.flatten(1).square().sum(1).mean()
    agree(torch.autograd.grad(loss, list(d.parameters())), found["D"])
    restore(run, {"D": after["D"]})
    loss = softplus(d(x) - d(g(z))).mean()
    agree(torch.autograd.grad(loss, list(g.parameters())), found["G"])


def weights(run: Training) -> Weights:
    return {
        name: [parameter.detach().clone() for parameter in net.parameters()]
        for name, net in run.networks.items()
    }


def restore(run: Training, kept: Weights) -> None:
    for name, values in kept.items():
        for parameter, value in zip(run.networks[name].parameters(), values, strict=True):
            parameter.data.copy_(value)


def agree(some: Sequence[Tensor], others: Sequence[Tensor]) -> None:
    for one, other in zip(some, others, strict=True):
        assert torch.allclose(one, other, atol=1e-6)


def path_length(generator: Network, lengths: str, **draws: Normal) -> Spec:
    return gan(
        draws={**gan().draws, "y": Normal(shape=(1, SIDE, SIDE)), **draws},
        networks={"G": generator, "D": critic()},
        let={"fake": "G(z)", "lengths": lengths},
        round=[
            gan().stages[0].round[0],
            Update("G", {"fool": "-mean(D(fake))", "length": "mean(square(lengths - 0.1))"}),
        ],
        tasks={"generate": "G(z)", "encode": {"kind": "encode", "output": "lengths"}},
    )


def test_path_length_of_a_linear_generator_has_a_closed_form() -> None:
    """G(z) = W z: the gradient of <G(z), y> / 8 is W^T y / 8, whose norm is the length."""
    spec = path_length(
        Network({"z": ()}, [Linear(SIDE * SIDE, bias=False), Reshape((1, SIDE, SIDE))]),
        "norm(grad(dot(G(z), y) / 8, z))",
    )
    run = training(spec)
    weight = run.networks["G"].state_dict()["layers.0.weight"].clone()
    z, y = run.draws(0, 0, ("z", "y"))
    wanted = (y.flatten(1) @ weight / 8).norm(dim=1)
    model = run.model()
    found = model.evaluate("lengths", {"z": z, "y": y})
    assert torch.allclose(found, wanted, atol=1e-5)
    run.round()
    square = (wanted - 0.1).square().mean().item()
    assert run.losses()["G.length"] == pytest.approx(square, rel=1e-4)


def test_path_length_is_what_finite_differences_say() -> None:
    spec = path_length(gan().networks["G"], "norm(grad(dot(G(z), y), z))")
    run = training(spec)
    model = run.model()
    for net in model.networks.values():
        net.double()
    z, y = (value.double() for value in run.draws(0, 0, ("z", "y")))
    found = model.evaluate("lengths", {"z": z, "y": y})
    slopes: list[Tensor] = []
    for axis in range(z.shape[1]):
        step = torch.zeros_like(z)
        step[:, axis] = 1e-5
        high, low = (model.evaluate("dot(G(z), y)", {"z": z + s, "y": y}) for s in (step, -step))
        slopes.append((high - low) / 2e-5)
    assert torch.allclose(found, torch.stack(slopes, 1).norm(dim=1), rtol=1e-6)


def test_a_generator_learns_by_its_path_length_and_through_a_value_in_between() -> None:
    """`w` is a value with a graph: the gradient with respect to it reaches the network before."""
    mapping = Network({"z": ()}, [Linear(4)])
    generator = Network({"w": ()}, [Linear(SIDE * SIDE), Reshape((1, SIDE, SIDE))])
    spec = gan(
        draws={**gan().draws, "y": Normal(shape=(1, SIDE, SIDE))},
        networks={"M": mapping, "G": generator, "D": critic()},
        let={"w": "M(z)", "fake": "G(w)", "judged": "D(fake)"},
        round=[
            Update("D", {"real": "mean(softplus(-D(x)))", "fake": "mean(softplus(judged))"}),
            # the second derivative of tanh and the like is what reaches M; of G alone it is W
            Update(["M", "G"], {"length": "mean(square(norm(grad(dot(tanh(fake), y), w)) - 1))"}),
        ],
        tasks={"generate": "G(w)"},
    )
    run = training(spec)
    before = [p.detach().clone() for p in run.networks["M"].parameters()]
    run.round()
    assert any(
        not torch.equal(old, new)
        for old, new in zip(before, run.networks["M"].parameters(), strict=True)
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("mean(norm(grad(D(x), fake)))", "fake does not stand in D(x)"),
        ("mean(norm(grad(D(x))))", "write grad(y, x)"),
        ("mean(norm(grad(D, x)))", "'D' is a network and not a value"),
        ("mean(norm(grad(D(x), D(x), x)))", "write grad(y, x)"),
    ],
)
def test_a_gradient_that_says_nothing_is_refused(text: str, message: str) -> None:
    with pytest.raises(SpecError) as caught:
        gan(round=[Update("D", {"a": text, "b": "mean(D(fake))"}), gan().stages[0].round[1]])
    assert message in str(caught.value)


def test_it_is_set_as_a_gradient() -> None:
    assert expression_latex(gan(), "grad(D(x), x)") == r"\nabla_{x}\, D(x)"
    assert expression_latex(gan(), R1) == (
        r"\mathbb{E}\left[\left\lVert \nabla_{x}\, D(x)\right\rVert_2^2\right]"
    )
