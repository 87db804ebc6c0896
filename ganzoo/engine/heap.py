"""Keep freed memory in the process from round to round, on the CPU.

The C library returns large blocks to the system as soon as they are freed, and allocates them
again, page by page, in the next round: thousands of page faults, each of which clears a page. Every
round needs the same blocks, so keeping them costs no more than the largest round.
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
"""The largest size of a block on the heap, in bytes; glibc allows no more."""
KEPT = 2**30
"""Free bytes at the end of the heap that are not returned."""


@cache
def keep() -> bool:
    """Keep freed memory in the process; returns whether the C library supports it.

    If the environment configures the allocator (MALLOC_TRIM_THRESHOLD_ and the like,
    GLIBC_TUNABLES) or preloads another one, nothing is changed.
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
