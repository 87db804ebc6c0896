"""The picture files below a folder. No torch.

Subfolders are searched. Folders that systems and tools hide are left out, but only below the folder
itself, which may be hidden. Links are followed once: no file is found twice, and there are no
endless loops.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ganzoo.data.decoding import SUFFIXES
from ganzoo.errors import DataError, choices

HIDDEN = frozenset(
    {
        "@eaDir", "#recycle", "#snapshot",  # of Synology's file servers
        "__MACOSX", "$RECYCLE.BIN", "System Volume Information", "lost+found",
    }
)  # fmt: skip
"""Folders that are not meant for users, though no dot hides them."""


@dataclass(frozen=True)
class Found:
    """The contents of a folder; paths are sorted.

    Args:
        files: the pictures. hidden: folders that were left out.
        others: how many files have which other suffix, such as `.txt`.
        unread: folders that cannot be opened, and dangling links.
    """

    files: tuple[Path, ...]
    hidden: tuple[Path, ...] = ()
    others: tuple[tuple[str, int], ...] = ()
    unread: tuple[Path, ...] = ()

    def left_out(self) -> str:
        """What was left out, in words; empty if nothing was."""
        said: list[str] = []
        if self.others:
            kinds = ", ".join(f"{ending or 'no ending'} {n:,}" for ending, n in self.others[:5])
            more = ", ..." if len(self.others) > 5 else ""
            number = counted(sum(n for _, n in self.others), "file")
            said.append(f"{number} of other kinds ({kinds}{more})")
        for what, paths in (("hidden folders", self.hidden), ("unreadable", self.unread)):
            if paths:
                names = [*dict.fromkeys(path.name for path in paths)]
                said.append(f"{what} {', '.join(names[:5])}{', ...' if len(names) > 5 else ''}")
        return "; ".join(said)


def counted(number: int, word: str) -> str:
    """`1 file`, `2 files`."""
    return f"{number:,} {word}" + ("" if number == 1 else "s")


def pictures_in(path: Path) -> tuple[Path, ...]:
    """The picture files below `path`, sorted; raises as `search` does."""
    return search(path).files


def search(path: Path) -> Found:
    """Look for pictures below `path`.

    Raises:
        DataError: there is no such folder, or no picture in it.
    """
    if not path.is_dir():
        what = f"{str(path)!r} is a file" if path.exists() else f"there is no folder {str(path)!r}"
        start = next((one for one in _starts(str(path)) if Path(one).is_dir()), "")
        if start:  # an option that is none, or a comma in the name of a class
            rest = str(path)[len(start) + 1 :]
            raise DataError(
                f"{what}; there is {start!r}, and {rest!r} are not its options: these are "
                "NAME=VALUE each. A class with a comma in its name is given by its number"
            )
        raise DataError(f"{what}; pictures of your own are named folder:PATH[,size=64]")
    found = _walk(path)
    if not found.files:
        left_out = found.left_out()
        raise DataError(
            f"no pictures in {str(path)!r}; files with these endings are read: "
            f"{choices(SUFFIXES)}" + (f". Left out: {left_out}" if left_out else "")
        )
    return found


def _starts(path: str) -> Iterator[str]:
    """What stands before each comma, the longest first."""
    while "," in path:
        path = path.rpartition(",")[0]
        yield path


def _walk(top: Path) -> Found:
    folders, links = [top], list[Path]()
    files, linked = list[Path](), list[Path]()
    hidden, unread, others = list[Path](), list[Path](), Counter[str]()
    visited = set[tuple[int, int]]()
    while folders or links:
        # links come after real files, so that these keep their own paths
        folder = folders.pop() if folders else links.pop(links.index(min(links)))
        try:
            if (identity := _identity(folder)) in visited:
                continue
            visited.add(identity)
            entries = list(os.scandir(folder))
        except OSError:
            unread.append(folder)
            continue
        for entry in entries:
            path = folder / entry.name
            if entry.name.startswith(".") or entry.name in HIDDEN:
                if entry.is_dir():
                    hidden.append(path)
            elif entry.is_dir():
                (links if entry.is_symlink() else folders).append(path)
            elif not entry.is_file():
                unread.append(path)
            elif path.suffix.lower() not in SUFFIXES:
                others[path.suffix.lower()] += 1
            else:
                (linked if entry.is_symlink() else files).append(path)
    if linked:
        known = {_identity(file) for file in files}
        for file in sorted(linked):
            if (identity := _identity(file)) not in known:
                known.add(identity)
                files.append(file)
    return Found(
        tuple(sorted(files)), tuple(sorted(hidden)), tuple(others.most_common()),
        tuple(sorted(unread)),
    )  # fmt: skip


def _identity(path: Path) -> tuple[int, int]:
    """The same for all paths of one file or folder."""
    status = path.stat()
    return status.st_dev, status.st_ino
