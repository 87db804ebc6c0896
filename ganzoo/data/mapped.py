"""Memory-mapped arrays, read without filling the memory of the process. No torch.

A page of a mapped file that was read counts as memory of the process until the system needs it, so
that a data set seems to be in memory once all of it was read. Rows are therefore read from the file
into new memory, and pages that were read only once are released.
"""

from __future__ import annotations

import mmap
import os
from contextlib import suppress
from typing import Any

import numpy as np


def taken(array: np.ndarray, index: np.ndarray) -> np.ndarray:
    """The rows of `index` (numbers,), as a new array, (numbers, ...)."""
    path = getattr(array, "filename", None)
    whole = isinstance(array.base, mmap.mmap) and array.flags.c_contiguous
    if path is None or not whole or not hasattr(os, "preadv"):
        return np.array(array[index])  # a part of a mapped array, or another system
    found = np.empty((len(index), *array.shape[1:]), array.dtype)
    size, start = array[0].nbytes, array.offset  # type: ignore[attr-defined]
    try:
        handle = os.open(path, os.O_RDONLY)
    except OSError:  # the file was removed; the mapping stays
        return np.array(array[index])
    try:
        # in file order, which is faster
        for place in np.argsort(index, kind="stable"):
            row = found[place].reshape(-1).view(np.uint8)
            if os.preadv(handle, [row.data], start + int(index[place]) * size) != size:
                found[place] = array[index[place]]  # a file system that returned too little
    finally:
        os.close(handle)
    return found


def forget(array: Any) -> None:
    """Release the memory of pages that were read; the file and its cache stay."""
    held = getattr(array, "_mmap", None)
    if isinstance(held, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        with suppress(OSError, ValueError):
            held.madvise(mmap.MADV_DONTNEED)
