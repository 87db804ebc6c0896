"""Make the folder to push to a Hugging Face Space, from wheels of this checkout.

    python spaces/build.py OUT

OUT holds app.py, README.md, requirements.txt (third-party packages alone) and packages/, into
which the wheels of ganzoo, its models and its plugins are unpacked. A Space installs
requirements.txt before the other files are there, so it cannot install wheels that lie beside it.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Collection
from email import message_from_bytes
from pathlib import Path

ROOT = Path(__file__).parents[1]
EXTRAS = ("text",)
"""Extras of the core that the demo uses; gradio itself is the Space's `sdk_version`."""


OF_PAGES = ("ganzoo-browser",)
"""What only pages for browsers carry, of which a Space makes none."""


def projects() -> list[Path]:
    """The folders of this checkout that are distributions."""
    found = [ROOT, ROOT / "model_cards", *sorted(ROOT.glob("plugins/*"))]
    return [project for project in found if (project / "pyproject.toml").is_file()]


def wheels(out: Path, without: Collection[str] = ()) -> list[Path]:
    """Build every distribution of this checkout into `out`; needs hatchling.

    Needs no network but for `OF_PAGES`, whose runtime is fetched once by npm.
    """
    out.mkdir(parents=True, exist_ok=True)
    for project in projects():
        if project.name in without:
            continue
        command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(out)]
        done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(f"{project.name} could not be built:\n{done.stderr or done.stdout}")
    return sorted(out.glob("*.whl"))


def requirements(built: list[Path]) -> list[str]:
    """What the wheels require beyond each other, with the extras that the demo uses."""
    from packaging.requirements import Requirement

    ours = {path.name.partition("-")[0].replace("_", "-") for path in built}
    lines: set[str] = set()
    for path in built:
        with zipfile.ZipFile(path) as wheel:
            (name,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
            wanted = message_from_bytes(wheel.read(name)).get_all("Requires-Dist") or []
        for requirement in map(Requirement, wanted):
            marker = requirement.marker
            if requirement.name in ours or (
                marker and not any(marker.evaluate({"extra": extra}) for extra in ("", *EXTRAS))
            ):
                continue
            requirement.marker = None
            lines.add(str(requirement))
    return sorted(lines)


def build(out: Path) -> None:
    """Make the folder `out`, which must be empty or absent."""
    if out.exists() and any(out.iterdir()):
        sys.exit(f"{out} is not empty")
    packages = out / "packages"
    packages.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as folder:
        built = wheels(Path(folder), without=OF_PAGES)
        for path in built:
            with zipfile.ZipFile(path) as wheel:
                wheel.extractall(packages)
        (out / "requirements.txt").write_text("\n".join(requirements(built)) + "\n")
    for name in ("app.py", "README.md"):
        shutil.copy(ROOT / "spaces" / name, out / name)
    size = sum(path.stat().st_size for path in packages.rglob("*") if path.is_file()) / 1e6
    print(f"{out}: {len(built)} packages, {size:.0f} MB; push it to the Space's repository")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Make the folder to push to a Space.")
    parser.add_argument("out", type=Path)
    build(parser.parse_args().out)
