"""What `benchmarks/cpu.py` compares can be built, and computes the same losses as a run; what
`benchmarks/gpu.py` does where something fails."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
import threading
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


def test_gpu_names_what_fails_or_hangs_and_goes_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    gpu = importlib.import_module("gpu")

    def broken() -> Any:
        raise RuntimeError("cannot be recorded")

    gpu.timed("a", "hand graph", broken, "cpu", True)
    gpu.timed("a", "ganzoo graph", lambda: lambda: None, "cpu", True)
    monkeypatch.setattr(gpu, "EACH", 1.0)
    gpu.timed("a", "public 8", lambda: threading.Event().wait, "cpu", True)
    said = capsys.readouterr().out
    assert "cannot be recorded" in said and "given up" in said
    lines = [line.removeprefix("RESULT ") for line in said.splitlines() if "RESULT" in line]
    table = gpu.table([json.loads(line) for line in lines])
    assert table.count("failed") == 2 and table.count(" 0.0") == 1


def test_gpu_prints_one_table_unattended() -> None:
    """Each section is a process; the second is stopped for want of time, and the table comes."""
    command = [sys.executable, str(BENCHMARKS / "gpu.py"), "--device", "cpu", "--quick"]
    done = subprocess.run(
        [*command, "--only", "conv"], capture_output=True, text=True, timeout=300, check=True
    )
    assert done.stdout.count("ms a round") == 1
    assert "R1, 16 groups" in done.stdout and "failed" not in done.stdout
    late = subprocess.run(
        [*command, "--only", "conv", "--seconds", "1.5"], capture_output=True, text=True, check=True
    )
    assert "conv: exit -9" in late.stdout and late.stdout.count("ms a round") == 1
