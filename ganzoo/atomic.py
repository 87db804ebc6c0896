"""Files and folders that are whole or not there: made beside their place, then moved into it.

What a killed process left half made lies hidden beside the place, as `.NAME.saving-XXXX`, and
the next one to write there removes it.
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
    """Replace `path` by `content` at once; a crash at any moment leaves the old file.

    Args:
        sync: wait until the disk has it, so that it outlasts a loss of power, too.
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
    """Replace `path` by `text` at once; `sync` as for `write_bytes`."""
    write_bytes(path, text.encode(), sync=sync)


def append_text(path: Path, text: str) -> None:
    """Add to a file; a crash can leave a part of `text`."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    try:
        _write(handle, text.encode())
    finally:
        os.close(handle)


@contextmanager
def replaced(folder: Path, *, last: str) -> Iterator[Path]:
    """A new folder to fill, which takes the place of `folder` at once when the block ends.

    What `folder` held is gone then; until then it stays as it is. An exception inside the block
    leaves the old folder.

    Args:
        last: the file that proves the folder whole. Where folders cannot change places (a mount
            point, a file system without the call), files move one by one and this one last.
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
        # what lies there now is the old folder, or the half of a new one
        shutil.rmtree(half, ignore_errors=True)
        if handle is not None:
            os.close(handle)


def remove_leftovers(path: Path) -> None:
    """Remove what killed processes left half made of `path`; not what a live one is making."""
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
    """Whether a file or folder has the name of what was left half made."""
    return path.name.startswith(".") and _HALF in path.name


def _half_of(name: str) -> str:
    return f".{name}{_HALF}{secrets.token_hex(4)}"


def _ours(handle: int) -> bool:
    """Lock what has just been made; False where somebody took it for a leftover before that."""
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
    """Let the disk have names that have changed; not every file system can."""
    handle = _opened(folder)
    if handle is not None:
        with suppress(OSError):
            os.fsync(handle)
        os.close(handle)


def _exchanged(new: Path, old: Path) -> bool:
    """Let two folders change places in one step, or `new` take a place that is free."""
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
