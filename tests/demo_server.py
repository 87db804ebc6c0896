"""A demo in a process of its own, as `ganzoo demo` starts it, and what it asked of others."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

ROOT = Path(__file__).parent.parent
WATCHED = """
import ipaddress, socket, sys
log = sys.argv.pop(1)
connect = socket.socket.connect
def watched(self, address):
    if self.family in (socket.AF_INET, socket.AF_INET6):
        if address[0] != "localhost" and not ipaddress.ip_address(address[0]).is_loopback:
            with open(log, "a") as file:
                file.write(f"{address}\\n")
    return connect(self, address)
socket.socket.connect = watched
ask = socket.getaddrinfo
def asked(host, *rest, **more):
    if host not in (None, "", "127.0.0.1", "localhost", "0.0.0.0", b"127.0.0.1", b"localhost"):
        with open(log, "a") as file:
            file.write(f"{host}\\n")
    return ask(host, *rest, **more)
socket.getaddrinfo = asked
"""
"""Writes down every other host that the process wants to reach."""
COMMAND = "from ganzoo.cli import main; main()"


@dataclass
class Server:
    """A running demo."""

    url: str
    process: subprocess.Popen[str]
    strangers: Path
    seconds: float
    log: Path

    def asked(self) -> str:
        """The other hosts that it wanted to reach."""
        return self.strangers.read_text() if self.strangers.exists() else ""

    def processor_seconds(self) -> float:
        """Processor time that it has taken, threads and all."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def serving(
    words: Sequence[str], folder: Path, *, code: str = COMMAND, **environment: str
) -> Iterator[Server]:
    """A process of Python with these arguments, once its page is there; ended afterwards."""
    folder.mkdir(parents=True, exist_ok=True)
    strangers, log = folder / "strangers.txt", folder / "log.txt"
    port = free_port()
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("GRADIO_", "GANZOO_"))}
    clean = {**kept, "GRADIO_SERVER_PORT": str(port), "TMPDIR": str(folder), **environment}
    started = time.monotonic()
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-c", WATCHED + code, str(strangers), *words],
            env=clean, cwd=folder, stdout=output, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        try:
            url = f"http://127.0.0.1:{port}"
            while True:
                try:
                    if httpx.get(url, timeout=10).status_code == 200:
                        break
                except httpx.HTTPError:
                    pass
                assert process.poll() is None, log.read_text()
                assert time.monotonic() - started < 600, "it does not start"
                time.sleep(0.05)
            yield Server(url, process, strangers, time.monotonic() - started, log)
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
