"""The messages of failed commands: one message, and never a traceback."""

from __future__ import annotations

import errno
import os
import sys
import traceback

from ganzoo.cli.terminal import abandon, err
from ganzoo.errors import ElsewhereError, GanzooError, SpecError, UnknownNameError, plain

TRACEBACK = "GANZOO_TRACEBACK"
"""The environment variable that shows the traceback of an unexpected error."""


def failed(error: Exception) -> int:
    """Print the error; returns the exit status: 2 if the user can correct it, 1 for a bug."""
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
    # of the mistakes in a Spec, those that are unknown names begin so, after their path
    if isinstance(error, UnknownNameError) or (isinstance(error, SpecError) and ": no " in text):
        text += _not_loaded(text)
    err.print(f"error: {text}", style="bold red", markup=False)
    return status


def _not_loaded(text: str) -> str:
    """Plugins that may have had the name which is unknown, unless they are mentioned already."""
    from ganzoo.plugins import host

    loaded = host.loaded()
    lines = loaded.not_loaded() if loaded else ""
    return "" if lines in text else lines


def _words(error: Exception) -> tuple[str, int]:
    if isinstance(error, GanzooError):
        return str(error), 2
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return (
            "out of memory; use fewer samples at once (-n, --batch), a smaller model or another "
            "--device"
        ), 2
    if isinstance(error, OSError):
        return _system(error), 2
    text = plain(error, 500) or "no message"
    return (
        f"{type(error).__name__}: {text}. This is a bug in ganzoo or in a plugin; please report "
        f"it, with the output of {TRACEBACK}=1"
    ), 1


def _system(error: OSError) -> str:
    """The operating system's error, the file, and what to do."""
    names = [plain(name) for name in (error.filename, error.filename2) if name is not None]
    where = " and ".join(names)
    said = error.strerror or plain(error) or type(error).__name__
    hint = {
        errno.ENOSPC: "free disk space, or give another path",
        errno.EDQUOT: "free disk space, or give another path",
        errno.EFBIG: "files of this size are not allowed here; give another path",
        errno.EACCES: "give a path where you may write, or change the permissions",
        errno.EPERM: "give a path where you may write, or change the permissions",
        errno.EROFS: "this file system is read-only; give another path",
        errno.ENOENT: "check the path",
        errno.EIO: "the disk or the network behind it failed; try again",
        errno.EMFILE: "too many files are open; see `ulimit -n`",
    }.get(error.errno or 0, "")
    return "".join([f"{where}: " if where else "", said, f"; {hint}" if hint else ""])
