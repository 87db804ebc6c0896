"""Which samples are for training and which for testing, by a hash of their content.

A hash is as good as a random choice, the same on every machine, and does not change for a picture
when others are added or renamed; copies of a picture are in one split. No torch.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ganzoo.data.cache import appearing_whole, cache_dir, fingerprint
from ganzoo.data.decoding import content
from ganzoo.errors import PictureError
from ganzoo.workers import workers

if TYPE_CHECKING:
    from ganzoo.data.source import Source


def content_key(content: bytes) -> int:
    """The first 64 bits of the SHA-256 of some content."""
    return int.from_bytes(hashlib.sha256(content).digest()[:8], "big")


def file_keys(folder: Path, files: Sequence[Path]) -> np.ndarray:
    """The `content_key` of each file below a folder, uint64 (files,); cached.

    It is 0 for one that cannot be read.
    """
    kept = cache_dir() / "hashes" / f"{folder.name}-{fingerprint(folder, files)}.npy"
    with suppress(OSError, ValueError, EOFError):
        found = np.load(kept)
        if found.shape == (len(files),) and found.dtype == np.uint64:
            return found

    def one(file: Path) -> int:
        try:
            return content_key(content(file))
        except PictureError:
            return 0

    with workers() as threads:
        found = np.fromiter(threads.map(one, files), np.uint64, len(files))
    # a cache that cannot be written only costs time
    with suppress(OSError), appearing_whole(kept) as out:
        np.save(out, found)
    return found


def held_out(keys: np.ndarray, share: float) -> np.ndarray:
    """Which samples are test samples, bool (n,), if they are to be a `share` of all.

    Args:
        keys: of `content_key`, uint64 (n,). Each is decided separately.
    """
    return keys < np.uint64(round(share * 2**64))


def train_and_test(name: str, most: int) -> tuple[Source, Source, str]:
    """Training samples, test samples, and the name of the split that the latter come from.

    A data set without a test split is divided in two; the test samples were then trained on.
    Samples of folders are ordered by their hashes, so that the first ones are a random choice: by
    name, they would be of one class. Other data sets keep their order.

    Args:
        name: of a data set. most: the number of test samples, at most.

    Raises:
        UnknownNameError, DataError: as `ganzoo.data.load`.
    """
    from ganzoo.data.catalog import find
    from ganzoo.data.loading import load
    from ganzoo.plugins.host import default

    train = load(name, "train")
    if "test" not in find(name, default().data).splits:
        return *halves(train, most), "train"
    test = load(name, "test")
    if train.named_keys:
        train, test = (source.select(_order(source.keys())) for source in (train, test))
    return train, test, "test"


def halves(source: Source, most: int) -> tuple[Source, Source]:
    """A data set in two parts, each in the order of the hashes, which is random.

    Args:
        most: samples of the second part, which has at most half of all.
    """
    keys = source.keys()
    order = _order(keys)
    kept = max(len(order) // 2, len(order) - most)
    apart = kept
    while 0 < apart < len(order) and keys[order[apart]] == keys[order[apart - 1]]:
        apart += 1  # copies are in one split
    kept = apart if apart < len(order) else kept
    return source.select(order[:kept]), source.select(order[kept:])


def _order(keys: np.ndarray) -> Any:
    """The rows by their keys, int64 (n,), as `Source.select` takes them."""
    import torch

    return torch.from_numpy(np.argsort(keys, kind="stable"))
