"""Files and folders that are whole or not there, and who owns a folder."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ganzoo import atomic, lock

LAST = "proof"


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_replaces_the_one_before_and_its_own_leftovers(tmp_path: Path) -> None:
    path = tmp_path / "a[1].txt"
    atomic.write_text(path, "one")
    (tmp_path / f".{path.name}.saving-dead").write_bytes(b"half")
    atomic.write_text(path, "two")
    assert path.read_text() == "two" and names(tmp_path) == [path.name]
    assert path.stat().st_mode & 0o777 == 0o666 & ~_umask()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_what_a_live_process_is_writing_is_no_leftover(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    live = tmp_path / ".a.txt.saving-live"
    with live.open("wb") as file:
        assert lock.acquired(file.fileno())
        atomic.write_text(path, "mine")
        assert names(tmp_path) == [live.name, path.name]


def test_a_folder_takes_its_place_at_once(tmp_path: Path) -> None:
    place = tmp_path / "model"
    with atomic.replaced(place, last=LAST) as new:
        (new / LAST).write_text("1")
        assert not place.exists() and new.parent == tmp_path
    assert names(tmp_path) == ["model"] and names(place) == [LAST]
    assert place.stat().st_mode & 0o777 == 0o777 & ~_umask()
    with atomic.replaced(place, last=LAST) as new:
        (new / LAST).write_text("2")
        (new / "other").mkdir()
        assert (place / LAST).read_text() == "1"
    assert (place / LAST).read_text() == "2" and names(place) == ["other", LAST]
    assert names(tmp_path) == ["model"]


def test_an_error_leaves_the_old_folder(tmp_path: Path) -> None:
    place = tmp_path / "model"
    place.mkdir()
    (place / LAST).write_text("1")
    with pytest.raises(ValueError, match="no"), atomic.replaced(place, last=LAST) as new:
        (new / LAST).write_text("2")
        raise ValueError("no")
    assert (place / LAST).read_text() == "1" and names(tmp_path) == ["model"]


def test_a_folder_that_a_link_leads_to_is_replaced_behind_it(tmp_path: Path) -> None:
    real = tmp_path / "disk" / "model"
    real.mkdir(parents=True)
    (tmp_path / "link").symlink_to(real)
    with atomic.replaced(tmp_path / "link", last=LAST) as new:
        (new / LAST).write_text("2")
    assert (tmp_path / "link").is_symlink() and (real / LAST).read_text() == "2"


def test_where_folders_cannot_change_places_the_proof_moves_last(tmp_path, monkeypatch) -> None:
    """As on a mount point: a folder that cannot be moved is filled from inside."""
    place = tmp_path / "model"
    (place / "old").mkdir(parents=True)
    (place / LAST).write_text("1")
    monkeypatch.setattr(os.path, "ismount", lambda path: Path(path) == place)
    moved: list[str] = []
    replace = Path.replace
    monkeypatch.setattr(
        Path, "replace", lambda self, to: (moved.append(self.name), replace(self, to))[1]
    )
    with atomic.replaced(place, last=LAST) as new:
        assert new.parent == place
        for name in (LAST, "a", "z"):
            (new / name).write_text("2")
    assert moved == ["a", "z", LAST] and names(place) == ["a", LAST, "z"]


# ---------------------------------------------------------------------------------- owners

OWN = "import sys; from pathlib import Path; from ganzoo.lock import owned\n"


def python(code: str, folder: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", code, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )


def test_one_process_owns_a_folder_and_a_dead_one_does_not(tmp_path: Path) -> None:
    code = OWN + (
        "with owned(Path(sys.argv[1])):\n    print('mine', flush=True)\n    sys.stdin.read()\n"
    )
    with python(code, tmp_path) as other:
        assert other.stdout and other.stdout.readline() == b"mine\n"
        with pytest.raises(BlockingIOError, match=f"process {other.pid}"), lock.owned(tmp_path):
            pass
        other.kill()
        other.wait()
        with lock.owned(tmp_path):
            pass


def test_a_folder_has_one_owner_in_a_process_too(tmp_path: Path) -> None:
    with lock.owned(tmp_path):
        with pytest.raises(BlockingIOError), lock.owned(tmp_path):
            pass
        with pytest.raises(BlockingIOError), lock.owned(tmp_path):
            pass
    with lock.owned(tmp_path):
        pass


def test_a_child_does_not_keep_the_lock_of_its_dead_parent(tmp_path: Path) -> None:
    code = OWN + (
        "import os\n"
        "with owned(Path(sys.argv[1])):\n"
        "    child = os.fork()\n"
        "    if child == 0:\n        print(os.getpid(), flush=True)\n        sys.stdin.read()\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    with python(code, tmp_path) as parent:
        assert parent.stdout and int(parent.stdout.readline())
        parent.wait()
        with lock.owned(tmp_path):
            pass
