"""`scripts/zoo.py` in a short time, on any device: where a model fails, the others go on."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest

from ganzoo import runs

SCRIPTS = Path(__file__).parent.parent / "scripts"


def test_a_loan_of_minutes_trains_what_it_can_and_goes_on_later(
    monkeypatch: pytest.MonkeyPatch, tiny: Path, photos: Path, tmp_path: Path
) -> None:
    monkeypatch.syspath_prepend(str(SCRIPTS))
    zoo: Any = importlib.import_module("zoo")
    monkeypatch.setattr(zoo, "RUNS", tmp_path / "runs/zoo")
    monkeypatch.setattr(zoo, "ROOT", tmp_path)
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
