"""Runs that are killed and resumed, with real processes and SIGKILL.

This file is also the program that is killed:
`python test_resume.py ROW STEPS FOLDER` trains to the end, from the checkpoint in
FOLDER where there is one, saves one after every step, and writes the model at last.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

CHECKPOINT = "checkpoint.safetensors"
ROOT = Path(__file__).parents[1]


def program(row: str, steps: int, folder: Path) -> None:
    import torch

    from ganzoo import store
    from ganzoo.data.source import Source
    from ganzoo.engine import train
    from tests.table import TABLE, arrays, fields

    torch.set_num_threads(1)
    spec = TABLE[row]()
    source = Source(row, fields(row), arrays(spec))
    checkpoint = folder / CHECKPOINT
    resume = checkpoint if checkpoint.exists() else None
    last = None
    print("starts", flush=True)
    for last in train(spec, source, steps=steps, seed=5, precision="fp32", resume=resume):
        last.save(checkpoint)
        print(last.number, flush=True)
    if last is not None:
        store.save(last.model(), folder / "model", overwrite=True)


if __name__ == "__main__":
    program(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
    sys.exit()


import pytest
import torch

from ganzoo.engine import checkpoint as checkpoints


def start(row: str, steps: int, folder: Path) -> subprocess.Popen[str]:
    folder.mkdir(exist_ok=True)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, __file__, row, str(steps), str(folder)]
    # errors are shown by pytest
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "starts\n"
    return process


def finish(process: subprocess.Popen[str]) -> list[int]:
    """The numbers of the steps that were made."""
    out, _ = process.communicate(timeout=100)
    assert process.returncode == 0
    return [int(line) for line in out.split()]


def kill(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert process.stdout is not None
    process.stdout.close()
    assert process.returncode == -signal.SIGKILL, "it was done before it could be killed"


def temporary(folder: Path) -> list[Path]:
    """Checkpoints that are being written, or were when their process died."""
    return [path for path in folder.iterdir() if path.name.startswith(f".{CHECKPOINT}.")]


def after(process: subprocess.Popen[str], steps: int, seconds: float = 0.0) -> None:
    """Wait for so many steps, and a little more."""
    assert process.stdout is not None
    for _ in range(steps):
        assert process.stdout.readline()
    time.sleep(seconds)


def while_writing(process: subprocess.Popen[str], folder: Path) -> None:
    """Wait until a checkpoint is half written."""
    known = set(temporary(folder))
    while not set(temporary(folder)) - known and process.poll() is None:
        pass


def assert_same_run(ours: Path, theirs: Path) -> None:
    weights = Path("model", "model.safetensors")
    assert (ours / weights).read_bytes() == (theirs / weights).read_bytes()
    mine, facts = checkpoints.read(ours / CHECKPOINT)
    other, other_facts = checkpoints.read(theirs / CHECKPOINT)
    assert facts == other_facts
    assert mine.keys() == other.keys()
    assert all(torch.equal(mine[key], other[key]) for key in mine)


@pytest.mark.parametrize("row, steps, kills", [("dcgan", 150, 4), ("discogan", 90, 2)])
def test_killed_at_any_moment_and_resumed(row: str, steps: int, kills: int, tmp_path: Path) -> None:
    whole = start(row, steps, tmp_path / "whole")
    folder = tmp_path / "killed"
    reached, caught = [0], 0
    moments = random.Random(row)
    for number in range(kills):
        process = start(row, steps, folder)
        after(process, moments.randint(2, 9), moments.uniform(0, 0.02))
        if number % 2:
            while_writing(process, folder)
        kill(process)
        caught += bool(temporary(folder))
        _, facts = checkpoints.read(folder / CHECKPOINT)  # whole, whatever was being written
        assert reached[-1] < facts["step"] < steps
        reached.append(facts["step"])
        for path in temporary(folder):
            assert path.name != CHECKPOINT
    assert caught, "no kill fell into the writing of a checkpoint"
    (folder / f".{CHECKPOINT}.half").write_bytes(b"\0" * 100)

    steps_made = finish(start(row, steps, folder))
    assert steps_made == list(range(reached[-1] + 1, steps + 1))
    assert finish(whole) == list(range(1, steps + 1))
    assert_same_run(folder, tmp_path / "whole")
