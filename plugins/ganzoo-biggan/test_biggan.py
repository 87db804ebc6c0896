"""SNGAN, SAGAN and BigGAN: spectral norm, projection, chunks, the schedule, and the papers' sizes.

Their rounds against loops by hand are in tests/test_variants.py.
"""

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

import ganzoo
from ganzoo.engine.training import Training
from ganzoo.errors import DataError
from ganzoo.nn.build import build, initialize, parameter_count
from ganzoo.spec import Image, Label
from ganzoo.spec.layers.weights import weight_of
from ganzoo.testing import noise
from ganzoo_biggan import SAGAN, SNGAN, BigGAN, ganzoo_variants

SMALL: dict[str, Any] = {"width": 8, "discriminator_width": 8, "batch": 4, "conditional": True}
MORE: dict[Any, dict[str, Any]] = {
    SNGAN: {"latent": 5},
    SAGAN: {"latent": 5, "attention": 8},
    BigGAN: {"chunk": 3, "embedding": 4, "attention": 8, "average_from": 2},
}
VARIANTS = pytest.mark.parametrize("variant", MORE)


def spec(variant: Any, size: int = 16, **settings: Any) -> ganzoo.Spec:
    fields = {"image": Image((3, size, size)), "label": Label(3)}
    return variant(**{**SMALL, **MORE[variant], **settings}).spec(ganzoo.Fields(fields=fields))


def networks(made: ganzoo.Spec) -> dict[str, Any]:
    nets = build(made)
    for seed, (name, net) in enumerate(nets.items()):
        initialize(net, made.networks[name], seed)
    return nets


def normalised(net: nn.Module) -> list[tuple[str, Any]]:
    """The modules of which the weights are divided by their spectral norm."""
    return [(path, part) for path, part in net.named_modules() if hasattr(part, "weight_u")]


def counting(part: Any, net: nn.Module, path: str) -> Tensor:
    """The weights that count; their kind stands on the layer, or on the one that holds it."""
    owner: Any = part
    while not hasattr(owner, "_layer"):
        path = path.rpartition(".")[0]
        owner = net.get_submodule(path)
    layer: Any = getattr(owner, "_layer")  # noqa: B009
    return weight_of(part, layer.weight)


@VARIANTS
def test_the_spectral_norm_is_one(variant: Any) -> None:
    nets = networks(spec(variant))
    wrapped = ["D"] if variant is SNGAN else ["G", "D"]
    for name, net in nets.items():
        parts = normalised(net)
        assert bool(parts) == (name in wrapped), name
        for path, part in parts:
            net.train()
            with torch.no_grad():
                part.weight.copy_(torch.randn_like(part.weight))
            weight = counting(part, net, path)
            for _ in range(300):
                weight = counting(part, net, path)
            norm = torch.linalg.matrix_norm(weight.detach().flatten(1), 2).item()
            assert norm == pytest.approx(1, abs=1e-3), (name, path)


def test_it_is_torchs_own() -> None:
    """From the same vectors: values, and gradients through the norm."""
    net = networks(spec(SNGAN))["D"]
    path, part = normalised(net)[0]
    wide, narrow, side = part.weight.shape[:3]
    bare = nn.Conv2d(narrow, wide, side, bias=False)
    other: Any = spectral_norm(bare, n_power_iterations=1, eps=1e-12)
    with torch.no_grad():
        other.parametrizations.weight.original.copy_(part.weight)
        other.parametrizations.weight[0]._u.copy_(part.weight_u)
        other.parametrizations.weight[0]._v.copy_(part.weight_v)
    net.train()
    other.train()
    ours, theirs = counting(part, net, path), other.weight
    assert torch.allclose(ours, theirs, atol=1e-6)
    pull = torch.randn_like(ours)
    [one] = torch.autograd.grad((ours * pull).sum(), part.weight)
    [two] = torch.autograd.grad((theirs * pull).sum(), other.parametrizations.weight.original)
    assert torch.allclose(one, two, atol=1e-5)
    # at use the vectors stay, and so do the answers
    net.eval()
    kept = part.weight_u.clone()
    x, y = torch.randn(4, 3, 16, 16), torch.tensor([0, 1, 2, 0])
    assert torch.equal(net(x, y), net(x, y)) and torch.equal(part.weight_u, kept)


@VARIANTS
def test_labels_move_the_verdict_by_the_projection(variant: Any) -> None:
    """D(x, y) - D(x, y') = <e_y - e_y', h>, where h is a sum over space."""
    net = networks(spec(variant))["D"].eval()
    x, y = torch.randn(4, 3, 16, 16), torch.tensor([0, 1, 2, 0])
    other = (y + 1) % 3
    [last] = [part for _, part in net.named_modules() if isinstance(part, nn.Linear)]
    seen: list[Tensor] = []
    last.register_forward_pre_hook(lambda _, values: seen.append(values[0]))
    [(path, table)] = [(p, m) for p, m in net.named_modules() if isinstance(m, nn.Embedding)]
    vectors = counting(table, net, path)
    moved = net(x, y) - net(x, other)
    h = seen[0]
    assert torch.allclose(moved[:, 0], ((vectors[y] - vectors[other]) * h).sum(1), atol=1e-5)
    assert h.shape == (4, 8)


