"""Arrays that are mapped from files, read without filling the memory of the process. No torch.

A page of a mapped file that was touched counts as the process's memory until somebody else needs
it, so that a data set seems to be in memory once all of it was seen. Rows are therefore read from
the file into memory of their own, and what was mapped to be looked at once is given back.
"""

from __future__ import annotations

import mmap
import os
from contextlib import suppress
from typing import Any

import numpy as np


def taken(array: np.ndarray, index: np.ndarray) -> np.ndarray:
    """The rows of `index` (numbers,), as an array of their own, (numbers, ...)."""
    path = getattr(array, "filename", None)
    whole = isinstance(array.base, mmap.mmap) and array.flags.c_contiguous
    if path is None or not whole or not hasattr(os, "preadv"):
        return np.array(array[index])  # a part of a mapped array, or another system
    found = np.empty((len(index), *array.shape[1:]), array.dtype)
    size, start = array[0].nbytes, array.offset  # type: ignore[attr-defined]
    try:
        handle = os.open(path, os.O_RDONLY)
    except OSError:  # removed meanwhile; what is mapped stays
        return np.array(array[index])
    try:
        # in the order of the file, which disks like
        for place in np.argsort(index, kind="stable"):
            row = found[place].reshape(-1).view(np.uint8)
            if os.preadv(handle, [row.data], start + int(index[place]) * size) != size:
                found[place] = array[index[place]]  # a file system that gives less at once
    finally:
        os.close(handle)
    return found


def forget(array: Any) -> None:
    """Give back the memory of pages that were looked at; the file and its cache stay."""
    held = getattr(array, "_mmap", None)
    if isinstance(held, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        with suppress(OSError, ValueError):
            held.madvise(mmap.MADV_DONTNEED)
