"""Which files of a folder are pictures for people."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from PIL import Image as Picture

from ganzoo.data.picture_files import pictures_in, search
from ganzoo.errors import DataError


def put(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        Picture.new("L", (16, 16)).save(path, "PNG")


def names(folder: Path) -> list[str]:
    return [file.relative_to(folder).as_posix() for file in pictures_in(folder)]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    put(*(folder / "cat" / f"{index}.JPG" for index in range(3)), folder / "a.tiff")
    return folder


SEEN = ["a.tiff", "cat/0.JPG", "cat/1.JPG", "cat/2.JPG"]


@pytest.mark.parametrize(
    "hidden",
    [
        "cat/.ipynb_checkpoints/0-checkpoint.jpg",
        ".thumbnails/3.png",
        ".git/objects/x.png",
        "@eaDir/0.JPG/SYNOPHOTO_THUMB_M.jpg",
        "__MACOSX/cat/._0.JPG",
        "$RECYCLE.BIN/0.png",
        ".hidden.png",
    ],
)
def test_what_tools_hide_is_left_out(photos: Path, hidden: str) -> None:
    put(photos / hidden)
    assert names(photos) == SEEN
    top = hidden.removeprefix("cat/").split("/")[0]
    wanted = f"hidden folders {top}" if "/" in hidden else ""
    assert search(photos).left_out() == wanted


def test_the_folder_itself_may_be_hidden(tmp_path: Path) -> None:
    folder = tmp_path / ".config" / "my data, v1.0"
    put(folder / "good" / "x.png")
    assert names(folder) == ["good/x.png"]


def test_links_are_followed_once(photos: Path, tmp_path: Path) -> None:
    links = tmp_path / "links"
    links.mkdir()
    (links / "cats").symlink_to(photos / "cat")
    assert names(links) == ["cats/0.JPG", "cats/1.JPG", "cats/2.JPG"]
    # what is really there keeps its own path, whatever the link is called
    (photos / "aaa").symlink_to(photos / "cat")
    (photos / "cat" / "up").symlink_to(photos)
    (photos / "aaa.png").symlink_to(photos / "cat" / "0.JPG")
    assert names(photos) == SEEN
    put(tmp_path / "elsewhere" / "x.png")
    (photos / "one").symlink_to(tmp_path / "elsewhere")
    (photos / "two").symlink_to(tmp_path / "elsewhere")
    (photos / "y.png").symlink_to(tmp_path / "elsewhere" / "x.png")
    assert names(photos) == [*SEEN, "one/x.png"]


def test_what_is_left_out_is_told(photos: Path) -> None:
    for name in ("x.heic", "y.heic", "notes.txt", "README"):
        (photos / name).write_text("no picture that is read")
    (photos / "lost.png").symlink_to(photos / "gone.png")
    found = search(photos)
    assert len(found.files) == 4
    others, unread = found.left_out().split("; ")
    assert (
        others.startswith("4 files of other kinds (.heic 2, ") and unread == "unreadable lost.png"
    )
    assert dict(found.others) == {".heic": 2, ".txt": 1, "": 1}


def test_a_folder_that_cannot_be_opened_stops_nothing(
    photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(photos / "closed" / "x.png")
    look = os.scandir

    def scandir(path: Path) -> Any:
        if path.name == "closed":
            raise PermissionError(13, "Permission denied")
        return look(path)

    monkeypatch.setattr(os, "scandir", scandir)
    assert names(photos) == SEEN and search(photos).left_out() == "unreadable closed"


def test_folders_without_pictures(tmp_path: Path) -> None:
    (tmp_path / "x.heic").write_text("")
    with pytest.raises(DataError, match=r"no pictures in .*'\.tiff'.* Left out: 1 file of .*"):
        search(tmp_path)
    with pytest.raises(DataError, match=r"x\.heic' is a file; .*folder:PATH"):
        search(tmp_path / "x.heic")
    with pytest.raises(DataError, match=r"there is no folder"):
        search(tmp_path / "nowhere")
