"""What `benchmarks/cpu.py` compares can still be built and makes a round."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"


@pytest.mark.parametrize("row", ["gan", "wgan-gp", "r3gan", "stylegan2", "ganomaly"])
def test_all_contestants_make_a_round(row: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    made = importlib.import_module("cpu").contestants(row)
    assert len(made) > 1
    for step in made.values():
        step()
