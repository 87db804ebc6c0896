"""An environment of its own, into which a test can install packages as a user would.

It sees what is installed here, this checkout and its plugins, and what is installed into it; no
network is asked for anything.
"""

from __future__ import annotations

import os
import site
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).parents[1]


class _Environment:
    """An environment in `folder`, and commands that run in it, in `folder/work`."""

    def __init__(self, folder: Path) -> None:
        venv.create(folder / "env", with_pip=False, symlinks=True)
        self.bin = folder / "env" / ("Scripts" if os.name == "nt" else "bin")
        self.work = folder / "work"
        self.work.mkdir()
        own = self.python("-c", "import site; print(site.getsitepackages()[0])").strip()
        self.site = Path(own)
        pip = self.bin / "pip"
        pip.write_text(f"#!{self.bin / 'python'}\nfrom pip._internal.cli.main import main\n"
                       "import sys\nsys.exit(main())\n")  # fmt: skip
        pip.chmod(0o755)

    @property
    def environment(self) -> dict[str, str]:
        ours = ("PYTHON", "GANZOO", "PIP")
        found = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        return found | {
            "PATH": f"{self.bin}{os.pathsep}{os.environ['PATH']}",
            "VIRTUAL_ENV": str(self.bin.parent),
            "PIP_NO_INDEX": "1", "PIP_NO_DEPS": "1", "PIP_NO_BUILD_ISOLATION": "0",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_CACHE_DIR": "1",
            "HF_HUB_OFFLINE": "1", "COLUMNS": "200", "NO_COLOR": "1",
        }  # fmt: skip

    def python(self, *words: str) -> str:
        return self.run(str(self.bin / "python"), *words)

    def run(self, *words: str | Path, code: int = 0) -> str:
        """What a command says on both streams; its exit code must be `code`."""
        done = subprocess.run(
            [*map(str, words)], cwd=self.work, env=self.environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, timeout=300,
        )  # fmt: skip
        assert done.returncode == code, f"{' '.join(map(str, words))}\n{done.stdout}"
        return done.stdout


class Fresh(_Environment):
    """It sees this checkout, its plugins, and all that is installed where the tests run."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        here = [ROOT, *sorted(ROOT.glob("plugins/*"))]
        # the checkout first; then what is installed here, with the .pth files that it has
        lines = [*map(str, here)]
        lines += [f"import site; site.addsitedir({path!r})" for path in site.getsitepackages()]
        (self.site / "here.pth").write_text("\n".join(lines) + "\n")
        command = self.bin / "ganzoo"
        command.write_text(f"#!{self.bin / 'python'}\nfrom ganzoo.cli import main\nmain()\n")
        command.chmod(0o755)


class Empty(_Environment):
    """It sees the third-party packages that are installed here, and nothing of ganzoo."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        seen = self.site.parent / "third-party"
        seen.mkdir()
        known = {path.name.lower() for path in self.site.iterdir()}
        for place in map(Path, sys.path):
            if not place.is_dir() or place.name not in {"site-packages", "dist-packages"}:
                continue
            for path in place.iterdir():
                name = path.name.lower().replace("-", "_")
                if not name.startswith(("ganzoo", "_editable", "__editable")) and (
                    path.suffix != ".pth" and name not in known
                ):
                    known.add(name)
                    (seen / path.name).symlink_to(path)
        (self.site / "seen.pth").write_text(f"{seen}\n")

    @property
    def environment(self) -> dict[str, str]:
        found = super().environment
        for name in ("PIP_NO_DEPS", "PIP_NO_INDEX"):
            found.pop(name)
        return found
