"""Training processes; one is started in advance, so that a training need not wait for imports.

A process executes a single training, so that failures affect no other. While it waits, it imports
all that a training needs, runs a round of a small one, and loads the data.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from os import environ, pathsep
from pathlib import Path

Process = subprocess.Popen[bytes]


class Processes:
    """Gives each training a process.

    Args:
        data: names of the data sets that a waiting process loads in advance, in this order.
        device: the device of training.
    """

    def __init__(self, data: Sequence[str], device: str = "cpu") -> None:
        self.data, self.device = tuple(data), device
        self._spare: Process | None = None
        self._lock = threading.Lock()

    def prepare(self) -> None:
        """Start a process in advance, unless one is waiting already."""
        with self._lock:
            if self._spare is not None and self._spare.poll() is not None:
                _end(self._spare)
                self._spare = None
            if self._spare is None:
                self._spare = self._start()

    def take(self, folder: Path, seconds: float) -> Process:
        """A process that trains the run in `folder`, for at most this many seconds."""
        said = {"folder": str(folder), "seconds": seconds, "device": self.device}
        job = json.dumps(said).encode() + b"\n"
        with self._lock:
            waiting, self._spare = self._spare, None
        if waiting is not None and not _told(waiting, job):
            _end(waiting)
            waiting = None
        if waiting is None:
            waiting = self._start()
            _told(waiting, job)  # one that ends at once is seen by who looks at the run
        return waiting

    def close(self) -> None:
        """End the waiting process."""
        with self._lock:
            waiting, self._spare = self._spare, None
        if waiting is not None:
            _end(waiting)

    def _start(self) -> Process:
        environment = {
            **environ,
            "PYTHONPATH": pathsep.join(filter(None, sys.path)),
            "OMP_NUM_THREADS": "1",
        }
        command = [sys.executable, "-m", "ganzoo.demo.train_worker", str(os.getpid()), *self.data]
        return subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=environment,
        )


def _told(process: Process, job: bytes) -> bool:
    """Whether a process accepted its training."""
    if process.poll() is not None or process.stdin is None:
        return False
    try:
        process.stdin.write(job)
        process.stdin.close()  # it is told nothing more
    except OSError:
        return False
    return True


def _end(process: Process) -> None:
    process.kill()
    process.wait()
    if process.stdin is not None:
        with suppress(OSError):
            process.stdin.close()
