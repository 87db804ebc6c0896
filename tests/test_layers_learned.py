"""Vector quantisation: the nearest code, where gradients go, and VQGAN against a loop by hand."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from ganzoo.engine.training import Training
from ganzoo.errors import ShapeError
from ganzoo.spec import Spec, files
from ganzoo.spec import layers as L
from ganzoo.testing import noise
from tests.by_hand import agree, only
from tests.reference import Loop

VQGAN = files.read(Path(__file__).parent / "specs" / "vqgan.yaml")


@pytest.fixture
def float64() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize("shape", [(3,), (3, 2, 5)])
def test_each_vector_becomes_the_nearest_code(shape: tuple[int, ...]) -> None:
    layer = L.VectorQuantize(7)
    module = layer.module(shape)
    with torch.no_grad():
        module.codebook.normal_()
    x = torch.randn(4, *shape, requires_grad=True)
    found = layer.forward(module, x)
    codes = module.codebook.detach()
    wanted = torch.empty_like(x)
    counts = torch.zeros(7)
    for sample, place in [(s, p) for s in range(4) for p in range(x[0, 0].numel())]:
        vector = x.detach()[sample].reshape(3, -1)[:, place]
        nearest = min(range(7), key=lambda k: float((codes[k] - vector).square().sum()))
        wanted[sample].view(3, -1)[:, place] = codes[nearest]
        counts[nearest] += 1
    assert torch.equal(found, wanted)
    found.sum().backward()
    assert x.grad is None
    assert torch.equal(module.codebook.grad, counts[:, None].expand(7, 3))


def test_codes_begin_uniform() -> None:
    layer = L.VectorQuantize(50)
    module = layer.module((64, 4, 4))
    with torch.no_grad():
        layer.begin(module)
    assert 0.019 < module.codebook.abs().max() <= 0.02


def test_an_encoder_that_learns_through_a_choice_is_refused() -> None:
    """Without the straight-through estimator nothing reaches it, which no expression shows."""
    data = VQGAN.to_dict()
    data["let"]["recon"] = "G(q)"
    data["stages"][0]["round"][0]["minimize"] = {"rec": "rec", "codebook": "mse(q, detach(h))"}
    del data["let"]["weight"]
    data["let"]["fool"] = "-mean(D(recon))"
    data["stages"][0]["round"][0]["minimize"]["fool"] = "fool"
    spec = Spec.from_dict(data)
    with pytest.raises(ShapeError, match="'E' is trained here, and no gradient"):
        Training(spec, only(spec, noise()), batch=4, seed=0, device=torch.device("cpu"))


def vqgan(loop: Loop) -> None:
    e, q, g, d = (loop.nets[name] for name in "EQGD")
    x = loop.draw(0, "x")
    h = e(x)
    code = q(h)
    recon = g(h + (code - h).detach())
    rec, fool = (x - recon).abs().mean(), -d(recon).mean()

    def slope(value: Tensor) -> Tensor:
        (found,) = torch.autograd.grad(value, recon, retain_graph=True)
        return (found.flatten(1).square().sum(1) + 1e-12).sqrt().mean()

    weight = slope(rec) / (slope(fool) + 1e-4)
    codebook = F.mse_loss(code, h.detach())
    commitment = F.mse_loss(h, code.detach())
    loss = rec + codebook + 0.25 * commitment + weight * fool
    name = loop_name(VQGAN, 0)
    loop.learn(name, "E Q G", loss)
    with torch.no_grad():
        made = g(q(e(x)))
    real = F.relu(1 - d(x)).mean()
    fake = F.relu(1 + d(made)).mean()
    loop.learn(loop_name(VQGAN, 1), "D", real + fake)


def loop_name(spec: Spec, index: int) -> str:
    return spec.stages[0].updates[index].name


@pytest.mark.usefixtures("float64")
def test_vqgan_by_hand() -> None:
    agree(VQGAN, [vqgan] * 2)
