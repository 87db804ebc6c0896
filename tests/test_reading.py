"""Files from strangers: what is special, too large or somewhere else is refused at once."""

from __future__ import annotations

import os
import socket
import threading
from pathlib import Path

import pytest

from ganzoo import reading
from ganzoo.errors import StoreError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "file").write_bytes(b"content")
    return folder


def test_a_regular_file(folder: Path) -> None:
    assert reading.content(folder / "file", 7) == b"content"
    with pytest.raises(StoreError, match="has 7 bytes; at most 6 are read"):
        reading.content(folder / "file", 6)


def test_a_fifo_does_not_block(folder: Path) -> None:
    os.mkfifo(folder / "fifo")
    with pytest.raises(StoreError, match="it is a FIFO, and not a regular file"):
        reading.content(folder / "fifo", 100)


def test_other_special_files(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "sub").mkdir()
    monkeypatch.chdir(folder)  # addresses of sockets are short
    with socket.socket(socket.AF_UNIX) as one:
        one.bind("socket")
        for name, kind in (("sub", "a folder"), ("socket", "a socket"), ("/dev/zero", "a device")):
            with pytest.raises(StoreError, match=f"it is {kind}"):
                reading.content(folder / name, 100)


def test_links(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    for name, target in {
        "inside": "file", "out": "../secret", "absolute": "/etc/hostname", "loop": "loop",
        "nowhere": "missing", "device": "/dev/zero", "twice": "out",
    }.items():  # fmt: skip
        (folder / name).symlink_to(target)
    assert reading.content(folder / "inside", 10) == b"content"
    for name in ("out", "absolute", "device", "twice"):
        with pytest.raises(StoreError, match="a link out of its folder"):
            reading.content(folder / name, 100)
    for name in ("loop", "nowhere", "not there", "null\0byte"):
        with pytest.raises(StoreError, match="cannot be read"):
            reading.content(folder / name, 100)


def test_links_of_the_hubs_cache_stay_in_it(tmp_path: Path) -> None:
    """A snapshot links to the blobs of its repository, which may link to a store they share."""
    home = tmp_path / "hub" / "models--me--tiny"
    for place in (home / "snapshots" / "c0ffee", home / "blobs", tmp_path / "hub" / "blobs" / "ab"):
        place.mkdir(parents=True)
    (home / "blobs" / "one").write_bytes(b"one")
    (tmp_path / "hub" / "blobs" / "ab" / "two").write_bytes(b"two")
    (home / "blobs" / "two").symlink_to("../../blobs/ab/two")
    (tmp_path / "hub" / "secret").write_bytes(b"secret")
    snapshot = home / "snapshots" / "c0ffee"
    for name, target in {
        "one": "../../blobs/one", "two": "../../blobs/two", "out": "../../../secret"
    }.items():  # fmt: skip
        (snapshot / name).symlink_to(target)
    assert reading.content(snapshot / "one", 10) == b"one"
    assert reading.content(snapshot / "two", 10) == b"two"
    with pytest.raises(StoreError, match="a link out of its folder"):
        reading.content(snapshot / "out", 10)


def test_no_more_is_read_than_the_file_had(folder: Path) -> None:
    """A writer that appends for ever holds up nobody."""
    with reading.opened(folder / "file", 100) as (file, size):
        assert size == 7
        (folder / "file").write_bytes(b"x" * 1000)
        assert len(file.read(size)) == 7


def test_a_file_that_shrinks(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, before = os.fdopen, (folder / "file").stat()

    def shrink(handle: int, *args: object, **kwargs: object) -> object:
        os.truncate(folder / "file", 3)
        return real(handle, *args, **kwargs)  # type: ignore[call-overload]

    monkeypatch.setattr(os, "fdopen", shrink)
    monkeypatch.setattr(os, "fstat", lambda handle: before)
    with pytest.raises(StoreError, match="became shorter while it was read"):
        reading.content(folder / "file", 100)


def test_what_changes_kind_between_looking_and_opening(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, real = folder / "file", os.open

    def swapped(target: str | Path, flags: int) -> int:
        path.unlink()
        os.mkfifo(path)
        return real(target, flags)

    monkeypatch.setattr(os, "open", swapped)
    found: list[Exception] = []

    def read() -> None:
        try:
            reading.content(path, 100)
        except StoreError as error:
            found.append(error)

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    thread.join(10)
    assert not thread.is_alive() and "it is a FIFO" in str(found[0])
