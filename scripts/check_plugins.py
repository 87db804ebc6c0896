"""`ganzoo check-plugin` for every plugin of this repository, each as the command that people run.

    python scripts/check_plugins.py [NAME ...] [--memory 2000]

One process each; prints the seconds and the most memory that it took. Fails where a plugin does, or
takes more than `--memory` megabytes.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

PLUGINS = Path(__file__).parent.parent / "plugins"
MEMORY = 2000


@dataclass(frozen=True)
class Checked:
    """What came of one command.

    Args:
        seconds: of its processor. megabytes: the most memory that it held.
    """

    plugin: str
    code: int
    seconds: float
    megabytes: float
    said: str

    def problem(self, memory: float) -> str:
        """What is wrong, or nothing."""
        if self.code:
            return self.said
        if self.megabytes > memory:
            return f"{self.plugin} took {self.megabytes:,.0f} MB, more than {memory:,.0f}"
        return ""


def plugins() -> list[str]:
    """Those of this repository that bring something; others carry files alone."""
    return sorted(
        folder.name
        for folder in PLUGINS.glob("ganzoo-*")
        if any("@hookimpl" in path.read_text("utf-8") for path in folder.rglob("*.py"))
    )


def check(plugin: str) -> Checked:
    """Run the command for one plugin, in a process of its own."""
    command = [sys.executable, "-m", "ganzoo", "check-plugin", plugin]
    begun = time.monotonic()
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(command, stdout=said, stderr=subprocess.STDOUT)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        text = said.read().decode(errors="replace")
    seconds = used.ru_utime + used.ru_stime or time.monotonic() - begun
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return Checked(plugin, process.returncode, seconds, used.ru_maxrss / unit, text)


def main() -> int:
    parser = argparse.ArgumentParser(description="Check every plugin of this repository.")
    parser.add_argument("plugin", nargs="*", help="By default all.")
    parser.add_argument("--memory", type=float, default=MEMORY, help="Megabytes.")
    arguments = parser.parse_args()
    failed = 0
    for plugin in arguments.plugin or plugins():
        found = check(plugin)
        problem = found.problem(arguments.memory)
        failed += bool(problem)
        state = "FAILS" if problem else "ok"
        print(f"{state:6}{plugin:22}{found.seconds:6.0f} s {found.megabytes:8,.0f} MB", flush=True)
        if problem:
            print(problem, flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
