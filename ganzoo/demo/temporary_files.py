"""The folder of the app's files: its own, and gone when the process is, however that ended.

It is removed when the process ends. Where a process was killed, the process that trains for it
removes it (`ganzoo.demo.train_worker`), or the next demo that starts: a lock tells whose owner is
dead.
"""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import tempfile
import threading
import time
from contextlib import ExitStack, suppress
from pathlib import Path

from ganzoo.lock import LOCK, acquired, owned

PREFIX = "ganzoo-demo-"
_YOUNG = 60.0
"""Seconds that a folder without a lock file is left alone: its owner is about to lock it."""


def claim() -> Path:
    """The folder of this process, which no other app shares; made at the first call."""
    if os.environ.get("GANZOO_DEMO_PROCESS") == str(os.getpid()):
        return Path(os.environ["GRADIO_TEMP_DIR"])
    sweep()
    place = Path(tempfile.mkdtemp(prefix=PREFIX))
    lock = ExitStack()
    with suppress(OSError):  # without a lock the next demo takes it for new, and leaves it
        lock.enter_context(owned(place))
    os.environ |= {"GANZOO_DEMO_PROCESS": str(os.getpid()), "GRADIO_TEMP_DIR": str(place)}
    owner = os.getpid()

    def remove() -> None:
        if os.getpid() == owner:  # and not in a forked child
            shutil.rmtree(place, ignore_errors=True)
            lock.close()

    atexit.register(remove)
    return place


def sweep() -> None:
    """Remove the folders of demos that were killed: this user's, whose lock nobody holds."""
    for found in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with suppress(OSError):
            facts = found.lstat()
            if found.is_symlink() or not found.is_dir() or facts.st_uid != _user():
                continue
            file = found / LOCK
            if not file.exists():
                if time.time() - facts.st_mtime > _YOUNG:
                    shutil.rmtree(found, ignore_errors=True)
                continue
            handle = os.open(file, os.O_RDWR | getattr(os, "O_NOFOLLOW", 0))
            try:
                if acquired(handle, unsupported=False):
                    shutil.rmtree(found, ignore_errors=True)
            finally:
                os.close(handle)


def _user() -> int:
    """The number of this user, as `stat` gives it; 0 where there are no users."""
    return os.getuid() if hasattr(os, "getuid") else 0


def end_on_signals() -> None:
    """Let SIGTERM and SIGHUP end the process as Ctrl-C does, so that it removes its files.

    A handler that the program already has stays; outside of the main thread nothing is done.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _end)


def _end(number: int, frame: object) -> None:
    signal.signal(number, signal.SIG_IGN)  # once
    raise SystemExit(128 + number)
