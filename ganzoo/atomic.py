"""Atomic writes: files and folders are written beside their destination, then moved into place.

A killed process leaves hidden partial files beside the destination, named `.NAME.saving-XXXX`; the
next process that writes there removes them.
"""

from __future__ import annotations

import ctypes
import os
import secrets
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from glob import escape
from pathlib import Path

from ganzoo.lock import acquired

_HALF = ".saving-"


def write_bytes(path: Path, content: bytes, *, sync: bool = True) -> None:
    """Replace `path` by `content` atomically; a crash at any moment leaves the old file.

    Args:
        sync: wait until it is on the disk, so that it survives a power failure, too.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    remove_leftovers(path)
    while True:
        half = path.parent / _half_of(path.name)
        handle = os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        try:
            if not _ours(handle):
                continue
            _write(handle, content)
            if sync:
                os.fsync(handle)
            half.replace(path)
            break
        except BaseException:
            half.unlink(missing_ok=True)
            raise
        finally:
            os.close(handle)
    if sync:
        _sync(path.parent)


def write_text(path: Path, text: str, *, sync: bool = True) -> None:
    """Replace `path` by `text` atomically; `sync` as for `write_bytes`."""
    write_bytes(path, text.encode(), sync=sync)


def append_text(path: Path, text: str) -> None:
    """Append to a file; a crash can leave a part of `text`."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    try:
        _write(handle, text.encode())
    finally:
        os.close(handle)


@contextmanager
def replaced(folder: Path, *, last: str) -> Iterator[Path]:
    """A new folder to fill, which replaces `folder` atomically when the block ends.

    Until then the old folder stays unchanged; then its contents are gone. An exception inside the
    block keeps the old folder.

    Args:
        last: the file that proves the folder complete. If folders cannot be exchanged (a mount
            point, a file system without the call), files are moved one by one, and this one last.
    """
    folder = folder.resolve()
    folder.parent.mkdir(parents=True, exist_ok=True)
    remove_leftovers(folder)
    # a folder that cannot itself be moved is filled from inside
    inside = folder.is_dir() and (
        os.path.ismount(folder) or not os.access(folder.parent, os.W_OK | os.X_OK)
    )
    while True:
        half = (folder if inside else folder.parent) / _half_of(folder.name)
        half.mkdir()
        handle = _opened(half)
        if handle is None or _ours(handle):
            break
        os.close(handle)
    try:
        yield half
        if inside or not _exchanged(half, folder):
            _moved_one_by_one(half, folder, last)
        _sync(folder.parent)
    finally:
        # this is now the old folder, or a partial new one
        shutil.rmtree(half, ignore_errors=True)
        if handle is not None:
            os.close(handle)


def remove_leftovers(path: Path) -> None:
    """Remove partial files of `path` that killed processes left, but not those of a live one."""
    pattern = f".{escape(path.name)}{_HALF}*"
    for half in (*path.parent.glob(pattern), *path.glob(pattern)):
        handle = _opened(half)
        if handle is None:
            continue
        try:
            if not acquired(handle, unsupported=False):
                continue
            if half.is_dir():
                shutil.rmtree(half, ignore_errors=True)
            else:
                half.unlink(missing_ok=True)
        finally:
            os.close(handle)


def is_leftover(path: Path) -> bool:
    """Whether a file or folder has the name of a partial one."""
    return path.name.startswith(".") and _HALF in path.name


def _half_of(name: str) -> str:
    return f".{name}{_HALF}{secrets.token_hex(4)}"


def _ours(handle: int) -> bool:
    """Lock what has just been made; False if it was taken for a leftover before that."""
    return acquired(handle) and os.fstat(handle).st_nlink > 0


def _write(handle: int, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(handle, rest) :]


def _opened(path: Path) -> int | None:
    try:
        return os.open(path, os.O_RDONLY)
    except OSError:  # gone meanwhile, or a folder on Windows
        return None


def _sync(folder: Path) -> None:
    """Flush changed names to the disk; not every file system can."""
    handle = _opened(folder)
    if handle is not None:
        with suppress(OSError):
            os.fsync(handle)
        os.close(handle)


def _exchanged(new: Path, old: Path) -> bool:
    """Exchange two folders in one step, or move `new` to a free place."""
    sys.audit("os.rename", str(new), str(old), -1, -1)
    libc = ctypes.CDLL(None, use_errno=True) if os.name == "posix" else None
    one, other = os.fsencode(new), os.fsencode(old)
    if not old.exists():
        try:
            new.rename(old)
        except OSError:
            return False
        return True
    # AT_FDCWD and RENAME_EXCHANGE of Linux; RENAME_SWAP of macOS
    if (call := getattr(libc, "renameat2", None)) is not None:
        return call(-100, one, -100, other, 2) == 0
    if (call := getattr(libc, "renamex_np", None)) is not None:
        return call(one, other, 2) == 0
    return False


def _moved_one_by_one(new: Path, old: Path, last: str) -> None:
    old.mkdir(exist_ok=True)
    names = sorted((path.name for path in new.iterdir()), key=lambda name: (name == last, name))
    for path in old.iterdir():
        if path.name not in names and not is_leftover(path):
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    for name in names:
        if (old / name).is_dir():
            shutil.rmtree(old / name)
        (new / name).replace(old / name)
