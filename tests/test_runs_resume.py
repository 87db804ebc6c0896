"""Runs that are killed and resumed, with real processes and SIGKILL."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest
import torch

from ganzoo.data.source import Source
from ganzoo.engine import checkpoint, train
from ganzoo.models import store
from tests.table import TABLE, arrays, fields

CHECKPOINT = "checkpoint.safetensors"

# processes are forked from one that has done no more than import: torch takes seconds
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(
    [
        "torch._dynamo",
        "torch.fx.experimental.symbolic_shapes",
        "ganzoo.engine",
        "ganzoo.models.store",
    ]
)


def program(row: str, steps: int, folder: Path, said: Connection) -> None:
    """Train to the end, from the checkpoint where there is one; save one after every step."""
    torch.set_num_threads(1)
    spec = TABLE[row]()
    source = Source(row, fields(row), arrays(spec))
    path = folder / CHECKPOINT
    resume = path if path.exists() else None
    for step in train(spec, source, steps=steps, seed=5, precision="fp32", resume=resume):
        step.save(path)
        said.send(step.number)
    store.save(step.model(), folder / "model")


class Process:
    """The program at work."""

    def __init__(self, row: str, steps: int, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self.folder, self.steps = folder, list[int]()
        self.hears, said = PROCESSES.Pipe(duplex=False)
        self.process: Any = PROCESSES.Process(target=program, args=(row, steps, folder, said))
        self.process.start()
        said.close()

    def after(self, steps: int, seconds: float = 0.0) -> None:
        """Wait for so many steps, and a little more."""
        for _ in range(steps):
            self.steps.append(self.hears.recv())
        time.sleep(seconds)

    def while_writing(self) -> None:
        """Wait until a checkpoint is half written, and hold the process there."""
        known = set(temporary(self.folder))
        while self.process.is_alive():
            if not set(temporary(self.folder)) - known:
                continue
            os.kill(self.process.pid, signal.SIGSTOP)
            time.sleep(0.01)
            if set(temporary(self.folder)) - known:
                return
            os.kill(self.process.pid, signal.SIGCONT)  # it was quicker

    def kill(self) -> None:
        self.process.kill()
        self.process.join()
        assert self.process.exitcode == -signal.SIGKILL, "it was done before it could be killed"
        self.hears.close()

    def finish(self) -> list[int]:
        """The numbers of the steps that were made."""
        try:
            while True:
                self.after(1)
        except EOFError:
            self.process.join()
        assert self.process.exitcode == 0
        self.hears.close()
        return self.steps


def temporary(folder: Path) -> list[Path]:
    """Checkpoints that are being written, or were when their process died."""
    return [path for path in folder.iterdir() if path.name.startswith(f".{CHECKPOINT}.")]


@pytest.mark.parametrize("row, steps, kills", [("dcgan", 60, 4), ("discogan", 40, 2)])
def test_killed_at_any_moment_and_resumed(row: str, steps: int, kills: int, tmp_path: Path) -> None:
    whole = Process(row, steps, tmp_path / "whole")
    folder = tmp_path / "killed"
    reached, half_written = [0], 0
    moments = random.Random(row)
    for number in range(kills):
        process = Process(row, steps, folder)
        process.after(moments.randint(1, 6), moments.uniform(0, 0.02))
        if number % 2 == 0:
            process.while_writing()
        process.kill()
        half_written += bool(temporary(folder))
        _, facts = checkpoint.read(folder / CHECKPOINT)  # whole, whatever was being written
        assert reached[-1] < facts["step"] < steps
        reached.append(facts["step"])
    assert half_written, "no kill fell into the writing of a checkpoint"
    (folder / f".{CHECKPOINT}.half").write_bytes(b"\0" * 100)

    assert Process(row, steps, folder).finish() == list(range(reached[-1] + 1, steps + 1))
    assert whole.finish() == list(range(1, steps + 1))
    one, other = ((path / "model" / store.WEIGHTS).read_bytes() for path in (folder, whole.folder))
    assert one == other
    state, facts = checkpoint.read(folder / CHECKPOINT)
    wanted, wanted_facts = checkpoint.read(whole.folder / CHECKPOINT)
    assert facts == wanted_facts
    assert state.keys() == wanted.keys()
    assert all(torch.equal(state[key], wanted[key]) for key in state)


def test_a_checkpoint_takes_the_place_of_the_one_before(tmp_path: Path) -> None:
    process = Process("gan", 5, tmp_path / "run")
    process.finish()
    assert sorted(path.name for path in process.folder.iterdir()) == [CHECKPOINT, "model"]
