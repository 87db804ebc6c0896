"""Untrusted files: only regular ones, inside their folder, of bounded size.

A folder from someone else may have a FIFO, which blocks its reader for ever, an endless device, or
a link to an unrelated file. All of these are refused before a byte is read, and no more is read
than requested, even if the file grows meanwhile.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from ganzoo.errors import StoreError, plain

_KINDS = {
    stat.S_IFIFO: "a FIFO", stat.S_IFSOCK: "a socket", stat.S_IFDIR: "a folder",
    stat.S_IFCHR: "a device", stat.S_IFBLK: "a device", stat.S_IFLNK: "a link to a link",
}  # fmt: skip
_REPOSITORY = re.compile(r"models--[A-Za-z0-9._-]+", re.ASCII)


@contextmanager
def opened(path: Path, most: int, *, anywhere: bool = False) -> Iterator[tuple[BinaryIO, int]]:
    """A regular file for reading, and its size, which is at most `most`.

    A link is followed if it ends inside the folder that contains it, or, in the cache of the hub,
    whose snapshots are links, inside that cache; with `anywhere`, for files named by the user,
    always.

    Raises:
        StoreError: it is missing, special, too large, or a link to a place outside.
    """
    flags = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
    # the first opens a FIFO without waiting for a writer, the second follows no link
    flags |= getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0)
    try:
        target = path.resolve(strict=True) if anywhere else _inside(path)
        found = target.lstat()
        _check(path, found, most)  # just opening some devices does harm
        handle = os.open(target, flags)
    except (OSError, RuntimeError, ValueError) as error:  # a loop of links; a null byte
        raise StoreError(f"{plain(path)} cannot be read ({_reason(error)})") from None
    with os.fdopen(handle, "rb", buffering=0) as file:
        now = os.fstat(handle)
        _check(path, now, most)
        yield file, now.st_size


def content(path: Path, most: int, *, anywhere: bool = False) -> bytes:
    """All of a regular file of at most `most` bytes; StoreError as `opened`."""
    with opened(path, most, anywhere=anywhere) as (file, size):
        parts: list[bytes] = []
        left = size
        try:
            while left > 0 and (part := file.read(min(left, 1 << 20))):
                parts.append(part)
                left -= len(part)
        except OSError as error:
            raise StoreError(f"{plain(path)} cannot be read ({_reason(error)})") from None
    if left:
        raise StoreError(f"{plain(path)} became shorter while it was read; try again")
    return b"".join(parts)


def _inside(path: Path) -> Path:
    """The file of a path, without a link at its end; StoreError if a link leads outside."""
    if not path.is_symlink():
        return path
    target, folder = path.resolve(strict=True), path.parent.resolve(strict=True)
    home = folder.parent.parent
    cached = folder.parent.name == "snapshots" and _REPOSITORY.fullmatch(home.name)
    # blobs of one repository, and the store that repositories share
    allowed = [folder, home, home.parent / "blobs"] if cached else [folder]
    if not any(target.is_relative_to(place) for place in allowed):
        raise StoreError(
            f"{plain(path)} is a link out of its folder, to {plain(target)}; a model folder holds "
            "its files itself. Copy the file there if you trust it"
        )
    return target


def _check(path: Path, found: os.stat_result, most: int) -> None:
    if not stat.S_ISREG(found.st_mode):
        kind = _KINDS.get(stat.S_IFMT(found.st_mode), "something special")
        raise StoreError(f"{plain(path)} cannot be read: it is {kind}, and not a regular file")
    if found.st_size > most:
        raise StoreError(f"{plain(path)} has {found.st_size:,} bytes; at most {most:,} are read")


def _reason(error: Exception) -> str:
    return plain(getattr(error, "strerror", None) or error)
