"""Models on the small hub of `tests.hub_server`: who writes and reads, and what they send."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import yaml

import ganzoo
from ganzoo.models.model import Model
from tests.hub_server import HubServer

ROOT = Path(__file__).parents[1]
WRITER, READER = "hf_writer", "hf_reader"


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def drawn(model: Model) -> np.ndarray:
    return model.generate(4, seed=3, output="np")


def get(server: HubServer, name: str = "me/tiny", **options: Any) -> Model:
    return ganzoo.from_pretrained(name, endpoint=server.url, **options)


def closed_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"


def python(code: str, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, check=False, cwd=ROOT,
        env={**os.environ, **environment},
    )  # fmt: skip


def head(text: str) -> dict[str, Any]:
    match = re.match(r"---\n(.*?)\n---\n", text, re.DOTALL)
    assert match
    return yaml.safe_load(match[1])
