"""The pictures of a folder, decoded once into a memory-mapped file. No torch.

The file is a `.npy` of the pixels, which NumPy can read, followed by other facts about the pictures
and by the SHA-256 of the pixels, as JSON. It is a single file, so that it is complete or not there.
Its name depends on the folder, on the conversion, and on the files (names, sizes, times), so that
another folder, another size and other pictures have other files. A file that does not match its
SHA-256 is decoded again.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from ganzoo.data.cache import appearing_whole, cache_dir, fingerprint
from ganzoo.data.decoding import Preprocessing, opened, turned_size
from ganzoo.data.mapped import forget
from ganzoo.errors import DataError, PictureError
from ganzoo.workers import workers

DECODER = 3
"""Part of the name of decoded files: raise it when decoding changes."""
PIECE = 1024
"""Pictures that are hashed together."""
CHUNK = 256
"""The most pictures that are queued for decoding at once."""


@dataclass(frozen=True, eq=False)
class Decoded:
    """The readable pictures of files, in their order.

    Args:
        pixels: uint8 (pictures, channels, height, width), mapped from a file.
        skipped: the indices of unreadable files, with the reason.
        sizes: how many files had which size, as (width, height, number), the most common first.
    """

    pixels: np.ndarray
    skipped: dict[int, str]
    sizes: list[tuple[int, int, int]]


def decoded(
    folder: Path,
    files: Sequence[Path],
    shape: tuple[int, int, int],
    preprocessing: Preprocessing,
    *,
    strict: bool = False,
    part: str = "",
) -> Decoded:
    """All pictures of `files`, which lie below `folder`, as `shape`.

    The first call decodes; the file is written atomically, so that several processes may call this
    at the same time.

    Args:
        shape: (channels, height, width).
        strict: a picture that cannot be read is an error.
        part: the name of a subset of the folder's pictures, if these are not all: decoded files of
            other subsets are kept.

    Raises:
        PictureError: `strict`, and one cannot be read.
        DataError: none can be read, or the decoded file cannot be written.
    """
    made: tuple[Any, ...] = (DECODER, shape, sorted(preprocessing.to_dict().items()))
    made += (part,) if part else ()
    place = f"{folder.name}-{fingerprint(folder, (), *made)[:8]}-"
    kept = cache_dir() / "decoded" / f"{place}{fingerprint(folder, files, *made)}.npy"
    found = read(kept) if kept.exists() else None
    if found is None:
        try:
            with appearing_whole(kept) as out:
                _write(out, folder, files, shape, preprocessing, strict)
            _remove_stale(kept, place)
        except OSError as error:
            size = len(files) * int(np.prod(shape)) / 2**20
            raise DataError(
                f"the pictures of {str(folder)!r} cannot be kept decoded in {str(kept.parent)!r} "
                f"({error.strerror or error}); point XDG_CACHE_HOME at a folder with {size:,.0f} "
                "MiB to spare"
            ) from None
        found = read(kept)
        if found is None:
            raise DataError(f"{str(kept)!r} was damaged while it was written; try again")
    for place, reason in found.skipped.items():
        if strict:
            raise PictureError(files[place], reason)
    return found


def read(path: Path) -> Decoded | None:
    """The contents of a decoded file; None if it is incomplete or damaged."""
    try:
        pixels = np.load(path, mmap_mode="r")
        with path.open("rb") as file:
            file.seek(pixels.offset + pixels.nbytes)
            facts = json.load(file)
        if facts["sha256"] != _digest(pixels):
            return None
        skipped = {int(place): str(reason) for place, reason in facts["skipped"].items()}
        return Decoded(pixels, skipped, [tuple(size) for size in facts["sizes"]])
    except (OSError, ValueError, KeyError, EOFError):
        return None


def _digest(pixels: np.ndarray) -> str:
    """The SHA-256 of the SHA-256s of pieces, computed on all processors."""
    pieces = (pixels[start : start + PIECE] for start in range(0, len(pixels), PIECE))
    found = hashlib.sha256()
    with workers() as threads:
        for piece in threads.map(lambda piece: hashlib.sha256(piece.data).digest(), pieces):
            found.update(piece)
            forget(pixels)
    return found.hexdigest()


def _remove_stale(kept: Path, place: str) -> None:
    """Remove decoded files of the same folder from before its files changed."""
    for other in kept.parent.iterdir():
        if other != kept and other.name.startswith(place) and other.suffix == ".npy":
            other.unlink(missing_ok=True)


def _write(
    out: IO[bytes],
    folder: Path,
    files: Sequence[Path],
    shape: tuple[int, int, int],
    preprocessing: Preprocessing,
    strict: bool,
) -> None:
    each = _each(folder, files, shape, preprocessing)
    skipped = write_pixels(out, len(files), shape, each, strict=strict)
    if len(skipped) == len(files):
        raise DataError(
            f"none of the {len(files):,} pictures in {str(folder)!r} can be read; the first, "
            f"{files[0].name!r}: {skipped[0]}"
        )


Outcome = tuple[tuple[int, int], np.ndarray] | PictureError
"""For a picture: its size (width, height) and its pixels, or why it cannot be read."""


def write_pixels(
    out: IO[bytes],
    number: int,
    shape: tuple[int, int, int],
    each: Iterable[Outcome],
    *,
    strict: bool = False,
) -> dict[int, str]:
    """Write a decoded file, which `read` reads; returns the skipped pictures, and why.

    Args:
        number: of pictures. shape: (channels, height, width). each: they, in order.
        strict: one that cannot be read is raised.
    """
    sizes, skipped = Counter[tuple[int, int]](), dict[int, str]()
    start = _header(out, number, shape)
    digest, piece, held = hashlib.sha256(), hashlib.sha256(), 0
    for place, one in enumerate(each):
        if isinstance(one, PictureError):
            if strict:
                raise one
            skipped[place] = one.reason
        else:
            size, pixels = one
            sizes[size] += 1
            out.write(pixels.tobytes())
            piece.update(pixels.tobytes())
            held += 1
            if held == PIECE:
                digest.update(piece.digest())
                piece, held = hashlib.sha256(), 0
    common = [(*size, count) for size, count in sizes.most_common(20)]
    if held:
        digest.update(piece.digest())
    facts = {"skipped": skipped, "sizes": common, "sha256": digest.hexdigest()}
    out.write(json.dumps(facts).encode())
    out.seek(0)
    # NumPy pads a header, so that the number can change
    assert _header(out, number - len(skipped), shape) == start
    return skipped


def _header(out: IO[bytes], number: int, shape: tuple[int, int, int]) -> int:
    """Write the header of a .npy file; returns its length."""
    facts: dict[str, Any] = {"descr": "|u1", "fortran_order": False, "shape": (number, *shape)}
    np.lib.format.write_array_header_1_0(out, facts)
    return out.tell()


def _each(
    folder: Path, files: Sequence[Path], shape: tuple[int, int, int], preprocessing: Preprocessing
) -> Iterator[Outcome]:
    """Size and pixels of each file in order, by as many threads as there are processors."""
    from rich.console import Console
    from rich.progress import track

    def one(file: Path) -> Outcome:
        try:
            with opened(file) as image:
                return turned_size(image), preprocessing.decoded(image, shape)
        except PictureError as error:
            return error

    # in chunks, as map() would queue a future for every picture at once
    chunks = [files[start : start + CHUNK] for start in range(0, len(files), CHUNK)]
    shown: Iterable[Sequence[Path]] = (
        track(chunks, f"decoding {folder.name}", console=Console(stderr=True), transient=True)
        if len(chunks) > 1
        else chunks
    )
    with workers() as threads:
        for chunk in shown:
            yield from threads.map(one, chunk)
