"""Ownership of a folder: a lock that one process holds, and that ends with the process."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows has none; there folders are not locked
    fcntl = None

LOCK = ".lock"
"""The lock file in a folder; it stays, since deleting it would allow two owners."""

_UNSUPPORTED = {errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK, errno.EINVAL}
_held: set[int] = set()


@contextmanager
def owned(folder: Path) -> Iterator[None]:
    """Own `folder`, which must exist, until the block ends.

    The system releases the lock when the process ends, however it ends. On a file system without
    locks the folder is not locked.

    Raises:
        BlockingIOError: another process owns it, or another caller in this one; `strerror` says
            which process, if that is known.
        OSError: the lock file cannot be written.
    """
    handle = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o666)
    _held.add(handle)
    try:
        if not acquired(handle):
            owner = os.read(handle, 100).decode("ascii", "replace").strip()
            raise BlockingIOError(errno.EWOULDBLOCK, f"process {owner or '(unknown)'}")
        with suppress(OSError):  # on a full disk the owner is not named, but the lock holds
            os.ftruncate(handle, 0)
            os.write(handle, f"{os.getpid()} on {os.uname().nodename}\n".encode())
        yield
    finally:
        if handle in _held:
            _held.remove(handle)
            os.close(handle)


def acquired(handle: int, *, unsupported: bool = True) -> bool:
    """Whether this call has locked the open file; False if someone else holds the lock.

    Args:
        unsupported: the answer on a file system without locks.
    """
    if fcntl is None:
        return unsupported
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            return False
        if error.errno in _UNSUPPORTED:
            return unsupported
        raise
    return True


def _leave_to_the_parent() -> None:
    """A forked child would keep the lock of its dead parent."""
    while _held:
        with suppress(OSError):
            os.close(_held.pop())


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_to_the_parent)
