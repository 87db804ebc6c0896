"""Memory that stays with the process from round to round, on the CPU.

The C library gives large blocks back to the system as soon as they are free, and takes them anew,
page by page, in the next round: thousands of page faults, each of which clears a page. A round
needs the same blocks as the one before, so keeping them costs no more than the largest round.
"""

from __future__ import annotations

import ctypes
import os
import sys
from contextlib import suppress
from functools import cache

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""Of glibc's malloc.h."""
LARGEST = 32 * 2**20
"""Bytes of a block that may come from the heap; glibc allows no more."""
KEPT = 2**30
"""Free bytes at the end of the heap that are not given back."""


@cache
def keep() -> bool:
    """Let freed memory stay with the process; whether the C library can.

    Where somebody has set how memory is kept (MALLOC_TRIM_THRESHOLD_ and its like, GLIBC_TUNABLES)
    or preloads another allocator, that stays.
    """
    chosen = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES", "LD_PRELOAD")
    if not sys.platform.startswith("linux") or any(map(os.environ.get, chosen)):
        return False
    with suppress(OSError, AttributeError):
        library = ctypes.CDLL(None)
        library.gnu_get_libc_version  # noqa: B018  (another C library has none)
        done = library.mallopt(_MMAP_THRESHOLD, LARGEST)
        return bool(done and library.mallopt(_TRIM_THRESHOLD, KEPT))
    return False
