"""Weights that are wrapped, and how weights begin."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations

from ganzoo.errors import SpecError
from ganzoo.nn.build import build, initialize
from ganzoo.nn.modules import Net
from ganzoo.spec import (
    Conv,
    Deconv,
    Embedding,
    Equalized,
    Flatten,
    Image,
    Label,
    Layer,
    Linear,
    Network,
    Normal,
    Spec,
    Task,
    Update,
)
from ganzoo.spec.layers.weights import matrix, weight_of
from tests.builders import gan, training


def net(*layers: Layer, seed: int = 0, shape: tuple[int, ...] = (4, 6, 6), **more: Any) -> Net:
    """A network of these layers for values of that shape, with its first weights."""
    network = Network({"v": ()}, layers, **more)
    draw: Any = Normal(shape=shape) if shape else Label(5)
    spec = Spec(
        draws={"v": draw, "i": Image((1, 2, 2))},
        networks={"N": network, "O": Network({"i": ()}, [Flatten(), Linear(1)])},
        round=[Update(["N", "O"], {"a": "mean(N(v)) + mean(O(i))"})],
    )
    made = build(spec)["N"]
    initialize(made, network, seed)
    return made


def effective(made: Net, index: int = 0) -> Tensor:
    """The weights that count of a layer, (outputs, inputs)."""
    module: Any = made.layers.get_submodule(str(index))
    layer = module._layer
    weight = weight_of(module, layer.weight, layer.gain).detach()
    return (weight.transpose(0, 1) if getattr(module, "transposed", False) else weight).flatten(1)


LAYERS = [
    (Linear(7, weight="spectral"), (5,)),
    (Conv(6, weight="spectral"), (4, 6, 6)),
    (Deconv(6, weight="spectral"), (4, 6, 6)),
]


@pytest.mark.parametrize(("layer", "shape"), LAYERS, ids=lambda value: getattr(value, "kind", ""))
def test_a_spectral_norm_becomes_one(layer: Layer, shape: tuple[int, ...]) -> None:
    made = net(layer, shape=shape)
    made.train()
    for _ in range(50):
        made(torch.randn(3, *shape))
    assert torch.linalg.matrix_norm(effective(made), 2).item() == pytest.approx(1, abs=1e-3)


def test_it_is_what_torch_makes_of_the_same_weights() -> None:
    """The same output, gradients and vectors after each of three passes of training."""
    made = net(Linear(7, weight="spectral"), shape=(5,))
    module: Any = made.layers.get_submodule("0")
    theirs = nn.Linear(5, 7)
    theirs.load_state_dict({"weight": module.weight, "bias": module.bias})
    parametrizations.spectral_norm(theirs)
    norm: Any = theirs.parametrizations.weight[0]  # type: ignore[index]
    norm._u.copy_(module.weight_u)
    norm._v.copy_(module.weight_v)
    made.train()
    for _ in range(3):
        x = torch.randn(4, 5)
        ours, wanted = made(x), theirs(x)
        assert torch.allclose(ours, wanted, atol=1e-6)
        [one] = torch.autograd.grad(ours.square().sum(), module.weight)
        [other] = torch.autograd.grad(
            wanted.square().sum(),
            theirs.parametrizations.weight.original,  # type: ignore[union-attr]
        )
        assert torch.allclose(one, other, atol=1e-5)
        assert torch.allclose(module.weight_u, norm._u, atol=1e-6)


def test_its_vectors_move_in_training_alone_and_are_kept() -> None:
    made = net(Conv(6, weight="spectral"))
    made.eval()
    before = copy.deepcopy(made.state_dict())
    x = torch.randn(2, 4, 6, 6)
    assert torch.equal(made(x), made(x))
    assert all(torch.equal(before[key], value) for key, value in made.state_dict().items())
    made.train()
    made(x)
    assert not torch.equal(before["layers.0.weight_u"], made.state_dict()["layers.0.weight_u"])


def test_a_network_says_it_for_its_layers_and_a_layer_for_itself() -> None:
    layers = [Conv(6), Conv(5, weight="plain"), Conv(4, weight="weight_norm"), Linear(3)]
    keys = set(net(*layers, weight="spectral").state_dict())
    assert {"layers.0.weight_u", "layers.3.weight_u", "layers.2.weight_length"} <= keys
    assert not keys & {"layers.1.weight_u", "layers.2.weight_u"}


def test_weight_norm_is_what_torch_makes() -> None:
    made = net(Conv(6, weight="weight_norm"))
    module: Any = made.layers.get_submodule("0")
    with torch.no_grad():
        module.weight_length.mul_(torch.rand(6) + 0.5)
    theirs = nn.Conv2d(4, 6, 3, padding=1)
    theirs.load_state_dict({"weight": module.weight, "bias": module.bias})
    parametrizations.weight_norm(theirs)
    theirs.parametrizations.weight.original0.data.copy_(  # type: ignore[union-attr]
        module.weight_length.view(-1, 1, 1, 1)
    )
    x = torch.randn(2, 4, 6, 6)
    assert torch.allclose(made(x), theirs(x), atol=1e-6)


def test_a_rate_multiplier_changes_nothing_at_first() -> None:
    """Output at initialisation does not depend on it."""
    x = torch.randn(3, 5)
    plain, slow = (
        net(Linear(7, weight=Equalized(lr), gain=2), shape=(5,))(x) for lr in (1.0, 0.01)
    )
    assert torch.allclose(plain, slow, atol=1e-5)


def test_an_sgd_step_moves_what_counts_by_the_square_of_the_multiplier() -> None:
    x = torch.randn(3, 5)
    moved: list[Tensor] = []
    for lr in (1.0, 0.1):
        made = net(Linear(7, weight=Equalized(lr)), shape=(5,))
        before = effective(made)
        optimizer = torch.optim.SGD(made.parameters(), 0.1)
        made(x).sum().backward()
        optimizer.step()
        moved.append(effective(made) - before)
    assert torch.allclose(moved[1], moved[0] * 1e-2, rtol=1e-2, atol=1e-6)


def test_equalised_weights_are_scaled_at_run_time() -> None:
    made = net(Conv(512, weight="equalized", gain=2))
    module: Any = made.layers.get_submodule("0")
    assert module.weight.std().item() == pytest.approx(1, abs=0.03)
    assert effective(made).std().item() == pytest.approx(2 / (4 * 9) ** 0.5, rel=0.03)
    assert torch.equal(module.bias, torch.zeros(512))


def test_an_equalised_embedding_has_no_bias_to_begin() -> None:
    made = net(Embedding(5, 64, weight="equalized"), shape=())
    assert made(torch.tensor([0, 4])).shape == (2, 64)


def test_gain_scales_how_weights_begin() -> None:
    for init in ("default", "lecun", "orthogonal", "he"):
        whole, half, nothing = (
            net(Conv(6, gain=gain), init=init).state_dict()["layers.0.weight"]
            for gain in (1.0, 0.5, 0.0)
        )
        assert torch.equal(half, whole * 0.5) and not nothing.any() and whole.any()


def test_lecun_has_the_variance_of_one_over_the_inputs() -> None:
    weight = net(Conv(512, groups=2), init="lecun").state_dict()["layers.0.weight"]
    assert weight.shape == (512, 2, 3, 3)  # each output sees the two channels of its group
    assert weight.std().item() == pytest.approx((2 * 9) ** -0.5, rel=0.03)


def test_orthogonal_weights_are_orthogonal() -> None:
    made = net(Deconv(6), init="orthogonal")
    rows = matrix(made.layers.get_submodule("0"))
    assert torch.allclose(rows @ rows.T, torch.eye(6), atol=1e-5)


def test_a_network_that_begins_as_nothing_but_its_shortcuts() -> None:
    """R3GAN's last convolution of a block begins at zero: each block is the identity."""
    from ganzoo.spec import Bias, LeakyReLU, Residual

    inner = [Conv(8, 1, bias=False), Bias(), LeakyReLU(), Conv(4, 1, bias=False, gain=0)]
    made = net(Residual(inner), Residual(inner), init="lecun")
    x = torch.randn(2, 4, 6, 6)
    assert torch.equal(made(x), x)
    made(x).square().sum().backward()
    last = dict(made.named_parameters())["layers.1.layers.3.weight"]
    assert last.grad is not None and last.grad.any()


