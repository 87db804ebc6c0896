"""Files that ganzoo can download or make again, written atomically. No torch."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO


def cache_dir() -> Path:
    """The folder of all of them: `$XDG_CACHE_HOME/ganzoo`."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ganzoo"


def fingerprint(folder: Path, files: Sequence[Path], *made: object) -> str:
    """A key that changes with the files of a folder (names, sizes, times) and what is made of
    them."""
    seen = hashlib.sha256(repr((str(folder.resolve()), *made)).encode("utf-8", "replace"))
    for file in files:
        relative = file.relative_to(folder).as_posix()
        try:
            stat = file.stat()
            facts = (relative, stat.st_size, stat.st_mtime_ns)
        except OSError:  # it was removed after it was found
            facts = (relative,)
        seen.update(repr(facts).encode("utf-8", "replace"))
    return seen.hexdigest()[:16]


@contextmanager
def appearing_whole(path: Path) -> Iterator[IO[bytes]]:
    """A binary file to write, which gets its name only once it is complete."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}-", delete=False) as out:
        try:
            yield out
            out.close()
            Path(out.name).replace(path)
        except BaseException:
            Path(out.name).unlink(missing_ok=True)
            raise
