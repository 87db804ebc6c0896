"""Folders as data sets: sizes and fits, what is skipped, and what is said about it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image as Picture

from ganzoo.data import load
from ganzoo.data.catalog import find
from ganzoo.data.decoded import decoded
from ganzoo.data.decoding import Preprocessing
from ganzoo.data.folder import Folder
from ganzoo.data.names import absolute, completed, preprocessing_of
from ganzoo.errors import DataError, PictureError, UnknownNameError


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "ganzoo" / "decoded"


@pytest.fixture
def wide(tmp_path: Path) -> Path:
    """Eight pictures of 96x48 pixels: black, with white ends."""
    folder = tmp_path / "wide"
    folder.mkdir()
    for number in range(8):
        picture = Picture.new("L", (96, 48), number)
        picture.paste(255, (0, 0, 20, 48))
        picture.paste(255, (76, 0, 96, 48))
        picture.save(folder / f"{number}.png")
    return folder


def first(name: str) -> torch.Tensor:
    return load(name).batch("image", torch.tensor([0]))[0]


@pytest.mark.parametrize(
    ("options", "shape", "brightness"),
    [
        ("", (1, 48, 48), 0),  # the ends are cut away
        (",size=24", (1, 24, 24), 0),
        (",size=24,fit=stretch", (1, 24, 24), 40 / 96),
        (",size=24,fit=pad,background=black", (1, 24, 24), 40 / 96 / 2),
        (",size=24,fit=pad", (1, 24, 24), 0.5 + 40 / 96 / 2),
        (",size=96x48", (1, 48, 96), 40 / 96),
        (",size=48x96,fit=stretch,filter=nearest", (1, 96, 48), 40 / 96),
        (",size=512x256", (1, 256, 512), 40 / 96),
    ],
)
def test_pictures_are_made_to_fit_as_declared(
    wide: Path, options: str, shape: tuple[int, ...], brightness: float
) -> None:
    name = f"folder:{wide}{options}"
    image = first(name)
    assert image.shape == shape == find(name).fields.image.shape
    assert image.add(1).div(2).mean().item() == pytest.approx(brightness, abs=0.02)
    said = {key: value for key, _, value in (o.partition("=") for o in options.split(",")) if value}
    said.pop("size", None)
    assert load(name).preprocessing == Preprocessing(**said)


def test_every_fit_is_decoded_for_itself(wide: Path, cache: Path) -> None:
    for fit in ("crop", "pad", "stretch", "crop"):
        load(f"folder:{wide},size=24,fit={fit}")
    assert len([*cache.iterdir()]) == 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (",fit=crpo", r"fit must be 'crop', 'pad', 'stretch', not 'crpo'; did you mean 'crop'\?"),
        (",filter=area", r"filter must be .*'box'"),
        (",size=513", "size must be 16 to 512, or WIDTHxHEIGHT such as 96x64, not '513'"),
        (",size=96x8", "not '96x8'"),
        (",size=96x", "not '96x'"),
        (",size=32x32x32", "not '32x32x32'"),
        (",test=0", "test must be more than 0 and at most 0.9, not '0'"),
        (",test=1", "test must be more than 0 and at most 0.9, not '1'"),
        (",test=10%", "no folder"),
        (",strict=1", "strict takes no value"),
    ],
)
def test_options_that_are_not_allowed(wide: Path, options: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        find(f"folder:{wide}{options}")


def test_a_name_is_completed_with_what_is_drawn(wide: Path) -> None:
    assert completed("folder:x", (3, 64, 64)) == "folder:x,size=64,channels=3"
    assert (
        completed("folder:x,flip,channels=1", (1, 32, 64)) == "folder:x,flip,channels=1,size=64x32"
    )
    assert completed("folder:x,size=64,y,size=32", (1, 8, 8)) == (
        "folder:x,size=64,y,size=32,channels=1"
    )
    assert Folder.parse(completed(f"folder:{wide}", (1, 32, 64))).shape == (1, 32, 64)


def test_a_name_can_be_made_absolute(wide: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(wide.parent)
    assert absolute("folder:wide,size=96x48,flip") == f"folder:{wide},size=96x48,flip"
    assert absolute(f"folder:{wide}") == f"folder:{wide}"
    assert absolute("mnist,without=2") == "mnist,without=2"


def test_a_folder_that_is_named_without_its_prefix(wide: Path) -> None:
    with pytest.raises(UnknownNameError, match=rf"but a folder; .* named folder:{wide},size=20"):
        find(f"{wide},size=20")


# ----------------------------------------------------------------------------------- skipped


def broken(folder: Path) -> None:
    (folder / "3.png").write_bytes((folder / "3.png").read_bytes()[:60])
    (folder / "5.png").write_text("no picture")


def test_bad_pictures_stop_nothing_and_are_named(wide: Path, cache: Path) -> None:
    name = f"folder:{wide},size=16,fit=stretch"
    whole = load(name).batch("image", torch.arange(8))
    broken(wide)
    for source in (load(name), load(name)):  # decoded, and read again
        kept = source.batch("image", torch.arange(6))
        assert len(source) == 6 and torch.equal(kept, whole[[0, 1, 2, 4, 6, 7]])
        assert "\nskipped 2: 3.png (" in source.report and "5.png (no picture)" in source.report
    assert len([*cache.iterdir()]) == 1  # what was decoded before has gone
    # on disk as in memory
    mapped = load(name, memory_limit=0)
    assert torch.equal(mapped.batch("image", torch.arange(6)), kept)
    with pytest.raises(PictureError, match=r"3\.png' cannot be read"):
        load(f"{name},strict")


def test_strict_stops_at_once_and_leaves_nothing(wide: Path, cache: Path) -> None:
    broken(wide)
    with pytest.raises(PictureError, match=r"3\.png' cannot be read"):
        load(f"folder:{wide},strict")
    assert not [*cache.iterdir()]


def test_a_folder_of_bad_pictures(tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / f"{number}.png").write_text("no picture")
    with pytest.raises(DataError, match=r"0\.png' cannot be read \(no picture\)"):
        find(f"folder:{tmp_path}")
    with pytest.raises(DataError, match=r"none of the 3 pictures .* '0\.png': no picture"):
        load(f"folder:{tmp_path},size=16,channels=1")


def test_a_guess_looks_past_bad_pictures(wide: Path) -> None:
    (wide / "0.png").write_text("no picture")
    assert Folder.parse(f"folder:{wide}").shape == (1, 48, 48)


def test_a_picture_that_goes_away_is_skipped(wide: Path) -> None:
    folder = Folder.parse(f"folder:{wide},size=16")
    (wide / "2.png").unlink()
    found = decoded(folder.path, folder.files, folder.shape, folder.preprocessing)
    assert found.skipped == {2: "no such file"} and len(found.pixels) == 7


def test_a_damaged_file_of_the_cache_is_made_again(wide: Path, cache: Path) -> None:
    name = f"folder:{wide},size=16"
    whole = load(name).batch("image", torch.arange(8))
    (file,) = cache.iterdir()
    file.write_bytes(file.read_bytes()[:-20])
    assert torch.equal(load(name).batch("image", torch.arange(8)), whole)
    assert np.load(file).shape == (8, 1, 16, 16)


# ------------------------------------------------------------------------------------ report


def test_the_report_says_what_becomes_of_the_pictures(wide: Path) -> None:
    lines = load(f"folder:{wide},size=24").report.splitlines()
    assert lines == [
        "8 pictures in 'wide' as 24x24 grey (fit=crop, filter=lanczos, background=white)",
        "all are 96x48; fit=crop cuts 50% of their area away, pad and stretch would keep it",
        "all are 96x48, which is larger; size=... up to 512 would keep more detail",
    ]
    (wide / ".thumbnails").mkdir()
    (wide / "x.heic").write_text("")
    report = load(f"folder:{wide},size=96x48").report.splitlines()
    assert report[1:] == ["left out: 1 file of other kinds (.heic 1); hidden folders .thumbnails"]
    padded = load(f"folder:{wide},size=48,fit=pad").report
    assert "fit=pad leaves 50% of the image to the white background" in padded
    divided = load(f"folder:{wide},size=48,test=0.3").report
    train, test = (len(load(f"folder:{wide},size=48,test=0.3", s)) for s in ("train", "test"))
    assert f"{train} to train on, {test} to test, divided by hash (test=0.3)" in divided


def test_other_data_are_reported_too() -> None:
    assert load("digits").report == "'digits': 10,000 samples of image: image 1x28x28, label: label"


def test_what_a_name_says_of_fitting_is_known_without_its_pictures() -> None:
    """A stopped run draws and scores without its data."""
    assert preprocessing_of("folder:gone,size=64,fit=pad,filter=box") == Preprocessing("pad", "box")
    assert preprocessing_of("mnist,without=2") == Preprocessing()
