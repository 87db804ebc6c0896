"""The private temporary folder of the app.

It is removed when the process ends. If the process is killed, its training process
(`ganzoo.demo.train_worker`) or the next demo removes it; a lock shows whether the owner is alive.
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
"""Seconds for which a folder without a lock file is kept: its owner may be about to lock it."""


def claim() -> Path:
    """The private folder of this process; created at the first call."""
    if os.environ.get("GANZOO_DEMO_PROCESS") == str(os.getpid()):
        return Path(os.environ["GRADIO_TEMP_DIR"])
    sweep()
    place = Path(tempfile.mkdtemp(prefix=PREFIX))
    lock = ExitStack()
    with suppress(OSError):  # without a lock, the next demo considers it new and keeps it
        lock.enter_context(owned(place))
    os.environ |= {"GANZOO_DEMO_PROCESS": str(os.getpid()), "GRADIO_TEMP_DIR": str(place)}
    owner = os.getpid()

    def remove() -> None:
        if os.getpid() == owner:  # but not in a forked child
            shutil.rmtree(place, ignore_errors=True)
            lock.close()

    atexit.register(remove)
    return place


def sweep() -> None:
    """Remove the folders of killed demos: those of this user that no process has locked."""
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
    """The user id, as `stat` gives it; 0 on systems without users."""
    return os.getuid() if hasattr(os, "getuid") else 0


def end_on_signals() -> None:
    """Make SIGTERM and SIGHUP end the process as Ctrl-C does, so that it removes its files.

    Existing handlers are kept; outside the main thread, nothing is done.
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
