"""Models by name, over a real socket: huggingface_hub's own client against a small hub."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import pickle
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from huggingface_hub import constants, get_token

import ganzoo
from ganzoo import hub
from ganzoo.errors import (
    AccessError,
    GanzooError,
    HubError,
    IntegrityError,
    MovedError,
    NotFoundError,
    StoreError,
    TaskError,
    UnknownNameError,
    UnreachableError,
)
from ganzoo.hub import download, fetch, local, remote
from ganzoo.hub.errors import scrubbed, translated
from ganzoo.hub.names import Repository, repository
from ganzoo.models import store
from ganzoo.models.model import Model
from ganzoo.publish import push
from ganzoo.publish.verify import verify
from tests.builders import model_of, run
from tests.hub_server import HubServer

ROOT = Path(__file__).parents[1]
# how huggingface_hub hands its HTTP client a file; its own matter
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")
# whoever is logged in as the tests begin; the fixture below hides it from all but one
TOKEN = get_token() if "GANZOO_HUB_LIVE" in os.environ else None
WRITER, READER = "hf_writer", "hf_reader"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of the hub's client without tokens or models."""
    home = tmp_path / "home"
    monkeypatch.setattr(constants, "HF_HOME", str(home))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(home / "hub"))
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(home / "token"))
    monkeypatch.setattr(constants, "HF_STORED_TOKENS_PATH", str(home / "stored_tokens"))
    monkeypatch.delenv("HF_TOKEN", raising=False)
    return home


@pytest.fixture
def server() -> Iterator[HubServer]:
    with HubServer() as server:
        yield server


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return store.save(model_of("dcgan"), tmp_path / "made" / "tiny", name="tiny")


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def drawn(model: Model) -> np.ndarray:
    return model.generate(4, seed=3, output="np")


def get(server: HubServer, name: str = "me/tiny", **options: Any) -> Model:
    return ganzoo.from_pretrained(name, endpoint=server.url, **options)


# ------------------------------------------------------------------------------- there and back


def test_pushed_and_fetched_it_draws_the_same(
    server: HubServer, capfd: pytest.CaptureFixture[str]
) -> None:
    model = model_of("dcgan")
    done = model.push_to_hub("me/tiny", endpoint=server.url, token=WRITER, private=True)
    repo = server.repos["me/tiny"]
    assert repo.private and done.commit == repo.refs["main"]
    assert done.url == f"{server.url}/me/tiny"
    # one commit on top of the one that the hub makes itself
    assert len(repo.commits) == 2
    sent = repo.commits[done.commit]
    assert set(sent) == {".gitattributes", "config.json", "model.safetensors", "README.md"}
    with pytest.raises(NotFoundError, match="or a private one"):
        get(server)
    capfd.readouterr()
    again = get(server, token=WRITER)
    assert np.array_equal(drawn(again), drawn(model))
    first, second = capfd.readouterr().err.splitlines()[:2]
    assert first == f"asking {server.url} for me/tiny"
    assert second.startswith("fetching 3 files of me/tiny, ")


def test_what_is_cached_is_used_without_the_network(server: HubServer, folder: Path) -> None:
    server.add("me/tiny", contents(folder))
    first = drawn(get(server))
    server.asked.clear()
    assert np.array_equal(drawn(get(server)), first)
    assert np.array_equal(drawn(get(server, "hf://me/tiny", local_files_only=True)), first)
    assert server.asked == []
    with pytest.raises(UnreachableError, match="ganzoo hub pull me/other"):
        get(server, "me/other", local_files_only=True)
    assert server.asked == []


def test_caches_of_two_hubs_are_apart(server: HubServer, folder: Path) -> None:
    server.add("me/tiny", contents(folder))
    get(server)
    with HubServer() as other, pytest.raises(NotFoundError):
        get(other)


