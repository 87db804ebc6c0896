"""What ganzoo can get or make again, kept in files that are whole or not there. No torch."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO


def cache_dir() -> Path:
    """Where all of it lies: `$XDG_CACHE_HOME/ganzoo`."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ganzoo"


def fingerprint(folder: Path, files: Sequence[Path], *made: object) -> str:
    """Changes with the files of a folder (names, sizes, times) and with what is made of them."""
    seen = hashlib.sha256(repr((str(folder.resolve()), *made)).encode("utf-8", "replace"))
    for file in files:
        relative = file.relative_to(folder).as_posix()
        try:
            stat = file.stat()
            facts = (relative, stat.st_size, stat.st_mtime_ns)
        except OSError:  # it has gone since it was found
            facts = (relative,)
        seen.update(repr(facts).encode("utf-8", "replace"))
    return seen.hexdigest()[:16]


@contextmanager
def appearing_whole(path: Path) -> Iterator[IO[bytes]]:
    """A binary file to write, which takes its name only once all is written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}-", delete=False) as out:
        try:
            yield out
            out.close()
            Path(out.name).replace(path)
        except BaseException:
            Path(out.name).unlink(missing_ok=True)
            raise