@pytest.mark.parametrize("kind", ["spectral", "equalized", "weight_norm"])
def test_a_run_of_wrapped_weights_resumes_bit_for_bit(kind: str, tmp_path: Any) -> None:
    base = gan()
    networks = {
        name: network.model_copy(update={"weight": Network.model_validate(
            {**network.model_dump(), "weight": kind}).weight})
        for name, network in base.networks.items()
    }  # fmt: skip
    spec = gan(networks=networks, ema={"G": 0.9})
    whole, half, rest = training(spec), training(spec), training(spec)
    for _ in range(4):
        whole.round()
    for _ in range(2):
        half.round()
    half.save(tmp_path / "half.safetensors")
    rest.load(tmp_path / "half.safetensors")
    for _ in range(2):
        rest.round()
    ours, theirs = whole._state(), rest._state()
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[key], theirs[key]) for key in ours)
    one, other = (run.model().generate(2, output="pt") for run in (whole, rest))
    assert torch.equal(one, other)


@pytest.mark.parametrize(
    ("weight", "path", "message"),
    [
        ("spectrl", "networks.D.layers.1.weight", "did you mean 'spectral'?"),
        ({"kind": "equalized", "lr": 0}, "networks.D.layers.1.weight.lr", "greater than 0"),
        ({"kind": "equalized", "rate": 1}, "networks.D.layers.1.weight", "unknown key 'rate'"),
    ],
)
def test_one_mistake_gives_one_problem(weight: Any, path: str, message: str) -> None:
    data = gan().to_dict()
    data["networks"]["D"]["layers"][1]["weight"] = weight
    with pytest.raises(SpecError) as caught:
        Spec.from_dict(data)
    [(found, problem)] = caught.value.problems
    assert found == path and message in problem


def test_random_weights_that_are_frozen_stay_as_they_began() -> None:
    """Projected GAN's random mixers: no update trains them, and they stand in evaluation mode."""
    mixer = Network({"x": ()}, [Flatten(), Linear(16)], frozen=True)
    base = gan()
    spec = gan(
        networks={**base.networks, "P": mixer, "D": Network({"p": ()}, [Linear(1)])},
        round=[
            Update("D", {"real": "mean(softplus(-D(P(x))))", "fake": "mean(softplus(D(P(fake))))"}),
            Update("G", {"fool": "mean(softplus(-D(P(fake))))"}),
        ],
        tasks={"generate": "G(z)", "features": Task(kind="encode", output="P(x)")},
    )
    assert Spec.from_json(spec.to_json()) == spec
    run = training(spec)
    before = {key: value.clone() for key, value in run.networks["P"].state_dict().items()}
    old = [p.detach().clone() for p in run.networks["G"].parameters()]
    for _ in range(3):
        run.round()
    assert all(torch.equal(before[k], v) for k, v in run.networks["P"].state_dict().items())
    assert not run.networks["P"].training
    assert not torch.equal(old[0], next(run.networks["G"].parameters()))
    with pytest.raises(SpecError, match="'P' is frozen"):
        gan(
            networks={**base.networks, "P": mixer},
            round=[Update("P", {"a": "mean(P(x))"}), *base.stages[0].round],
        )
