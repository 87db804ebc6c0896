"""Runs that are killed at file operations; scripts/kills.py is the long form."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are forked")
def test_killed_at_any_file_operation(tmp_path: Path) -> None:
    """In a process of its own: pytest has threads, which do not survive a fork."""
    rows = ("gan", "ganomaly", "measured")
    done = subprocess.run(
        [sys.executable, "scripts/kills.py", "24", "--rows", *rows, "--seed", "1"],
        cwd=ROOT, capture_output=True, text=True, check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1", "TMPDIR": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "24 trials, 0 bad endings" in done.stdout
