"""The solar cells: all of the package's, a fixed split, nothing bundled, and the licence said."""

import os
import zipfile
from collections import Counter
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch

import ganzoo
import ganzoo_solar
from ganzoo import GanzooError
from ganzoo_solar import KINDS, SPLITS, Cell, cells, pixels, split_of

HERE = Path(__file__).parent

installed = pytest.mark.skipif(
    find_spec("elpv_dataset") is None,
    reason="the package elpv-dataset is not installed (91 MB): pip install elpv-dataset",
)


def test_the_split_is_fixed() -> None:
    """Whose split changes would make figures of today and tomorrow differ."""
    files = [f"images/cell{number:04}.png" for number in range(1, 2625)]
    assert Counter(split_of(file, 0.0) for file in files) == {
        "train": 1724,
        "test": 647,
        "validation": 253,
    }
    assert [split_of(file, 0.0) for file in files[:5]] == [
        "train",
        "test",
        "test",
        "train",
        "train",
    ]
    assert {split_of(file, 1.0) for file in files} == {"test", "validation"}
    assert {split_of(file, p) for file in files for p in (0.33, 0.67)} == {""}


def test_it_is_said_that_they_are_not_for_commercial_use() -> None:
    declared = ganzoo_solar.ganzoo_data()
    assert [one.name for one in declared] == [
        "solar-mono", "solar-poly", "solar", "solar-mono-128", "solar-poly-128", "solar-128",
    ]  # fmt: skip
    for one in declared:
        assert "BY-NC-SA" in one.licence and "not for commercial use" in one.licence
        assert "Not for commercial use" in one.summary
    assert "Not for commercial use" in (HERE / "README.md").read_text("utf-8")


def test_nothing_of_them_is_here() -> None:
    files = [path for path in HERE.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    assert {path.suffix for path in files} <= {".py", ".md", ".toml", ""}
    assert not any(zipfile.is_zipfile(path) for path in files)


def test_without_the_package_it_is_said_what_to_install(monkeypatch) -> None:
    monkeypatch.setattr(ganzoo_solar, "find_spec", lambda name: None)
    cells.cache_clear()
    with pytest.raises(GanzooError, match="pip install elpv-dataset"):
        ganzoo.load_data("solar-mono")


def test_a_damaged_package_is_named(monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(ganzoo_solar, "folder", lambda: tmp_path)
    cells.cache_clear()
    with pytest.raises(GanzooError, match="list of cells cannot be read"):
        cells()
    (tmp_path / "labels.csv").write_text("images/cell0001.png 0.0 mono extra\n")
    with pytest.raises(GanzooError, match="list of cells cannot be read"):
        cells()
    (tmp_path / "cell.png").write_bytes(b"\x89PNG, and no more")
    with pytest.raises(GanzooError, match=r"picture 'cell.png' cannot be read"):
        pixels([Cell("cell.png", 0.0, "mono", "train")])


@installed
def test_every_cell_is_listed() -> None:
    cells.cache_clear()
    found = Counter((cell.kind, cell.probability) for cell in cells())
    assert found == {
        ("mono", 0.0): 588, ("mono", 0.33): 117, ("mono", 0.67): 56, ("mono", 1.0): 313,
        ("poly", 0.0): 920, ("poly", 0.33): 178, ("poly", 0.67): 50, ("poly", 1.0): 402,
    }  # fmt: skip
    assert len({cell.file for cell in cells()}) == 2624


@installed
def test_the_sizes_of_the_readme() -> None:
    counts = Counter((cell.kind, cell.split, cell.defective) for cell in cells() if cell.split)
    assert counts == {
        ("mono", "train", False): 382,
        ("mono", "validation", False): 56,
        ("mono", "validation", True): 56,
        ("mono", "test", False): 150,
        ("mono", "test", True): 257,
        ("poly", "train", False): 615,
        ("poly", "validation", False): 91,
        ("poly", "validation", True): 87,
        ("poly", "test", False): 214,
        ("poly", "test", True): 315,
    }
    for one in ganzoo_solar.ganzoo_data():
        kinds = [kind for kind in KINDS if kind in one.name] or KINDS
        assert one.size == sum(counts[kind, "train", False] for kind in kinds)
        assert one.splits == SPLITS


@installed
@pytest.mark.parametrize(("name", "side"), [("solar-mono", 64), ("solar-128", 128)])
def test_rows_are_the_cells(name: str, side: int, monkeypatch) -> None:
    monkeypatch.setitem(os.environ, "GANZOO_DATA", "/nowhere")
    source = ganzoo.load_data(name, "validation")
    some = [
        cell
        for cell in cells()
        if cell.split == "validation" and (cell.kind == "mono" or name == "solar-128")
    ]
    assert len(source) == len(some) and source.flips
    rows = torch.arange(len(some))
    assert source.batch("label", rows).tolist() == [cell.probability == 1 for cell in some]
    if "kind" in source.fields.fields:
        assert source.batch("kind", rows).tolist() == [KINDS.index(cell.kind) for cell in some]
    images = source.batch("image", rows)
    assert images.shape == (len(some), 1, side, side)
    expected = pixels(some[-3:], side)
    found = images[-3:, 0].add(1).mul(127.5).round().byte().numpy()
    np.testing.assert_array_equal(found, expected)


@installed
def test_a_picture_is_made_smaller_as_pictures_in_folders_are(tmp_path) -> None:
    """So that a file scored by itself gets the score that it has in the data set."""
    some = list(cells()[:3])
    for cell in some:
        source = ganzoo_solar.folder() / cell.file
        (tmp_path / source.name).write_bytes(source.read_bytes())
    folder = ganzoo.load_data(f"folder:{tmp_path},size=64,channels=1")
    found = folder.batch("image", torch.arange(3))[:, 0].add(1).mul(127.5).round().byte().numpy()
    np.testing.assert_array_equal(found, pixels(some))
