"""Fetching: what is damaged or out of reach is said, and never used."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ganzoo
from ganzoo import hub
from ganzoo.errors import (
    HubError,
    IntegrityError,
    StoreError,
    UnreachableError,
)
from ganzoo.hub import download, fetch, local, remote
from ganzoo.hub.names import Repository
from ganzoo.models import store
from tests.builders import model_of
from tests.hub_models import WRITER, closed_port, contents, drawn, get, python
from tests.hub_server import HubServer

# how huggingface_hub hands its HTTP client a file; its own matter
pytestmark = [
    pytest.mark.usefixtures("hub_home"),
    pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning"),
]


# -------------------------------------------------------------------------------------- damage


def flipped(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


@pytest.mark.parametrize("file", ["config.json", "model.safetensors"])
def test_a_flipped_bit_is_fetched_once_more(server: HubServer, folder: Path, file: str) -> None:
    server.add("me/tiny", contents(folder))
    spoilt: list[str] = []

    def once(name: str, content: bytes) -> bytes:
        if name == file and not spoilt:
            spoilt.append(name)
            return flipped(content)
        return content

    server.fault = once
    assert np.array_equal(drawn(get(server)), drawn(model_of("dcgan")))
    assert spoilt == [file]


@pytest.mark.parametrize("file", ["config.json", "model.safetensors"])
def test_a_file_that_stays_damaged_is_refused_and_not_kept(
    server: HubServer, folder: Path, file: str
) -> None:
    server.add("me/tiny", contents(folder))
    server.fault = lambda name, content: flipped(content) if name == file else content
    with pytest.raises(IntegrityError, match=rf"{file} of me/tiny.*fetched twice and is refused"):
        get(server)
    assert not list(local.cache_of(server.url, None).rglob(f"snapshots/*/{file}"))
    with pytest.raises(UnreachableError):  # what came of it does not count as cached
        get(server, local_files_only=True)
    server.fault = None
    get(server)


def test_weights_that_config_does_not_name_are_not_fetched(
    server: HubServer, folder: Path, tmp_path: Path
) -> None:
    other = store.save(model_of("gan"), tmp_path / "other")
    weights = (other / "model.safetensors").read_bytes()
    server.add("me/tiny", {**contents(folder), "model.safetensors": weights})
    with pytest.raises(IntegrityError, match="an upload that was left half done"):
        get(server)
    assert "model.safetensors" not in {one.path.split("/")[-1] for one in server.asked}


def test_what_was_damaged_in_the_cache_is_fetched_again(server: HubServer, folder: Path) -> None:
    server.add("me/tiny", contents(folder))
    get(server)
    path = hub.resolve("me/tiny", endpoint=server.url) / "model.safetensors"
    path.resolve().write_bytes(flipped(path.read_bytes()))
    with pytest.raises(IntegrityError):
        get(server, local_files_only=True)
    assert np.array_equal(drawn(get(server)), drawn(model_of("dcgan")))
    get(server, local_files_only=True)


def test_truncation(server: HubServer, folder: Path) -> None:
    server.add("me/tiny", contents(folder))
    server.fault = lambda name, content: content[:-7]
    with pytest.raises(UnreachableError, match="the download broke off"):
        get(server)


def test_a_line_that_is_cut_in_the_middle_is_taken_up_again(
    server: HubServer, folder: Path
) -> None:
    server.add("me/tiny", contents(folder))
    cut: list[str] = []

    def once(name: str, content: bytes) -> bytes | None:
        if name == "model.safetensors" and not cut:
            cut.append(name)
            return None
        return content

    server.fault = once
    assert np.array_equal(drawn(get(server)), drawn(model_of("dcgan")))
    assert cut


def test_a_hub_that_goes_away_in_the_middle(
    server: HubServer, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.add("me/tiny", contents(folder))
    monkeypatch.setattr(time, "sleep", lambda seconds: None)  # between the client's tries
    server.fault = lambda name, content: None if name == "model.safetensors" else content
    with pytest.raises(UnreachableError, match="me/tiny"):
        get(server)
    with pytest.raises(UnreachableError):
        get(server, local_files_only=True)


def test_what_arrived_before_a_line_broke_is_not_fetched_again(
    server: HubServer, folder: Path
) -> None:
    server.add("me/tiny", contents(folder))
    asked: list[int] = []

    def once(name: str, content: bytes) -> bytes | None:
        asked.append(len(content))
        return None if name == "model.safetensors" and len(asked) < 4 else content

    server.fault = once
    get(server)
    assert server.downloads.count("model.safetensors") > 1


@pytest.mark.parametrize("announced", [300_000_000, None])
def test_a_body_longer_than_its_record_is_cut(
    server: HubServer, folder: Path, announced: int | None
) -> None:
    server.add("me/tiny", contents(folder))
    sent: list[int] = []

    def endless(name: str, content: bytes) -> tuple[Iterator[bytes], int | None]:
        def parts() -> Iterator[bytes]:
            for _ in range(300):
                sent.append(1_000_000)
                yield b"x" * 1_000_000

        return (parts(), announced) if name == "model.safetensors" else (iter([content]), None)

    server.body = endless
    with pytest.raises(
        IntegrityError, match=r"model\.safetensors.* were expected\. It was fetched tw"
    ):
        get(server)
    assert sum(sent) < 100_000_000
    kept = [path for path in local.cache_of(server.url, None).rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in kept) < 100_000, kept


def test_an_endless_list_is_not_read_to_its_end(
    server: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests import hub_server

    def endless(self: Any, *_: Any) -> None:
        self._parts((b" " * 1_000_000 for _ in range(2000)), None)

    monkeypatch.setattr(hub_server, "ROUTES", [(r"/.*", ("GET",), endless)])
    with pytest.raises(IntegrityError, match="more than 10,000,000 bytes; no hub does"):
        get(server)


def test_a_byte_now_and_then_is_no_progress(
    server: HubServer, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.add("me/tiny", contents(folder))
    monkeypatch.setattr(download, "WINDOW", 0.3)
    gone = threading.Event()

    def drops(name: str, content: bytes) -> tuple[Iterator[bytes], int | None]:
        def parts() -> Iterator[bytes]:
            for index in range(len(content)):
                yield content[index : index + 1]
                gone.wait(0.02)

        return parts(), len(content)

    server.body = drops
    try:
        with pytest.raises(UnreachableError, match=r"only \d+ bytes came in .* is given up"):
            get(server)
    finally:
        gone.set()


def test_a_line_that_falls_silent_is_given_up(
    server: HubServer, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.add("me/tiny", contents(folder))
    monkeypatch.setattr(remote, "ANSWER", 0.2)
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    gone = threading.Event()

    def half(name: str, content: bytes) -> tuple[Iterator[bytes], int | None]:
        def parts() -> Iterator[bytes]:
            yield content[:10]
            gone.wait(20)

        return parts(), len(content)

    server.body = half
    try:
        with pytest.raises(UnreachableError, match="cannot reach"):
            get(server)
    finally:
        gone.set()


def test_a_busy_hub_is_asked_again_when_it_says(
    server: HubServer, folder: Path, monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    server.add("me/tiny", contents(folder))
    slept: list[float] = []
    monkeypatch.setattr(download.time, "sleep", slept.append)
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=10), usegmt=True)
    server.busy = [(429, "7"), (503, later)]
    get(server)
    assert slept[0] == 7 and 5 < slept[1] <= 10
    assert f"{server.url} is busy and asks to wait 7 seconds" in capfd.readouterr().err


def test_a_hub_that_asks_for_an_hour_is_not_waited_for(
    server: HubServer, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.add("me/tiny", contents(folder))
    monkeypatch.setattr(download.time, "sleep", lambda seconds: pytest.fail("it slept"))
    wanted = "in 3,600 seconds, and at most 60 are waited; try again then"
    server.busy = [(429, "3600")]
    with pytest.raises(UnreachableError, match=wanted):
        get(server)
    real = server.busy

    def at_the_files(name: str, content: bytes) -> bytes:
        real.append((503, "3600"))
        return content

    server.fault = at_the_files
    with pytest.raises(UnreachableError, match=wanted):
        get(server)


@pytest.mark.parametrize("silent", [False, True])
def test_a_mirror_that_lists_names_alone(server: HubServer, folder: Path, silent: bool) -> None:
    server.add("me/tiny", {**contents(folder), "README.md": b"card"})
    server.bare, server.silent = True, silent
    assert np.array_equal(drawn(get(server)), drawn(model_of("dcgan")))
    path = hub.resolve("me/tiny", endpoint=server.url)
    assert (path / "README.md").read_bytes() == b"card"
    known = remote.info(Repository("me/tiny"), endpoint=server.url, token=None).files
    assert all((file.size is None) == silent for file in known)
    # what is too long is cut whether it was announced or not
    server.add("me/large", {**contents(folder), "README.md": b"x" * 3000})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(remote, "MAX_SIZE", 1000)
        with pytest.raises(StoreError, match=r"at most 1,000 are read|1,000 were expected"):
            get(server, "me/large")


@pytest.mark.parametrize("spoil", [lambda content: content[:300], lambda content: b"", flipped])
def test_a_config_that_is_damaged_in_the_cache_heals(
    server: HubServer, folder: Path, spoil: Any
) -> None:
    server.add("me/tiny", contents(folder))
    path = hub.resolve("me/tiny", endpoint=server.url) / "config.json"
    path.resolve().write_bytes(spoil(path.read_bytes()))
    with pytest.raises(UnreachableError):
        get(server, local_files_only=True)
    assert np.array_equal(drawn(get(server)), drawn(model_of("dcgan")))
    get(server, local_files_only=True)


def test_the_cache_is_laid_out_as_the_hubs_own_client_lays_it_out(
    server: HubServer, folder: Path, hub_home: Path
) -> None:
    from huggingface_hub import snapshot_download

    server.add("me/tiny", contents(folder))
    path = fetch.pull(Repository("me/tiny"), endpoint=server.url, cache_dir=hub_home / "hub")
    server.asked.clear()
    found = snapshot_download("me/tiny", cache_dir=hub_home / "hub", local_files_only=True)
    assert Path(found) == path and server.asked == []


# ---------------------------------------------------------------------------- out of reach


def test_an_unreachable_hub_is_one_error_within_seconds() -> None:
    start, endpoint = time.monotonic(), closed_port()
    with pytest.raises(UnreachableError, match=rf"cannot reach {endpoint} for me/tiny"):
        ganzoo.from_pretrained("me/tiny", endpoint=endpoint)
    with pytest.raises(UnreachableError, match="cannot reach"):
        model_of("gan").push_to_hub("me/tiny", endpoint=endpoint, token=WRITER)
    assert time.monotonic() - start < 10


def test_a_hub_that_says_nothing_is_left_within_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "PATIENCE", 0.5)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}"
        start = time.monotonic()
        with pytest.raises(UnreachableError, match="no answer within"):
            ganzoo.from_pretrained("me/tiny", endpoint=endpoint)
        with pytest.raises(UnreachableError, match="no answer within"):
            remote.listed(None, None, endpoint=endpoint, token=None)
        assert time.monotonic() - start < 10


def test_something_else_at_that_address(server: HubServer, monkeypatch: Any) -> None:
    from tests import hub_server

    def page(self: Any, *_: Any) -> None:
        self._send(b"<html>log in</html>", {"Content-Type": "text/html"})

    monkeypatch.setattr(hub_server, "ROUTES", [(r"/.*", ("GET",), page)])
    with pytest.raises(HubError, match="does not answer as a hub does"):
        get(server)


OFFLINE = """
import sys, time
import ganzoo
from ganzoo.errors import UnreachableError
name, other, endpoint = sys.argv[1:]
ganzoo.from_pretrained(name, endpoint=endpoint).generate(1)
ganzoo.from_pretrained("dcgan-mnist").generate(1)
start = time.monotonic()
try:
    ganzoo.from_pretrained(other, endpoint=endpoint)
except UnreachableError as error:
    print(error)
assert time.monotonic() - start < 5
"""


def test_offline_what_is_cached_works_and_the_rest_says_why(
    server: HubServer, folder: Path, hub_home: Path
) -> None:
    server.add("me/tiny", contents(folder))
    get(server)
    server.asked.clear()
    done = python(
        OFFLINE, "me/tiny", "me/other", server.url, HF_HUB_OFFLINE="1", HF_HOME=str(hub_home)
    )
    assert done.returncode == 0, done.stderr
    assert "me/other is needed from" in done.stdout and "HF_HUB_OFFLINE is set" in done.stdout
    assert server.asked == []
