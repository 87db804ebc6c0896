"""Threads for work that is mostly done outside Python: decoding, hashing, reading."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager


@contextmanager
def workers() -> Iterator[ThreadPoolExecutor]:
    """As many threads as there are processors, for generators, too.

    At the end nobody waits for them: a generator that is dropped half way may be collected in one
    of its own threads, which cannot wait for itself.
    """
    threads = ThreadPoolExecutor(min(16, os.cpu_count() or 1))
    try:
        yield threads
    finally:
        threads.shutdown(wait=False, cancel_futures=True)
