"""What travels: the wheels hold what a user without a checkout needs, and nothing heavy."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from ganzoo.hub import bundled

ROOT = Path(__file__).parent.parent


def wheel(project: Path, folder: Path) -> zipfile.ZipFile:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=project,
        check=True,
        capture_output=True,
    )
    (path,) = folder.glob("*.whl")
    return zipfile.ZipFile(path)


def test_the_wheel_carries_models_digits_and_types(tmp_path: Path) -> None:
    with wheel(ROOT, tmp_path) as archive:
        names = set(archive.namelist())
        size = sum(item.compress_size for item in archive.infolist())
    for model, folder in bundled().items():
        for path in folder.iterdir():
            assert f"ganzoo/model_cards/{model}/{path.name}" in names
    assert {"ganzoo/data/digits.png", "ganzoo/py.typed", "ganzoo/cli/__init__.py"} <= names
    names.remove("ganzoo/testing.py")  # the checks that plugin authors run
    assert not [name for name in names if "test" in name.lower() or name.startswith("runs")]
    assert size < 60e6


CARRIED = {"__init__.py", "captions.jsonl", "noto.webp", "twemoji.webp"}
LICENCES = {"ATTRIBUTION.md", "APACHE-2.0.txt", "CC-BY-4.0.txt", "MIT-emojibase.txt"}


@pytest.mark.parametrize(
    "project", sorted(ROOT.glob("plugins/*/pyproject.toml")), ids=lambda path: path.parent.name
)
def test_each_plugin_is_one_module_behind_an_entry_point(project: Path, tmp_path: Path) -> None:
    name = project.parent.name.replace("-", "_")
    with wheel(project.parent, tmp_path) as archive:
        code = [path for path in archive.namelist() if ".dist-info/" not in path]
        (entry,) = [path for path in archive.namelist() if path.endswith("entry_points.txt")]
        assert f"{name} = {name}" in archive.read(entry).decode()
        size = sum(item.compress_size for item in archive.infolist())
        licences = {Path(path).name for path in archive.namelist() if "/licenses/" in path}
    if name == "ganzoo_emoji":  # the pictures too, and whose they are
        assert {path.removeprefix(f"{name}/") for path in code} == CARRIED
        assert licences == LICENCES and size < 12e6
    else:
        assert code == [f"{name}.py"]


def test_plugins_use_the_public_api_alone() -> None:
    """First-party variants enter by the same door as everybody's."""
    public = {"ganzoo", "ganzoo.spec"}
    for path in [*ROOT.glob("plugins/*/ganzoo_*.py"), *ROOT.glob("plugins/*/ganzoo_*/*.py")]:
        for line in path.read_text().splitlines():
            if line.startswith(("from ganzoo", "import ganzoo")):
                assert line.split()[1] in public, f"{path.name}: {line}"
