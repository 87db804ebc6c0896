"""What travels: wheels that install into an empty environment and hold what they should."""

from __future__ import annotations

import runpy
import subprocess
import sys
import zipfile
from email import message_from_bytes
from pathlib import Path

import pytest

from tests import browser_runtime
from tests.fresh import Empty

ROOT = Path(__file__).parent.parent
SPACE = runpy.run_path(str(ROOT / "spaces" / "build.py"))
CARRIED = {
    "ganzoo_emoji": {"__init__.py", "captions.jsonl", "noto.webp", "twemoji.webp"},
}
LICENCES = {"ATTRIBUTION.md", "APACHE-2.0.txt", "CC-BY-4.0.txt", "MIT-emojibase.txt"}
PLUGINS = sorted(path.parent for path in ROOT.glob("plugins/*/pyproject.toml"))


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Every wheel of this checkout that can be built here, by the name of its package."""
    without = SPACE["OF_PAGES"] if browser_runtime.missing() else ()
    built = SPACE["wheels"](tmp_path_factory.mktemp("index"), without=without)
    return {path.name.partition("-")[0]: path for path in built}


def test_the_core_is_small_and_holds_no_model(index: dict[str, Path]) -> None:
    path = index["ganzoo_core"]
    names = set(zipfile.ZipFile(path).namelist())
    assert path.stat().st_size < 3e6
    carried = {"data/digits.png", "py.typed", "cli/__init__.py", "hub/official.json"}
    assert {f"ganzoo/{name}" for name in carried} <= names
    assert not [name for name in names if name.endswith(".safetensors")]
    allowed = {name for name in names if name.startswith("ganzoo/testing")}
    tests = [name for name in names - allowed if "/test" in name or name.startswith("test")]
    assert not tests and not [name for name in names if name.startswith("runs/")]


def test_the_pack_holds_every_model_that_may_be_used_commercially(index: dict[str, Path]) -> None:
    names = set(zipfile.ZipFile(index["ganzoo_models"]).namelist())
    allowed = runpy.run_path(str(ROOT / "model_cards" / "hatch_build.py"))["commercial"]
    for folder in (path.parent for path in ROOT.glob("model_cards/*/config.json")):
        inside = {f"ganzoo_models/models/{folder.name}/{path.name}" for path in folder.iterdir()}
        assert inside <= names if allowed(folder) else not inside & names, folder.name
    assert index["ganzoo_models"].stat().st_size < 100e6, "the package index refuses more"


def test_models_of_non_commercial_data_stay_out(tmp_path: Path) -> None:
    allowed = runpy.run_path(str(ROOT / "model_cards" / "hatch_build.py"))["commercial"]
    for licence, fine in [("apache-2.0", True), ("cc-by-nc-4.0", False), ("other", False)]:
        (tmp_path / "README.md").write_text(f"---\nlicense: {licence}\n---\n# A model\n")
        assert allowed(tmp_path) is fine


@pytest.mark.parametrize("project", PLUGINS, ids=lambda path: path.name)
def test_each_plugin_is_whole(project: Path, index: dict[str, Path]) -> None:
    """A module behind an entry point, with a readme, a licence and where it comes from."""
    name = project.name.replace("-", "_")
    if project.name in SPACE["OF_PAGES"] and name not in index:
        pytest.skip(browser_runtime.missing())
    with zipfile.ZipFile(index[name]) as archive:
        names = archive.namelist()
        code = [path for path in names if ".dist-info/" not in path]
        (entry,) = [path for path in names if path.endswith("entry_points.txt")]
        assert f"{name} = {name}" in archive.read(entry).decode()
        (metadata,) = [path for path in names if path.endswith("/METADATA")]
        said = message_from_bytes(archive.read(metadata))
        licences = {Path(path).name for path in names if "/licenses/" in path}
    assert said["Description-Content-Type"] == "text/markdown" and said.get_payload()
    assert {"Homepage", "Source"} <= {
        url.partition(",")[0] for url in said.get_all("Project-URL") or []
    }
    assert any(text.startswith("ganzoo-core") for text in said.get_all("Requires-Dist") or [])
    assert licences == LICENCES if name == "ganzoo_emoji" else "LICENSE" in licences
    if name in CARRIED:
        assert {path.removeprefix(f"{name}/") for path in code} == CARRIED[name]
    else:
        assert f"{name}.py" in code or f"{name}/__init__.py" in code
    assert not [path for path in code if Path(path).name.startswith("test_")]


def test_the_index_takes_them(index: dict[str, Path]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "twine", "check", "--strict", *map(str, index.values())],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_pictures_of_the_readme_lead_somewhere(index: dict[str, Path]) -> None:
    with zipfile.ZipFile(index["ganzoo_core"]) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith("/METADATA")]
        text = message_from_bytes(archive.read(name)).get_payload()
    assert "](model_cards/" not in text and "](docs/" not in text
    assert 'src="docs/' not in text and 'src="https://raw.githubusercontent.com/' in text
    assert "![" in text and "](https://raw.githubusercontent.com/" in text


def test_an_empty_environment_installs_them_and_draws(
    index: dict[str, Path], tmp_path: Path
) -> None:
    """From a local index alone; third-party packages are taken from where the tests run."""
    empty = Empty(tmp_path)
    folder = next(iter(index.values())).parent
    empty.run("pip", "install", "--no-index", "--find-links", folder, "ganzoo-core[zoo]")
    said = empty.run("ganzoo", "plugins")
    assert "ganzoo-models" in said and "ganzoo-wgan" in said and "/model_cards" not in said
    code = (
        "import ganzoo\n"
        "images = ganzoo.from_pretrained('dcgan-mnist').generate(16, seed=0)\n"
        "assert len(images) == 16 and images[0].size == (28, 28)\n"
        "print(ganzoo.__file__)"
    )
    assert str(tmp_path) in empty.python("-c", code)
    assert "dcgan-mnist" in empty.run("ganzoo", "models")
    empty.run("pip", "uninstall", "-y", "ganzoo-models")
    assert "pip install ganzoo-models" in empty.run(
        "ganzoo", "sample", "dcgan-mnist", "-o", "x.png", code=2
    )


def test_plugins_use_the_public_api_alone() -> None:
    """First-party variants enter by the same door as everybody's."""
    public = {"ganzoo", "ganzoo.errors", "ganzoo.spec"}
    for path in [*ROOT.glob("plugins/*/ganzoo_*.py"), *ROOT.glob("plugins/*/ganzoo_*/*.py")]:
        own = path.relative_to(ROOT / "plugins").parts[1].removesuffix(".py")
        for line in path.read_text().splitlines():
            if line.startswith(("from ganzoo", "import ganzoo")):
                module = line.split()[1]
                assert module in public or module.split(".")[0] == own, f"{path.name}: {line}"
