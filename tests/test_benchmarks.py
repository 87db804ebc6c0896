"""What `benchmarks/cpu.py` compares can be built, and computes the same losses as a run."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"
ROWS = ["gan", "dcgan 32", "wgan-gp", "ganomaly", "discogan", "stackgan", "r3gan", "stylegan2"]


@pytest.fixture
def cpu(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    module = importlib.import_module("cpu")
    small = {"width": 4, "batch": 4}
    for rows in (module.GAMES, module.OTHERS, module.MODERN):
        for row, (channels, size, _) in rows.items():
            monkeypatch.setitem(rows, row, (channels, size, small))
    return module


@pytest.mark.parametrize("row", ["gan", "r3gan"])
def test_all_contestants_make_a_round(row: str, cpu: Any) -> None:
    made = cpu.contestants(row)
    assert ("public" in made) == (row == "gan")
    for step in made.values():
        step()


@pytest.mark.parametrize("row", ROWS)
def test_loops_by_hand_compute_what_a_run_computes(row: str, cpu: Any) -> None:
    """Five rounds with the same draws: the same loss in each step."""
    run, loop, _ = cpu.prepared(row, "fp32")
    ours: list[float] = []
    theirs: list[float] = []
    gradients, differentiate = run._gradients, loop.differentiate

    def noted(name: str, *terms: Any, keep_graph: bool = False) -> None:
        ours.append(sum(term.item() for term in terms))
        gradients(name, *terms, keep_graph=keep_graph)

    def noted_by_hand(weights: Any, loss: Any, keep_graph: bool = False) -> None:
        theirs.append(loss.item())
        differentiate(weights, loss, keep_graph)

    asked: dict[str, int] = {}

    def drawn(name: str) -> Any:
        """The draws of this round, one version after the other; noise of functions by its word."""
        wanted = run.plan.round(*run._place(run.step)).draws
        named = [
            (version, found)
            for version, found in wanted
            if name in (found, found.rpartition(".")[2])
        ]
        version, found = named[asked.setdefault(name, 0)]
        asked[name] += 1
        return run.draws(run.step, version, (found,))[0]

    run._gradients, loop.differentiate, loop.draw = noted, noted_by_hand, drawn
    for _ in range(5):
        asked.clear()
        run.runner._seed(run.step)
        loop.step()
        run.round()
    assert ours == pytest.approx(theirs, rel=2e-4)
    assert len(ours) >= 5
