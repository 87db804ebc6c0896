"""What a command that failed says: one message, and never a traceback."""

from __future__ import annotations

import errno
import os
import sys
import traceback

from ganzoo.cli.terminal import abandon, err
from ganzoo.errors import ElsewhereError, GanzooError, plain

TRACEBACK = "GANZOO_TRACEBACK"
"""Set, it shows where an unexpected error was raised."""


def failed(error: Exception) -> int:
    """Say what went wrong; the exit status: 2 where a person can mend it, 1 for a fault of ours."""
    if isinstance(error, BrokenPipeError):
        # whoever read has had enough; what is left would fail again when Python ends
        abandon((sys.stdout, sys.stderr))
        return 1
    try:
        status = _said(error)
    except OSError:  # the error stream is full or closed, too
        abandon((sys.stdout, sys.stderr))
        return 2
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        abandon((sys.stdout,))
    return status


def _said(error: Exception) -> int:
    if err.quiet and isinstance(error, ElsewhereError):
        return 2  # it is said there
    err.quiet = False
    if os.environ.get(TRACEBACK):
        err.print("".join(traceback.format_exception(error)), style="dim", markup=False)
    show = getattr(error, "show", None)  # typer's own usage errors
    if callable(show):
        show()
        return int(getattr(error, "exit_code", 2))
    text, status = _words(error)
    err.print(f"error: {text}", style="bold red", markup=False)
    return status


def _words(error: Exception) -> tuple[str, int]:
    if isinstance(error, GanzooError):
        return str(error), 2
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return (
            "the memory is not enough; ask for fewer at once (-n, --batch), or choose a smaller "
            "model or another --device"
        ), 2
    if isinstance(error, OSError):
        return _system(error), 2
    text = plain(error, 500) or "no message"
    return (
        f"{type(error).__name__}: {text}. This was not foreseen, and is a fault of ganzoo or of a "
        f"plugin; please report it, with what {TRACEBACK}=1 shows"
    ), 1


def _system(error: OSError) -> str:
    """What the system refused, of which file, and what to do."""
    names = [plain(name) for name in (error.filename, error.filename2) if name is not None]
    where = " and ".join(names)
    said = error.strerror or plain(error) or type(error).__name__
    hint = {
        errno.ENOSPC: "make room on the disk, or choose another place",
        errno.EDQUOT: "make room on the disk, or choose another place",
        errno.EFBIG: "no file may be so large here; choose another place",
        errno.EACCES: "choose a place where you may write, or change its rights",
        errno.EPERM: "choose a place where you may write, or change its rights",
        errno.EROFS: "this place can be read only; choose another",
        errno.ENOENT: "check the path",
        errno.EIO: "the disk or the network behind it failed; try again",
        errno.EMFILE: "too many files are open; see `ulimit -n`",
    }.get(error.errno or 0, "")
    return "".join([f"{where}: " if where else "", said, f"; {hint}" if hint else ""])
