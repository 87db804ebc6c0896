"""Which samples are for training and which for testing, by a hash of their content.

A hash is as good as chance, the same on every machine, and does not change for a picture when
others are added or renamed; copies of a picture are on one side. No torch.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ganzoo.data.cache import appearing_whole, cache_dir, fingerprint
from ganzoo.data.decoding import content
from ganzoo.errors import PictureError

if TYPE_CHECKING:
    from ganzoo.data.source import Source


def content_key(content: bytes) -> int:
    """64 bits that stand for a content: the first of its SHA-256."""
    return int.from_bytes(hashlib.sha256(content).digest()[:8], "big")


def file_keys(folder: Path, files: Sequence[Path]) -> np.ndarray:
    """The `content_key` of each file below a folder, uint64 (files,); kept for the next time.

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

    with ThreadPoolExecutor(min(16, os.cpu_count() or 1)) as threads:
        found = np.fromiter(threads.map(one, files), np.uint64, len(files))
    # a cache that cannot be written costs time, and nothing else
    with suppress(OSError), appearing_whole(kept) as out:
        np.save(out, found)
    return found


def held_out(keys: np.ndarray, share: float) -> np.ndarray:
    """Which samples are test samples, bool (n,), where `share` of all are to be.

    Args:
        keys: of `content_key`, uint64 (n,). Each decides for itself.
    """
    return keys < np.uint64(round(share * 2**64))


def train_and_test(name: str, most: int) -> tuple[Source, Source, str]:
    """Training samples, test samples, and the name of the split that these come from.

    A data set without a test split is divided in two; then the test samples were trained on.
    Samples of folders come in the order of their hashes, so that the first of them are as good
    as any: by name, they would be those of one class. Other data sets keep their order.

    Args:
        name: of a data set. most: test samples that are wanted.

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
    """A data set in two parts, each in the order of the hashes, which is a random one.

    Args:
        most: samples of the second part, which has at most half of all.
    """
    keys = source.keys()
    order = _order(keys)
    kept = max(len(order) // 2, len(order) - most)
    apart = kept
    while 0 < apart < len(order) and keys[order[apart]] == keys[order[apart - 1]]:
        apart += 1  # copies are on one side
    kept = apart if apart < len(order) else kept
    return source.select(order[:kept]), source.select(order[kept:])


def _order(keys: np.ndarray) -> Any:
    """The rows by their keys, int64 (n,), as `Source.select` takes them."""
    import torch

    return torch.from_numpy(np.argsort(keys, kind="stable"))
