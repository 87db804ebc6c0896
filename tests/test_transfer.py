"""Runs that begin with another model's weights."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from ganzoo import hub, runs
from ganzoo.engine.training import Training
from ganzoo.errors import TrainingError
from ganzoo.models import store
from ganzoo.publish.card import card
from ganzoo.runs import transfer
from ganzoo.spec import Flatten, LeakyReLU, Linear, Network, Reshape, Spec, Tanh
from ganzoo.testing import noise
from tests.builders import SIDE, critic, gan, training


def spec_of(units: int = 16) -> Spec:
    networks = {
        "G": Network(
            {"z": ()}, [Linear(32), Tanh(), Linear(SIDE * SIDE), Reshape((1, SIDE, SIDE))]
        ),
        "D": Network({"x": ()}, [Flatten(), Linear(units), LeakyReLU(), Linear(1)]),
    }
    return gan(networks=networks, ema={"G": 0.9})


def settings_of(spec: Spec, start: dict | None = None, steps: int = 4) -> runs.Settings:
    return runs.Settings("tiny", spec, "noise", steps, 8, precision="fp32", start=start or {})


def carried_out(folder: Path, made: runs.Settings | None = None, until: int = 0) -> Path:
    some = runs.carry_out(folder, noise(SIDE, 1), settings=made)
    for step in some:
        if step.number == until:
            some.close()
    return folder


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return carried_out(tmp_path / "source", settings_of(spec_of()))


def first_weights(spec: Spec, start: dict) -> dict[str, dict[str, torch.Tensor]]:
    made = training(spec)
    transfer.begin(made, start)
    return {name: net.state_dict() for name, net in made.networks.items()}


def test_a_run_gives_all_of_its_networks(source: Path) -> None:
    start = transfer.planned(str(source), spec_of())
    assert start["networks"] == {"G": "4 of 4 tensors", "D": "4 of 4 tensors"}
    made = training(spec_of())
    transfer.begin(made, start)
    last = Training(spec_of().with_steps(4), noise(SIDE, 1), batch=8, seed=0,
                    device=torch.device("cpu"), precision="fp32")  # fmt: skip
    last.load(source / "checkpoint.safetensors")
    for name, net in made.networks.items():
        for word, value in net.state_dict().items():
            assert torch.equal(value, last.networks[name].state_dict()[word]), (name, word)
    # the moving average begins there, too
    model = made.model()
    for word, value in model.networks["G"].state_dict().items():
        assert torch.equal(value, last.networks["G"].state_dict()[word])


def test_a_model_gives_what_it_publishes(source: Path) -> None:
    spec = spec_of()
    start = transfer.planned(str(source / "model"), spec)
    assert start["networks"]["G"] == "4 of 4 tensors"
    assert "no network of this name" in start["networks"]["D"]
    found, fresh = first_weights(spec, start), training(spec)
    model = store.load(source / "model")
    for word, value in model.networks["G"].state_dict().items():
        assert torch.equal(found["G"][word], value)
    for word, value in fresh.networks["D"].state_dict().items():
        assert torch.equal(found["D"][word], value), "the rest begins as it would have"


def test_what_does_not_fit_is_said(source: Path) -> None:
    start = transfer.planned(str(source), spec_of(units=24))
    assert start["networks"]["D"].startswith("1 of 4 tensors; of another shape: 'layers.1.bias'")
    other = gan(networks={"G": spec_of().networks["G"], "D": critic()})
    assert transfer.planned(str(source), other)["networks"]["G"] == "4 of 4 tensors"
    to_tell, to_fool = gan().stages[0].updates
    alien = gan(
        networks={"P": spec_of().networks["G"], "Q": critic()}, let={"fake": "P(z)"},
        round=[
            to_tell.replace(train=("Q",), minimize={"a": "mean(Q(x)) + mean(Q(fake))"}),
            to_fool.replace(train=("P",), minimize={"b": "mean(Q(fake))"}),
        ],
        tasks={"generate": "P(z)"},
    )  # fmt: skip
    with pytest.raises(TrainingError, match=r"none of its tensors.*It has the networks 'D \(4"):
        transfer.planned(str(source), alien)


def test_it_is_recorded_in_run_and_card(source: Path, tmp_path: Path) -> None:
    start = transfer.planned(str(source), spec_of())
    folder = carried_out(tmp_path / "run", settings_of(spec_of(), start))
    assert runs.Settings.read(folder).start == start
    model = hub.from_pretrained(folder)
    said = model.config.training.start
    assert said is not None and said.model == str(source) and said.sha256 == start["sha256"]
    text = card(model)
    assert "the weights of source (sha256 `" in text and "G: 4 of 4 tensors" in text
    assert str(source) not in text, "a path of this machine"
    plain = carried_out(tmp_path / "plain", settings_of(spec_of()))
    assert "begun from" not in card(hub.from_pretrained(plain))


@pytest.mark.parametrize("until", [1, 3])
def test_a_stopped_run_ends_the_same(until: int, source: Path, tmp_path: Path) -> None:
    made = settings_of(spec_of(), transfer.planned(str(source), spec_of()))
    whole = carried_out(tmp_path / "whole", made)
    folder = carried_out(tmp_path / "run", made, until=until)
    carried_out(folder)
    one, other = ((f / "model" / store.WEIGHTS).read_bytes() for f in (folder, whole))
    assert one == other
    assert one != (carried_out(tmp_path / "plain", settings_of(spec_of())) / "model"
                   / store.WEIGHTS).read_bytes()  # fmt: skip


def test_another_model_of_that_name_is_not_taken(source: Path, tmp_path: Path) -> None:
    """By a run that was stopped before its first checkpoint."""
    start = transfer.planned(str(source), spec_of())
    runs.start(tmp_path / "run", settings_of(spec_of(), start))
    longer = runs.extended(runs.Settings.read(source), 5)
    for _ in runs.carry_out(source, noise(SIDE, 1), settings=longer):
        pass
    with pytest.raises(TrainingError, match=r"starts from .* with sha256"):
        carried_out(tmp_path / "run")
