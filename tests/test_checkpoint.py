"""Checkpoints: what they say, and which ones a run does not go on from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load as from_bytes
from safetensors.torch import save as to_bytes

from ganzoo.data import source as sources
from ganzoo.data.source import Source
from ganzoo.engine import checkpoint as checkpoints
from ganzoo.engine import train
from ganzoo.engine.identity import OtherBits
from ganzoo.errors import TrainingError
from ganzoo.spec import Fields, Image
from ganzoo.version import version
from tests.table import TABLE, arrays, fields


def data(row: str, n: int = 16, seed: int = 0) -> Source:
    return Source(row, fields(row), arrays(TABLE[row](), n, seed))


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    step = next(train(TABLE["dcgan"](), data("dcgan"), precision="fp32"))
    return step.save(tmp_path / "checkpoint.safetensors")


def rewritten(path: Path, change: Callable[[dict[str, Any], dict[str, Any]], object]) -> Path:
    """A checkpoint with other tensors or facts, whose hash agrees."""
    state, facts = checkpoints.read(path)
    change(state, facts)
    checkpoints.write(path, state, facts)
    return path


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda state, facts: facts.update(step=-5), "stands at step -5, and this run has 20"),
        (lambda state, facts: facts.update(step=21), "stands at step 21, and this run has 20"),
        (lambda state, facts: state.pop("networks/G/layers.0.weight"),
         r"missing 'networks/G/layers\.0\.weight', unknown none"),
        (lambda state, facts: state.pop("averages/G/0"), "missing 'averages/G/0'"),
        (lambda state, facts: state.update({"networks/X/y": torch.zeros(1)}),
         "unknown 'networks/X/y'"),
        (lambda state, facts: [state.pop(k) for k in [*state] if k.startswith("optimizers/")],
         "lacks what the optimizer of update 'D' remembers: it has 0 tensors"),
        (lambda state, facts: state.pop("optimizers/G/0/exp_avg"), "optimizer of update 'G'"),
        (lambda state, facts: state.update({"averages/G/0": torch.zeros(7, 7, 7)}),
         "does not fit this run"),
        (lambda state, facts: state.update({"networks/G/layers.0.weight": torch.zeros(2)}),
         "does not fit this run"),
        (lambda state, facts: facts.update(data="0" * 64), "was trained on other data"),
        (lambda state, facts: facts.update(precision="bf16"), "was trained with precision bf16"),
    ],
)  # fmt: skip
def test_a_checkpoint_that_is_not_all_of_this_run(checkpoint: Path, change, message) -> None:
    rewritten(checkpoint, change)
    with pytest.raises(TrainingError, match=message):
        train(TABLE["dcgan"](), data("dcgan"), precision="fp32", resume=checkpoint)


def test_a_checkpoint_that_is_damaged(checkpoint: Path) -> None:
    """One bit of a weight, and one letter of what it says."""
    whole = checkpoint.read_bytes()
    for place in (len(whole) - 9, whole.index(b"fp32")):
        checkpoint.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(TrainingError, match="is damaged: its SHA-256"):
            checkpoints.read(checkpoint)
    checkpoint.write_bytes(whole)
    content = from_bytes(whole)
    checkpoint.write_bytes(to_bytes(content, metadata={"ganzoo": '{"step": 1}'}))
    with pytest.raises(TrainingError, match="an earlier ganzoo wrote it"):
        checkpoints.read(checkpoint)


def test_a_checkpoint_says_what_decides_its_bits(checkpoint: Path) -> None:
    facts = checkpoints.facts(checkpoint)
    assert (facts["seed"], facts["batch"], facts["step"]) == (0, 4, 1)
    assert facts["precision"] == "fp32" and len(facts["data"]) == 64
    assert [term[:2] for term in facts["losses"]] == [
        ["D", "real"], ["D", "fake"], ["G", "adversarial"],
    ]  # fmt: skip
    around = facts["surroundings"]
    assert around["torch"] == torch.__version__ and around["ganzoo"] == version()
    assert around["threads"] == torch.get_num_threads() and "cpu" in around["device"]


def test_what_only_changes_bits_is_said(checkpoint: Path) -> None:
    def change(state: dict[str, Any], facts: dict[str, Any]) -> None:
        facts["surroundings"] |= {"torch": "2.0.0", "ganzoo-odd": "1"}

    rewritten(checkpoint, change)
    with pytest.warns(OtherBits, match=r"with torch 2\.0\.0 \(now .*ganzoo-odd 1 \(now none\)"):
        steps = train(TABLE["dcgan"](), data("dcgan"), resume=checkpoint)
    assert next(steps).number == 2


def test_the_precision_of_a_run_is_decided_when_it_begins(checkpoint: Path) -> None:
    for precision in ("auto", "fp32"):
        step = next(train(TABLE["dcgan"](), data("dcgan"), precision=precision, resume=checkpoint))
        assert step.training.precision == "fp32"
    with pytest.raises(TrainingError, match="precision fp32, and this run has bf16; give prec"):
        train(TABLE["dcgan"](), data("dcgan"), precision="bf16", resume=checkpoint)
    with pytest.raises(TrainingError, match="not 'fp16'"):
        train(TABLE["dcgan"](), data("dcgan"), precision="fp16")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "name, message",
    [
        ("gpu", "no device 'gpu'; did you mean 'cuda'"),
        ("cpux", "no device 'cpux'; did you mean 'cpu'"),
        ("meta", "this machine has none"),
        ("cpu:7", "this machine has 1"),
    ],
)
def test_devices_that_are_not_there(name: str, message: str) -> None:
    with pytest.raises(TrainingError, match=message):
        train(TABLE["gan"](), data("gan"), device=name)
    if not torch.cuda.is_available():
        with pytest.raises(TrainingError, match="device 'cuda': this machine has none"):
            train(TABLE["gan"](), data("gan"), device="cuda")


def test_other_data_are_not_gone_on_with(checkpoint: Path) -> None:
    """Whatever decides a batch: pixels, their number, their order, flips; and not the name."""
    plain = data("dcgan")
    assert next(train(TABLE["dcgan"](), Source("moved", plain.fields, arrays(TABLE["dcgan"]())),
                      resume=checkpoint)).number == 2  # fmt: skip
    order = torch.arange(16).flip(0)
    flipped = Source("dcgan", plain.fields, arrays(TABLE["dcgan"]()), flips=True)
    for other in (data("dcgan", seed=1), data("dcgan", n=15), plain.select(order), flipped):
        with pytest.raises(TrainingError, match="was trained on other data"):
            train(TABLE["dcgan"](), other, resume=checkpoint)


def test_a_digest_is_of_all_that_is_there(monkeypatch, tmp_path: Path) -> None:
    """However many parts it is hashed in; a file that is mapped has that of its numbers."""
    monkeypatch.setattr(sources, "_HASHED_AT_ONCE", 1000)
    images = np.random.default_rng(0).integers(0, 256, (50, 1, 8, 8), np.uint8)
    whole = Source.from_arrays("a", images).digest()
    assert Source.from_arrays("b", images.copy()).digest() == whole
    for place in (0, 20, 49):
        other = images.copy()
        other[place, 0, 7, 7] ^= 1
        assert Source.from_arrays("a", other).digest() != whole
    np.save(tmp_path / "a.npy", images)
    mapped = np.load(tmp_path / "a.npy", mmap_mode="r")
    one = Fields(name="a", fields={"image": Image((1, 8, 8))})
    assert Source("a", one, {"image": mapped}).digest() == whole
    assert Source.from_arrays("a", images, np.zeros(50, int)).digest(["image"]) == whole
    assert Source.from_arrays("a", images, np.zeros(50, int)).digest() != whole
