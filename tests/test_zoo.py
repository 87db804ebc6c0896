"""`scripts/zoo.py` in a short time, on any device: where a model fails, the others go on."""

from __future__ import annotations

import importlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ganzoo import runs

SCRIPTS = Path(__file__).parent.parent / "scripts"


@pytest.fixture
def zoo(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """The script, with its runs in a folder of their own."""
    monkeypatch.syspath_prepend(str(SCRIPTS))
    found = importlib.import_module("zoo")
    monkeypatch.setattr(found, "RUNS", tmp_path / "runs/zoo")
    monkeypatch.setattr(found, "ROOT", tmp_path)
    return found


def test_every_card_is_what_the_script_writes(zoo: Any) -> None:
    """No card was edited by hand, or is of an earlier way to write them."""
    there = [model for model in zoo.ZOO if (zoo.CARDS / model.name / "README.md").is_file()]
    assert len(there) == len([*zoo.CARDS.glob("*/config.json")])
    for model in there:
        written = (zoo.CARDS / model.name / "README.md").read_text("utf-8")
        assert zoo.card_of(model) == written, f"scripts/zoo.py --cards-only {model.name}"


def test_what_needs_a_gpu_trains_anywhere_for_a_round(zoo: Any) -> None:
    declared = [model for model in zoo.ZOO if model.needs]
    assert {"r3gan-avatars", "stylegan2-avatars"} <= {model.name for model in declared}
    short = [replace(model, options=f"{model.options} --batch 2 --steps 1") for model in declared]
    assert zoo.train(short, device="cpu", minutes=5, jobs=1) == []
    assert all(zoo.finished(model) for model in short)


def test_a_loan_of_minutes_trains_what_it_can_and_goes_on_later(
    zoo: Any, tiny: Path, photos: Path, tmp_path: Path
) -> None:
    data = f"folder:{photos},size=16,channels=1"
    broken, short, long = (
        zoo.Published(name, str(tiny), where, "", "", options=f"--steps {steps}")
        for name, where, steps in (
            ("broken", f"folder:{tmp_path / 'nowhere'}", 2),
            ("short", data, 2),
            ("long", data, 100_000),
        )
    )
    given = {"device": "cpu", "jobs": 1}
    assert zoo.train([broken, short], minutes=5, **given) == ["broken"]
    assert zoo.finished(short) and not zoo.finished(broken)
    for _ in range(2):  # begun, and resumed
        assert zoo.train([long, short], minutes=0.001, **given) == []
    assert runs.state(zoo.RUNS / "long") == "resumable"