def test_revisions(server: HubServer, folder: Path, tmp_path: Path) -> None:
    repo = server.add("me/tiny", contents(folder))
    old = repo.refs["main"]
    other = store.save(model_of("gan"), tmp_path / "other", name="later")
    new = repo.commit({**repo.commits[old], **contents(other)})
    repo.refs["v1"] = old
    assert get(server).title == "later"
    assert get(server, "me/tiny@v1").title == get(server, revision="v1").title == "tiny"
    assert get(server, f"me/tiny@{old}").title == "tiny"
    with pytest.raises(NotFoundError, match="no such revision"):
        get(server, revision="v2")
    with pytest.raises(UnknownNameError, match="one revision, not two"):
        get(server, "me/tiny@v1", revision="v2")
    # a branch that moves is followed when one asks, and not before
    repo.commit(repo.commits[old])
    assert get(server).title == "later"
    folder = fetch.pull(Repository("me/tiny"), endpoint=server.url)
    assert folder.name == repo.refs["main"] != new
    assert get(server).title == "tiny"


def test_only_what_a_model_needs_is_fetched(server: HubServer, folder: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return (os.abort, ())

    trap = pickle.dumps(Trap())
    files = {
        **contents(folder), "pytorch_model.bin": trap, "model.pkl": trap, "model.pt": trap,
        "modeling.py": b"raise SystemExit", "__init__.py": b"", "setup.sh": b"exit",
        "samples.png": b"picture", "sub/config.json": b"{}", "sub/x.png": b"", "a b.png": b"",
        "other.safetensors": b"x" * 100, ".hidden.png": b"", "metrics.json": b"{}",
    }  # fmt: skip
    server.add("me/tiny", files)
    assert np.array_equal(drawn(get(server)), drawn(model_of("dcgan")))
    wanted = {"config.json", "model.safetensors", "samples.png", "metrics.json"}
    assert set(server.downloads) == wanted
    cache = local.cache_of(server.url, None)
    assert {p.name for p in cache.rglob("snapshots/*/**/*") if p.is_file()} == wanted


def test_a_repository_of_something_else(server: HubServer) -> None:
    server.add("me/bert", {"config.json": b'{"model_type": "bert"}', "pytorch_model.bin": b"x"})
    with pytest.raises(StoreError, match=r"no model of ganzoo: there is no model\.safetensors"):
        get(server, "me/bert")
    server.add("me/other", {"config.json": b'{"a": 1}', "model.safetensors": b"x"})
    with pytest.raises(StoreError, match="no config of ganzoo"):
        get(server, "me/other")
    assert "model.safetensors" not in server.downloads


def test_files_of_absurd_size_are_not_fetched(
    server: HubServer, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.add("me/tiny", {**contents(folder), "README.md": b"x" * 2000})
    monkeypatch.setattr(remote, "MAX_SIZE", 1000)
    with pytest.raises(StoreError, match=r"README\.md has 2,000 bytes; at most 1,000"):
        get(server)
    assert server.downloads == []
    many = {f"{number}.png": b"" for number in range(80)}
    server.add("me/many", {**contents(folder), **many})
    with pytest.raises(StoreError, match="82 files; 64 at most"):
        get(server, "me/many")


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
    server: HubServer, folder: Path, home: Path
) -> None:
    from huggingface_hub import snapshot_download

    server.add("me/tiny", contents(folder))
    path = fetch.pull(Repository("me/tiny"), endpoint=server.url, cache_dir=home / "hub")
    server.asked.clear()
    found = snapshot_download("me/tiny", cache_dir=home / "hub", local_files_only=True)
    assert Path(found) == path and server.asked == []


# ---------------------------------------------------------------------------- out of reach


def closed_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"


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


def python(code: str, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, check=False, cwd=ROOT,
        env={**os.environ, **environment},
    )  # fmt: skip


def test_offline_what_is_cached_works_and_the_rest_says_why(
    server: HubServer, folder: Path, home: Path
) -> None:
    server.add("me/tiny", contents(folder))
    get(server)
    server.asked.clear()
    done = python(OFFLINE, "me/tiny", "me/other", server.url, HF_HUB_OFFLINE="1", HF_HOME=str(home))
    assert done.returncode == 0, done.stderr
    assert "me/other is needed from" in done.stdout and "HF_HUB_OFFLINE is set" in done.stdout
    assert server.asked == []


# ---------------------------------------------------------------------------------- names


@pytest.mark.parametrize(
    "name, found",
    [
        ("me/tiny", Repository("me/tiny")),
        ("me/tiny@v1.0", Repository("me/tiny", "v1.0")),
        ("me/tiny@refs/pr/1", Repository("me/tiny", "refs/pr/1")),
        ("hf://me/tiny", Repository("me/tiny")),
        ("hf://models/me/tiny@dev", Repository("me/tiny", "dev")),
        *[
            (name, None)
            for name in ("tiny", "a/b/c", "./tiny", "/me/tiny", "../tiny", "me/", "me/..", "~/x",
                         "me\\tiny", "me/ti ny", "me/tiny\n", "me//tiny", "", "m--e/tiny")
        ],
    ],
)  # fmt: skip
def test_what_names_mean(name: str, found: Repository | None) -> None:
    assert repository(name) == found


@pytest.mark.parametrize(
    "name", ["me/tiny@", "me/tiny@../../x", "me/tiny@-x", "me/tiny@a b", "hf://tiny", "me/t@a@b"]
)
def test_names_that_no_repository_has(name: str) -> None:
    with pytest.raises(UnknownNameError, match=r"names no repository|is not a revision"):
        repository(name)


def test_a_bare_name_is_never_taken_for_a_repository(
    server: HubServer, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.add("me/tiny", contents(folder))
    get(server, cache_dir=constants.HF_HUB_CACHE)
    server.asked.clear()
    monkeypatch.setattr(constants, "ENDPOINT", server.url)
    with pytest.raises(UnknownNameError, match=r"did you mean 'me/tiny'\? here: .*org/name"):
        ganzoo.from_pretrained("tiny")
    with pytest.raises(UnknownNameError, match="did you mean 'dcgan-mnist'"):
        ganzoo.from_pretrained("dcgan-mnits")
    assert server.asked == []


def test_a_folder_comes_before_a_repository_of_that_name(
    server: HubServer, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder.parent.parent)
    assert get(server, "made/tiny").title == "tiny"
    assert server.asked == []
    with pytest.raises(UnknownNameError, match="has no revision 'v1'"):
        get(server, "made/tiny", revision="v1")
    # next to folders of people's own a name is more likely mistyped than on the hub
    with pytest.raises(UnknownNameError, match=r"did you mean 'made/tiny'\? .* hf://made/tinny"):
        get(server, "made/tinny", token=READER)
    assert server.asked == []
    for name in ("hf://made/tinny", "made/tinny@main"):
        with pytest.raises(NotFoundError, match="no folder of that name"):
            get(server, name, token=READER)


# ----------------------------------------------------------------------------------- pushing


def test_a_folder_with_all_that_goes_with_it(
    server: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = hub.installed()["dcgan-mnist"]
    done = push.push(folder, "org/dcgan", endpoint=server.url, token=WRITER)
    sent = server.repos["org/dcgan"].commits[done.commit]
    sent.pop(".gitattributes")
    assert sent == contents(folder)
    # as published, and nothing to do
    again = push.push(folder, "org/dcgan", endpoint=server.url, token=WRITER)
    assert again.unchanged and again.commit == done.commit
    fetched = hub.resolve("org/dcgan", endpoint=server.url)
    assert contents(fetched) == sent


def test_a_commit_replaces_what_is_there_and_leaves_other_files(
    server: HubServer, folder: Path
) -> None:
    server.add("me/tiny", {**contents(folder), "samples.png": b"old", "notes.txt": b"mine"})
    other = store.save(model_of("gan"), folder.parent / "other")
    (other / "losses.png").write_bytes(b"new")
    (other / "secret.pkl").write_bytes(b"not for anybody")
    done = push.push(other, "me/tiny", endpoint=server.url, token=WRITER)
    repo = server.repos["me/tiny"]
    assert set(repo.commits[done.commit]) == {
        ".gitattributes", "notes.txt", "config.json", "model.safetensors", "README.md",
        "losses.png",
    }  # fmt: skip
    assert len(repo.commits) == 3


def test_a_card_that_somebody_wrote_stays(
    server: HubServer, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    theirs = {"README.md": b"by hand", "samples.png": b"shown there", "metrics.json": b"{}"}
    server.add("me/tiny", {**contents(folder), **theirs})
    model = model_of("gan")
    done = model.push_to_hub("me/tiny", endpoint=server.url, token=WRITER)
    sent = server.repos["me/tiny"].commits[done.commit]
    assert sent["README.md"] == b"by hand" and "samples.png" in sent
    assert "metrics.json" not in sent  # figures of other weights
    assert "README.md stays as it is there" in capfd.readouterr().err
    made = store.save(model, folder.parent / "own")
    (made / "README.md").write_text("---\nlibrary_name: ganzoo\n---\nmine")
    done = push.push(made, "me/tiny", endpoint=server.url, token=WRITER)
    sent = server.repos["me/tiny"].commits[done.commit]
    assert sent["README.md"].endswith(b"mine") and "samples.png" not in sent


def test_refused_where_somebody_was_faster(server: HubServer, folder: Path) -> None:
    repo = server.add("me/tiny", contents(folder))
    looked_at = repo.refs["main"]
    theirs: list[str] = []

    def meanwhile(repo: Any) -> None:
        theirs.append(repo.commit({**repo.commits[looked_at], "notes.txt": b"theirs"}))

    server.before_commit = meanwhile
    other = store.save(model_of("gan"), folder.parent / "other")
    with pytest.raises(MovedError, match="ganzoo hub pull me/tiny"):
        push.push(other, "me/tiny", endpoint=server.url, token=WRITER)
    assert repo.refs["main"] == theirs[0]
    server.before_commit = None
    with pytest.raises(MovedError, match=f"rests on {looked_at[:12]}"):
        push.push(other, "me/tiny", endpoint=server.url, token=WRITER, parent=looked_at)
    push.push(other, "me/tiny", endpoint=server.url, token=WRITER, parent=theirs[0])


def test_branches_and_pull_requests(server: HubServer, folder: Path) -> None:
    repo = server.add("them/tiny", contents(folder))
    before = repo.refs["main"]
    model = model_of("gan")
    asked = {"endpoint": server.url, "token": WRITER}
    done = model.push_to_hub("them/tiny", create_pr=True, **asked)
    assert done.pull_request == f"{server.url}/them/tiny/discussions/1"
    assert repo.refs == {"main": before, "refs/pr/1": done.commit}
    proposed = get(server, "them/tiny@refs/pr/1")
    assert np.array_equal(drawn(proposed), drawn(model))
    with pytest.raises(AccessError, match="hf auth login"):
        model.push_to_hub("them/tiny", **asked)
    with pytest.raises(NotFoundError):  # nobody proposes to what is not there
        model.push_to_hub("them/other", create_pr=True, **asked)
    with pytest.raises(TaskError, match="to main"):
        model.push_to_hub("them/tiny", create_pr=True, revision="dev", **asked)
    server.add("me/tiny", contents(folder))
    done = model.push_to_hub("me/tiny", revision="dev", **asked)
    refs = server.repos["me/tiny"].refs
    assert refs["dev"] == done.commit != refs["main"]
    with pytest.raises(UnknownNameError, match="give a branch"):
        model.push_to_hub("me/tiny", revision=done.commit, **asked)


def test_what_holds_something_else_is_not_written_over(server: HubServer) -> None:
    server.add("me/bert", {"pytorch_model.bin": b"x", "README.md": b"BERT"})
    with pytest.raises(HubError, match=r"something else \(pytorch_model.bin\)"):
        model_of("gan").push_to_hub("me/bert", endpoint=server.url, token=WRITER)
    server.add("me/new", {"README.md": b"soon"})
    model_of("gan").push_to_hub("me/new", endpoint=server.url, token=WRITER)


def test_nothing_is_sent_of_a_model_that_does_not_come_back(
    server: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = store.load

    def forgetful(folder: Path, **options: Any) -> Model:
        model = kept(folder, **options)
        next(iter(model.networks["G"].parameters())).mul_(1.001)
        return model

    model = model_of("dcgan")
    monkeypatch.setattr(store, "load", forgetful)
    with pytest.raises(StoreError, match="answers otherwise, by"):
        model.push_to_hub("me/tiny", endpoint=server.url, token=WRITER)
    monkeypatch.setattr(store, "load", kept)
    next(iter(model.networks["G"].parameters())).fill_(float("nan"))
    with pytest.raises(StoreError, match="not finite"):
        model.push_to_hub("me/tiny", endpoint=server.url, token=WRITER)
    assert server.asked == []


def test_weights_keep_the_type_they_had(server: HubServer, tmp_path: Path) -> None:
    half = store.save(model_of("dcgan"), tmp_path / "half", dtype="float16")
    model = ganzoo.from_pretrained(half)
    done = model.push_to_hub("me/half", endpoint=server.url, token=WRITER)
    sent = server.repos["me/half"].commits[done.commit]
    assert sent["model.safetensors"] == (half / "model.safetensors").read_bytes()


def test_a_dry_run_checks_all_and_asks_nobody(folder: Path) -> None:
    done = push.push(folder, "me/tiny", endpoint=closed_port(), dry_run=True)
    assert done.commit == "" and dict(done.files).keys() == {
        "README.md", "config.json", "model.safetensors"
    }  # fmt: skip
    (folder / "model.safetensors").write_bytes(b"damaged")
    with pytest.raises(IntegrityError):
        push.push(folder, "me/tiny", endpoint=closed_port(), dry_run=True)
    with pytest.raises(UnknownNameError, match="write org/name"):
        push.push(folder, "tiny", dry_run=True)


def test_paths_of_this_machine_stay_here(server: HubServer, tmp_path: Path) -> None:
    name = "folder:/home/somebody/private/photos,size=16"
    folder = store.save(
        model_of("dcgan"), tmp_path / "m", name="mine", data={"name": name, "size": 9},
        command=f"ganzoo train dcgan --data {name}",
    )  # fmt: skip
    done = push.push(folder, "me/mine", endpoint=server.url, token=WRITER)
    sent = server.repos["me/mine"].commits[done.commit]
    assert not [name for name, content in sent.items() if b"somebody" in content]
    assert json.loads(sent["config.json"])["data"]["name"] == "folder:photos,size=16"
    assert b"somebody" in (folder / "config.json").read_bytes()


def test_the_whole_zoo_is_published_and_a_second_time_is_idle(
    server: HubServer, tmp_path: Path
) -> None:
    def publishing(*words: str) -> str:
        done = subprocess.run(
            [sys.executable, "scripts/publish.py", "org", "--endpoint", server.url, *words],
            capture_output=True, text=True, cwd=ROOT,
            env={**os.environ, "HF_TOKEN": WRITER, "HF_HOME": str(tmp_path)},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert publishing().count("nothing sent") == len(hub.installed())
    assert server.asked == []
    publishing("--for-real")
    assert set(server.repos) == {f"org/{name}" for name in hub.installed()}
    commits = {id: repo.refs["main"] for id, repo in server.repos.items()}
    again = publishing("--for-real", "--only", "gan-mnist", "dcgan-mnist")
    assert again.count("there already") == 2
    assert commits == {id: repo.refs["main"] for id, repo in server.repos.items()}


def test_the_snippet_of_the_readme(server: HubServer, folder: Path, tmp_path: Path) -> None:
    """As a user without a word of configuration but the hub's own."""
    from tests.readme import block

    server.add("someone/their-gan", contents(folder))
    done = python(
        block("python", "push_to_hub"), HF_ENDPOINT=server.url, HF_TOKEN=WRITER,
        HF_HOME=str(tmp_path),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert server.repos["me/my-gan"].private


# ------------------------------------------------------------------------------------- cards


def head(text: str) -> dict[str, Any]:
    match = re.match(r"---\n(.*?)\n---\n", text, re.DOTALL)
    assert match
    return yaml.safe_load(match[1])


def test_a_card_is_made_where_there_is_none(server: HubServer, tmp_path: Path) -> None:
    source = hub.installed()["dcgan-mnist"]
    folder = tmp_path / "mine"
    folder.mkdir()
    for name in ("config.json", "model.safetensors", "metrics.json", "samples.png"):
        (folder / name).write_bytes((source / name).read_bytes())
    done = push.push(folder, "me/mine", endpoint=server.url, token=WRITER, licence="cc-by-4.0")
    text = server.repos["me/mine"].commits[done.commit]["README.md"].decode()
    assert 'ganzoo.from_pretrained("me/mine")' in text and "![Samples of" in text
    assert not (folder / "README.md").exists()
    facts = head(text)
    assert facts["license"] == "cc-by-4.0" and "The weights are cc-by-4.0." in text
    (index,) = facts["model-index"]
    assert index["name"] == "me/mine"
    bare = push.push(folder, "me/bare", endpoint=server.url, token=WRITER)
    text = server.repos["me/bare"].commits[bare.commit]["README.md"].decode()
    assert "license" not in head(text) and "The weights are" not in text


@pytest.mark.parametrize("name", hub.installed())
def test_heads_of_published_cards_follow_the_conventions(name: str) -> None:
    """What the hub reads: library, task, licence, data, and each figure with its protocol."""
    from ganzoo.metrics import report

    folder = hub.installed()[name]
    facts = head((folder / "README.md").read_text("utf-8"))
    config = json.loads((folder / "config.json").read_text())
    said = report.read(folder)
    assert said
    assert facts["library_name"] == "ganzoo" and "ganzoo" in facts["tags"]
    assert facts["license"] == "apache-2.0"
    kind = next(iter(config["spec"]["tasks"].values()))["kind"]
    tasks = {
        "generate": "unconditional-image-generation",
        "encode": "image-classification",
        "translate": "image-to-image",
    }
    if "classes" not in config["spec"]["tasks"]:
        tasks["encode"] = "image-feature-extraction"
    if any(draw["kind"] == "text" for draw in config["spec"]["draws"].values()):
        tasks["generate"] = "text-to-image"
    assert facts.get("pipeline_tag") == tasks.get(kind)
    assert ("anomaly-detection" in facts["tags"]) == (kind == "score")
    data = {"mnist": "ylecun/mnist", "fashion-mnist": "zalando-datasets/fashion_mnist"}
    there = data.get(config["data"]["name"].split(",")[0])
    assert facts.get("datasets") == ([there] if there else None)
    (index,) = facts["model-index"]
    assert index["name"] == name
    (results,) = index["results"]
    assert results["dataset"] == {
        "type": there or said.data, "name": said.data, "split": said.split
    }  # fmt: skip
    for metric, (key, figure) in zip(results["metrics"], said.figures.items(), strict=True):
        assert (metric["type"], metric["value"]) == (key, figure.value)
        protocol = metric["args"]
        assert (protocol["real"], protocol["generated"]) == (figure.real, figure.generated)
        assert protocol["seed"] == said.seed
        if extractor := said.feature_extractor:
            by = f"{extractor['name']}, sha256 {extractor['sha256']}"
            # cards that were written before say judge
            assert protocol.get("feature extractor", protocol.get("judge")) == by


# ------------------------------------------------------------------------------------ errors


def test_no_error_of_the_client_comes_out(server: HubServer, folder: Path) -> None:
    """Each of huggingface_hub's, and each of its HTTP client's, in ganzoo's words."""
    import httpx2
    from huggingface_hub import errors as theirs

    request = httpx2.Request("GET", f"{server.url}/me/tiny")
    raised: list[Exception] = []
    for status in (400, 401, 403, 404, 409, 412, 413, 429, 500, 503):
        response = httpx2.Response(status, request=request)
        raised.append(theirs.HfHubHTTPError(f"{status} hf_secretsecret", response=response))
        raised.append(httpx2.HTTPStatusError("no", request=request, response=response))
    response = httpx2.Response(404, request=request)
    for module in (theirs, httpx2):
        for kind in vars(module).values():
            if not (isinstance(kind, type) and issubclass(kind, Exception)):
                continue
            if issubclass(kind, theirs.HfHubHTTPError):
                raised.append(kind("hf_secretsecret", response=response))
            elif not issubclass(kind, httpx2.HTTPStatusError):
                try:
                    raised.append(kind("hf_secretsecret"))
                except TypeError:
                    raised.append(kind.__new__(kind))
    assert len(raised) > 80
    for error in raised:
        with pytest.raises(GanzooError) as caught, translated("me/tiny", server.url, "topsecret"):
            raise error
        assert "secretsecret" not in str(caught.value), error
        assert caught.value.__cause__ is None and caught.value.__suppress_context__


def test_refusals_say_what_to_do_next(server: HubServer) -> None:
    model = model_of("gan")
    with pytest.raises(AccessError, match="log in with `hf auth login`, set HF_TOKEN"):
        model.push_to_hub("me/tiny", endpoint=server.url)
    with pytest.raises(AccessError, match="rights to create"):
        model.push_to_hub("them/tiny", endpoint=server.url, token=WRITER)
    with pytest.raises(NotFoundError, match="ganzoo hub list --remote"):
        get(server, "me/nothing", token=READER)
    with pytest.raises(AccessError, match="Invalid credentials"):
        get(server, "me/nothing", token="hf_wrongwrong")
    assert server.repos == {}


def test_tokens_are_neither_shown_nor_kept(
    server: HubServer, folder: Path, home: Path, monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setenv("HF_TOKEN", WRITER)
    assert run(monkeypatch, "hub", "push", folder, "me/tiny", "--endpoint", server.url) == 0
    assert run(monkeypatch, "hub", "push", folder, "them/tiny", "--endpoint", server.url) == 2
    assert run(monkeypatch, "hub", "pull", "me/tiny", "--endpoint", server.url) == 0
    secret = closed_port().replace("http://", "http://somebody:password@")
    assert run(monkeypatch, "hub", "pull", "me/none", "--endpoint", secret) == 2
    shown = "".join(capfd.readouterr())
    assert WRITER not in shown and "password" not in shown and "***" in shown
    assert {one.token for one in server.asked if not one.path.startswith("/lfs/")} == {WRITER}
    kept = [path for path in (*home.rglob("*"), *folder.parent.rglob("*")) if path.is_file()]
    assert kept and not [path for path in kept if WRITER.encode() in path.read_bytes()]
    assert scrubbed("hf_abcdefgh and https://me:pw@host/x") == "*** and https://***host/x"


# ------------------------------------------------------------------------------ verifying


def test_figures_of_a_card_are_measured_again(
    server: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data_root: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    from ganzoo.metrics import evaluate

    source = hub.installed()["gan-mnist"]
    folder = tmp_path / "gan"
    folder.mkdir()
    for name in ("config.json", "model.safetensors"):
        (folder / name).write_bytes((source / name).read_bytes())
    model = store.load(folder)
    report = evaluate(model, count=300)
    report.write(folder)
    push.push(folder, "me/gan", endpoint=server.url, token=WRITER)
    found = verify("me/gan", endpoint=server.url)
    assert found.holds and found.found and set(found.found.figures) == set(report.figures)
    assert found.hashed["model.safetensors"] == "config.json, the hub's record, metrics.json"
    assert found.hashed["README.md"] == "the hub's record"
    # a card that boasts
    fid = report.figures["fid"]
    better = dataclasses.replace(fid, value=fid.value / 2)
    boasted = dataclasses.replace(report, figures={**report.figures, "fid": better})
    boasted.write(folder)
    assert verify(folder).drifted == {"fid": (fid.value / 2, pytest.approx(fid.value, rel=0.02))}
    assert run(monkeypatch, "hub", "verify", folder) == 1
    assert "drifted" in capsys.readouterr().out
    # and one of other weights
    dataclasses.replace(report, weights="0" * 64).write(folder)
    with pytest.raises(IntegrityError, match="figures are those of another model"):
        verify(folder)


def test_hashes_are_looked_at_first(server: HubServer, folder: Path) -> None:
    server.add("me/tiny", {**contents(folder), "samples.png": b"picture"})
    get(server)
    path = hub.resolve("me/tiny", endpoint=server.url) / "samples.png"
    assert verify("me/tiny", endpoint=server.url).holds
    path.resolve().write_bytes(b"pictura")
    with pytest.raises(IntegrityError, match=r"samples\.png is not what the hub's record says"):
        verify("me/tiny", endpoint=server.url)
    assert verify("me/tiny", endpoint=server.url, local_files_only=True).hashed == {
        "model.safetensors": "config.json"
    }


# -------------------------------------------------------------------------- the command line


def test_the_commands(
    server: HubServer, folder: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    there = ("--endpoint", server.url)
    monkeypatch.setenv("HF_TOKEN", WRITER)

    def said(*words: object, code: int = 0) -> str:
        assert run(monkeypatch, "hub", *words) == code
        found = capsys.readouterr()
        return found.out + found.err

    assert "nothing was sent" in said("push", folder, "me/tiny", "--dry-run", *there)
    assert server.repos == {}
    text = said("push", folder, "me/tiny", *there)
    commit = server.repos["me/tiny"].refs["main"]
    assert f"published: {server.url}/me/tiny" in text and f"commit: {commit}" in text
    assert "was there already" in said("push", folder, "me/tiny", *there)
    other = store.save(model_of("gan"), folder.parent / "other")
    assert "proposed: " in said("push", other, "me/tiny", "--create-pr", *there)
    said("push", other, "me/licensed", "--licence", "mit", *there)
    sent = server.repos["me/licensed"].commits[server.repos["me/licensed"].refs["main"]]
    assert head(sent["README.md"].decode())["license"] == "mit"
    server.add("me/new", contents(folder))
    for number in range(3):
        server.add(f"them/gan-{number}", server.repos["me/tiny"].commits[commit])
    server.add("them/bert", {"README.md": b"---\ntags: [bert]\n---\n"})
    listed = said("list", "--remote", *there)
    assert all(f"them/gan-{number}" in listed for number in range(3))
    assert "me/tiny" in listed and "bert" not in listed
    assert "me/tiny" not in said("list", "--author", "them", *there)
    assert "me/tiny" not in said("list", *there)
    assert "dcgan-mnist" in said("list", *there)
    text = said("info", "me/tiny", *there)
    assert commit in text and "model.safetensors" in text and server.downloads == []
    assert "neither installed nor cached" in said("info", "me/tiny", "--offline", *there, code=2)
    assert "neither installed nor cached" in said("path", "me/tiny", "--offline", *there, code=2)
    assert commit[:12] in said("pull", "me/tiny", *there)
    assert f"cached at {commit[:12]}" in said("list", *there)
    path = said("path", "me/tiny", "--offline", *there).strip()
    assert (Path(path) / "config.json").is_file()
    assert "the one of config.json" in said("verify", "me/tiny", "--no-figures", *there)
    assert "is an installed model" in said("pull", "dcgan-mnist", *there, code=2)
    text = said("info", "dcgan-mnist")
    assert "fid" in text and str(hub.installed()["dcgan-mnist"]) in text
    for command in ("info", "pull", "path", "verify"):
        assert "no repository me/none" in said(command, "me/none", *there, code=2)


def test_a_stranger_cannot_paint_the_terminal(
    server: HubServer, folder: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    config = json.loads((folder / "config.json").read_text())
    config["spec"]["title"] = "\x1b[31m[bold]red[/]\x07"
    files = {**contents(folder), "config.json": json.dumps(config).encode()}
    server.add("me/tiny", files)
    fetch.pull(Repository("me/tiny"), endpoint=server.url)
    capsys.readouterr()
    assert run(monkeypatch, "hub", "list", "--endpoint", server.url) == 0
    assert run(monkeypatch, "hub", "info", "me/tiny", "--endpoint", server.url) == 0
    shown = capsys.readouterr().out
    assert "[bold]red[/]" in shown and not {"\x1b", "\x07"} & set(shown)


# ----------------------------------------------------------------------------- the real hub


@pytest.mark.skipif("GANZOO_HUB_LIVE" not in os.environ, reason="GANZOO_HUB_LIVE is not set")
def test_there_and_back_on_the_real_hub(tmp_path: Path) -> None:
    """For who is logged in: a private repository, made, fetched, changed and deleted again."""
    from huggingface_hub import HfApi

    api = HfApi(token=TOKEN)
    owner = api.whoami()["name"]
    name = f"{owner}/ganzoo-test-{hashlib.sha256(os.urandom(8)).hexdigest()[:8]}"
    model = model_of("dcgan")
    try:
        done = model.push_to_hub(name, private=True, token=TOKEN)
        pinned = ganzoo.from_pretrained(
            name, revision=done.commit, token=TOKEN, cache_dir=tmp_path / "cache"
        )
        assert np.array_equal(drawn(pinned), drawn(model))
        other = model_of("gan")
        later = other.push_to_hub(name, token=TOKEN, parent=done.commit)
        assert later.commit != done.commit
        with pytest.raises(MovedError):
            model.push_to_hub(name, token=TOKEN, parent=done.commit)
        newest = ganzoo.from_pretrained(name, token=TOKEN, cache_dir=tmp_path / "cache")
        assert np.array_equal(drawn(newest), drawn(other))
    finally:
        api.delete_repo(name, missing_ok=True)
