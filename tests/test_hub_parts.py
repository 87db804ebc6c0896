"""Networks of published models as frozen parts of a Spec: by name and hash, planned, saved."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

import ganzoo
from ganzoo import extension
from ganzoo.engine.plan import Plan
from ganzoo.engine.training import Training
from ganzoo.errors import IntegrityError, ShapeError, SpecError, UnknownNameError
from ganzoo.models import store
from ganzoo.nn.build import build
from ganzoo.spec import (
    Adam,
    Conv,
    Flatten,
    GlobalPool,
    LeakyReLU,
    Linear,
    Network,
    Normal,
    Reshape,
    Spec,
    Tanh,
    Tap,
    Update,
)
from ganzoo.spec.latex import text
from ganzoo.testing import noise
from tests.builders import SIDE, gan, training

CPU = torch.device("cpu")


@pytest.fixture
def published(tmp_path: Path) -> str:
    """The folder of a model that publishes its critic D, which reads 8x8 images."""
    run = training(gan(tasks={"generate": "G(z)", "score": {"kind": "score", "output": "-D(x)"}}))
    run.round()
    store.save(run.model(), tmp_path / "published")
    return str(tmp_path / "published")


def guided(part: Any, side: int = SIDE, **tasks: Any) -> dict[str, Any]:
    """A generator that is led by a published network F alone, as data."""
    paint = (Linear(side * side), Tanh(), Reshape((1, side, side)))
    part = part.model_dump(mode="json") if isinstance(part, Network) else part
    return {
        "draws": {
            "x": {"kind": "image", "shape": [1, side, side]},
            "z": Normal(4).model_dump(mode="json"),
        },
        "networks": {"G": Network({"z": ()}, paint).model_dump(mode="json"), "F": part},
        "let": {"fake": "G(z)"},
        "round": [
            Update("G", {"like": "mse(F(fake), F(x))"}, Adam(1e-3)).model_dump(mode="json"),
        ],
        "tasks": {"generate": "G(z)", **tasks},
        "steps": 4,
        "batch": 4,
    }


def run_of(spec: Spec, side: int = SIDE) -> Training:
    return Training(spec, noise(side), batch=4, seed=0, device=CPU, precision="fp32")


def test_layers_and_hash_are_read_from_the_model(published: str) -> None:
    spec = Spec.from_dict(guided({"model": published, "network": "D"}))
    model = ganzoo.from_pretrained(published)
    part = spec.networks["F"]
    assert part.layers == model.spec.networks["D"].layers and part.frozen
    assert part.origin is not None
    assert (part.origin.network, part.origin.sha256) == ("D", model.weights_sha256)
    # the Spec is complete: it comes back from its JSON without the model being asked
    assert Spec.from_json(spec.to_json()) == spec
    assert Network.of(published, "D") == part
    assert f"frozen, D of {published}" in text(spec)


def test_its_weights_lead_and_never_move(published: str) -> None:
    spec = Spec.from_dict(guided({"model": published, "network": "D"}))
    wanted = ganzoo.from_pretrained(published).networks["D"].state_dict()
    run = run_of(spec)
    before = [value.clone() for value in run.networks["G"].parameters()]
    for _ in range(4):
        run.round()
    found = run.networks["F"].state_dict()
    assert all(torch.equal(found[key], wanted[key]) for key in wanted)
    assert not run.networks["F"].training
    moved = zip(before, run.networks["G"].parameters(), strict=True)
    assert any(not torch.equal(*pair) for pair in moved)


def test_further_taps_move_no_weights(published: str) -> None:
    """Layers behind a tap have other paths than in the model, and the same weights."""
    plain = Network.of(published, "D")
    layers = [layer for index, own in enumerate(plain.layers) for layer in (own, Tap(f"t{index}"))]
    tapped = Network(
        dict(plain.inputs), layers, weight=plain.weight, frozen=True, origin=plain.origin
    )
    images = torch.rand(2, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    nets = [run_of(Spec.from_dict(guided(part))).networks["F"] for part in (plain, tapped)]
    whole, first = nets[1](images, outputs=("", "t0"))
    assert [*nets[0].state_dict()] != [*nets[1].state_dict()]
    assert torch.equal(nets[0](images), whole) and first.shape[0] == 2


def test_it_is_planned_as_frozen(published: str) -> None:
    """No weight gradients; on the data no graph: what a loop by hand with no_grad would do."""
    spec = Spec.from_dict(guided({"model": published, "network": "D"}))
    round = Plan(spec).round(0, 0)
    passes = round.passes()["F"]
    assert passes.total == 2
    assert [update.train for update in spec.stages[0].updates] == [("G",)]
    with pytest.raises(SpecError, match="frozen"):
        data = guided({"model": published, "network": "D"})
        data["round"][0]["train"] = ["G", "F"]
        Spec.from_dict(data)


def test_a_model_that_needs_it_carries_it(published: str, tmp_path: Path) -> None:
    """The saved folder stands alone: it loads where the other model is gone."""
    score = {"kind": "score", "output": "-F(x)"}
    run = run_of(Spec.from_dict(guided({"model": published, "network": "D"}, score=score)))
    run.round()
    model = run.model()
    store.save(model, tmp_path / "made")
    wanted = model.score(torch.rand(2, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(0)))
    for path in (*Path(published).iterdir(), Path(published)):
        path.rmdir() if path.is_dir() else path.unlink()
    loaded = ganzoo.from_pretrained(str(tmp_path / "made"))
    images = torch.rand(2, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    assert (loaded.score(images).values == wanted.values).all()
    assert loaded.spec.networks["F"].origin == model.spec.networks["F"].origin


def test_other_weights_are_refused(published: str) -> None:
    spec = Spec.from_dict(guided({"model": published, "network": "D"}))
    other = training(gan(tasks={"generate": "G(z)", "score": {"kind": "score", "output": "-D(x)"}}),
                     seed=5)  # fmt: skip
    store.save(other.model(), published, overwrite=True)
    with pytest.raises(IntegrityError, match="pinned to"):
        run_of(spec)


def test_other_shapes_are_refused_by_the_dry_run(published: str, monkeypatch) -> None:
    spec = Spec.from_dict(guided({"model": published, "network": "D"}, side=16))
    with pytest.raises(ShapeError) as caught:
        build(spec)
    [(path, message)] = caught.value.problems
    assert path == "networks.F"
    assert message.startswith(f"D of {published} takes 1x8x8, and here it gets 1x16x16 (called in")
    # where the dry run cannot see the model, its weights are what does not fit
    monkeypatch.setattr(extension, "built", lambda origin: None)
    with pytest.raises(ShapeError, match=r"\(layers\.1\.weight is 16x64 there, and 16x256 here\)"):
        run_of(spec, 16)


def test_images_of_another_size_are_allowed_where_the_weights_fit(tmp_path: Path) -> None:
    pooled = Network({"x": ()}, (Conv(2), LeakyReLU(), GlobalPool(), Linear(1)))
    tasks = {"generate": "G(z)", "score": {"kind": "score", "output": "-D(x)"}}
    run = training(gan(networks={**gan().networks, "D": pooled}, tasks=tasks))
    store.save(run.model(), tmp_path / "pooled")
    part = {"model": str(tmp_path / "pooled"), "network": "D"}
    run_of(Spec.from_dict(guided(part, side=16)), 16).round()


def test_mistakes(published: str) -> None:
    with pytest.raises(SpecError, match="publishes no network 'E'"):
        Network.of(published, "E")
    with pytest.raises(UnknownNameError):
        Network.of("no-such-model", "D")
    with pytest.raises(SpecError, match="give model and network, and nothing else"):
        Spec.from_dict(guided({"model": published, "network": "D", "layers": []}))
    with pytest.raises(SpecError, match="frozen: true"):
        Network.of(published, "D").replace(frozen=False)


def test_a_strangers_file_has_nothing_fetched(published: str) -> None:
    with pytest.raises(SpecError, match="names no other model"):
        Spec.from_dict(guided({"model": published, "network": "D"}), allow_unknown=True)


def test_a_plain_network_has_no_origin() -> None:
    assert Network({"x": (Flatten(),)}, (Linear(1),)).origin is None
