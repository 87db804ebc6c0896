"""The notebooks run from top to bottom, as they stand, and leave what they say."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "docs" / "notebooks"
NOTEBOOKS = sorted(path.stem for path in FOLDER.glob("*.ipynb"))


def cells(name: str, kind: str) -> list[str]:
    data = json.loads((FOLDER / f"{name}.ipynb").read_text("utf-8"))
    return ["".join(cell["source"]) for cell in data["cells"] if cell["cell_type"] == kind]


def execute(code: str, space: dict[str, Any]) -> Any:
    """Run a cell; the value of its last line, as a notebook shows it."""
    tree = ast.parse(code)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, "cell", "exec"), space)
    if last is not None:
        return eval(compile(ast.Expression(last.value), "cell", "eval"), space)  # type: ignore[attr-defined]
    return None


def executed(name: str) -> tuple[dict[str, Any], list[Any]]:
    space: dict[str, Any] = {"__name__": "__main__"}
    shown = [execute(code, space) for code in cells(name, "code")]
    for image in (value for value in shown if isinstance(value, Image.Image)):
        image.load()  # which closes its file
    return space, shown


def test_there_are_three() -> None:
    assert NOTEBOOKS == ["first-sample", "own-loss", "own-pictures"]
    readme = (ROOT / "README.md").read_text("utf-8")
    assert all(f"docs/notebooks/{name}.ipynb" in readme for name in NOTEBOOKS)


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_they_are_notebooks_without_outputs(name: str) -> None:
    """In the format of version 4.5, with nothing of whoever ran them last."""
    data = json.loads((FOLDER / f"{name}.ipynb").read_text("utf-8"))
    assert (data["nbformat"], data["nbformat_minor"]) == (4, 5)
    ids = [cell["id"] for cell in data["cells"]]
    assert len(set(ids)) == len(ids)
    for cell in data["cells"]:
        assert cell.get("outputs", []) == [] and cell.get("execution_count") is None
    for text in cells(name, "markdown"):
        for link in re.findall(r"\]\((?!https?:)([^)#]+)", text):
            assert (FOLDER / link).is_file(), link


def test_first_sample(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    space, shown = executed("first-sample")
    assert shown[0].size == (28, 28) and shown[1].width > 8 * 28
    assert space["step"].number == space["STEPS"]
    assert (tmp_path / "my-first-gan" / "config.json").is_file()
    assert shown[-1].size == (28, 28)


def test_own_pictures(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    _, shown = executed("own-pictures")
    assert shown[0] == 64
    assert {"model", "losses.png", "log.jsonl"} <= set(shown[2])
    assert shown[-1].width >= 4 * 16 * 3
    assert "64 pictures" in capsys.readouterr().out


def test_own_loss(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    space, _ = executed("own-loss")
    said = capsys.readouterr().out
    assert "0.5 mse" in said or "mse" in said
    assert "did you mean 'mse'" in said
    assert "def " in said and space["step"].number == space["STEPS"]
    assert re.search(r"minimize.* \| .*bce", said)