@pytest.mark.parametrize("variant", [SNGAN, SAGAN])
def test_classes_begin_as_the_plain_norm(variant: Any) -> None:
    """Gains of 1 and biases of 0 for each class, so that labels mean nothing before training."""
    net = networks(spec(variant))["G"].train()
    z = torch.randn(4, 5)
    # of copies: each pass in training is a step of the power iteration
    one, two = (copy.deepcopy(net)(z, torch.full((4,), label)) for label in (0, 2))
    assert torch.allclose(one, two, atol=1e-5)
    with torch.no_grad():
        for name, value in net.named_parameters():
            if name.endswith(("scale.weight", "shift.weight")):
                value.add_(torch.randn_like(value))
    # of copies: each pass in training is a step of the power iteration
    one, two = (copy.deepcopy(net)(z, torch.full((4,), label)) for label in (0, 2))
    assert not torch.allclose(one, two, atol=1e-2)


def test_each_chunk_of_the_latent_moves_the_image() -> None:
    made = spec(BigGAN)
    run = Training(made, noise(16, 3), batch=4, seed=0, device=torch.device("cpu"),
                   precision="fp32")  # fmt: skip
    run.round()
    model = run.model()
    z, y = torch.randn(4, 3, 3), torch.tensor([0, 1, 2, 0])
    told = {"z": z, "y": y}
    before = model.evaluate(made.let["fake"], told)
    for row in range(3):
        moved = z.clone()
        moved[:, row] += 1
        assert (model.evaluate(made.let["fake"], {**told, "z": moved}) - before).norm() > 1e-3, row
    assert (model.evaluate(made.let["fake"], {**told, "y": (y + 1) % 3}) - before).norm() > 1e-3


def test_truncation_brings_samples_together() -> None:
    run = Training(spec(BigGAN), noise(16, 3), batch=4, seed=0, device=torch.device("cpu"),
                   precision="fp32")  # fmt: skip
    run.round()
    model = run.model()
    spread = [
        torch.as_tensor(model.generate(32, seed=0, label=1, truncation=limit, output="pt")).std(0)
        for limit in (2.0, 0.5, 0.01)
    ]
    means = [float(value.mean()) for value in spread]
    assert means[0] > means[1] > means[2]
    assert means[2] < 0.1 * means[0]


def test_the_average_begins_late() -> None:
    made = spec(BigGAN, average=0.9)
    assert made.ema == dict.fromkeys("GY", "where(step < 2, 0, 0.9)")
    run = Training(made, noise(16, 3), batch=4, seed=0, device=torch.device("cpu"),
                   precision="fp32")  # fmt: skip
    names = [name for name, _ in run.networks["G"].named_parameters()]
    averages: list[dict[str, Any]] = [dict(copy.deepcopy(run.networks["G"]).named_parameters())]
    live: dict[str, Any] = {}
    for _ in range(3):
        run.round()
        live = dict(run.networks["G"].named_parameters())
        kept = {name: run.averages.tensors()[f"G/{i}"].clone() for i, name in enumerate(names)}
        averages.append(kept)
        if run.step <= 2:  # a copy
            assert all(torch.equal(kept[name], live[name]) for name in names)
    wanted = {name: torch.lerp(averages[2][name], live[name], 0.1) for name in names}
    assert all(torch.allclose(averages[3][name], wanted[name], atol=1e-6) for name in names)


def test_orthogonal_weights_pay_nothing() -> None:
    """The penalty is of the generator alone, and not of the shared embedding."""
    made = spec(BigGAN)
    assert made.stages[0].updates[1].minimize["orthogonal"] == "0.0001 * orthogonal(G)"
    assert made.stages[0].updates[1].train == ("G", "Y")
    total = sum(
        (m := matrix @ matrix.T, (m - torch.diag(m.diagonal())).square().sum())[1]
        for matrix in map(torch.detach, networks(made)["G"].matrices().values())
        if matrix.shape[0] <= matrix.shape[1]
    )
    assert torch.as_tensor(total).item() < 1e-8
    assert "orthogonal" not in spec(BigGAN, orthogonal=0).stages[0].updates[1].minimize


def test_the_schedules_are_the_papers() -> None:
    rounds = {v: spec(v).stages[0].updates for v in MORE}
    assert [update.repeat for update in rounds[SNGAN]] == [5, 1]
    assert [update.repeat for update in rounds[SAGAN]] == [1, 1]
    for variant, betas in ((SNGAN, (0, 0.9)), (SAGAN, (0, 0.9)), (BigGAN, (0, 0.999))):
        assert [getattr(u.optimizer, "betas") for u in rounds[variant]] == [betas, betas]  # noqa: B009
    assert [getattr(u.optimizer, "lr") for u in rounds[SAGAN]] == [4e-4, 1e-4]  # noqa: B009
    falls = getattr(rounds[SNGAN][0].optimizer, "decay")  # noqa: B009
    assert [falls.factor(progress) for progress in (0, 0.5, 1)] == [1, 0.5, 0]


PUBLISHED = {
    "sngan-cifar10": (32, 10, 4.28, 1.05),
    "biggan-cifar10": (32, 10, 4.3, 4.2),
    "biggan-imagenet128": (128, 1000, 70.4, 88.0),
}
"""Size, classes, and millions of weights of generator and discriminator, as their authors count."""


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_presets_have_as_many_weights_as_the_authors_networks(name: str) -> None:
    [variant] = [found for found in ganzoo_variants() if found.name == name]
    size, classes, generator, discriminator = PUBLISHED[name]
    fields = {"image": Image((3, size, size)), "label": Label(classes)}
    nets = build(variant().spec(ganzoo.Fields(fields=fields)))
    counts = {net: parameter_count(value) / 1e6 for net, value in nets.items()}
    assert counts["G"] + counts.get("Y", 0) == pytest.approx(generator, rel=0.02)
    assert counts["D"] == pytest.approx(discriminator, rel=0.04)


def test_other_sizes_are_refused() -> None:
    with pytest.raises(DataError, match=r"32, .* pixels, not 28"):
        spec(SNGAN, 28)
