"""Shared by all tests: one thread, quiet settings, and where real data are."""

import os
import signal

# before torch loads its thread pool: test processes run side by side
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "agg")
# the hub of the tests has no Xet, and the real one has; huggingface_hub reads this at import
if "GANZOO_HUB_LIVE" not in os.environ:
    os.environ["HF_HUB_DISABLE_XET"] = "1"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"

from pathlib import Path

import pytest

# a shell lets what it starts in the background ignore Ctrl-C; tests send it
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture
def data_root() -> Path:
    """The folder of real data sets; the test is skipped where there is none."""
    root = os.environ.get("GANZOO_DATA")
    if not root:
        pytest.skip("GANZOO_DATA names no folder with data sets")
    return Path(root)
